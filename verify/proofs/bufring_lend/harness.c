/* SPDX-License-Identifier: Apache-2.0 */
#include "bufring_model.h"

int main(void)
{
	struct bufring b = any_bufring(), was;
	u32 id = any_id(), other = any_id(), n = 1;
	bool start = any_bool(), ok = true;

	ASSUME(other != id && b.nlent < b.entries);
	ASSUME(holds_for(&b, id) && holds_for(&b, other));
	ASSUME(IMPLIES(id + 1 < RAKIS_URING_BUFS, holds_for(&b, id + 1)));
	ASSUME(b.first < 1ull << 48);
	was = b;
	if (start) {
		/* A spare one, and the one behind it. */
		ASSUME(id == b.started);
		n = any_u32();
		ASSUME(n <= 2);
		ok = bufring_start(&b, n);
		n = b.started - was.started;
		PROVE(ok == (n != 0) && b.started <= b.entries);
		PROVE(IMPLIES(other >= was.started + n || other < was.started,
			      is_lent(&b, other) == is_lent(&was, other)));
		PROVE(IMPLIES(other > was.started && other < was.started + n, is_lent(&b, other)));
	} else {
		/* One that is held. */
		ASSUME(id < b.started && !is_lent(&b, id) && b.nlent < b.started);
		bufring_put(&b, id);
		PROVE(is_lent(&b, other) == is_lent(&was, other) && b.started == was.started);
	}
	PROVE(IMPLIES(ok, is_lent(&b, id)));
	PROVE(b.nlent == was.nlent + n && holds_for(&b, id) && holds_for(&b, other));
	PROVE(b.first < 1ull << 48);
	PROVE(same_bufring(&b, &was) && b.tail == (u16)(was.tail + n));
	/* The tail is stored last, with what the first entry has beside it, and is never loaded. */
	PROVE(model_loads == 0);
	PROVE(IMPLIES(ok, model_stored_at == b.array.addr_ + 8 && model_stored >> 48 == b.tail));
	REACHED(start && n == 2);
	REACHED(start && !ok);
	REACHED(!start && b.tail == 0);
	return 0;
}
