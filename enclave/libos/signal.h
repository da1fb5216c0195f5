/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals as Linux has them: one table of actions, a queue for the process and one for each
 * task, a mask for each task. A signal is delivered by the task itself on its way back to
 * the guest (return_work()); senders queue it and kick a task that does not block it.
 *
 * Locks: process.lock, then process.signal_lock. Nothing here may be called with either
 * held; what sends or looks for signals may leave the enclave.
 */
#ifndef RAKIS_LIBOS_SIGNAL_H
#define RAKIS_LIBOS_SIGNAL_H

#include "gate/gate.h"
#include "lib/list.h"
#include "lib/types.h"

struct task;
struct wait_queue;

typedef u64 sigset;			/* bit n-1 for signal n */
#define SIGMASK(n) (1ull << ((n) - 1))
#define SIGNAL_COUNT 64

struct sigqueue {			/* pending signals with their information */
	sigset pending;
	struct list entries;		/* struct sigentry, signal.c */
};

struct sigact {				/* the kernel's struct sigaction */
	u64 handler, flags, restorer;
	sigset mask;
};

struct siginfo_min {			/* what RAKIS fills of siginfo_t */
	int signo, code;
	u64 addr;			/* faults: si_addr */
	u32 pid, uid;			/* kill, tgkill, rt_sigqueueinfo */
	u64 value;
	int trapno;			/* faults: for the frame */
	u64 error_code;
	int timerid, overrun;		/* SI_TIMER */
};

void signal_init(const struct rakis_boot *boot);	/* after task_init() */
/* A new task: empty queue, the mask of `parent` (NULL: none blocked), no alternate stack. */
void signal_task_init(struct task *t, const struct task *parent);
/* The task is off process.tasks: what it was to handle goes to another one. */
void signal_task_exit(struct task *t);

/*
 * The running task has a signal to deliver, or must end. Also takes what is pending from
 * the host (signals, timers), so call it without spin locks. True stays true until the
 * way back to the guest: return -ERESTARTSYS or the like.
 */
bool signal_pending(void);
/* The bare question, from the queues: leaves GATE_PENDING_* alone (host_pending_work()). */
bool signal_deliverable(void);

/*
 * 0, or -EAGAIN when a queued (real-time) signal finds the queue full. A SI_TIMER signal
 * whose timer has one pending already only adds to that one's overrun count.
 */
int signal_send_task(struct task *t, const struct siginfo_min *info) __must_check;
int signal_send_process(const struct siginfo_min *info) __must_check;
void signal_force(const struct siginfo_min *info);	/* a fault of the running task */
void signal_poll_host(void);			/* take what came from outside */

/* rt_sigaction(2) and sigprocmask on values; act, old may be NULL. */
int signal_action(int sig, const struct sigact *act, struct sigact *old) __must_check;
void signal_set_blocked(sigset mask);		/* of the running task */
/* Replace the mask until the call returns (ppoll, pselect, epoll_pwait, sigsuspend). */
int signal_set_temporary_mask(u64 uset, u64 size) __must_check;	/* uset 0: leave */
void signal_restore_mask(void);			/* the call ended without waiting for a signal */
/* For signalfd and sigwait: take one of `mask`, own or the process's. 0, or -EAGAIN. */
int signal_dequeue(sigset mask, struct siginfo_min *out) __must_check;
/* The next to deliver to the running task and its action, SA_RESETHAND done. 0: none. */
int signal_next(struct siginfo_min *info, struct sigact *act) __must_check;
bool signal_ignored_by_default(int sig);
extern struct wait_queue signal_queue;		/* woken with every signal sent (signalfd, sigwait) */

/* ---- what the guest sees (sigframe.c) ---- */

void sigframe_init(void);
u64 sigframe_min_stack(void);			/* AT_MINSIGSTKSZ */
/* Begin a handler: build its frame on the guest's stack, point `regs` at it. -EFAULT. */
int sigframe_push(struct regs *regs, const struct siginfo_min *info, const struct sigact *act)
	__must_check;
/* rt_sigreturn(2). -EFAULT: the frame is bad, nothing is changed but perhaps registers. */
int sigframe_pop(struct regs *regs) __must_check;
/* siginfo_t at uaddr. */
int siginfo_to_user(u64 uaddr, const struct siginfo_min *info) __must_check;
int siginfo_from_user(struct siginfo_min *info, u64 uaddr, int signo) __must_check;
/* sigaltstack(2); `rsp` is the guest's. stack_t at uss, uold; 0: none. */
int signal_altstack(u64 uss, u64 uold, u64 rsp) __must_check;

/*
 * The room elf/ knows patched code; start.c sets these. Address in a stub -> the original's
 * address, and back (elf/elf.h). sig_restorer: for handlers without SA_RESTORER.
 */
extern u64 (*sig_original_rip)(u64 rip);
extern u64 (*sig_resume_rip)(u64 rip);
extern u64 (*sig_restorer)(void);

#endif
