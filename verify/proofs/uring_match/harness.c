/* SPDX-License-Identifier: Apache-2.0 */
#include "uring_model.h"

int main(void)
{
	struct uring u = any_uring(), was = u;
	struct uring_slot named, other_was;
	struct uring_cqe cqe;
	struct uring_done done;
	u32 slot = cqe.user_data & (RAKIS_URING_QUIET - 1), i = any_u32(), j = any_u32();
	bool more = cqe.flags & IORING_CQE_F_MORE, ok, known = slot < u.slots;

	ASSUME(i < SLOTS_MOST && j < SLOTS_MOST);
	ASSUME(slot_holds(&u, i) && slot_holds(&u, j) && pair_holds(&u, i, j));
	if (known)
		named = table[slot];
	/* The list has a slot for each rank: were `live` 0, all slots would be free. */
	ASSUME(IMPLIES(known && named.live, u.live));
	other_was = table[i];
	ok = uring_match(&u, &cqe, &done);

	/* Only a live slot of this very generation, and only a multishot one goes on. */
	PROVE(ok == (known && named.live && named.generation == cqe.user_data >> 32 &&
		     IMPLIES(more, named.multishot) && !(cqe.flags & IORING_CQE_F_NOTIF)));
	if (ok) {
		PROVE(done.owner == named.owner && done.slot == slot && done.opcode == named.opcode);
		PROVE(done.res == cqe.res && done.most == named.most && done.more == more);
		/* No buffer is named where none can be. */
		PROVE(done.buf >= -1 && IMPLIES(!named.buffers, done.buf == -1));
		PROVE(table[slot].live == more);
		/* The same completion once more finds nobody. */
		PROVE(IMPLIES(!more, table[slot].generation == (u32)(named.generation + 1)));
		PROVE(u.live == was.live - !more);
	}
	if (ok && !more)
		rank[slot] = nfree(&u);
	PROVE(IMPLIES(!ok || i != slot, same_slot(&table[i], &other_was)));
	PROVE(head_holds(&u) && slot_holds(&u, i) && pair_holds(&u, i, j));
	PROVE(u.slots == was.slots && ring_is_valid(&u.sq) && ring_is_valid(&u.cq));
	PROVE(stats.enclave.host_faults == !ok);
	PROVE(model_loads == 0 && model_stores == 0);
	REACHED(ok && more);
	REACHED(ok && !more && slot == SLOTS_MOST - 1 && i != slot && is_free(&u, i));
	REACHED(!ok && known && named.live);
	return 0;
}
