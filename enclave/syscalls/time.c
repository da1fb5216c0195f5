/* SPDX-License-Identifier: Apache-2.0 */
/* System calls about time: clocks, sleeping, timers. */
#include <linux/resource.h>
#include <linux/time.h>
#include <linux/times.h>
#include <linux/timex.h>
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/time.h"
#include "syscalls/syscalls.h"

#define TICK_NS		4000000u	/* resolution of the coarse clocks */
#define USER_HZ		100u
#define NSEC_PER_USEC	1000u
#define USEC_PER_SEC	1000000u
#define UNKNOWN_USEC	16000000u	/* error of a clock that nothing disciplines */
#define MAX_SLEW	(500u << 16)	/* of Linux, parts per million */

struct user_timeval { s64 sec, usec; };

/* ---- clocks ---- */

SYSCALL_DEFINE(clock_gettime)
{
	u64 ns;
	int r = clock_read(a1, &ns);

	return r ? r : put_timespec_ns(a2, ns);
}

SYSCALL_DEFINE(clock_getres)
{
	int clockid = a1, r;
	u64 ns;

	r = clock_read(clockid, &ns);
	if (r == -EINVAL)
		return r;
	ns = clockid == CLOCK_REALTIME_COARSE || clockid == CLOCK_MONOTONIC_COARSE ? TICK_NS : 1;
	return a2 ? put_timespec_ns(a2, ns) : 0;
}

SYSCALL_DEFINE(gettimeofday)
{
	const u64 no_zone = 0;
	struct user_timeval tv;
	u64 ns;

	if (a1) {
		ns = realtime_ns();
		tv.sec = ns / NSEC_PER_SEC;
		tv.usec = ns % NSEC_PER_SEC / NSEC_PER_USEC;
		if (put_user(tv, a1))
			return -EFAULT;
	}
	return a2 ? put_user(no_zone, a2) : 0;
}

SYSCALL_DEFINE(time)
{
	s64 now = realtime_ns() / NSEC_PER_SEC;

	return a1 && put_user(now, a1) ? -EFAULT : now;
}

/* The clock is the host's, and the guest is no privileged process there. */
SYSCALL_DEFINE(clock_settime)
{
	struct timespec64 ts;
	int r;

	if ((int)a1 != CLOCK_REALTIME)
		return -EINVAL;
	r = get_timespec(a2, &ts);
	return r ? r : -EPERM;
}

SYSCALL_DEFINE(settimeofday)
{
	struct user_timeval tv;

	if (a1) {
		if (get_user(tv, a1))
			return -EFAULT;
		if (tv.sec < 0 || (u64)tv.usec >= USEC_PER_SEC)
			return -EINVAL;
	}
	return -EPERM;
}

/* Reading is allowed; what the host's time daemon does is not known, so: not synchronised. */
static long adjust(u64 utimex)
{
	struct __kernel_timex tx;
	u64 ns = realtime_ns();

	if (get_user(tx, utimex))
		return -EFAULT;
	if (tx.modes && tx.modes != ADJ_OFFSET_SS_READ)
		return -EPERM;
	memset(&tx, 0, sizeof(tx));
	tx.status = STA_UNSYNC;
	tx.maxerror = tx.esterror = UNKNOWN_USEC;
	tx.constant = 2;
	tx.precision = 1;
	tx.tolerance = MAX_SLEW;
	tx.tick = USEC_PER_SEC / USER_HZ;
	tx.time.tv_sec = ns / NSEC_PER_SEC;
	tx.time.tv_usec = ns % NSEC_PER_SEC / NSEC_PER_USEC;
	return put_user(tx, utimex) ? -EFAULT : TIME_ERROR;
}

SYSCALL_DEFINE(adjtimex)
{
	return adjust(a1);
}

SYSCALL_DEFINE(clock_adjtime)
{
	u64 ns;

	if ((int)a1 == CLOCK_REALTIME)
		return adjust(a2);
	return clock_read(a1, &ns) ? -EINVAL : -EOPNOTSUPP;
}

SYSCALL_DEFINE(times)
{
	const u64 tick = NSEC_PER_SEC / USER_HZ;
	s64 usage[18];		/* struct rusage: begins with two timevals */
	struct tms t = { 0 };

	if (a1) {
		if (host_rusage(RUSAGE_SELF, usage))
			return -EFAULT;
		t.tms_utime = usage[0] * USER_HZ + usage[1] / (s64)(USEC_PER_SEC / USER_HZ);
		t.tms_stime = usage[2] * USER_HZ + usage[3] / (s64)(USEC_PER_SEC / USER_HZ);
		if (put_user(t, a1))
			return -EFAULT;
	}
	return boottime_ns() / tick;
}

/* ---- sleeping ---- */

/* The time left to *uleft (0: nobody asks), and what an interrupted sleep answers. */
static long interrupted(u64 left, u64 uleft, long r)
{
	if (!left)
		return 0;
	return uleft && put_timespec_ns(uleft, left) ? -EFAULT : r;
}

/* 0: the time has come; or -ERESTARTSYS. */
static int sleep_until(u64 deadline)
{
	int r;

	do {
		park_begin();
		r = wait_sleep(deadline);
	} while (!r);
	return r == -ETIMEDOUT ? 0 : r;
}

static long sleep_restart(struct task *t)
{
	if (!sleep_until(t->restart_deadline))
		return 0;
	return interrupted(deadline_left(t->restart_deadline), t->restart_args[0],
			   -ERESTART_RESTARTBLOCK);
}

