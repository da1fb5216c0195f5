/* SPDX-License-Identifier: Apache-2.0 */
#include "xsk_model.h"

int main(void)
{
	struct xsk_lane l, was;
	u64 addr = any_u64(), off;
	u32 len = any_u32(), other = any_frame(), frame, named;
	bool inside;

	l.base = any_bool() ? 0 : LANE_SIZE;
	was = l;
	off = addr - l.base;
	named = off / FRAME % XSK_LANE_FRAMES;
	ASSUME(frame_holds(&l, other) && frame_holds(&l, named));
	frame = take_back(&l, addr, len);

	/* Accepted exactly if [addr, addr + len) lies within one frame of the lane, which is lent. */
	inside = addr >= l.base && addr < l.base + LANE_SIZE && len <= FRAME &&
		 (!len || off / FRAME == (off + len - 1) / FRAME);
	PROVE((frame != XSK_NONE) == (inside && is(was.lent, named)));
	if (frame != XSK_NONE) {
		PROVE(frame == named && frame < XSK_LANE_FRAMES);
		/* Held: neither the kernel's any more, nor free. So no descriptor can name it again. */
		PROVE(!is(l.lent, frame) && !is(l.free, frame));
		PROVE(take_back(&l, addr, len) == XSK_NONE);
	}
	PROVE(IMPLIES(other != frame, same_owner(&l, &was, other)));
	PROVE(l.nfree == was.nfree && frame_holds(&l, other));
	PROVE(stats.enclave.host_faults == (frame == XSK_NONE) + (frame != XSK_NONE));
	REACHED(frame == XSK_LANE_FRAMES - 1 && len == FRAME);
	REACHED(frame == XSK_NONE && inside);
	REACHED(frame == XSK_NONE && len == 1);
	return 0;
}
