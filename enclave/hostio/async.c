/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests by ring. Whoever queues holds `submit`; whoever takes completions holds `reap`,
 * and `submit` for the moment in which they are matched. The last RESERVE entries of the
 * submission queue are for what completions queue.
 */
#include <linux/io_uring.h>
#include "boundary/boot.h"
#include "hostio/call.h"
#include "hostio/park.h"
#include "hostio/result.h"
#include "hostio/rings.h"
#include "lib/alloc.h"
#include "lib/log.h"
#include "lib/stats.h"

#define RESERVE		32u
#define BATCH		8u		/* completions taken at a time; each may queue two */
#define BUFS_MORE	64u
#define POLL_UNASKED	0x2038u		/* POLLERR, POLLHUP, POLLNVAL, POLLRDHUP */
#define DRAIN_STEP	10000000ull	/* ns */
#define REAPING		(1u << 31)	/* gate_thread.reaping; below: rings queued on meanwhile */

/* ---- telling the kernel ---- */

void async_kick(u32 ring)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_KICK, .fd = ring };

	if (!rings_inline)
		atomic_fetch_or(&rings_queued, 1u << ring);
	else if (!(atomic_load(&rings_queued) & 1u << ring))
		return;
	(void)!host_call(&rq, 0);
}

/* Somebody else than us may have to submit, and sleeps. */
static bool must_tell(struct async_ring *r)
{
	if (!r->asleep_mask)
		return false;
	/* The entry is seen before we look; pairs with the sleeper, who looks after it says so. */
	atomic_thread_fence(memory_order_seq_cst);
	return untrusted_load(r->asleep) & r->asleep_mask;
}

bool exits_submit(u32 xsks)
{
	/* Only the first has to write what all others read. */
	return (atomic_load(&rings_queued) & xsks) != xsks &&
	       (atomic_fetch_or(&rings_queued, xsks) & xsks) != xsks;
}

void exit_now(void)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_KICK, .fd = -1 };

	(void)!host_call(&rq, 0);
}

u64 rings_for_exit(u32 sleep, u32 busy)
{
	u32 submit = 0, loud = 0;

	if (atomic_load_explicit(&rings_queued, memory_order_relaxed)) {
		submit = atomic_exchange(&rings_queued, 0);
		STAT_INC(kicks);
		STAT_ADD(net_kicks, (submit & ~RINGS_URING) != 0);
	}
	for (u32 m = sleep & RINGS_URING; m; m &= m - 1) {
		u32 ring = __builtin_ctz(m);

		if (atomic_load_explicit(&async_rings[ring]->loud, memory_order_relaxed))
			loud |= 1u << ring;
	}
	return RAKIS_RINGS(submit, sleep, loud, busy);
}

/* ---- queueing ---- */

static void grow(struct async_ring *r)
{
	struct uring_slot *chunk = kzalloc(URING_CHUNK * sizeof(*chunk));
	bool used = false;

	if (!chunk)
		return;
	spin_lock(&r->submit);
	if (uring_slots_free(&r->u) <= RESERVE)
		used = uring_grow(&r->u, chunk);
	spin_unlock(&r->submit);
	if (!used)
		kfree(chunk);
}

/* `a` NULL: nobody wants to know. */
static int queue(u32 ring, struct async *a, const struct rakis_request *rq, struct uring_how *how)
{
	struct async_ring *r = async_rings[ring];
	struct gate_thread *self = gate_self();
	bool reaping = self->reaping, half;
	int slot;

	if (rq->opcode == RAKIS_OP_POLL_ADD)
		how->most |= POLL_UNASKED;
	how->owner = a;
	how->quiet = !a || a->quiet;
	for (int tries = 0; ; tries++) {
		if (unlikely(uring_slots_free(&r->u) <= RESERVE))
			grow(r);
		spin_lock(&r->submit);
		slot = uring_submit(&r->u, rq, how, reaping ? 0 : RESERVE);
		if (slot >= 0 && a) {
			a->ring = ring;
			a->slot = slot;
			a->generation = uring_generation(&r->u, slot);
		}
		half = ring_available(&r->u.sq, r->u.sq.size / 2) < r->u.sq.size / 2;
		spin_unlock(&r->submit);
		if (slot >= 0 || reaping || tries)
			break;
		atomic_fetch_or(&rings_queued, 1u << ring);
		async_kick(ring);
	}
	if (slot < 0)
		return slot;
	STAT_INC(requests_ring);
	(*(volatile u64 *)&stats.by_opcode[rq->opcode])++;
	if (rings_inline && !(atomic_load_explicit(&rings_queued, memory_order_relaxed) & 1u << ring))
		atomic_fetch_or(&rings_queued, 1u << ring);
	if (reaping)
		self->reaping |= 1u << ring;
	else if (must_tell(r) || (half && rings_inline))
		async_kick(ring);
	return 0;
}

