/* SPDX-License-Identifier: Apache-2.0 */
/* io_uring: uring.h has the invariant. */
#include <linux/io_uring.h>
#include "fastpath/layout.h"
#include "fastpath/uring.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/stats.h"

_Static_assert(sizeof(struct rakis_request) == sizeof(struct io_uring_sqe), "an SQE is a request");

#define SLOTS_MOST (URING_CHUNK * URING_CHUNKS)
_Static_assert(SLOTS_MOST <= RAKIS_URING_QUIET, "an index leaves room for the mark");

static struct uring_slot *slot_of(const struct uring *u, u32 i)
{
	return &u->chunks[i / URING_CHUNK][i % URING_CHUNK];
}

/* ---- taking over ---- */

static int init_sq(struct uring *u, const struct rakis_uring *h, struct uptr map)
{
	struct field f[] = {
		{ h->sq_head, 4 }, { h->sq_tail, 4 }, { h->sq_flags, 4 }, { h->sq_array, h->sq_entries * 4 },
	};
	struct ring_index head, tail;

	if (!fields_are_valid(f, ARRAY_SIZE(f), h->sq_map_size) || (h->sq_array & 7) ||
	    !ring_index_at(&head, map, h->sq_map_size, h->sq_head) ||
	    !ring_index_at(&tail, map, h->sq_map_size, h->sq_tail) ||
	    ring_init(&u->sq, true, h->sq_entries, tail, head))
		return -EINVAL;
	/* The queue's array of indices: always the entry of the same number. */
	for (u64 i = 0; i < h->sq_entries; i += 2)
		untrusted_store(uptr_add(map, h->sq_array + i * 4), i | (i + 1) << 32);
	return 0;
}

static int init_cq(struct uring *u, const struct rakis_uring *h, struct uptr map)
{
	struct field f[] = {
		{ h->cq_head, 4 }, { h->cq_tail, 4 },
		{ h->cqes, h->cq_entries * sizeof(struct io_uring_cqe) },
	};
	struct ring_index head, tail;

	if (!fields_are_valid(f, ARRAY_SIZE(f), h->cq_map_size) || (h->cqes & 7) ||
	    !ring_index_at(&head, map, h->cq_map_size, h->cq_head) ||
	    !ring_index_at(&tail, map, h->cq_map_size, h->cq_tail))
		return -EINVAL;
	u->cqes = uptr_add(map, h->cqes);
	return ring_init(&u->cq, false, h->cq_entries, head, tail);
}

int uring_init(struct uring *u, const struct rakis_uring *h)
{
	struct uptr sq, cq;

	*u = (struct uring){ .free = URING_NONE };
	if (!power_of_two(h->sq_entries, RAKIS_URING_SQ_ENTRIES) || h->sq_entries < 2 ||
	    !power_of_two(h->cq_entries, RAKIS_URING_CQ_ENTRIES) ||
	    h->sqes_size < h->sq_entries * sizeof(struct io_uring_sqe) ||
	    !uptr_check(h->sq_map, h->sq_map_size, &sq) ||
	    !uptr_check(h->cq_map, h->cq_map_size, &cq) ||
	    !uptr_check(h->sqes, h->sqes_size, &u->sqes) ||
	    !apart(h->sq_map, h->sq_map_size, h->sqes, h->sqes_size) ||
	    !apart(h->cq_map, h->cq_map_size, h->sqes, h->sqes_size))
		return -EINVAL;
	/* Both rings are in one mapping, or in two that do not overlap. */
	if (h->sq_map == h->cq_map) {
		struct field f[] = {
			{ h->sq_head, 4 }, { h->sq_tail, 4 }, { h->sq_flags, 4 },
			{ h->sq_array, h->sq_entries * 4 }, { h->cq_head, 4 }, { h->cq_tail, 4 },
			{ h->cqes, h->cq_entries * sizeof(struct io_uring_cqe) },
		};

		if (h->sq_map_size != h->cq_map_size ||
		    !fields_are_valid(f, ARRAY_SIZE(f), h->sq_map_size))
			return -EINVAL;
	} else if (!apart(h->sq_map, h->sq_map_size, h->cq_map, h->cq_map_size)) {
		return -EINVAL;
	}
	return init_sq(u, h, sq) || init_cq(u, h, cq) ? -EINVAL : 0;
}

/* ---- the table ---- */

bool uring_is_valid(const struct uring *u)
{
	u32 live = 0, free = 0;

	if (!ring_is_valid(&u->sq) || !ring_is_valid(&u->cq) || u->sq.producer == u->cq.producer ||
	    u->slots > SLOTS_MOST)
		return false;
	for (u32 i = 0; i < u->slots; i++)
		live += slot_of(u, i)->live;
	for (u32 i = u->free; i != URING_NONE; i = slot_of(u, i)->next_free)
		if (i >= u->slots || slot_of(u, i)->live || ++free > u->slots)
			return false;
	return live == u->live && live + free == u->slots;
}

