/* SPDX-License-Identifier: Apache-2.0 */
#include "proof.h"

/* Where the linker put the image: anywhere. */
static u64 image_start, image_end;

#include "gate/gate.h"

const u64 gate_slot_size = RAKIS_SLOT_SIZE;	/* one of the two doors' */

#include "start.c"

int main(void)
{
	struct rakis_layout l;
	u64 end = l.base + l.size, slot = any_u64();
	bool ok;

	image_start = any_u64();
	image_end = any_u64();
	ASSUME(image_start < image_end);
	ok = layout_is_valid(&l);

	if (ok) {
		/* The parts are in order, none is empty, none wraps. */
		PROVE(l.base < l.heap && l.heap < l.slots && l.slots < l.image && l.image < end);
		PROVE(((l.base | l.heap | l.slots | l.image | end) & ~PAGE_MASK) == 0);
		/* The whole image lies in its part. */
		PROVE(l.image == image_start && image_end <= end && l.image_size == end - l.image);
		/* Each slot lies in its part, and has a request of its own in the arena. */
		PROVE(l.slot_count > 0 && l.slot_count <= RAKIS_SLOT_COUNT);
		if (slot < l.slot_count)
			PROVE(l.slots + (slot + 1) * gate_slot_size <= l.image);
	}
	REACHED(ok && l.slot_count == RAKIS_SLOT_COUNT);
	REACHED(!ok);
	return 0;
}
