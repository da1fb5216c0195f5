/* SPDX-License-Identifier: Apache-2.0 */
#include "uring_model.h"

int main(void)
{
	struct uring u = any_uring(), was = u;
	u32 i = any_u32(), j = any_u32(), next;
	bool ok;

	ASSUME(i < SLOTS_MOST && j < SLOTS_MOST);
	ASSUME(slot_holds(&u, i) && slot_holds(&u, j) && pair_holds(&u, i, j));
	/* Zeroed memory. */
	if (u.slots < SLOTS_MOST)
		for (u32 k = 0; k < URING_CHUNK; k++)
			table[u.slots + k] = (struct uring_slot){ 0 };
	ok = uring_grow(&u, &table[u.slots < SLOTS_MOST ? u.slots : 0]);

	PROVE(ok == (was.slots < SLOTS_MOST) && u.live == was.live);
	PROVE(u.slots == was.slots + (ok ? URING_CHUNK : 0));
	/* The new ones are on the list, ahead of the others. */
	if (ok)
		for (u32 k = 0; k < URING_CHUNK; k++)
			rank[was.slots + k] = nfree(&was) + URING_CHUNK - k;
	PROVE(head_holds(&u) && slot_holds(&u, i) && pair_holds(&u, i, j));
	PROVE(model_loads == 0 && model_stores == 0);
	REACHED(ok && i >= was.slots && j < was.slots && is_free(&u, j));
	REACHED(ok && u.slots == SLOTS_MOST);
	REACHED(!ok);
	return 0;
}
