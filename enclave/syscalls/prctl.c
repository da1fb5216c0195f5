/* SPDX-License-Identifier: Apache-2.0 */
/* prctl and arch_prctl. What has no meaning here gets the errno of a kernel without it. */
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include "gate/usercopy.h"
#include "lib/log.h"
#include "lib/string.h"
#include "libos/mm.h"
#include "libos/task.h"
#include "syscalls/syscalls.h"

#define TASK_END	0x7ffffffff000ull	/* TASK_SIZE_MAX */
#define TIMER_SLACK	50000u			/* ns, the default */
#define SIGNAL_MOST	64u

/* Of the process; Linux has some of them for each thread. */
static struct {
	_Atomic u32 parent_death_signal, no_new_privs, keep_caps, subreaper, securebits;
	_Atomic u32 timer_slack, thp_disable;
} state = { .timer_slack = TIMER_SLACK };

static long set_name(u64 uname)
{
	char name[16] = { 0 };
	ssize_t n = strncpy_from_user(name, uname, sizeof(name) - 1);

	if (n == -EFAULT)
		return n;
	/* A longer name is cut. */
	n = n < 0 ? (ssize_t)sizeof(name) - 1 : n;
	memset(name + n, 0, sizeof(name) - (size_t)n);
	memcpy(current()->comm, name, sizeof(name));
	return 0;
}

static long set_flag(_Atomic u32 *flag, u64 value)
{
	if (value > 1)
		return -EINVAL;
	*flag = (u32)value;
	return 0;
}

static long put_u32(u32 value, u64 uaddr)
{
	return put_user(value, uaddr);
}

static long ambient(u64 op, u64 cap, u64 a4, u64 a5)
{
	if (a4 || a5)
		return -EINVAL;
	if (op == PR_CAP_AMBIENT_CLEAR_ALL)
		return cap ? -EINVAL : 0;
	if (cap > CAP_LAST_CAP)
		return -EINVAL;
	switch (op) {
	case PR_CAP_AMBIENT_IS_SET:
	case PR_CAP_AMBIENT_LOWER:
		return 0;
	case PR_CAP_AMBIENT_RAISE:	/* none is inheritable */
		return -EPERM;
	}
	return -EINVAL;
}

SYSCALL_DEFINE(prctl)
{
	bool rest = a3 || a4 || a5;

	switch ((u32)a1) {
	case PR_SET_NAME:
		return set_name(a2);
	case PR_GET_NAME:
		return copy_to_user(a2, current()->comm, sizeof(current()->comm));
	case PR_SET_PDEATHSIG:
		if (a2 > SIGNAL_MOST)
			return -EINVAL;
		state.parent_death_signal = (u32)a2;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_u32(state.parent_death_signal, a2);
	case PR_GET_DUMPABLE:
		return process.dumpable;
	case PR_SET_DUMPABLE:
		if (a2 > 1)
			return -EINVAL;
		process.dumpable = a2;
		return 0;
	case PR_SET_NO_NEW_PRIVS:
		if (a2 != 1 || rest)
			return -EINVAL;
		state.no_new_privs = 1;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return a2 || rest ? -EINVAL : (long)state.no_new_privs;
	case PR_CAPBSET_READ:
		return a2 > CAP_LAST_CAP ? -EINVAL : 1;
	case PR_CAPBSET_DROP:
		return a2 > CAP_LAST_CAP ? -EINVAL : -EPERM;
	case PR_CAP_AMBIENT:
		return ambient(a2, a3, a4, a5);
	case PR_GET_KEEPCAPS:
		return state.keep_caps;
	case PR_SET_KEEPCAPS:
		return set_flag(&state.keep_caps, a2);
	case PR_GET_SECUREBITS:
		return state.securebits;
	case PR_SET_SECUREBITS:
		return -EPERM;
	case PR_SET_TIMERSLACK:
		state.timer_slack = (s64)a2 > 0 ? (u32)min(a2, (u64)UINT32_MAX) : TIMER_SLACK;
		return 0;
	case PR_GET_TIMERSLACK:
		return state.timer_slack;
	case PR_SET_CHILD_SUBREAPER:
		state.subreaper = !!a2;
		return 0;
	case PR_GET_CHILD_SUBREAPER:
		return put_u32(state.subreaper, a2);
	case PR_GET_TID_ADDRESS:
		return put_user(current()->clear_child_tid, a2);
	case PR_SET_THP_DISABLE:
		if (rest)
			return -EINVAL;
		state.thp_disable = !!a2;
		return 0;
	case PR_GET_THP_DISABLE:
		return a2 || rest ? -EINVAL : (long)state.thp_disable;
	case PR_GET_TSC:
		return put_u32(PR_TSC_ENABLE, a2);
	case PR_SET_TSC:
		return a2 == PR_TSC_ENABLE ? 0 : -EINVAL;
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a2 == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_SECCOMP:
		return 0;
	case PR_TASK_PERF_EVENTS_DISABLE:
	case PR_TASK_PERF_EVENTS_ENABLE:
		return 0;
	case PR_SET_MM:
	case PR_SET_IO_FLUSHER:
	case PR_GET_IO_FLUSHER:
		return -EPERM;
	case PR_GET_SPECULATION_CTRL:
	case PR_SET_SPECULATION_CTRL:
		return -ENODEV;
	default:	/* PR_SET_SECCOMP, PR_SET_VMA, PR_SET_PTRACER, other architectures */
		return -EINVAL;
	}
}

/* ---- arch_prctl ---- */

/* Newer than some headers. */
#define XCOMP_SUPPORTED	0x1021
#define XCOMP_PERMITTED	0x1022
#define XCOMP_REQUEST	0x1023
#define XCOMP_MOST	64u

SYSCALL_DEFINE(arch_prctl)
{
	static _Atomic u32 told;

	switch ((u32)a1) {
	case ARCH_SET_FS:
		if (a2 >= TASK_END)
			return -EPERM;
		gate_set_guest_fs(a2);
		return 0;
	case ARCH_GET_FS:
		return put_user(gate_guest_fs(), a2);
	case ARCH_SET_GS:
	case ARCH_GET_GS:
		if (!atomic_exchange(&told, 1))
			log_warn("the program sets the GS base, which RAKIS needs itself: EINVAL");
		return -EINVAL;
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV;
	case XCOMP_SUPPORTED:
	case XCOMP_PERMITTED:
		return put_user(gate_xstate_mask(), a2);
	case XCOMP_REQUEST:
		if (a2 >= XCOMP_MOST)
			return -EINVAL;
		return gate_xstate_mask() >> a2 & 1 ? 0 : -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}
