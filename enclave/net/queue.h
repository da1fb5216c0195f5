/* SPDX-License-Identifier: Apache-2.0 */
/* The queues: an AF_XDP socket each, with a lock for either direction. Private to this room. */
#ifndef RAKIS_NET_QUEUE_H
#define RAKIS_NET_QUEUE_H

#include "fastpath/xsk.h"
#include "net/pool.h"

struct queue {
	struct spinlock rx, tx;
	struct xsk xsk;
	struct pool pool;
	u32 bit;		/* in masks of rings */
	u32 unkicked;		/* packets queued since the last kick, as far as known */
	bool verify;
	bool kick_inline;	/* boundary/uring.h, and the next two */
	struct uptr asleep;
	u64 asleep_mask;
};

extern struct queue *net_queues[RAKIS_XSK_MOST];
extern u32 net_nqueues;

/* send.c */
void send_init(void);

#endif