int async_submit(u32 ring, struct async *a, const struct rakis_request *rq, u32 most)
{
	struct uring_how how = { .most = most };

	return queue(ring, a, rq, &how);
}

int async_forget(u32 ring, const struct rakis_request *rq)
{
	struct uring_how how = { 0 };

	return queue(ring, NULL, rq, &how);
}

bool async_extend(struct async *a, u32 len, u32 op_flags)
{
	struct async_ring *r = async_rings[a->ring];
	bool done;

	spin_lock(&r->submit);
	done = uring_extend(&r->u, a->slot, a->generation, len, op_flags);
	spin_unlock(&r->submit);
	return done;
}

int async_poll_multishot(u32 ring, struct async *a, int fd, u32 events)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_POLL_ADD, .fd = fd, .len = IORING_POLL_ADD_MULTI, .op_flags = events,
	};
	struct uring_how how = { .most = events, .multishot = true };

	return queue(ring, a, &rq, &how);
}

static int recv_into_pool(u32 ring, struct async *a, int fd, bool multishot)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_RECV, .flags = 1u << IOSQE_BUFFER_SELECT_BIT,
		.ioprio = multishot ? IORING_RECV_MULTISHOT : 0, .fd = fd,
	};
	struct uring_how how = { .most = ASYNC_BUF_SIZE, .multishot = multishot, .buffers = true };

	return queue(ring, a, &rq, &how);
}

int async_recv_multishot(u32 ring, struct async *a, int fd)
{
	return recv_into_pool(ring, a, fd, true);
}

int async_recv_once(u32 ring, struct async *a, int fd)
{
	return recv_into_pool(ring, a, fd, false);
}

int async_cancel(struct async *a)
{
	struct async_ring *r = async_rings[a->ring];
	struct rakis_request rq = { .opcode = RAKIS_OP_ASYNC_CANCEL, .fd = -1 };
	struct uring_how how = { 0 };
	bool live;

	spin_lock(&r->submit);
	live = uring_is_live(&r->u, a->slot, a->generation);
	if (live)
		rq.addr = uring_user_data(&r->u, a->slot) | (a->quiet ? RAKIS_URING_QUIET : 0);
	spin_unlock(&r->submit);
	/* Otherwise its last completion is being told. */
	return live ? queue(a->ring, NULL, &rq, &how) : 0;
}

/* ---- provided buffers ---- */

struct uptr async_buf(u32 ring, int buf)
{
	return bufring_at(&async_rings[ring]->bufs, buf);
}

void async_buf_put(u32 ring, int buf)
{
	struct async_ring *r = async_rings[ring];

	spin_lock(&r->lend);
	bufring_put(&r->bufs, buf);
	spin_unlock(&r->lend);
}

/* Whose buffer is it now? Sets done->buf to -1 if nobody's. False: a host fault. */
static bool take_buffer(struct async_ring *r, struct uring_done *done)
{
	bool good = true;

	spin_lock(&r->lend);
	if (done->buf >= 0) {
		good = bufring_take(&r->bufs, done->buf);
		/* A kernel may name a buffer that it put nothing into. */
		if (good && done->res <= 0)
			bufring_put(&r->bufs, done->buf);
		if (!good || done->res <= 0)
			done->buf = -1;
	} else if (done->res > 0) {
		good = false;
	}
	if (done->res == -ENOBUFS || r->bufs.nlent < r->bufs.started / 4)
		bufring_start(&r->bufs, BUFS_MORE);
	spin_unlock(&r->lend);
	return good;
}

/* ---- completions ---- */

static bool is_valid(const struct uring_done *d)
{
	return d->res == -ECANCELED || result_is_valid(d->opcode, 0, d->most, d->res);
}

static void tell(struct async_ring *r, struct uring_done *d)
{
	struct async *a = d->owner;
	bool good = is_valid(d);

	if (d->buffers && !take_buffer(r, d))
		good = false;
	if (!good) {
		STAT_INC(host_faults);
		log_error("host fault: completion %d of request %u is not one it may give", d->res,
			  d->opcode);
		if (d->buf >= 0) {
			spin_lock(&r->lend);
			bufring_put(&r->bufs, d->buf);
			spin_unlock(&r->lend);
		}
		d->res = -EIO;
		d->buf = -1;
	}
	if (a)
		a->done(a, d->res, d->more, d->buf);
}

