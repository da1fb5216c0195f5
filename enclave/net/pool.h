/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trusted memory for datagrams received. Each queue has a pool: its reaper takes from it,
 * anyone puts back, without a lock. It grows by chunks up to a bound, and stays so: what
 * there is at most in all sockets' queues is used again and again. Private to this room.
 */
#ifndef RAKIS_NET_POOL_H
#define RAKIS_NET_POOL_H

#include "net/net.h"

#define POOL_SMALL	256u		/* bytes of frame */
#define POOL_LARGE	2048u
#define POOL_SMALL_MOST	8192u		/* datagrams */
#define POOL_LARGE_MOST	4096u

struct pool {
	struct datagram *spare[2];		/* small, large: the reaper's */
	struct datagram *_Atomic back[2];	/* put back since */
	u32 total[2];
};

/* Room for a frame of n bytes, at most POOL_LARGE; NULL: no more. The reaper. */
struct datagram *pool_get(struct pool *p, u32 n) __must_check;

#endif
