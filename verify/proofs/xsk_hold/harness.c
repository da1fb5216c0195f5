/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk_model.h"

int main(void)
{
	struct xsk_lane l, was;
	u32 other = any_frame(), one = any_frame(), frame;

	/* If any are free, one is. */
	ASSUME(l.nfree && is(l.free, one));
	ASSUME(frame_holds(&l, other) && frame_holds(&l, one));
	was = l;
	frame = hold(&l);
	PROVE(frame < XSK_LANE_FRAMES && is(was.free, frame) && !is(l.free, frame));
	PROVE(l.nfree == was.nfree - 1 && is(l.lent, other) == is(was.lent, other));
	PROVE(IMPLIES(other != frame, is(l.free, other) == is(was.free, other)));
	REACHED(frame == XSK_LANE_FRAMES - 1);
	REACHED(frame == 0 && l.nfree == 0);
	return 0;
}
