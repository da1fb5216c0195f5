/* SPDX-License-Identifier: Apache-2.0 */
/* System calls about threads and processes: beginning, ending, numbers, futexes. */
#include <asm/unistd.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/log.h"
#include "libos/clone.h"
#include "libos/futex.h"
#include "libos/task.h"
#include "syscalls/syscalls.h"

/* ---- numbers; getppid first of all must be fast ---- */

SYSCALL_DEFINE(getppid)
{
	return process.ppid;
}

SYSCALL_DEFINE(getpid)
{
	return process.pid;
}

SYSCALL_DEFINE(gettid)
{
	return current()->tid;
}

SYSCALL_DEFINE(getpgrp)
{
	return process.pgid;
}

/* Groups and sessions of other processes are not known here. */
SYSCALL_DEFINE(getpgid)
{
	return (int)a1 == 0 || (u32)a1 == process.pid ? (long)process.pgid : -ESRCH;
}

SYSCALL_DEFINE(getsid)
{
	return (int)a1 == 0 || (u32)a1 == process.pid ? (long)process.sid : -ESRCH;
}

/*
 * The numbers are the guest's own view: the host's process stays in the group and session
 * that it was started in, and signals of its terminal arrive as before.
 */
SYSCALL_DEFINE(setpgid)
{
	u32 pid = a1 ? (u32)a1 : process.pid, pgid = (u32)a2 ? (u32)a2 : pid;

	if ((int)a2 < 0)
		return -EINVAL;
	if (pid != process.pid)
		return -ESRCH;
	if (process.sid == process.pid)
		return -EPERM;
	if (pgid != process.pid && pgid != process.pgid)
		return -EPERM;
	process.pgid = pgid;
	return 0;
}

SYSCALL_DEFINE(setsid)
{
	if (process.pgid == process.pid)
		return -EPERM;
	process.sid = process.pgid = process.pid;
	return process.pid;
}

/* ---- beginning ---- */

SYSCALL_DEFINE(clone)
{
	struct clone_request c = {
		.flags = (u32)a1 & ~CSIGNAL, .stack = a2,
		.parent_tid = a3, .child_tid = a4, .tls = a5,
	};

	return task_clone(&c);
}

SYSCALL_DEFINE(clone3)
{
	const u64 known = 0xffffffffull | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
	struct clone_request c;
	struct clone_args args;
	int r;

	if (a2 < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (a2 > PAGE_SIZE)
		return -E2BIG;
	r = copy_struct_from_user(&args, sizeof(args), a1, a2);
	if (r)
		return r;
	if ((args.flags & ~known) || (args.flags & (CSIGNAL | CLONE_DETACHED)) ||
	    args.exit_signal > SIGNAL_COUNT || !args.stack != !args.stack_size ||
	    !args.set_tid != !args.set_tid_size ||
	    ((args.flags & (CLONE_THREAD | CLONE_PARENT)) && args.exit_signal))
		return -EINVAL;
	if (args.set_tid)
		return -EPERM;
	c = (struct clone_request){
		.flags = args.flags, .stack = args.stack + args.stack_size,
		.parent_tid = args.parent_tid, .child_tid = args.child_tid, .tls = args.tls,
	};
	return task_clone(&c);
}

SYSCALL_DEFINE(fork)
{
	return task_clone(&(struct clone_request){});
}

SYSCALL_DEFINE(vfork)
{
	return task_clone(&(struct clone_request){ .flags = CLONE_VM | CLONE_VFORK });
}

static long no_exec(u64 upath)
{
	static _Atomic u32 told;
	char path[256];

	if (strncpy_from_user(path, upath, sizeof(path)) == -EFAULT)
		return -EFAULT;
	path[sizeof(path) - 1] = 0;
	if (!atomic_exchange(&told, 1))
		log_warn("execve is not supported yet: ENOSYS (for %s)", path);
	return -ENOSYS;
}

SYSCALL_DEFINE(execve)
{
	return no_exec(a1);
}

SYSCALL_DEFINE(execveat)
{
	return no_exec(a2);
}

/* ---- ending ---- */

SYSCALL_DEFINE(exit)
{
	task_exit((int)a1);
}

SYSCALL_DEFINE(exit_group)
{
	process_exit((int)a1, 0);
}

SYSCALL_DEFINE(set_tid_address)
{
	current()->clear_child_tid = a1;
	return current()->tid;
}

/* There are no children. */
SYSCALL_DEFINE(wait4)
{
	if ((u32)a3 & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	return (int)a1 == INT32_MIN ? -ESRCH : -ECHILD;
}

SYSCALL_DEFINE(waitid)
{
	u32 options = a4;
	int id = a2;

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED |
			__WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	switch ((int)a1) {
	case P_ALL:
		break;
	case P_PID:
		if (id <= 0)
			return -EINVAL;
		break;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		break;
	case P_PIDFD:
		return id < 0 ? -EINVAL : -EBADF;
	default:
		return -EINVAL;
	}
	return -ECHILD;
}

/* ---- futexes ---- */

SYSCALL_DEFINE(futex)
{
	return do_futex(a1, a2, a3, a4, a5, a6);
}

SYSCALL_DEFINE(futex_waitv)
{
	return -ENOSYS;
}

SYSCALL_DEFINE(set_robust_list)
{
	if (a2 != sizeof(struct robust_list_head))
		return -EINVAL;
	current()->robust_list = a1;
	return 0;
}

SYSCALL_DEFINE(get_robust_list)
{
	struct task *t = task_find((u32)a1 ? (u32)a1 : current()->tid);
	u64 head, len = sizeof(struct robust_list_head);

	if (!t)
		return -ESRCH;
	head = t->robust_list;
	task_put(t);
	if (put_user(len, a3) || put_user(head, a2))
		return -EFAULT;
	return 0;
}

/* ---- what a process may not do here ---- */

SYSCALL_DEFINE(unshare)
{
	const u64 threads = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD |
			    CLONE_SIGHAND | CLONE_VM;
	const u64 spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
			   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME;

	if (a1 & ~(threads | spaces))
		return -EINVAL;
	if (a1 & spaces)
		return -EPERM;
	/* A process of one thread shares with nobody already. */
	if (process.ntasks == 1 || !(a1 & ~CLONE_SYSVSEM))
		return 0;
	return a1 & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) ? -EINVAL : -EPERM;
}

SYSCALL_DEFINE(setns)
{
	return -EPERM;
}

SYSCALL_DEFINE(ptrace)
{
	return -EPERM;
}

SYSCALL_DEFINE(process_vm_readv)
{
	return -EPERM;
}

SYSCALL_DEFINE(process_vm_writev)
{
	return -EPERM;
}