static long sleep_for(u64 ns, u64 uleft)
{
	struct task *t = current();

	t->restart = sleep_restart;
	t->restart_deadline = now_ns() + ns;
	t->restart_args[0] = uleft;
	return sleep_restart(t);
}

SYSCALL_DEFINE(nanosleep)
{
	u64 ns;
	int r = get_timespec_ns(a1, &ns);

	return r ? r : sleep_for(ns, a2);
}

/*
 * Until a clock shows `ns`. The wall clock may step and processor time may stand still, so
 * they are looked at from time to time.
 */
static long sleep_on_clock(int clockid, u64 ns)
{
	const u64 look = clockid == CLOCK_PROCESS_CPUTIME_ID ? TICK_NS : NSEC_PER_SEC;
	u64 now, left;
	int r;

	for (;;) {
		r = clock_read(clockid, &now);
		if (r || now >= ns)
			return r;
		left = ns - now;
		if (clockid != CLOCK_MONOTONIC)
			left = min(left, look);
		if (sleep_until(now_ns() + left))
			return -ERESTARTNOHAND;
	}
}

SYSCALL_DEFINE(clock_nanosleep)
{
	int clockid = a1, r = clock_can_wait(clockid);
	u64 ns, now;

	if (clockid == CLOCK_THREAD_CPUTIME_ID)
		return -EINVAL;
	if (r)
		return r;
	r = get_timespec_ns(a3, &ns);
	if (r)
		return r;
	if (a2 & TIMER_ABSTIME)
		return sleep_on_clock(clockid, ns);
	if (clockid != CLOCK_PROCESS_CPUTIME_ID)
		return sleep_for(ns, a4);
	r = clock_read(clockid, &now);
	return r ? r : sleep_on_clock(clockid, now + ns);
}

/* ---- timers of timer_create(2) ---- */

static int put_itimerspec(u64 uaddr, const struct itimer_ns *v)
{
	if (put_timespec_ns(uaddr, v->interval) ||
	    put_timespec_ns(uaddr + sizeof(struct timespec64), v->value))
		return -EFAULT;
	return 0;
}

SYSCALL_DEFINE(timer_create)
{
	return posix_timer_create(a1, a2, a3);
}

SYSCALL_DEFINE(timer_settime)
{
	struct itimer_ns val, old;
	int r;

	if (!a3)
		return -EINVAL;
	r = get_timespec_ns(a3, &val.interval);
	if (!r)
		r = get_timespec_ns(a3 + sizeof(struct timespec64), &val.value);
	if (!r)
		r = posix_timer_set(a1, a2 & TIMER_ABSTIME, &val, a4 ? &old : NULL);
	if (!r && a4)
		r = put_itimerspec(a4, &old);
	return r;
}

SYSCALL_DEFINE(timer_gettime)
{
	struct itimer_ns val;
	int r = posix_timer_get(a1, &val);

	return r ? r : put_itimerspec(a2, &val);
}

SYSCALL_DEFINE(timer_getoverrun)
{
	return posix_timer_overrun(a1);
}

SYSCALL_DEFINE(timer_delete)
{
	return posix_timer_delete(a1);
}

/* ---- the process's three timers ---- */

static int get_timeval_ns(u64 uaddr, u64 *ns)
{
	struct user_timeval tv;

	if (get_user(tv, uaddr))
		return -EFAULT;
	if (tv.sec < 0 || (u64)tv.usec >= USEC_PER_SEC)
		return -EINVAL;
	*ns = INT64_MAX;
	if ((u64)tv.sec < INT64_MAX / NSEC_PER_SEC)
		*ns = tv.sec * NSEC_PER_SEC + tv.usec * NSEC_PER_USEC;
	return 0;
}

static int put_itimerval(u64 uaddr, const struct itimer_ns *v)
{
	struct user_timeval tv[2] = {
		{ v->interval / NSEC_PER_SEC, v->interval % NSEC_PER_SEC / NSEC_PER_USEC },
		{ v->value / NSEC_PER_SEC, v->value % NSEC_PER_SEC / NSEC_PER_USEC },
	};

	/* Armed, so not 0. */
	if (v->value && !tv[1].sec && !tv[1].usec)
		tv[1].usec = 1;
	return copy_to_user(uaddr, tv, sizeof(tv));
}

SYSCALL_DEFINE(getitimer)
{
	struct itimer_ns val;

	if ((u32)a1 > ITIMER_PROF)
		return -EINVAL;
	itimer_set(a1, NULL, &val);
	return put_itimerval(a2, &val);
}

SYSCALL_DEFINE(setitimer)
{
	struct itimer_ns val = { 0 }, old;
	int r = 0;

	if (a2) {
		r = get_timeval_ns(a2, &val.interval);
		if (!r)
			r = get_timeval_ns(a2 + sizeof(struct user_timeval), &val.value);
	}
	if (r)
		return r;
	if ((u32)a1 > ITIMER_PROF)
		return -EINVAL;
	itimer_set(a1, &val, a3 ? &old : NULL);
	return a3 ? put_itimerval(a3, &old) : 0;
}

SYSCALL_DEFINE(alarm)
{
	struct itimer_ns val = { .value = (u32)a1 * NSEC_PER_SEC }, old;
	u64 left;

	itimer_set(ITIMER_REAL, &val, &old);
	/* Rounded, but 0 only if there was none. */
	left = (old.value + NSEC_PER_SEC / 2) / NSEC_PER_SEC;
	return old.value && !left ? 1 : left;
}
