/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk_model.h"

#define MOST 2

int main(void)
{
	struct xsk x;
	struct xsk_lane was;
	struct xsk_packet out[MOST];
	u32 n = any_u32(), other = any_frame(), taken, good;

	x.rx = any_lane(0, ADDRESS, DESC, RAKIS_XSK_ENTRIES);
	x.umem = model_any(UMEM_SIZE);
	ASSUME(n <= MOST && frame_holds(&x.rx, other));
	was = x.rx;
	taken = xsk_receive(&x, out, n, &good);

	PROVE(taken <= n && good <= taken && x.rx.in.own == was.in.own + taken);
	PROVE(ring_is_valid(&x.rx.in) && same_ring(&x.rx.in, &was.in));
	if (good) {
		u64 at = out[0].at.addr_ - x.umem.addr_;

		/* The words that hold the packet lie in its frame. */
		PROVE(!(out[0].at.addr_ & 7) && out[0].skip < 8 && out[0].frame < XSK_LANE_FRAMES);
		PROVE(at >= (u64)out[0].frame * FRAME &&
		      at + ALIGN_UP(out[0].skip + out[0].len, 8) <= (out[0].frame + 1ull) * FRAME);
		PROVE(is(was.lent, out[0].frame) && !is(x.rx.lent, out[0].frame));
	}
	/* Never the same frame twice. */
	PROVE(IMPLIES(good == 2, out[0].frame != out[1].frame));
	PROVE(IMPLIES(is(x.rx.lent, other) != is(was.lent, other),
		      (good && out[0].frame == other) || (good == 2 && out[1].frame == other)));
	PROVE(is(x.rx.free, other) == is(was.free, other) && x.rx.nfree == was.nfree);
	PROVE(model_loads <= 2 * taken + 1);
	REACHED(good == 2);
	REACHED(taken == 2 && good == 0);
	return 0;
}
