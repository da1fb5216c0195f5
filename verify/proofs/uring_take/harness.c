/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_model.h"
#include "fastpath/uring.c"

#define BATCH 8		/* as its caller has it */

int main(void)
{
	struct uring u, was;
	struct uring_cqe out[BATCH];
	u32 want = any_u32(), n, used;

	u.sq = any_ring(true);
	u.cq = any_ring(false);
	u.cqes = model_any((u64)u.cq.size * 16);
	ASSUME(want <= BATCH);
	was = u;
	n = uring_take(&u, out, want);
	used = ring_used(&u.cq);
	PROVE(n <= want && u.cq.own == was.cq.own + n);
	PROVE(ring_is_valid(&u.cq) && same_ring(&u.cq, &was.cq));
	/* Two words of each entry, each read once; and the index, if what was seen is not enough. */
	PROVE(model_loads == 2 * n || model_loads == 2 * n + 1);
	PROVE(model_stores == (n != 0) && used <= u.cq.size);
	REACHED(n == BATCH && u.cq.own < was.cq.own);
	REACHED(n == 0);
	return 0;
}
