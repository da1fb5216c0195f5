/* SPDX-License-Identifier: Apache-2.0 */
#include "uring_model.h"

int main(void)
{
	struct uring u = any_uring(), was = u;
	struct rakis_request rq;
	struct uring_how how = { .owner = &u, .most = any_u32(), .multishot = any_bool(),
				 .buffers = any_bool(), .quiet = any_bool() };
	u32 i = any_u32(), j = any_u32(), reserve = any_u32(), first = u.free;
	struct uring_slot other_was;
	int slot;

	ASSUME(i < SLOTS_MOST && j < SLOTS_MOST && reserve < 1u << 16);
	ASSUME(slot_holds(&u, i) && slot_holds(&u, j) && pair_holds(&u, i, j));
	if (first != URING_NONE)
		ASSUME(slot_holds(&u, first) && pair_holds(&u, i, first) && pair_holds(&u, j, first));
	if (is_free(&u, i) && table[i].next_free != URING_NONE)
		ASSUME(pair_holds(&u, table[i].next_free, first));
	other_was = table[i];
	slot = uring_submit(&u, &rq, &how, reserve);

	PROVE(slot == -EAGAIN || slot == (int)first);
	if (slot >= 0) {
		PROVE(table[first].live && table[first].owner == how.owner);
		PROVE(table[first].most == how.most && table[first].opcode == rq.opcode);
		PROVE(u.live == was.live + 1 && u.sq.own == was.sq.own + 1);
		/* One whole entry, in the next place of the queue. */
		PROVE(model_stores == 2);
	}
	PROVE(IMPLIES(slot < 0 || i != first, same_slot(&table[i], &other_was)));
	PROVE(IMPLIES(slot < 0, u.free == was.free && u.live == was.live && !model_stores));
	PROVE(head_holds(&u) && slot_holds(&u, i) && pair_holds(&u, i, j));
	PROVE(ring_is_valid(&u.sq) && ring_is_valid(&u.cq) && u.slots == was.slots);
	/* Nothing is read back. */
	PROVE(model_loads <= 1);
	REACHED(slot >= 0 && i != first && is_free(&u, i));
	REACHED(slot >= 0 && u.free == URING_NONE);
	REACHED(slot < 0);
	return 0;
}
