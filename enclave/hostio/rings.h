/* SPDX-License-Identifier: Apache-2.0 */
/* What parking and exits need to know of the rings: private to this room. */
#ifndef RAKIS_HOSTIO_RINGS_H
#define RAKIS_HOSTIO_RINGS_H

#include "boundary/xsk.h"
#include "fastpath/bufring.h"
#include "fastpath/uring.h"
#include "hostio/async.h"
#include "lib/lock.h"

/* Locks nest in this order. */
struct async_ring {
	struct spinlock reap;		/* the completion queue; held while completions are told */
	struct spinlock submit;		/* the submission queue and the table */
	struct spinlock lend;		/* the provided buffers */
	struct uring u;
	struct bufring bufs;
	struct uptr asleep;		/* boundary/uring.h */
	u64 asleep_mask;
	_Atomic u32 loud;
};

extern struct async_ring *async_rings[RAKIS_URING_MOST];
extern bool rings_inline;		/* exits take along what is queued */
/* Rings with requests that the kernel was not told of. Kept in inline mode only. */
extern _Atomic u32 rings_queued;

/* setup.c: is there a ring of this number now? Any thread; may leave the enclave. */
bool ring_set_up(u32 ring) __must_check;
struct rakis_boot;
void rings_init(const struct rakis_boot *boot);

/* In masks: io_urings, and above them AF_XDP sockets. */
#define RINGS_URING	(RAKIS_XSK_BIT(0) - 1)

/* Rings that the running thread's next sleep depends on and where something may come. */
u32 rings_of_sleep(void);
/*
 * Take what these rings have. True if there was something that is a reason not to sleep.
 * *busy: those that another thread was at.
 */
bool rings_reap(u32 mask, u32 *busy) __must_check;
/* Would a spin keep what is queued from being submitted? */
bool rings_wait_for_exit(u32 rings);
/* For struct rakis_request.rings of an exit; `sleep` from rings_of_sleep(), or 0. */
u64 rings_for_exit(u32 sleep, u32 busy);

#endif
