/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spin lock for short sections that never leave the enclave. After a bounded spin the
 * waiter gives its processor up (the holder may have been preempted). What may sleep
 * inside takes a struct mutex (libos/wait.h).
 */
#ifndef RAKIS_LIB_LOCK_H
#define RAKIS_LIB_LOCK_H

#include "lib/types.h"

struct spinlock {
	_Atomic u32 held;
};

#define SPINLOCK_INIT { 0 }

/* How to give the processor up; set at start. */
extern void (*lock_yield)(void);

void spin_contended(struct spinlock *l);

static inline void spin_lock(struct spinlock *l)
{
	/* Acquire: pairs with the release in spin_unlock(). */
	if (unlikely(atomic_exchange_explicit(&l->held, 1, memory_order_acquire)))
		spin_contended(l);
}

static inline bool spin_trylock(struct spinlock *l)
{
	return !atomic_load_explicit(&l->held, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&l->held, 1, memory_order_acquire);
}

static inline void spin_unlock(struct spinlock *l)
{
	atomic_store_explicit(&l->held, 0, memory_order_release);
}

static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}

#endif
