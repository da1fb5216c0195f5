/* SPDX-License-Identifier: Apache-2.0 */
/* AF_XDP sockets: xsk.h has the invariant. */
#include <linux/if_xdp.h>
#include "fastpath/layout.h"
#include "fastpath/xsk.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/stats.h"

#define FRAME		RAKIS_XSK_FRAME_SIZE
#define UMEM_SIZE	((u64)RAKIS_XSK_FRAMES * FRAME)
#define LANE_SIZE	((u64)XSK_LANE_FRAMES * FRAME)
#define ADDRESS		8u		/* entries of the fill and completion rings */
#define DESC		((u32)sizeof(struct xdp_desc))

_Static_assert(RAKIS_XSK_FRAMES == 2 * XSK_LANE_FRAMES, "both lanes have as many frames");
_Static_assert(sizeof(struct xdp_desc) == 16 && offsetof(struct xdp_desc, len) == 8 &&
	       offsetof(struct xdp_desc, options) == 12, "a descriptor is two words");

/* ---- taking over ---- */

static bool ring_set_up(struct ring *r, struct uptr *entries, struct ring_index *flags,
			const struct rakis_xsk_ring *h, bool producer, u32 entry)
{
	struct field f[] = {
		{ h->producer, 4 }, { h->consumer, 4 }, { h->flags, 4 },
		{ h->descs, h->entries * entry },
	};
	struct ring_index prod, cons;
	struct uptr map;

	if (!power_of_two(h->entries, RAKIS_XSK_ENTRIES) || (h->descs & 7) ||
	    !uptr_check(h->map, h->map_size, &map) ||
	    !fields_are_valid(f, ARRAY_SIZE(f), h->map_size) ||
	    !ring_index_at(&prod, map, h->map_size, h->producer) ||
	    !ring_index_at(&cons, map, h->map_size, h->consumer) ||
	    !ring_index_at(flags, map, h->map_size, h->flags))
		return false;
	*entries = uptr_add(map, h->descs);
	return !ring_init(r, producer, h->entries, producer ? prod : cons, producer ? cons : prod);
}

static bool lane_set_up(struct xsk_lane *l, u64 base,
			const struct rakis_xsk_ring *out, u32 out_entry,
			const struct rakis_xsk_ring *in, u32 in_entry)
{
	struct ring_index unused;

	*l = (struct xsk_lane){ .base = base, .nfree = XSK_LANE_FRAMES };
	for (u32 i = 0; i < XSK_LANE_WORDS; i++)
		l->free[i] = ~0ull;
	return ring_set_up(&l->out, &l->out_entries, &l->out_flags, out, true, out_entry) &&
	       ring_set_up(&l->in, &l->in_entries, &unused, in, false, in_entry);
}

int xsk_init(struct xsk *x, const struct rakis_xsk *h)
{
	const struct field maps[] = {
		{ h->umem, h->umem_size }, { h->fill.map, h->fill.map_size },
		{ h->completion.map, h->completion.map_size }, { h->rx.map, h->rx.map_size },
		{ h->tx.map, h->tx.map_size },
	};

	if ((h->umem & ~PAGE_MASK) || h->umem_size < UMEM_SIZE ||
	    !uptr_check(h->umem, h->umem_size, &x->umem) ||
	    !lane_set_up(&x->rx, 0, &h->fill, ADDRESS, &h->rx, DESC) ||
	    !lane_set_up(&x->tx, LANE_SIZE, &h->tx, DESC, &h->completion, ADDRESS))
		return -EINVAL;
	for (u32 i = 0; i < ARRAY_SIZE(maps); i++)
		for (u32 j = 0; j < i; j++)
			if (!apart(maps[i].off, maps[i].size, maps[j].off, maps[j].size))
				return -EINVAL;
	return 0;
}

static bool lane_is_valid(const struct xsk_lane *l)
{
	u32 nfree = 0;

	for (u32 i = 0; i < XSK_LANE_WORDS; i++) {
		nfree += __builtin_popcountll(l->free[i]);
		if (l->free[i] & l->lent[i])
			return false;
	}
	return nfree == l->nfree && ring_is_valid(&l->out) && l->out.producer &&
	       ring_is_valid(&l->in) && !l->in.producer;
}

bool xsk_is_valid(const struct xsk *x)
{
	return lane_is_valid(&x->rx) && x->rx.base == 0 &&
	       lane_is_valid(&x->tx) && x->tx.base == LANE_SIZE;
}

/* ---- owners ---- */

static bool is(const u64 *set, u32 frame)
{
	return set[frame / 64] >> (frame % 64) & 1;
}

/* A free frame is ours. There is one. */
static u32 hold(struct xsk_lane *l)
{
	for (u32 i = 0; i < XSK_LANE_WORDS; i++) {
		u64 w = l->free[i];

		if (!w)
			continue;
		l->free[i] = w & (w - 1);
		l->nfree--;
		return i * 64 + __builtin_ctzll(w);
	}
	panic("AF_XDP: no frame is free");
}

