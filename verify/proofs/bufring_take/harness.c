/* SPDX-License-Identifier: Apache-2.0 */
#include "bufring_model.h"

int main(void)
{
	struct bufring b = any_bufring(), was = b;
	u32 id = any_u32(), other = any_id(), word = any_u32();
	bool ok;

	ASSUME(word < RAKIS_URING_BUFS / 64 && other != id);
	ASSUME(holds_for(&b, other) && IMPLIES(id < RAKIS_URING_BUFS, holds_for(&b, id)));
	/* One is lent: then the count is not 0. */
	ASSUME(IMPLIES(id < RAKIS_URING_BUFS && is_lent(&b, id), b.nlent));
	ok = bufring_take(&b, id);

	/* Only a lent one can be taken; it is then held, and no other changes hands. */
	PROVE(ok == (id < b.entries && is_lent(&was, id)));
	PROVE(b.nlent == was.nlent - ok);
	PROVE(holds_for(&b, other) && is_lent(&b, other) == is_lent(&was, other));
	PROVE(b.lent[word] == (was.lent[word] & ~(ok && id / 64 == word ? 1ull << id % 64 : 0)));
	PROVE(IMPLIES(ok, !is_lent(&b, id) && holds_for(&b, id)));
	PROVE(same_bufring(&b, &was) && b.started == was.started && b.tail == was.tail);
	PROVE(model_loads == 0 && model_stores == 0);
	REACHED(ok);
	REACHED(!ok && id < b.entries);
	REACHED(!ok && id > b.entries);
	return 0;
}
