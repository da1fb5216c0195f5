/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk_model.h"

int main(void)
{
	struct xsk x;
	struct xsk_lane was;
	u32 other = any_frame(), frame = any_frame(), skip = any_u32(), len = any_u32();
	bool sent;

	x.tx = any_lane(LANE_SIZE, DESC, ADDRESS, RAKIS_XSK_ENTRIES);
	x.umem = model_any(UMEM_SIZE);
	ASSUME(frame_holds(&x.tx, other) && skip <= FRAME && len <= FRAME - skip);
	/* Held: then not all are free. */
	ASSUME(!is(x.tx.free, frame) && !is(x.tx.lent, frame) && x.tx.nfree < XSK_LANE_FRAMES);
	was = x.tx;
	/* It lies in the UMEM, in the lane. */
	PROVE(xsk_frame_at(&x, frame).addr_ - x.umem.addr_ >= LANE_SIZE);
	PROVE(xsk_frame_at(&x, frame).addr_ - x.umem.addr_ + FRAME <= UMEM_SIZE);

	sent = xsk_send(&x, frame, skip, len);
	PROVE(is(x.tx.lent, frame) == sent && is(x.tx.free, frame) == !sent);
	PROVE(x.tx.nfree == was.nfree + !sent);
	PROVE(IMPLIES(other != frame, same_owner(&x.tx, &was, other)));
	PROVE(x.tx.out.own == was.out.own + sent && ring_is_valid(&x.tx.out));
	PROVE(frame_holds(&x.tx, other) && frame_holds(&x.tx, frame));
	REACHED(sent && frame == XSK_LANE_FRAMES - 1);
	REACHED(!sent);
	return 0;
}
