/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any state of a lane of frames. That `nfree` counts the bits of `free` is shown step by step:
 * each function changes the two together, from any state.
 */
#ifndef RAKIS_VERIFY_XSK_MODEL_H
#define RAKIS_VERIFY_XSK_MODEL_H

#include "ring_model.h"
#include "fastpath/xsk.c"

/* Of lane_is_valid(), all but the count and the rings, for one frame. */
static bool frame_holds(const struct xsk_lane *l, u32 frame)
{
	return !(is(l->free, frame) && is(l->lent, frame)) && l->nfree <= XSK_LANE_FRAMES &&
	       IMPLIES(is(l->free, frame), l->nfree);
}

static u32 any_frame(void)
{
	u32 frame = any_u32();

	ASSUME(frame < XSK_LANE_FRAMES);
	return frame;
}

static struct xsk_lane any_lane(u64 base, u32 out_entry, u32 in_entry, u32 most)
{
	struct xsk_lane l;

	l.base = base;
	l.out = any_ring(true);
	l.in = any_ring(false);
	ASSUME(l.out.size <= most && l.in.size <= most);
	l.out_entries = model_any(l.out.size * (u64)out_entry);
	l.in_entries = model_any(l.in.size * (u64)in_entry);
	return l;
}

static bool same_owner(const struct xsk_lane *a, const struct xsk_lane *b, u32 frame)
{
	return is(a->free, frame) == is(b->free, frame) && is(a->lent, frame) == is(b->lent, frame);
}

#endif