static void release(struct xsk_lane *l, u32 frame)
{
	ASSERT(frame < XSK_LANE_FRAMES && !is(l->free, frame) && !is(l->lent, frame));
	l->free[frame / 64] |= 1ull << (frame % 64);
	l->nfree++;
}

static void lend(struct xsk_lane *l, u32 frame)
{
	ASSERT(frame < XSK_LANE_FRAMES && !is(l->free, frame) && !is(l->lent, frame));
	l->lent[frame / 64] |= 1ull << (frame % 64);
}

/* The kernel says that it gives [addr, addr + len) of the UMEM back: the frame, which is held
 * from now on, or XSK_NONE. */
static u32 take_back(struct xsk_lane *l, u64 addr, u32 len)
{
	u64 off = addr - l->base;
	u32 frame = off / FRAME;

	if (off >= LANE_SIZE || len > FRAME - off % FRAME || !is(l->lent, frame)) {
		STAT_INC(host_faults);
		STAT_INC(net_bad_frames);
		return XSK_NONE;
	}
	l->lent[frame / 64] &= ~(1ull << (frame % 64));
	return frame;
}

static bool sleeps(const struct xsk_lane *l)
{
	/* After ring_advance(), a full barrier: the kernel says that it sleeps, then looks. */
	return untrusted_load(l->out_flags.word) >> l->out_flags.shift & XDP_RING_NEED_WAKEUP;
}

/* ---- receiving ---- */

void xsk_refill(struct xsk *x)
{
	struct xsk_lane *l = &x->rx;
	u32 n = ring_available(&l->out, l->nfree);

	for (u32 i = 0; i < n; i++) {
		u32 frame = hold(l);

		lend(l, frame);
		untrusted_store(uptr_add(l->out_entries, ring_slot(&l->out, i) * ADDRESS),
				l->base + (u64)frame * FRAME);
	}
	if (n)
		ring_advance(&l->out, n);
}

u32 xsk_receive(struct xsk *x, struct xsk_packet *out, u32 n, u32 *good)
{
	struct xsk_lane *l = &x->rx;

	*good = 0;
	n = ring_available(&l->in, n);
	for (u32 i = 0; i < n; i++) {
		struct uptr entry = uptr_add(l->in_entries, ring_slot(&l->in, i) * DESC);
		u64 addr = untrusted_load(entry);
		u32 len = untrusted_load(uptr_add(entry, 8));
		u32 frame = take_back(l, addr, len);

		if (frame == XSK_NONE)
			continue;
		out[(*good)++] = (struct xsk_packet){
			.at = uptr_add(x->umem, addr & ~7ull), .skip = addr & 7, .len = len,
			.frame = frame,
		};
	}
	if (n)
		ring_advance(&l->in, n);
	return n;
}

void xsk_release(struct xsk *x, u32 frame)
{
	release(&x->rx, frame);
}

bool xsk_fill_sleeps(const struct xsk *x)
{
	return sleeps(&x->rx);
}

/* ---- sending ---- */

u32 xsk_frame(struct xsk *x)
{
	struct xsk_lane *l = &x->tx;

	if (!l->nfree || !ring_available(&l->out, 1))
		return XSK_NONE;
	return hold(l);
}

struct uptr xsk_frame_at(const struct xsk *x, u32 frame)
{
	ASSERT(frame < XSK_LANE_FRAMES);
	return uptr_add(x->umem, x->tx.base + (u64)frame * FRAME);
}

bool xsk_send(struct xsk *x, u32 frame, u32 skip, u32 len)
{
	struct xsk_lane *l = &x->tx;
	struct uptr entry;

	ASSERT(skip <= FRAME && len <= FRAME - skip);
	if (!ring_available(&l->out, 1)) {
		release(l, frame);
		return false;
	}
	lend(l, frame);
	entry = uptr_add(l->out_entries, ring_slot(&l->out, 0) * DESC);
	untrusted_store(entry, l->base + (u64)frame * FRAME + skip);
	untrusted_store(uptr_add(entry, 8), len);
	ring_advance(&l->out, 1);
	return true;
}

void xsk_complete(struct xsk *x)
{
	struct xsk_lane *l = &x->tx;
	u32 n = ring_available(&l->in, l->in.size);

	for (u32 i = 0; i < n; i++) {
		u64 addr = untrusted_load(uptr_add(l->in_entries, ring_slot(&l->in, i) * ADDRESS));
		u32 frame = take_back(l, addr, 0);

		if (frame != XSK_NONE)
			release(l, frame);
	}
	if (n)
		ring_advance(&l->in, n);
}

bool xsk_tx_sleeps(const struct xsk *x)
{
	return sleeps(&x->tx);
}
