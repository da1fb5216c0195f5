/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_model.h"

int main(void)
{
	struct ring r = any_ring(any_bool()), was = r;
	u32 n = any_u32();

	/* What ring_available() said. */
	ASSUME(n <= (r.producer ? r.size - ring_used(&r) : ring_used(&r)));
	ring_advance(&r, n);
	PROVE(ring_is_valid(&r) && same_ring(&r, &was) && r.other == was.other);
	PROVE(r.own == was.own + n);
	PROVE(ring_used(&r) == (r.producer ? ring_used(&was) + n : ring_used(&was) - n));
	/* Ours is stored, never loaded. */
	PROVE(model_loads == 0 && model_stores == 1);
	PROVE(model_stored_at == r.own_at.word.addr_ && (u32)model_stored == r.own);
	REACHED(r.own < was.own);
	return 0;
}