/* With `reap` held. How many were taken; *stuck: there was no room for what they may queue. */
static u32 take(struct async_ring *r, bool *reason, bool *stuck)
{
	struct uring_cqe cqe[BATCH];
	struct uring_done done[BATCH];
	u32 n, taken = 0;

	do {
		u32 matched = 0;

		spin_lock(&r->submit);
		*stuck = ring_available(&r->u.sq, 2 * BATCH) < 2 * BATCH ||
			 uring_slots_free(&r->u) < 2 * BATCH;
		n = *stuck ? 0 : uring_take(&r->u, cqe, BATCH);
		for (u32 i = 0; i < n; i++)
			matched += uring_match(&r->u, &cqe[i], &done[matched]);
		spin_unlock(&r->submit);
		for (u32 i = 0; i < matched; i++) {
			*reason |= !done[i].quiet;
			gate_self()->taken += !done[i].quiet;
			tell(r, &done[i]);
		}
		taken += n;
		/* More than fit into the queue at once can wait for the next look. */
	} while (n == BATCH && taken < r->u.cq.size);
	return taken;
}

/* True if any was taken; sets *reason if one of them is a reason not to sleep, and the bit in
 * *busy if another thread is at it. */
static bool reap(u32 ring, bool *reason, u32 *busy)
{
	struct async_ring *r = async_rings[ring];
	struct gate_thread *self = gate_self();
	bool stuck;
	u32 taken, queued;

	if (!spin_trylock(&r->reap)) {
		*busy |= 1u << ring;
		return false;
	}
	wake_begin();
	self->reaping = REAPING;
	taken = take(r, reason, &stuck);
	queued = self->reaping & ~REAPING;
	self->reaping = 0;
	spin_unlock(&r->reap);
	wake_end();
	if (taken) {
		STAT_ADD(reaps, taken);
		atomic_fetch_add_explicit(&host_heard, 1, memory_order_relaxed);
		*reason |= atomic_load_explicit(&r->loud, memory_order_relaxed) != 0;
	}
	/* A full queue: the kernel may hold completions back until it is entered. */
	if (unlikely(stuck || taken >= r->u.cq.size)) {
		atomic_fetch_or(&rings_queued, 1u << ring);
		async_kick(ring);
		*reason = true;
	}
	for (; queued; queued &= queued - 1)
		if (must_tell(async_rings[__builtin_ctz(queued)]))
			async_kick(__builtin_ctz(queued));
	return taken;
}

bool async_reap(u32 ring)
{
	bool reason = false;
	u32 busy = 0;

	return reap(ring, &reason, &busy);
}

void async_loud(u32 ring, int by)
{
	atomic_fetch_add(&async_rings[ring]->loud, by);
}

/* ---- for those who sleep ---- */

void async_depend(u32 ring)
{
	gate_self()->depends |= 1u << ring;
}

u32 rings_of_sleep(void)
{
	struct gate_thread *t = gate_self();
	u32 mask = t->depends | (t->ring ? 1u << (t->ring - 1) : 0), all = mask & RINGS_URING;

	for (; all; all &= all - 1)
		if (!*(volatile u32 *)&async_rings[__builtin_ctz(all)]->u.live)
			mask &= ~(all & -all);
	return mask;
}

bool rings_reap(u32 mask, u32 *busy)
{
	bool reason = false;

	*busy = 0;
	for (u32 m = mask & RINGS_URING; m; m &= m - 1)
		reap(__builtin_ctz(m), &reason, busy);
	if (mask & ~RINGS_URING)
		reason |= park_reap_xsks(mask & ~RINGS_URING, busy);
	return reason;
}

bool rings_wait_for_exit(u32 rings)
{
	return ((rings & RINGS_URING) && rings_inline) ||
	       (atomic_load_explicit(&rings_queued, memory_order_relaxed) & ~RINGS_URING);
}

void async_drain(bool (*busy)(void), u64 ns)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_PARK, .fd = -1, .flags = RAKIS_REQ_WAIT, .addr3 = DRAIN_STEP,
	};
	u32 all = 0, others;

	for (u32 i = 0; i < RAKIS_URING_MOST; i++)
		if (async_rings[i])
			all |= 1u << i;
	for (u64 waited = 0; busy() && waited < ns;) {
		if (rings_reap(all, &others))
			continue;
		rq.rings = rings_for_exit(all, others);
		if (host_exit_request(&rq, 0) == -EAGAIN)
			waited += DRAIN_STEP;
	}
}
