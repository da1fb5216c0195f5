/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: the guest's threads. One process, one host thread per task. */
#ifndef RAKIS_LIBOS_TASK_H
#define RAKIS_LIBOS_TASK_H

#include "gate/gate.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "libos/signal.h"
#include "libos/wait.h"

struct task {
	struct list node;		/* in process.tasks */
	struct gate_thread *gate;
	_Atomic u32 refs;
	u32 tid;
	char comm[16];

	/* signal.c; under process.signal_lock */
	sigset blocked;
	sigset saved_blocked;		/* to restore after sigsuspend, ppoll, ... */
	bool restore_blocked;
	struct sigqueue signals;
	u64 altstack_base, altstack_size;
	u32 altstack_flags;
	void *xstate;			/* sigframe.c: room for the extended state, made when needed */

	/* calls that go on after a signal (ERESTART_RESTARTBLOCK) */
	long (*restart)(struct task *t);
	u64 restart_deadline;
	u64 restart_args[4];

	/* thread start and end */
	u64 clear_child_tid;
	u64 robust_list;
	struct regs start;		/* registers of a new thread */
	u64 start_fs;
	u32 start_mxcsr;		/* rounding and masks are inherited, as on Linux */
	u16 start_fcw;

	u64 syscall_count;

	/* remembered for the calls that ask; they decide nothing */
	u32 sched_policy, ioprio;
	int nice;
};

struct process {
	u32 pid, ppid, pgid, sid;
	u32 uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	u32 ngroups;
	u32 *groups;
	_Atomic u32 umask;

	struct spinlock lock;		/* tasks */
	struct list tasks;
	u32 ntasks;
	_Atomic u32 exiting;		/* 1: exit_group under way */
	int exit_status, exit_signal;

	struct spinlock signal_lock;
	struct sigqueue signals;	/* for any task */
	struct sigact actions[SIGNAL_COUNT];
	u32 signals_queued;		/* entries in all queues */

	char *exe;			/* path of the program */
	char *cmdline;			/* arguments, NUL-separated */
	size_t cmdline_len;
	u64 env_start, env_end;		/* the environment's strings on the stack: /proc/self/environ */
	u64 start_ns;
	bool dumpable;
	u64 brk_start, brk, stack_top;	/* mm.c */
	u64 auxv[64];			/* as given to the program */
	u32 nauxv;
};

extern struct process process;

static inline struct task *current(void)
{
	return gate_task();
}

void task_init(const struct rakis_boot *boot);	/* the first task */
struct task *task_find(u32 tid);		/* a reference, or NULL */
struct task *task_next(u32 tid);		/* lowest tid above `tid`: a reference, or NULL */
void task_put(struct task *t);
void task_set_comm(struct task *t, const char *path);	/* last component, 15 bytes of it */
void task_exit(int status) __noreturn;		/* the running thread */
/* Set at start: what was sent goes out before the process ends. */
extern void (*process_drain)(void);
void process_exit(int status, int signal) __noreturn;	/* exit_group; signal != 0: killed by it */
/* Set GATE_PENDING_WORK on `t` and make it look: interrupts guest code, ends waits. */
void task_kick(struct task *t);

#endif
