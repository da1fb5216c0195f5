/* SPDX-License-Identifier: Apache-2.0 */
/* libos/time.h by the real clock, for tests that need no more of it. */
#include <time.h>
#include "gate/usercopy.h"
#include "lib/errno.h"
#include "libos/time.h"

static u64 read_clock(int id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

u64 now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

u64 realtime_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

void ktimer_run(void)
{
}

int get_timespec_ns(u64 uaddr, u64 *ns)
{
	struct timespec64 ts;

	if (get_user(ts, uaddr))
		return -EFAULT;
	if (ts.sec < 0 || (u64)ts.nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*ns = ts.sec * NSEC_PER_SEC + ts.nsec;
	return 0;
}
