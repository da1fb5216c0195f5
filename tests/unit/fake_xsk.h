/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of AF_XDP sockets, and the host's of routes, in memory of this process:
 * above fake_host.h, for rooms that are to see packets.
 */
#ifndef RAKIS_TESTS_FAKE_XSK_H
#define RAKIS_TESTS_FAKE_XSK_H

#include "boundary/xsk.h"
#include "fake_host.h"
#include "net/net.h"

#define FAKE_XSKS	2u

extern struct rakis_net_page fake_page;
extern struct rakis_route fake_route;	/* the answer to any; `source` zero: what was asked for */
extern u64 fake_verify;			/* of sockets set up from now on */
extern struct rakis_request fake_last;	/* request that was made last */

/* net_init() with that many sockets. Once. */
void fake_xsk_setup(void);
/* A packet arrives on queue q: false if no frame is lent. */
bool fake_xsk_receive(u32 q, const void *frame, u32 len);
/* A descriptor of any kind on the RX ring. */
void fake_xsk_post(u32 q, u64 addr, u64 len_options);
/* The oldest packet queued for the wire, and its frame goes back: length, or -1. */
int fake_xsk_sent(u32 q, void *out);
/* All rings of the socket are empty again, and how it is laid out. */
void fake_xsk_fresh(u32 q, struct rakis_xsk *out);
/* Producer and consumer of the fill, completion, RX and TX rings, in this order. */
_Atomic u32 *fake_xsk_index(u32 q, u32 i);
/* How many are queued, and how many packets wait in the RX ring. */
u32 fake_xsk_queued(u32 q);
u32 fake_xsk_waiting(u32 q);

/* ---- frames ---- */

/* A UDP packet between these addresses, checksums and all: its length. */
u32 fake_packet(void *out, const struct net_addr *from, const struct net_addr *to, const void *data,
		u32 len);
/* Set the checksums of a frame right, as far as it has any. */
void fake_mend(u8 *frame, u32 len);
struct net_addr fake_addr(const char *text, u16 port);

#endif
