/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_model.h"

int main(void)
{
	struct ring r = any_ring(any_bool()), was = r;
	u32 want = any_u32(), n = ring_available(&r, want), i = any_u32(), j = any_u32();

	PROVE(model_loads <= 1 && model_stores == 0);
	PROVE(ring_is_valid(&r) && same_ring(&r, &was) && r.own == was.own);
	PROVE(n <= want && n <= (r.producer ? r.size - ring_used(&r) : ring_used(&r)));
	/* The slots given out are apart, and in the ring. */
	ASSUME(i < j && j < n);
	PROVE(ring_slot(&r, i) < r.size && ring_slot(&r, j) < r.size);
	PROVE(ring_slot(&r, i) != ring_slot(&r, j));
	REACHED(n == RING_SIZE_MOST);
	REACHED(model_loads == 0);
	return 0;
}
