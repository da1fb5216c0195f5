/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Park words: `notified` says that a wake-up came, `parked` that the thread sleeps outside
 * or is about to. The sleeper stores parked, then reads notified; the waker stores
 * notified, then reads parked. Both are sequentially consistent, so at least one sees the
 * other: either the sleeper does not go out, or the waker sends a wake-up after it. The
 * host keeps a wake-up that comes before the sleep (an eventfd), so that order is free.
 */
#include "hostio/call.h"
#include "hostio/park.h"
#include "hostio/rings.h"
#include "lib/lock.h"
#include "lib/stats.h"

/* Bounds of the spin, in pauses (40 to 140 cycles each). */
#define SPIN_LEAST	4u
#define SPIN_MOST	128u

#define BATCH_MOST	24u

static bool may_spin;

bool (*park_reap_xsks)(u32 xsks, u32 *busy);

void park_init(u64 cpus)
{
	/* With one processor the waker cannot run while this thread spins. */
	may_spin = cpus > 1;
}

void park_begin(void)
{
	struct gate_thread *t = gate_self();

	t->depends = 0;
	atomic_store(&t->notified, 0);
}

/* A wake-up came, or there is something to look at. */
static bool must_look(struct gate_thread *t)
{
	return atomic_load(&t->notified) ||
	       atomic_load_explicit(&t->pending, memory_order_relaxed);
}

bool park_enter(void)
{
	struct gate_thread *t = gate_self();

	atomic_store(&t->parked, 1);
	if (must_look(t)) {
		/* Used up: the caller looks, and may come again. */
		atomic_store(&t->notified, 0);
		park_leave();
		return false;
	}
	STAT_INC(parks);
	return true;
}

void park_leave(void)
{
	atomic_store_explicit(&gate_self()->parked, 0, memory_order_relaxed);
}

void park(u64 ns)
{
	struct gate_thread *t = gate_self();
	struct rakis_request rq = { .opcode = RAKIS_OP_PARK, .fd = -1, .flags = RAKIS_REQ_WAIT, .addr3 = ns };
	u32 rings = rings_of_sleep(), busy;

	/* Where exits submit, nothing would be while this thread spins. */
	if (may_spin && !rings_wait_for_exit(rings)) {
		u32 most = max(t->spin, SPIN_LEAST);

		for (u32 i = 0; i < most; i++) {
			if (must_look(t)) {
				t->spin = min(most * 2, SPIN_MOST);
				STAT_INC(spins);
				return;
			}
			if (rings && rings_reap(rings, &busy)) {
				t->spin = min(most * 2, SPIN_MOST);
				STAT_INC(spins);
				return;
			}
			cpu_relax();
		}
		t->spin = most / 2;
	}
	/* Where several came at a time, several are worth waiting for, for a moment. */
	t->batch = t->taken > t->batch ? min(t->taken, BATCH_MOST) : (t->batch + t->taken) / 2;
	t->taken = 0;
	rq.op_flags = t->batch;
	(void)!host_call(&rq, 0);
}

void park_wake(struct gate_thread *t)
{
	if (atomic_exchange(&t->notified, 1))
		return;
	if (atomic_load(&t->parked)) {
		struct rakis_request rq = { .opcode = RAKIS_OP_WAKE, .fd = t->slot };

		STAT_INC(wakes);
		(void)!host_call(&rq, 0);
	}
}
