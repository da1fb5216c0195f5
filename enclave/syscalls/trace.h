/* SPDX-License-Identifier: Apache-2.0 */
/* --trace: every system call with its arguments and its result, one line each. */
#ifndef RAKIS_SYSCALLS_TRACE_H
#define RAKIS_SYSCALLS_TRACE_H

#include "gate/gate.h"

extern bool syscall_trace;		/* set at start */
const char *syscall_name(u64 nr);
/* Make the call and print it. */
long trace_call(struct regs *r, long (*call)(struct regs *));

#endif
