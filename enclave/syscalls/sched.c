/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduling. Processors are the host's, so affinity is asked of it; policies and priorities
 * are remembered for those who ask, real-time ones refused as to any unprivileged process.
 */
#include <linux/ioprio.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "libos/task.h"
#include "libos/time.h"
#include "syscalls/syscalls.h"

#define CPU_MASK_BYTES	128u
#define SLICE_NS	4000000ull	/* what SCHED_OTHER is said to get */
#define NICE_MIN	(-20)
#define NICE_MAX	19
#define IOPRIO_DEFAULT	IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4)

/* 0: the running task. A reference, or NULL. */
static struct task *task_of(u64 pid)
{
	return task_find((u32)pid ? (u32)pid : current()->tid);
}

SYSCALL_DEFINE(sched_yield)
{
	host_yield();
	return 0;
}

SYSCALL_DEFINE(sched_getaffinity)
{
	u64 mask[CPU_MASK_BYTES / 8] = { 0 };
	struct task *t;
	long r;

	if (a2 % 8 || (u32)a2 == 0)
		return -EINVAL;
	t = task_of(a1);
	if (!t)
		return -ESRCH;
	r = host_affinity(t->gate->slot, mask, min((u32)a2, CPU_MASK_BYTES), false);
	task_put(t);
	if (r > 0 && copy_to_user(a3, mask, r))
		return -EFAULT;
	return r;
}

SYSCALL_DEFINE(sched_setaffinity)
{
	u64 mask[CPU_MASK_BYTES / 8] = { 0 };
	struct task *t;
	long r;

	if (copy_from_user(mask, a3, min((u32)a2, CPU_MASK_BYTES)))
		return -EFAULT;
	t = task_of(a1);
	if (!t)
		return -ESRCH;
	r = host_affinity(t->gate->slot, mask, sizeof(mask), true);
	task_put(t);
	return r < 0 ? r : 0;
}

/* ---- policies ---- */

static int check_policy(int policy, int priority)
{
	switch (policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return priority ? -EINVAL : 0;
	case SCHED_FIFO:
	case SCHED_RR:
		return priority < 1 || priority > 99 ? -EINVAL : -EPERM;
	case SCHED_DEADLINE:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

static long set_policy(u64 pid, int policy, u64 uparam)
{
	struct task *t;
	int priority;
	long r;

	if (!uparam || (int)pid < 0)
		return -EINVAL;
	if (get_user(priority, uparam))
		return -EFAULT;
	t = task_of(pid);
	if (!t)
		return -ESRCH;
	if (policy < 0)
		policy = t->sched_policy;
	r = check_policy(policy & ~SCHED_RESET_ON_FORK, priority);
	if (!r)
		t->sched_policy = policy;
	task_put(t);
	return r;
}

SYSCALL_DEFINE(sched_setscheduler)
{
	return (int)a2 < 0 ? -EINVAL : set_policy(a1, a2, a3);
}

SYSCALL_DEFINE(sched_setparam)
{
	return set_policy(a1, -1, a2);
}

SYSCALL_DEFINE(sched_getscheduler)
{
	struct task *t;
	long r;

	if ((int)a1 < 0)
		return -EINVAL;
	t = task_of(a1);
	if (!t)
		return -ESRCH;
	r = t->sched_policy;
	task_put(t);
	return r;
}

SYSCALL_DEFINE(sched_getparam)
{
	struct task *t;

	if (!a2 || (int)a1 < 0)
		return -EINVAL;
	t = task_of(a1);
	if (!t)
		return -ESRCH;
	task_put(t);
	return put_user((int)0, a2);
}

SYSCALL_DEFINE(sched_getattr)
{
	struct sched_attr attr = { .size = min((u32)a3, (u32)sizeof(attr)) };
	struct task *t;

	if (!a2 || (int)a1 < 0 || (u32)a3 < SCHED_ATTR_SIZE_VER0 || (u32)a3 > PAGE_SIZE || a4)
		return -EINVAL;
	t = task_of(a1);
	if (!t)
		return -ESRCH;
	attr.sched_policy = t->sched_policy & ~SCHED_RESET_ON_FORK;
	if (t->sched_policy & SCHED_RESET_ON_FORK)
		attr.sched_flags = SCHED_FLAG_RESET_ON_FORK;
	attr.sched_nice = t->nice;
	task_put(t);
	return copy_to_user(a2, &attr, attr.size);
}

SYSCALL_DEFINE(sched_setattr)
{
	struct sched_attr attr;
	struct task *t;
	u32 size;
	long r;

	if (!a2 || (int)a1 < 0 || a3)
		return -EINVAL;
	if (get_user(size, a2))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	r = size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE ? -E2BIG :
	    copy_struct_from_user(&attr, sizeof(attr), a2, size);
	if (r == -E2BIG && put_user((u32)sizeof(attr), a2))
		r = -EFAULT;
	if (r)
		return r;
	if (attr.sched_flags & ~(u64)SCHED_FLAG_ALL)
		return -EINVAL;
	t = task_of(a1);
	if (!t)
		return -ESRCH;
	r = check_policy(attr.sched_policy, attr.sched_priority);
	if (!r) {
		t->sched_policy = attr.sched_policy;
		if (attr.sched_flags & SCHED_FLAG_RESET_ON_FORK)
			t->sched_policy |= SCHED_RESET_ON_FORK;
		t->nice = max(NICE_MIN, min(attr.sched_nice, NICE_MAX));
	}
	task_put(t);
	return r;
}

static long priority_limit(int policy, long real_time)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return real_time;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		return 0;
	default:
		return -EINVAL;
	}
}

