/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host sets up for the fast path of UDP: AF_XDP sockets (linux/if_xdp.h), one for
 * each receive queue of the interface that this run has, and what it says of routes. All of
 * it is untrusted: each address and offset is checked before use, and a socket with an odd
 * one is refused. Words of 64 bits only, but for bytes of addresses. Offsets count from the
 * start of their mapping.
 */
#ifndef RAKIS_BOUNDARY_XSK_H
#define RAKIS_BOUNDARY_XSK_H

#include <stdint.h>

#define RAKIS_XSK_MOST		8u	/* sockets of one process */
#define RAKIS_XSK_FRAME_SIZE	2048u	/* bytes; the packet begins at most 256 bytes into it */
#define RAKIS_XSK_FRAMES	4096u
#define RAKIS_XSK_RX_FRAMES	2048u	/* of them at most lent for receiving */
#define RAKIS_XSK_ENTRIES	2048u	/* of each of the four rings */

/* In the masks of struct rakis_request.rings, a socket stands behind the io_urings: `submit`
 * wakes its TX (and fill) ring, `sleep` is ended by an entry in its RX ring. */
#define RAKIS_XSK_BIT(n)	(1u << (8 + (n)))

struct rakis_xsk_ring {
	uint64_t map, map_size;
	uint64_t producer, consumer, flags, descs;	/* offsets */
	uint64_t entries;
};

/* RAKIS_OP_NET_SETUP fills it in. */
struct rakis_xsk {
	uint64_t umem, umem_size;	/* RAKIS_XSK_FRAMES frames; page-aligned */
	struct rakis_xsk_ring fill, completion, rx, tx;
	uint64_t zero_copy;		/* 1: the driver has the frames themselves */
	uint64_t verify;		/* 0: checksums of received packets may be unfinished (veth) */
	uint64_t kick_inline;		/* who tells of the TX ring: as in struct rakis_uring */
	uint64_t asleep, asleep_mask;
};

/*
 * RAKIS_OP_NET_ROUTE: how a datagram leaves. Addresses are IPv6; IPv4 as ::ffff:a.b.c.d.
 * `from` may be all zeros. The enclave fills in the first part, the host the second.
 */
struct rakis_route {
	uint8_t  to[16], from[16];

	uint8_t  source[16];	/* the address to send from */
	uint64_t fast;		/* 1: by the fast path; 0: by the kernel's socket, and nothing else is set */
	uint64_t mac_to;	/* six bytes in the order of the wire, from the lowest up */
	uint64_t mac_from;
	uint64_t mtu;		/* of the path, bytes of IP packet */
	uint64_t hop_limit;	/* as the interface or route says */
};

/*
 * One page that the host keeps up to date; its address comes with struct rakis_boot. Routes
 * are good while `generation` stands: it moves when links, addresses, neighbours or routes
 * change. `up` 0: the fast path does not work at present (link down, program gone).
 */
struct rakis_net_page {
	uint64_t generation;
	uint64_t up;
	uint64_t ifindex;
};

#endif
