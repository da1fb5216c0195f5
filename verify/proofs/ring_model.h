/* SPDX-License-Identifier: Apache-2.0 */
/* Any ring that ring_is_valid() allows: every size, every pair of indices. */
#ifndef RAKIS_VERIFY_RING_MODEL_H
#define RAKIS_VERIFY_RING_MODEL_H

#include "fastpath/ring.c"
#include "untrusted_model.h"

static struct ring any_ring(bool producer)
{
	struct ring r;

	ASSUME(r.producer == producer && ring_is_valid(&r));
	r.own_at.word = model_any(8);
	r.other_at.word = model_any(8);
	ASSUME((r.own_at.shift == 0 || r.own_at.shift == 32) &&
	       (r.other_at.shift == 0 || r.other_at.shift == 32));
	return r;
}

static bool same_place(const struct ring_index *a, const struct ring_index *b)
{
	return a->word.addr_ == b->word.addr_ && a->shift == b->shift;
}

/* What ring_init() fixed for good. */
static bool same_ring(const struct ring *a, const struct ring *b)
{
	return same_place(&a->own_at, &b->own_at) && same_place(&a->other_at, &b->other_at) &&
	       a->size == b->size && a->mask == b->mask && a->producer == b->producer;
}

#endif
