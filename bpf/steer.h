/* SPDX-License-Identifier: Apache-2.0 */
/* What the steering program and the process that loads it (host/net/steer.c) share: its maps. */
#ifndef RAKIS_BPF_STEER_H
#define RAKIS_BPF_STEER_H

#include <linux/types.h>

#define STEER_QUEUES	64	/* receive queues of the interface that can be had */
#define STEER_CLAIMS	65536
#define STEER_LONGEST	1792	/* bytes of a frame that fit an AF_XDP socket's: 2048 without 256 ahead */

/* Map `queues`, by number of the queue. */
struct steer_queue {
	__u32 owner;		/* whose AF_XDP socket is there; 0: nobody's */
	__u16 mac[3];		/* of the interface, in the order of the wire */
	__u16 zero;
};

/*
 * Map `claims`: the owner wants what is sent to this address and port. Always an address of
 * the interface: a claim of any address stands here once for each. IPv4 as ::ffff:a.b.c.d.
 */
struct steer_claim {
	__u32 addr[4];		/* network order, as is the port */
	__u32 owner;
	__u16 port;
	__u16 zero;
};

/* Map `counters`, for each processor: what became of packets. X(name, text) */
#define STEER_COUNTERS(X)						\
	X(taken,	"taken to programs")				\
	X(other,	"left to the kernel: no UDP over IP")		\
	X(no_owner,	"  no program at the queue")			\
	X(unusual,	"  fragments, options, odd lengths or sources")	\
	X(too_long,	"  too long for a frame")			\
	X(foreign,	"  other hosts', broadcast, multicast")		\
	X(unclaimed,	"  ports that no program has")			\
	X(no_socket,	"  no AF_XDP socket at the queue")

enum steer_counter {
#define STEER_COUNTER(name, text) STEER_##name,
	STEER_COUNTERS(STEER_COUNTER)
#undef STEER_COUNTER
	STEER_COUNTERS_END
};

#endif
