/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource limits and use. The limits begin as the host's, and are the libOS's own from then
 * on: what it enforces is the number of open files; the rest is for programs to read.
 */
#include <linux/resource.h>
#include "fs/file.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/lock.h"
#include "libos/task.h"
#include "syscalls/misc.h"
#include "syscalls/syscalls.h"

struct limit {
	u64 soft, hard;
};

#define NO_LIMIT (~0ull)
#define STACK_LIMIT (8ull << 20)

static struct spinlock lock = SPINLOCK_INIT;
static struct limit limits[RLIM_NLIMITS];

void resource_init(void)
{
	for (u32 i = 0; i < RLIM_NLIMITS; i++) {
		u64 v[2];

		limits[i] = (struct limit){ NO_LIMIT, NO_LIMIT };
		if (!host_rlimit(i, v, false) && v[0] <= v[1])
			limits[i] = (struct limit){ v[0], v[1] };
	}
	limits[RLIMIT_STACK] = (struct limit){ STACK_LIMIT, NO_LIMIT };
	limits[RLIMIT_NOFILE].hard = min(limits[RLIMIT_NOFILE].hard, (u64)FD_LIMIT);
	limits[RLIMIT_NOFILE].soft = min(limits[RLIMIT_NOFILE].soft, limits[RLIMIT_NOFILE].hard);
	fd_limit = limits[RLIMIT_NOFILE].soft;
}

/* Either address may be 0. */
static long change(u64 resource, u64 unew, u64 uold)
{
	struct limit new = { 0, 0 }, old;
	long res = 0;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (unew && get_user(new, unew))
		return -EFAULT;
	if (unew && new.soft > new.hard)
		return -EINVAL;
	spin_lock(&lock);
	old = limits[resource];
	if (unew && ((new.hard > old.hard && process.euid) ||
		     (resource == RLIMIT_NOFILE && new.hard > FD_LIMIT)))
		res = -EPERM;
	else if (unew)
		limits[resource] = new;
	fd_limit = limits[RLIMIT_NOFILE].soft;
	spin_unlock(&lock);
	return !res && uold ? put_user(old, uold) : res;
}

SYSCALL_DEFINE(getrlimit)
{
	struct limit l;

	if ((u32)a1 >= RLIM_NLIMITS)
		return -EINVAL;
	spin_lock(&lock);
	l = limits[(u32)a1];
	spin_unlock(&lock);
	return put_user(l, a2);
}

SYSCALL_DEFINE(setrlimit)
{
	struct limit probe;

	/* Here 0 is an address like any other: -EFAULT. */
	return get_user(probe, a2) ? -EFAULT : change((u32)a1, a2, 0);
}

SYSCALL_DEFINE(prlimit64)
{
	struct task *t = NULL;
	long res;

	if ((int)a1) {
		t = task_find((u32)a1);
		if (!t)
			return -ESRCH;
	}
	res = change((u32)a2, a3, a4);
	if (t)
		task_put(t);
	return res;
}

SYSCALL_DEFINE(getrusage)
{
	struct rusage ru;
	int who = (int)a1, err;

	_Static_assert(sizeof(ru) == 144, "as the request says");
	if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
		return -EINVAL;
	err = host_rusage(who, &ru);
	return err ? err : copy_to_user(a2, &ru, sizeof(ru));
}
