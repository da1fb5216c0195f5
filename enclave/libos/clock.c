/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks by their number in the guest's ABI. */
#include <linux/time.h>
#include "lib/errno.h"
#include "libos/task.h"
#include "libos/time.h"

/* Numbers below 0: processor time of a task, ~id << 3 | which (see clock_getcpuclockid(3)). */
#define CPU_PER_THREAD	4
#define CPU_KIND	3	/* 0 to 2: kinds of processor time; 3: a device's clock */

static int read_cpu_clock(int clockid, u64 *ns)
{
	u32 id = ~(clockid >> 3);
	bool thread = clockid & CPU_PER_THREAD;

	if ((clockid & CPU_KIND) == CPU_KIND)
		return -EINVAL;
	if (thread ? id && id != current()->tid : id && id != process.pid) {
		struct task *t = task_find(id);

		if (!t)
			return -EINVAL;
		task_put(t);
		/* Of another thread: the host is asked by, and about, the running one only. */
		return -EOPNOTSUPP;
	}
	*ns = cpu_ns(thread);
	return 0;
}

int clock_read(int clockid, u64 *ns)
{
	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = realtime_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
		*ns = now_ns();
		return 0;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = boottime_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = cpu_ns(clockid == CLOCK_THREAD_CPUTIME_ID);
		return 0;
	default:
		return clockid < 0 ? read_cpu_clock(clockid, ns) : -EINVAL;
	}
}

int clock_can_wait(int clockid)
{
	u64 ns;

	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EPERM;
	default:
		return clock_read(clockid, &ns) ? -EINVAL : -EOPNOTSUPP;
	}
}
