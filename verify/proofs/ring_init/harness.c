/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_model.h"

int main(void)
{
	struct ring_index own = { .word = model_any(8), .shift = any_bool() ? 32 : 0 };
	struct ring_index other = { .word = model_any(8), .shift = any_bool() ? 32 : 0 };
	u32 size = any_u32();
	struct ring r;
	int err = ring_init(&r, any_bool(), size, own, other);

	PROVE(err == 0 || err == -EINVAL);
	if (!err) {
		PROVE(ring_is_valid(&r));
		PROVE(r.size == size && same_place(&r.own_at, &own) && same_place(&r.other_at, &other));
		/* What a power of two needs elsewhere. */
		PROVE((r.size & r.mask) == 0 && r.mask < r.size && ring_used(&r) <= r.size);
	}
	/* Each index is read once. */
	PROVE(model_loads == 2);
	REACHED(!err && r.size == RING_SIZE_MOST);
	REACHED(!err && r.producer && ring_used(&r) == r.size);
	REACHED(err);
	return 0;
}
