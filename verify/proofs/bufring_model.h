/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any state of the provided buffers. That `nlent` counts the bits of `lent` is shown step by
 * step: each function changes the two together, from any state (count_kept()).
 */
#ifndef RAKIS_VERIFY_BUFRING_MODEL_H
#define RAKIS_VERIFY_BUFRING_MODEL_H

#include "fastpath/bufring.c"
#include "untrusted_model.h"

/* Of bufring_is_valid(), all but the count, for one buffer. */
static bool holds_for(const struct bufring *b, u32 id)
{
	return b->entries <= RAKIS_URING_BUFS && !(b->entries & (b->entries - 1)) &&
	       b->started <= b->entries && IMPLIES(is_lent(b, id), id < b->started) &&
	       b->nlent <= b->started;
}

static u32 any_id(void)
{
	u32 id = any_u32();

	ASSUME(id < RAKIS_URING_BUFS);
	return id;
}

static struct bufring any_bufring(void)
{
	struct bufring b;

	b.entries = any_power_of_two(RAKIS_URING_BUFS);
	b.array = model_any(b.entries * 16ull);
	b.bufs = model_any((u64)b.entries * RAKIS_URING_BUF_SIZE);
	return b;
}

static bool same_bufring(const struct bufring *a, const struct bufring *b)
{
	return a->array.addr_ == b->array.addr_ && a->bufs.addr_ == b->bufs.addr_ &&
	       a->entries == b->entries;
}

#endif
