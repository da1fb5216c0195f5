/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk_model.h"

int main(void)
{
	struct xsk x;
	struct xsk_lane was;
	u32 other = any_frame();

	x.rx = any_lane(0, ADDRESS, DESC, 2);
	x.tx = any_lane(LANE_SIZE, DESC, ADDRESS, 2);
	x.umem = model_any(UMEM_SIZE);
	/* A frame is in one place only: that is true of all of them. */
	ASSUME(x.tx.nfree <= XSK_LANE_FRAMES - 2);
	for (u32 i = 0; i < XSK_LANE_WORDS; i++)
		ASSUME(!(x.tx.free[i] & x.tx.lent[i]));
	was = x.tx;
	xsk_complete(&x);
	/* A lent one is free or still lent; none else changes hands. */
	PROVE(IMPLIES(!is(was.lent, other), same_owner(&x.tx, &was, other)));
	PROVE(IMPLIES(is(was.lent, other), is(x.tx.lent, other) != is(x.tx.free, other)));
	PROVE(x.tx.nfree - was.nfree <= x.tx.in.own - was.in.own && ring_is_valid(&x.tx.in));
	REACHED(x.tx.nfree == was.nfree + 2);
	REACHED(x.tx.nfree == was.nfree && x.tx.in.own == was.in.own + 2);
	return 0;
}
