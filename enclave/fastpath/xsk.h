/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An AF_XDP socket on the one ring type (linux/if_xdp.h): frames of the UMEM, an area shared
 * with the kernel, go out to it on one ring and come back on another.
 *
 * The frames are split once for all between two lanes: those that receive go out empty on
 * the fill ring and come back full on the RX ring; those that send go out full on the TX ring
 * and come back on the completion ring. So receiving and sending share nothing.
 *
 * Invariant, xsk_is_valid(): both rings of each lane are valid, and each frame of the lane
 * has one owner, kept in trusted memory: it is free; lent, to the kernel (fill; tx); or
 * held, by us, while its packet is copied in or built. A descriptor of the kernel is accepted
 * only if it lies within one frame of the lane whose ring it came on, and that frame is lent;
 * then it is held or free. Else it is a host fault, counted, and no frame changes hands: one
 * that a bad descriptor names stays with its owner. At most as many frames are lent as there
 * are, and each goes out once until it has come back.
 *
 * What lies in a lent or held frame is the host's: copy in, check the copy, use the copy.
 *
 * The caller serialises each lane; the two may run at once.
 */
#ifndef RAKIS_FASTPATH_XSK_H
#define RAKIS_FASTPATH_XSK_H

#include "boundary/xsk.h"
#include "fastpath/ring.h"

#define XSK_LANE_FRAMES	RAKIS_XSK_RX_FRAMES
#define XSK_LANE_WORDS	(XSK_LANE_FRAMES / 64)
#define XSK_NONE	(~0u)

struct xsk_lane {
	struct ring out, in;
	struct uptr out_entries, in_entries;
	struct ring_index out_flags;
	u64 base;			/* offset of its first frame in the UMEM */
	u64 free[XSK_LANE_WORDS];	/* a bit for each frame; in neither: held */
	u64 lent[XSK_LANE_WORDS];
	u32 nfree;
};

struct xsk {
	struct uptr umem;
	struct xsk_lane rx, tx;
};

/* Take over what the host set up: -EINVAL if anything is odd. All frames are free. */
int xsk_init(struct xsk *x, const struct rakis_xsk *host) __must_check;
bool xsk_is_valid(const struct xsk *x) __must_check;

/* ---- receiving ---- */

/* A packet received: `len` bytes that begin `skip` (below 8) after `at`, in a held frame. */
struct xsk_packet {
	struct uptr at;
	u32 skip, len;
	u32 frame;
};

/* Lend free frames, as many as the fill ring takes. */
void xsk_refill(struct xsk *x);
/*
 * Take up to n descriptors from the RX ring: how many. The *good first ones of `out` are
 * filled in with those that were accepted, and their frames are held.
 */
u32 xsk_receive(struct xsk *x, struct xsk_packet *out, u32 n, u32 *good) __must_check;
/* A held frame is free again. */
void xsk_release(struct xsk *x, u32 frame);
/* The kernel sleeps until it is told (XDP_RING_NEED_WAKEUP) that frames were lent. */
bool xsk_fill_sleeps(const struct xsk *x) __must_check;

/* ---- sending ---- */

/* A free frame, held from now on; XSK_NONE: there is none, or no room in the TX ring. */
u32 xsk_frame(struct xsk *x) __must_check;
struct uptr xsk_frame_at(const struct xsk *x, u32 frame);
/*
 * Queue [skip, skip + len) of a held frame for the wire. False: the ring has no room after
 * all, since the host took back what it said; the frame is free again.
 */
bool xsk_send(struct xsk *x, u32 frame, u32 skip, u32 len) __must_check;
/* Take back what the kernel has sent. */
void xsk_complete(struct xsk *x);
/* The kernel sleeps until it is told that there is something to send. */
bool xsk_tx_sleeps(const struct xsk *x) __must_check;

#endif
