/* SPDX-License-Identifier: Apache-2.0 */
/* The table of system calls, and the way from the gate to a handler. */
#include "gate/gate.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "syscalls/syscalls.h"
#include "syscalls/trace.h"

static long (*const table[RAKIS_STATS_SYSCALLS])(SYSARGS) = {
#define SYS(name, args) [__NR_##name] = sys_##name,
#include "syscalls/all.tbl"
#undef SYS
};

static const char *const names[RAKIS_STATS_SYSCALLS] = {
#include "syscall_names.inc"
};

const char *syscall_name(u64 nr)
{
	return nr < ARRAY_SIZE(names) && names[nr] ? names[nr] : "unknown";
}

/* Not implemented: the user must be able to see why a program took another way. */
static long unknown(const struct regs *r)
{
	static _Atomic u64 told[RAKIS_STATS_SYSCALLS / 64 + 1];
	u64 nr = r->orig_rax, slot = min(nr, (u64)RAKIS_STATS_SYSCALLS);

	STAT_INC(unknown_syscalls);
	if (!(atomic_fetch_or(&told[slot / 64], 1ull << slot % 64) & 1ull << slot % 64))
		log_warn("system call %s (%ld) is not supported: ENOSYS "
			 "(arguments 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx)", syscall_name(nr), nr,
			 r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
	return -ENOSYS;
}

bool syscall_trace;

static long call(struct regs *r)
{
	u64 nr = r->orig_rax;

	if (unlikely(nr >= ARRAY_SIZE(table) || !table[nr]))
		return unknown(r);
	(*(volatile u64 *)&stats.by_syscall[nr])++;
	return table[nr](r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9);
}

void syscall_dispatch(struct regs *r)
{
	STAT_INC(syscalls);
	r->rax = unlikely(syscall_trace) ? trace_call(r, call) : call(r);
}

void syscall_count_trapped(void)
{
	STAT_INC(syscalls_trapped);
}
