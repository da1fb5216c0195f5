/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any state of an io_uring with a table of any size. uring_is_valid() speaks of all slots and
 * of a list; here the same is said of one slot, or of two, so that it can be assumed of the
 * few that a function meets and proved of any other: each free slot has a rank, its place on
 * the list counted from the end. Ranks are 1 to the number of free slots, all different, and
 * the next one's is one less; so the list holds each free slot once.
 */
#ifndef RAKIS_VERIFY_URING_MODEL_H
#define RAKIS_VERIFY_URING_MODEL_H

#include "ring_model.h"
#include "fastpath/uring.c"

static struct uring_slot table[SLOTS_MOST];
static u32 rank[SLOTS_MOST];

static u32 nfree(const struct uring *u)
{
	return u->slots - u->live;
}

static bool is_free(const struct uring *u, u32 i)
{
	return i < u->slots && !table[i].live;
}

static bool slot_holds(const struct uring *u, u32 i)
{
	u32 next = table[i].next_free;

	if (!is_free(u, i))
		return true;
	return rank[i] >= 1 && rank[i] <= nfree(u) &&
	       (next == URING_NONE ? rank[i] == 1 : is_free(u, next) && rank[next] == rank[i] - 1);
}

static bool pair_holds(const struct uring *u, u32 i, u32 j)
{
	return IMPLIES(i != j && is_free(u, i) && is_free(u, j), rank[i] != rank[j]);
}

static bool head_holds(const struct uring *u)
{
	return u->slots <= SLOTS_MOST && u->slots % URING_CHUNK == 0 && u->live <= u->slots &&
	       (u->free == URING_NONE ? nfree(u) == 0 :
		is_free(u, u->free) && rank[u->free] == nfree(u));
}

/* Any table in which the head holds, and any rings. */
static struct uring any_uring(void)
{
	struct uring u;

	for (u32 i = 0; i < SLOTS_MOST; i++) {
		struct uring_slot any;

		any.live = any_bool();
		any.multishot = any_bool();
		any.buffers = any_bool();
		table[i] = any;
		rank[i] = any_u32();
	}
	for (u32 i = 0; i < URING_CHUNKS; i++)
		u.chunks[i] = &table[i * URING_CHUNK];
	u.sq = any_ring(true);
	u.cq = any_ring(false);
	u.sqes = model_any((u64)u.sq.size * 64);
	u.cqes = model_any((u64)u.cq.size * 16);
	ASSUME(head_holds(&u));
	return u;
}

static bool same_slot(const struct uring_slot *a, const struct uring_slot *b)
{
	return a->owner == b->owner && a->generation == b->generation &&
	       a->next_free == b->next_free && a->most == b->most && a->opcode == b->opcode &&
	       a->live == b->live && a->multishot == b->multishot && a->buffers == b->buffers;
}

#endif
