/* SPDX-License-Identifier: Apache-2.0 */
/* The slow side of lib/lock.h. */
#include "lib/lock.h"

enum { SPINS = 1000 };		/* some microseconds: longer than any section that runs */

static void yield_nothing(void)
{
}

void (*lock_yield)(void) = yield_nothing;

void spin_contended(struct spinlock *l)
{
	u32 spins = 0;

	do {
		/* Only look, so that the line is shared until it is free. */
		while (atomic_load_explicit(&l->held, memory_order_relaxed)) {
			cpu_relax();
			if (++spins % SPINS == 0)
				lock_yield();
		}
	} while (atomic_exchange_explicit(&l->held, 1, memory_order_acquire));
}