SYSCALL_DEFINE(sched_get_priority_max)
{
	return priority_limit(a1, 99);
}

SYSCALL_DEFINE(sched_get_priority_min)
{
	return priority_limit(a1, 1);
}

SYSCALL_DEFINE(sched_rr_get_interval)
{
	struct task *t;

	if ((int)a1 < 0)
		return -EINVAL;
	t = task_of(a1);
	if (!t)
		return -ESRCH;
	task_put(t);
	return put_timespec_ns(a2, SLICE_NS);
}

/* ---- nice values and I/O priorities ---- */

/*
 * Call fn on each task that `which` and `who` name (PRIO_*; IOPRIO_WHO_* is one more).
 * -ESRCH: none; else the greatest of what fn returned.
 */
static long for_tasks(u32 which, u64 who, long (*fn)(struct task *t, long arg), long arg)
{
	struct task *t;
	long r = INT64_MIN;
	u32 tid = 0;

	switch (which) {
	case PRIO_PROCESS:
		t = task_of(who);
		if (!t)
			return -ESRCH;
		r = fn(t, arg);
		task_put(t);
		return r;
	case PRIO_PGRP:
		if ((u32)who && (u32)who != process.pgid)
			return -ESRCH;
		break;
	case PRIO_USER:
		if ((u32)who && (u32)who != process.uid)
			return -ESRCH;
		break;
	default:
		return -EINVAL;
	}
	while ((t = task_next(tid))) {
		tid = t->tid;
		r = max(r, fn(t, arg));
		task_put(t);
	}
	return r;
}

static long get_nice(struct task *t, long arg)
{
	return 20 - t->nice;
}

static long set_nice(struct task *t, long nice)
{
	if (nice < t->nice && process.euid)
		return -EACCES;
	t->nice = nice;
	return 0;
}

SYSCALL_DEFINE(getpriority)
{
	return for_tasks(a1, a2, get_nice, 0);
}

SYSCALL_DEFINE(setpriority)
{
	return for_tasks(a1, a2, set_nice, max(NICE_MIN, min((int)a3, NICE_MAX)));
}

static long get_ioprio(struct task *t, long arg)
{
	return t->ioprio ? t->ioprio : IOPRIO_DEFAULT;
}

static long set_ioprio(struct task *t, long ioprio)
{
	t->ioprio = ioprio;
	return 0;
}

SYSCALL_DEFINE(ioprio_get)
{
	return for_tasks((u32)a1 - IOPRIO_WHO_PROCESS, a2, get_ioprio, 0);
}

SYSCALL_DEFINE(ioprio_set)
{
	u32 level = a3 & ((1u << IOPRIO_CLASS_SHIFT) - 1);

	switch ((u32)a3 >> IOPRIO_CLASS_SHIFT) {
	case IOPRIO_CLASS_NONE:
		if (level)
			return -EINVAL;
		break;
	case IOPRIO_CLASS_RT:
		return -EPERM;
	case IOPRIO_CLASS_BE:
		if (level >= IOPRIO_BE_NR)
			return -EINVAL;
		break;
	case IOPRIO_CLASS_IDLE:
		break;
	default:
		return -EINVAL;
	}
	return for_tasks((u32)a1 - IOPRIO_WHO_PROCESS, a2, set_ioprio, a3);
}
