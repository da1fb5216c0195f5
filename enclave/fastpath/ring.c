/* SPDX-License-Identifier: Apache-2.0 */
/* The one ring type: ring.h has the invariant. */
#include "fastpath/ring.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/stats.h"

#ifdef NDEBUG
#define CHECK(r) do { } while (0)
#else
#define CHECK(r) ASSERT(ring_is_valid(r))
#endif

bool ring_index_at(struct ring_index *idx, struct uptr map, u64 map_size, u64 off)
{
	u64 word = off & ~7ull;

	if ((off & 3) || map_size < 8 || word > map_size - 8)
		return false;
	idx->word = uptr_add(map, word);
	idx->shift = off & 4 ? 32 : 0;
	return true;
}

static u32 distance(const struct ring *r, u32 own, u32 other)
{
	return r->producer ? own - other : other - own;
}

bool ring_is_valid(const struct ring *r)
{
	return r->size && r->size <= RING_SIZE_MOST && !(r->size & (r->size - 1)) &&
	       r->mask == r->size - 1 && distance(r, r->own, r->other) <= r->size;
}

int ring_init(struct ring *r, bool producer, u32 size, struct ring_index own,
	      struct ring_index other)
{
	*r = (struct ring){
		.own_at = own, .other_at = other, .size = size, .mask = size - 1,
		.producer = producer, .own = untrusted_load(own.word) >> own.shift,
		.other = untrusted_load(other.word) >> other.shift,
	};
	return ring_is_valid(r) ? 0 : -EINVAL;
}

void ring_refresh(struct ring *r)
{
	u32 seen = untrusted_load(r->other_at.word) >> r->other_at.shift;

	if (unlikely(distance(r, r->own, seen) > r->size)) {
		r->faults++;
		STAT_INC(host_faults);
		return;
	}
	r->other = seen;
	/* Entries are touched after the index that gave them to us: pairs with its store. */
	atomic_thread_fence(memory_order_acquire);
}

u32 ring_available(struct ring *r, u32 want)
{
	u32 n = r->producer ? r->size - ring_used(r) : ring_used(r);

	if (n < want) {
		ring_refresh(r);
		n = r->producer ? r->size - ring_used(r) : ring_used(r);
	}
	CHECK(r);
	return min(n, want);
}

void ring_advance(struct ring *r, u32 n)
{
	r->own += n;
	CHECK(r);
	/* A barrier: entries are filled, or were read, before the index says so. */
	untrusted_store_half(r->own_at.word, r->own_at.shift, r->own);
}
