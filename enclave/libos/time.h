/* SPDX-License-Identifier: Apache-2.0 */
/* Time: TSC with parameters that the host's clock refreshes; monotonic by construction. */
#ifndef RAKIS_LIBOS_TIME_H
#define RAKIS_LIBOS_TIME_H

#include "boundary/boot.h"
#include "lib/list.h"
#include "lib/types.h"

#define NSEC_PER_SEC	1000000000ull

struct timespec64 { s64 sec, nsec; };

void time_init(const struct rakis_boot *boot);
u64 now_ns(void);			/* CLOCK_MONOTONIC */
u64 realtime_ns(void);
u64 boottime_ns(void);
/* Processor time of the process, or of the running thread, as the host counts it. */
u64 cpu_ns(bool thread);
/* The guest's address of the data that the vDSO reads (libos/vvar.h): write it there now, and
 * whenever the parameters change. Guest memory: through usercopy only. */
struct vvar;
void time_set_vvar(struct vvar *guest);

/*
 * Kernel timers: `fn` runs when `expiry` (monotonic ns) has passed, in some task's return
 * path or wait: no spin lock is held, but mutexes may be, so it takes none. Arming an armed
 * timer moves it. Neither call may be made under a spin lock.
 */
struct ktimer {
	struct list node;
	u64 expiry;			/* 0: not armed */
	void (*fn)(struct ktimer *t);
};

void ktimer_arm(struct ktimer *t, u64 expiry);
bool ktimer_cancel(struct ktimer *t);	/* true if it was armed. On return `fn` is not running. */
void ktimer_run(void);			/* run what has expired; re-arms the host's timer */

/* ---- clocks by number, and timers on them (clock.c, posix_timer.c) ---- */

/* CLOCK_*, and processor-time clocks of this process or the running thread. -EINVAL. */
int clock_read(int clockid, u64 *ns) __must_check;
/* -EINVAL: no such clock; -EOPNOTSUPP: one that nothing can wait for. */
int clock_can_wait(int clockid) __must_check;

struct itimer_ns { u64 interval, value; };

/* timer_create(2) and its family, on values; `old` may be NULL. */
int posix_timer_create(int clockid, u64 usigevent, u64 uid) __must_check;
int posix_timer_set(int id, bool absolute, const struct itimer_ns *val, struct itimer_ns *old)
	__must_check;
int posix_timer_get(int id, struct itimer_ns *val) __must_check;
int posix_timer_overrun(int id) __must_check;
int posix_timer_delete(int id) __must_check;
/* signal.c: a SI_TIMER signal of this timer is being delivered. */
void posix_timer_delivered(int id, int overrun);
/* setitimer(2), getitimer(2): `which` is ITIMER_*, checked. val, old may be NULL. */
void itimer_set(int which, const struct itimer_ns *val, struct itimer_ns *old);

/* struct timespec of the guest; -EFAULT, -EINVAL if out of range. In ns it is below 2^63. */
int get_timespec(u64 uaddr, struct timespec64 *ts) __must_check;
int get_timespec_ns(u64 uaddr, u64 *ns) __must_check;
/* Relative timeout at uaddr (0: for ever) -> deadline. */
int get_deadline(u64 uaddr, u64 *deadline) __must_check;
int put_timespec_ns(u64 uaddr, u64 ns) __must_check;

#endif
