/* SPDX-License-Identifier: Apache-2.0 */
#define MODEL_ONE_STORE
#include "ring_model.h"
#include "fastpath/uring.c"

static bool within(const struct ring_index *i, u64 map, u64 size)
{
	return i->word.addr_ >= map && i->word.addr_ + 8 <= map + size && (i->shift & ~32u) == 0;
}

static u64 at(const struct ring_index *i)
{
	return i->word.addr_ + i->shift / 8;
}

int main(void)
{
	struct rakis_uring h;
	struct uring u;
	int err;

	model_which = any_u32();
	err = uring_init(&u, &h);

	PROVE(err == 0 || err == -EINVAL);
	if (!err) {
		u64 sqes = h.sqes, cqes = h.cq_map + h.cqes, array = h.sq_map + h.sq_array;
		u64 word = h.sq_map + (h.sq_array + model_which * 8ull);

		PROVE(ring_is_valid(&u.sq) && ring_is_valid(&u.cq));
		PROVE(u.sq.producer && !u.cq.producer);
		PROVE(u.sq.size <= RAKIS_URING_SQ_ENTRIES && u.cq.size <= RAKIS_URING_CQ_ENTRIES);
		PROVE(u.slots == 0 && u.live == 0 && u.free == URING_NONE);
		/* All that will be touched was judged, whole. */
		PROVE(u.sqes.addr_ == sqes && model_is_open(sqes, (u64)u.sq.size * 64));
		PROVE(u.cqes.addr_ == cqes && model_is_open(cqes, (u64)u.cq.size * 16) && !(cqes & 7));
		PROVE(within(&u.sq.own_at, h.sq_map, h.sq_map_size));
		PROVE(within(&u.sq.other_at, h.sq_map, h.sq_map_size));
		PROVE(within(&u.cq.own_at, h.cq_map, h.cq_map_size));
		PROVE(within(&u.cq.other_at, h.cq_map, h.cq_map_size));
		/* What was stored: the array of indices, each word of it. */
		PROVE(model_stores == h.sq_entries / 2 && !(array & 7));
		PROVE(array >= h.sq_map && h.sq_array <= h.sq_map_size &&
		      u.sq.size * 4 <= h.sq_map_size - h.sq_array);
		PROVE(IMPLIES(model_which < model_stores, model_one.addr_ == word));
		/* No two indices are one, nor an index part of the entries. */
		PROVE(at(&u.sq.own_at) != at(&u.sq.other_at) && at(&u.cq.own_at) != at(&u.cq.other_at));
		PROVE(at(&u.sq.own_at) != at(&u.cq.own_at) && at(&u.sq.own_at) != at(&u.cq.other_at));
		PROVE(at(&u.cq.own_at) + 4 <= cqes || at(&u.cq.own_at) >= cqes + u.cq.size * 16ull);
		PROVE(at(&u.sq.own_at) + 4 <= cqes || at(&u.sq.own_at) >= cqes + u.cq.size * 16ull);
		PROVE(at(&u.sq.own_at) + 4 <= sqes || at(&u.sq.own_at) >= sqes + u.sq.size * 64ull);
	}
	REACHED(!err && u.sq.size == RAKIS_URING_SQ_ENTRIES && h.sq_map == h.cq_map);
	REACHED(!err && h.sq_map != h.cq_map);
	REACHED(err);
	return 0;
}
