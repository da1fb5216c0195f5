/* SPDX-License-Identifier: Apache-2.0 */
/* System calls about signals: actions, masks, waiting for signals, sending them. */
#include <linux/signal.h>
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "libos/task.h"
#include "libos/time.h"
#include "syscalls/syscalls.h"

SYSCALL_DEFINE(rt_sigaction)
{
	struct sigact act, old;
	int r;

	if (a4 != sizeof(sigset))
		return -EINVAL;
	if (a2 && get_user(act, a2))
		return -EFAULT;
	r = signal_action((int)a1, a2 ? &act : NULL, &old);
	if (r)
		return r;
	return a3 && put_user(old, a3) ? -EFAULT : 0;
}

SYSCALL_DEFINE(rt_sigprocmask)
{
	sigset old = current()->blocked, set;

	if (a4 != sizeof(sigset))
		return -EINVAL;
	if (a2) {
		if (get_user(set, a2))
			return -EFAULT;
		switch ((int)a1) {
		case SIG_BLOCK:
			set |= old;
			break;
		case SIG_UNBLOCK:
			set = old & ~set;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		signal_set_blocked(set);
	}
	return a3 && put_user(old, a3) ? -EFAULT : 0;
}

SYSCALL_DEFINE(rt_sigpending)
{
	struct task *t = current();
	sigset pending;

	if (a2 > sizeof(sigset))
		return -EINVAL;
	spin_lock(&process.signal_lock);
	pending = (t->signals.pending | process.signals.pending) & t->blocked;
	spin_unlock(&process.signal_lock);
	return copy_to_user(a1, &pending, a2) ? -EFAULT : 0;
}

SYSCALL_DEFINE(sigaltstack)
{
	return signal_altstack(a1, a2, gate_regs()->rsp);
}

SYSCALL_DEFINE(rt_sigreturn)
{
	struct regs *regs = gate_regs();

	if (sigframe_pop(regs))
		signal_force(&(struct siginfo_min){ .signo = SIGSEGV, .code = SI_KERNEL });
	/* What the dispatcher stores as the result. */
	return regs->rax;
}

/* ---- waiting ---- */

static long wait_for_signal(void)
{
	while (!signal_pending()) {
		park_begin();
		if (signal_pending())
			break;
		park(WAIT_FOREVER);
	}
	return -ERESTARTNOHAND;
}

SYSCALL_DEFINE(pause)
{
	return wait_for_signal();
}

SYSCALL_DEFINE(rt_sigsuspend)
{
	int r;

	if (a2 != sizeof(sigset))
		return -EINVAL;
	if (!a1)
		return -EFAULT;
	r = signal_set_temporary_mask(a1, a2);
	return r ? r : wait_for_signal();
}

SYSCALL_DEFINE(rt_sigtimedwait)
{
	struct siginfo_min info;
	u64 deadline;
	sigset set;
	int r;

	if (a4 != sizeof(sigset))
		return -EINVAL;
	if (get_user(set, a1))
		return -EFAULT;
	r = get_deadline(a3, &deadline);
	if (r)
		return r;
	/* A mere look is not interrupted by other signals. */
	if (deadline_left(deadline))
		r = wait_event(&signal_queue, deadline, !signal_dequeue(set, &info));
	else
		r = signal_dequeue(set, &info);
	if (r)
		return r == -ERESTARTSYS ? -EINTR : -EAGAIN;
	if (a2 && siginfo_to_user(a2, &info))
		return -EFAULT;
	return info.signo;
}

SYSCALL_DEFINE(restart_syscall)
{
	struct task *t = current();

	return t->restart ? t->restart(t) : -EINTR;
}

/* ---- sending ---- */

static bool valid_signal(int sig)
{
	return sig >= 0 && sig <= SIGNAL_COUNT;
}

static struct siginfo_min from_here(int sig, int code)
{
	return (struct siginfo_min){
		.signo = sig, .code = code, .pid = process.pid, .uid = process.uid,
	};
}

/* Is it this process, by its own number or by that of one of its threads? */
static bool is_self(int pid)
{
	struct task *t;

	if ((u32)pid == process.pid)
		return true;
	t = pid > 0 ? task_find(pid) : NULL;
	if (t)
		task_put(t);
	return t;
}

static int send_process(const struct siginfo_min *info)
{
	return info->signo ? signal_send_process(info) : 0;
}

SYSCALL_DEFINE(kill)
{
	int pid = (int)a1, sig = (int)a2;
	struct siginfo_min info = from_here(sig, SI_USER);

	if (!valid_signal(sig))
		return -EINVAL;
	/* The guest sees no process but itself, and -1 means all others. */
	if (pid == -1 || pid == INT32_MIN)
		return -ESRCH;
	/* Of its process group only itself: the rest belongs to who started it. */
	if (pid == 0 || pid == -(int)process.pgid || is_self(pid))
		return send_process(&info);
	return host_kill(pid, sig);
}

static long send_thread(int tgid, int tid, const struct siginfo_min *info)
{
	struct task *t;
	int r = 0;

	if (tid <= 0)
		return -EINVAL;
	t = tgid == (int)process.pid ? task_find(tid) : NULL;
	if (!t)
		return -ESRCH;
	if (!valid_signal(info->signo))
		r = -EINVAL;
	else if (info->signo)
		r = signal_send_task(t, info);
	task_put(t);
	return r;
}

SYSCALL_DEFINE(tkill)
{
	struct siginfo_min info = from_here((int)a2, SI_TKILL);

	return send_thread(process.pid, (int)a1, &info);
}

SYSCALL_DEFINE(tgkill)
{
	struct siginfo_min info = from_here((int)a3, SI_TKILL);

	return (int)a1 <= 0 ? -EINVAL : send_thread((int)a1, (int)a2, &info);
}

SYSCALL_DEFINE(rt_sigqueueinfo)
{
	struct siginfo_min info;

	if (siginfo_from_user(&info, a3, (int)a2))
		return -EFAULT;
	/* To itself a process may claim any code, to others only what is not the kernel's. */
	if (!is_self((int)a1)) {
		if (info.code >= 0 || info.code == SI_TKILL)
			return -EPERM;
		/* The host has no way to carry the value: rather none than half of it. */
		return info.signo ? -EPERM : host_kill((int)a1, 0);
	}
	if (!valid_signal(info.signo))
		return -EINVAL;
	return send_process(&info);
}

SYSCALL_DEFINE(rt_tgsigqueueinfo)
{
	struct siginfo_min info;

	if ((int)a1 <= 0 || (int)a2 <= 0)
		return -EINVAL;
	if (siginfo_from_user(&info, a4, (int)a3))
		return -EFAULT;
	return send_thread((int)a1, (int)a2, &info);
}
