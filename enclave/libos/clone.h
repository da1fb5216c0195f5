/* SPDX-License-Identifier: Apache-2.0 */
/* What clone(2) and clone3(2) have in common once their arguments are unpacked. */
#ifndef RAKIS_LIBOS_CLONE_H
#define RAKIS_LIBOS_CLONE_H

#include "lib/types.h"

struct clone_request {
	u64 flags;		/* CLONE_*, without the exit signal */
	u64 stack;		/* top; 0: the caller's */
	u64 parent_tid, child_tid;
	u64 tls;
};

/* The new thread's number. Only threads: for others -ENOSYS and one line on the log. */
long task_clone(const struct clone_request *c) __must_check;

#endif
