/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness of a host-backed file, kept inside, fed by edge-triggered events of the host
 * (exit transport: a host epoll instance; ring transport: multishot poll), so that
 * epoll_wait asks the host once, not once per descriptor.
 *
 * `bits` says what the last events said and no later transfer has contradicted:
 *  - an event sets bits (and ERR, HUP, RDHUP stay set);
 *  - a transfer that met EAGAIN, or on a stream came back short, clears IN or OUT, unless
 *    an event came in between (`seq` moved);
 *  - a transfer that may have drained the file sets the bit in `unsure` too: before such a
 *    bit is reported to a level-triggered waiter, it is confirmed by one poll of the host.
 */
#ifndef RAKIS_FS_READY_H
#define RAKIS_FS_READY_H

#include "libos/wait.h"
#include "lib/types.h"

struct ready {
	struct spinlock lock;
	int hostfd;
	u32 bits;			/* EPOLL* */
	u32 unsure;			/* subset of bits to confirm */
	u32 watches;			/* epoll instances that have it watched */
	bool inside;			/* fed by ring: epoll need not have the host watch it */
	u64 seq;			/* counts events */
	struct wait_queue queue;	/* epoll items; woken by events */
};

void ready_init(struct ready *r, int hostfd);
/* An event came: for the one who asked, and who tells its own waiters; or for all. */
void ready_note(struct ready *r, u32 events);
void ready_event(struct ready *r, u32 events);
/* The bits, and which of them are to be confirmed. */
u32 ready_bits(struct ready *r, u32 *unsure);
/* Of the bits `asked` the host says that `got` hold; `seq` from before it was asked. */
void ready_confirm(struct ready *r, u32 asked, u32 got, u64 seq);
/* From now on it is fed by ring, or its file knows its bits by itself. */
void ready_inside(struct ready *r);
/* epoll watches it from now on, or no longer. */
void ready_watch(struct ready *r, bool on);
/* Around a transfer: seq before; after it, what it showed. */
static inline u64 ready_seq(struct ready *r)
{
	return *(volatile u64 *)&r->seq;
}
void ready_drained(struct ready *r, u32 bit, u64 seq);	/* EAGAIN or short on a stream */
void ready_used(struct ready *r, u32 bit);		/* data moved; there may be more, or not */

#endif
