/* SPDX-License-Identifier: Apache-2.0 */
/* AF_XDP sockets of this run as the executor and the monitor see them: telling the kernel of
 * frames to send, and of room to receive where it waits for that. */
#ifndef RAKIS_HOST_XSK_H
#define RAKIS_HOST_XSK_H

#include <stdatomic.h>
#include <stdint.h>

#include "boundary/xsk.h"

struct host_xsk {
	int fd;
	_Atomic uint32_t *tx_producer, *tx_consumer, *tx_flags, *fill_flags, *rx_producer, *rx_consumer;
	uint32_t seen;			/* of the monitor: tx_consumer a while ago */
};

extern struct host_xsk host_xsks[RAKIS_XSK_MOST];
extern _Atomic uint32_t host_nxsks;	/* those below are set up */

/* True if there was anything to tell. */
_Bool xsk_kick(const struct host_xsk *x);

static inline uint32_t xsk_queued(const struct host_xsk *x)
{
	return atomic_load_explicit(x->tx_producer, memory_order_acquire) -
	       atomic_load_explicit(x->tx_consumer, memory_order_relaxed);
}

static inline uint32_t xsk_received(const struct host_xsk *x)
{
	return atomic_load_explicit(x->rx_producer, memory_order_acquire) -
	       atomic_load_explicit(x->rx_consumer, memory_order_relaxed);
}

#endif
