/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_model.h"

int main(void)
{
	struct ring r = any_ring(any_bool()), was = r;
	u32 seen;

	ring_refresh(&r);
	seen = model_loaded >> r.other_at.shift;
	PROVE(model_loads == 1 && model_stores == 0);
	PROVE(ring_is_valid(&r));
	PROVE(same_ring(&r, &was) && r.own == was.own);
	/* Believed exactly if at most `size` apart, modulo 2^32; else the last good value stands. */
	if ((u32)(r.producer ? r.own - seen : seen - r.own) <= r.size)
		PROVE(r.other == seen && r.faults == was.faults);
	else
		PROVE(r.other == was.other && r.faults == was.faults + 1);
	REACHED(r.faults != was.faults);
	REACHED(!r.producer && seen < r.own && r.other == seen);
	REACHED(r.producer && seen > r.own && r.other == seen);
	return 0;
}
