/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats on the wire, and nothing else: Ethernet II, IPv4 (RFC 791), IPv6 (RFC 8200), UDP
 * (RFC 768). All fields are bytes in network order; be16() and its kind read and write them.
 */
#ifndef RAKIS_NET_WIRE_H
#define RAKIS_NET_WIRE_H

#include "lib/types.h"

struct wire_eth {
	u8 to[6], from[6];
	u8 type[2];
};

struct wire_ipv4 {
	u8 version_ihl;
	u8 tos;
	u8 total[2];
	u8 id[2];
	u8 fragment[2];
	u8 ttl;
	u8 protocol;
	u8 checksum[2];
	u8 from[4], to[4];
};

struct wire_ipv6 {
	u8 version_class_flow[4];
	u8 payload[2];
	u8 next;
	u8 hop_limit;
	u8 from[16], to[16];
};

struct wire_udp {
	u8 from[2], to[2];
	u8 len[2];
	u8 checksum[2];
};

_Static_assert(sizeof(struct wire_eth) == 14 && sizeof(struct wire_ipv4) == 20 &&
	       sizeof(struct wire_ipv6) == 40 && sizeof(struct wire_udp) == 8, "as on the wire");

#define WIRE_IPV4		0x0800u
#define WIRE_IPV6		0x86ddu
#define WIRE_UDP		17u
#define WIRE_V4_IHL5		0x45u
#define WIRE_DONT_FRAGMENT	0x4000u
#define WIRE_FRAGMENT		0x3fffu		/* more fragments, or an offset */

static inline u16 be16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

static inline void put_be16(u8 *p, u16 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline u32 be32(const u8 *p)
{
	return (u32)be16(p) << 16 | be16(p + 2);
}

static inline void put_be32(u8 *p, u32 v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v);
}

#endif
