/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a ring that is shared with the host: a power of two of entries, and two
 * free-running 32-bit indices, the producer's and the consumer's. Serves the queues of
 * io_uring (linux/io_uring.h) and of AF_XDP sockets (linux/if_xdp.h).
 *
 * Invariant, ring_is_valid(): size, mask and addresses never change after ring_init(); the
 * producer's index is 0 to `size` ahead of the consumer's, modulo 2^32. `own` is stored,
 * never loaded. The other side's index is believed only if the invariant holds with it;
 * otherwise the last good value stands and the fault is counted. An index that jumps within
 * the window can only make the host's own entries look fewer or more: slots given out are
 * always within the ring.
 *
 * The caller serialises: each ring has one user at a time.
 */
#ifndef RAKIS_FASTPATH_RING_H
#define RAKIS_FASTPATH_RING_H

#include "fastpath/untrusted.h"
#include "lib/types.h"

#define RING_SIZE_MOST	(1u << 20)

/*
 * An index is half of an aligned 8-byte word. The other half may be anybody's (kernels of
 * today put the two indices of an io_uring queue side by side, older ones far apart).
 */
struct ring_index {
	struct uptr word;
	u32 shift;		/* 0 or 32 */
};

struct ring {
	struct ring_index own_at, other_at;
	u32 size, mask;
	bool producer;		/* which side is ours */
	u32 own;
	u32 other;		/* last one believed */
	u64 faults;
};

/*
 * The index at `off` of a mapping: false if it, or the word that contains it, does not lie
 * within, or it is not aligned.
 */
bool ring_index_at(struct ring_index *idx, struct uptr map, u64 map_size, u64 off) __must_check;
/* -EINVAL unless the size is a power of two and the indices stand in a possible relation. */
int ring_init(struct ring *r, bool producer, u32 size, struct ring_index own,
	      struct ring_index other) __must_check;
bool ring_is_valid(const struct ring *r) __must_check;

/* Entries between the consumer's and the producer's index, as last seen. */
static inline u32 ring_used(const struct ring *r)
{
	return r->producer ? r->own - r->other : r->other - r->own;
}

/* Look at the other side's index. */
void ring_refresh(struct ring *r);

/*
 * How many entries are ours to fill (producer) or to take (consumer), up to `want`; looks at
 * the other side's index only if what was seen last is not enough.
 */
u32 ring_available(struct ring *r, u32 want) __must_check;

/* Which entry is the i-th of those; i below what ring_available() said. */
static inline u32 ring_slot(const struct ring *r, u32 i)
{
	return (r->own + i) & r->mask;
}

/* Hand the first n of them over: filled entries become visible, taken ones free. */
void ring_advance(struct ring *r, u32 n);

#endif
