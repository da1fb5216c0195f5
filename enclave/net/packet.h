/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a frame to a datagram, and back: pure functions over trusted memory. Private to this
 * room.
 */
#ifndef RAKIS_NET_PACKET_H
#define RAKIS_NET_PACKET_H

#include "net/net.h"

enum packet_verdict { PACKET_GOOD, PACKET_MALFORMED, PACKET_CHECKSUM };

/*
 * Is the frame a whole UDP datagram from one host to another? Fills in what it says, but for
 * `stamp`; d->data points into the frame. What follows the IP packet, or the UDP datagram in
 * it, is padding. Whom its Ethernet addresses name does not matter here.
 *
 * `verify` false: the UDP checksum is not looked at.
 */
enum packet_verdict packet_parse(struct datagram *d, u8 *frame, u32 len, bool verify) __must_check;

/*
 * Headers take this much, and stand at the end of a room of whole words: so the payload
 * begins at a word of the frame, and the packet in the middle of one.
 */
#define PACKET_HEADERS(v4)	((v4) ? 42u : 62u)
#define PACKET_ROOM(v4)		((v4) ? 48u : 64u)
#define PACKET_ROOM_MOST	64u

/* Write the headers ahead of a payload, checksums included; all of the room is set. */
void packet_headers(u8 room[PACKET_ROOM_MOST], const struct net_path *p, const struct net_send *s,
		    const void *payload, u32 len, u16 id);

#endif
