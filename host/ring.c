/* SPDX-License-Identifier: Apache-2.0 */
/* Submitting on the way out of the enclave; part of the executor (no vector registers). */
#include <linux/io_uring.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "host/executor.h"
#include "host/host.h"
#include "host/ring.h"
#include "host/thread.h"
#include "host/xsk.h"

#define YIELDS		10000
#define WATCH_EXITS	64u
#define MASK(rings, n)	((uint32_t)((rings) >> (n)) & 0xffff)

struct host_ring host_rings[RAKIS_URING_MOST];
_Atomic uint32_t host_nrings;

/* The kernel's thread takes entries when it gets to them; who finds the queue full cannot go on. */
static void make_room(const struct host_ring *r)
{
	for (int i = 0; i < YIELDS && ring_queued(r) > RAKIS_URING_SQ_ENTRIES / 2; i++)
		sys(sched_yield, 0);
}

_Bool ring_submit(struct host_ring *r)
{
	_Bool any = 0;

	for (;;) {
		uint32_t n = ring_queued(r), sq = atomic_load_explicit(r->sq_flags, memory_order_relaxed);
		uint32_t flags = 0;
		long res;

		if (sq & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN))
			flags |= IORING_ENTER_GETEVENTS;
		if (sq & IORING_SQ_NEED_WAKEUP)
			flags |= IORING_ENTER_SQ_WAKEUP;
		if (!n && !flags)
			return any;
		res = sys(io_uring_enter, r->fd, n, 0, flags, NULL, 0);
		any = 1;
		if (host.kick == KICK_SQPOLL) {
			make_room(r);
			return any;
		}
		/* What it does not take now it takes with the next. */
		if (res <= 0 || (uint32_t)res >= n)
			return any;
	}
}

int ring_quiet(const struct host_ring *r, uint32_t loud, uint32_t busy)
{
	uint32_t head = atomic_load_explicit(r->cq_head, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(r->cq_tail, memory_order_acquire) - head;

	if (!n || (busy && n <= r->cq_mask))
		return n;
	if (loud || n > r->cq_mask)
		return -1;
	for (uint32_t i = 0; i < n; i++)
		if (!(r->cqes[(head + i) & r->cq_mask].user_data & RAKIS_URING_QUIET))
			return -1;
	return n;
}

uint32_t ring_reasons(const struct host_ring *r, uint32_t *all)
{
	uint32_t head = atomic_load_explicit(r->cq_head, memory_order_relaxed), n = 0;

	*all = atomic_load_explicit(r->cq_tail, memory_order_acquire) - head;
	for (uint32_t i = 0; i < *all && i <= r->cq_mask; i++)
		n += !(r->cqes[(head + i) & r->cq_mask].user_data & RAKIS_URING_QUIET);
	return n;
}

/* The monitor submits; only what does not fit cannot wait for it. */
static _Bool monitor_does(uint32_t queued, uint32_t room)
{
	return host.kick == KICK_MONITOR && monitor_pid && queued <= room / 2;
}

static void kick_xsks(uint32_t which)
{
	for (; which; which &= which - 1) {
		const struct host_xsk *x = &host_xsks[__builtin_ctz(which / RAKIS_XSK_BIT(0))];

		if (!monitor_does(xsk_queued(x), RAKIS_XSK_ENTRIES))
			xsk_kick(x);
	}
}

void rings_begin(struct thread *t, const struct rakis_request *rq)
{
	uint32_t all = (1u << atomic_load_explicit(&host_nrings, memory_order_acquire)) - 1;
	uint32_t xsks = RAKIS_XSK_BIT(atomic_load_explicit(&host_nxsks, memory_order_acquire)) -
			RAKIS_XSK_BIT(0);
	uint32_t submit = MASK(rq->rings, 0) & all;

	t->rings = MASK(rq->rings, 16) & all;
	t->xsks = MASK(rq->rings, 16) & xsks;
	t->loud = MASK(rq->rings, 32);
	t->busy = MASK(rq->rings, 48);
	kick_xsks(MASK(rq->rings, 0) & xsks);
	for (; submit; submit &= submit - 1) {
		struct host_ring *r = &host_rings[__builtin_ctz(submit)];

		if (!monitor_does(ring_queued(r), RAKIS_URING_SQ_ENTRIES))
			ring_submit(r);
	}
	if (!all && !xsks)
		return;
	if (rq->opcode == RAKIS_OP_KICK)
		monitor_wake();
	if (!monitor_pid || !(++t->exits % WATCH_EXITS))
		monitor_watch();
}
