/* SPDX-License-Identifier: Apache-2.0 */
/* Futexes of one process: an address is a key, private and shared ones are the same. */
#ifndef RAKIS_LIBOS_FUTEX_H
#define RAKIS_LIBOS_FUTEX_H

#include "lib/types.h"

struct task;

/* futex(2), arguments as they are. */
long do_futex(u64 uaddr, int op, u32 val, u64 utime, u64 uaddr2, u32 val3);
/* Wake at most `n` (at least one) of those that wait with a bit of `bitset`; their number. */
long futex_wake(u64 uaddr, int n, u32 bitset);
/* The running task is about to end: tell the waiters of the locks on its robust list. */
void futex_task_exit(struct task *t);
/* It is off process.tasks: locks with priority inheritance that it held get new owners. */
void futex_task_gone(u32 tid);

#endif