bool uring_grow(struct uring *u, struct uring_slot *chunk)
{
	if (u->slots == SLOTS_MOST)
		return false;
	u->chunks[u->slots / URING_CHUNK] = chunk;
	for (u32 i = URING_CHUNK; i-- > 0;) {
		chunk[i].next_free = u->free;
		u->free = u->slots + i;
	}
	u->slots += URING_CHUNK;
	return true;
}

u64 uring_user_data(const struct uring *u, u32 slot)
{
	return slot | (u64)slot_of(u, slot)->generation << 32;
}

u32 uring_generation(const struct uring *u, u32 slot)
{
	return slot_of(u, slot)->generation;
}

bool uring_is_live(const struct uring *u, u32 slot, u32 generation)
{
	return slot < u->slots && slot_of(u, slot)->live && slot_of(u, slot)->generation == generation;
}

int uring_submit(struct uring *u, const struct rakis_request *rq, const struct uring_how *how,
		 u32 reserve)
{
	struct rakis_request sqe = *rq;
	u32 slot = u->free;
	struct uring_slot *s;

	if (uring_slots_free(u) < 1 + reserve || ring_available(&u->sq, 1 + reserve) < 1 + reserve)
		return -EAGAIN;
	s = slot_of(u, slot);
	ASSERT(!s->live);
	u->free = s->next_free;
	u->live++;
	*s = (struct uring_slot){
		.owner = how->owner, .generation = s->generation, .most = how->most,
		.entry = u->sq.own, .opcode = rq->opcode, .live = true, .multishot = how->multishot, .buffers = how->buffers,
	};
	sqe.user_data = uring_user_data(u, slot) | (how->quiet ? RAKIS_URING_QUIET : 0);
	untrusted_write(uptr_add(u->sqes, ring_slot(&u->sq, 0) * sizeof(sqe)), &sqe, sizeof(sqe));
	ring_advance(&u->sq, 1);
	return slot;
}

bool uring_extend(struct uring *u, u32 slot, u32 generation, u32 len, u32 op_flags)
{
	struct uring_slot *s;
	struct uptr word;

	if (!uring_is_live(u, slot, generation))
		return false;
	s = slot_of(u, slot);
	ring_refresh(&u->sq);
	/* The entries from `other` to `own` are those that the kernel has not taken. */
	if (s->entry - u->sq.other >= ring_used(&u->sq))
		return false;
	s->most = max(s->most, len);
	/* One word: the kernel, should it be looking, meets either length. */
	word = uptr_add(u->sqes, (s->entry & u->sq.mask) * sizeof(struct rakis_request) +
			offsetof(struct rakis_request, len));
	untrusted_store(word, len | (u64)op_flags << 32);
	return true;
}

/* ---- completions ---- */

u32 uring_take(struct uring *u, struct uring_cqe *out, u32 n)
{
	n = ring_available(&u->cq, n);
	for (u32 i = 0; i < n; i++) {
		struct uptr cqe = uptr_add(u->cqes, ring_slot(&u->cq, i) * sizeof(struct io_uring_cqe));
		u64 what = untrusted_load(uptr_add(cqe, 8));

		out[i] = (struct uring_cqe){ untrusted_load(cqe), (s32)what, what >> 32 };
	}
	if (n)
		ring_advance(&u->cq, n);
	return n;
}

bool uring_match(struct uring *u, const struct uring_cqe *cqe, struct uring_done *done)
{
	u32 slot = cqe->user_data & (RAKIS_URING_QUIET - 1);
	bool more = cqe->flags & IORING_CQE_F_MORE;
	struct uring_slot *s;

	if (!uring_is_live(u, slot, cqe->user_data >> 32))
		goto fault;
	s = slot_of(u, slot);
	if ((more && !s->multishot) || (cqe->flags & IORING_CQE_F_NOTIF))
		goto fault;
	*done = (struct uring_done){
		.owner = s->owner, .slot = slot, .res = cqe->res, .most = s->most, .opcode = s->opcode,
		.more = more, .quiet = cqe->user_data & RAKIS_URING_QUIET,
		.buffers = s->buffers,
		.buf = s->buffers && (cqe->flags & IORING_CQE_F_BUFFER) ?
			(int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT) : -1,
	};
	if (!more) {
		s->live = false;
		s->generation++;
		s->next_free = u->free;
		u->free = slot;
		u->live--;
	}
	return true;
fault:
	STAT_INC(host_faults);
	return false;
}
