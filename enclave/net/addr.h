/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of 16 bytes, two words at a time: private to this room. */
#ifndef RAKIS_NET_ADDR_H
#define RAKIS_NET_ADDR_H

#include "lib/types.h"
#include "net/net.h"

#define V4_MAPPED	0xffff0000u	/* bytes 8 to 11 of ::ffff:a.b.c.d, as they are loaded */

static inline u64 ip_word(const u8 *ip, u32 i)
{
	u64 v;

	__builtin_memcpy(&v, ip + 8 * i, 8);
	return v;
}

static inline bool ip_is_zero(const u8 *ip)
{
	return !(ip_word(ip, 0) | ip_word(ip, 1));
}

static inline bool ip_is_v4(const u8 *ip)
{
	return !ip_word(ip, 0) && (u32)ip_word(ip, 1) == V4_MAPPED;
}

static inline bool ip_same(const u8 *a, const u8 *b)
{
	return ip_word(a, 0) == ip_word(b, 0) && ip_word(a, 1) == ip_word(b, 1);
}

static inline void ip_copy(u8 *to, const u8 *from)
{
	__builtin_memcpy(to, from, 16);
}

static inline void ip_from_v4(u8 *to, const u8 *v4)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, v4, 4);
}

/* Of one host, by what it is: neither nobody's, nor a group's, nor this machine's own. */
bool ip_is_unicast(const u8 *ip) __must_check;

/*
 * Hashes are keyed at start, so that nobody outside can tell which flows meet. Not for
 * anything that a collision could harm.
 */
extern u64 net_secret;

static inline u64 hash_start(u64 v)
{
	return net_secret ^ v;
}

static inline u64 hash_add(u64 h, u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static inline u64 hash_ip(u64 h, const u8 *ip)
{
	return hash_add(hash_add(h, ip_word(ip, 0)), ip_word(ip, 1));
}

/* Of all four parts of a flow. */
static inline u64 hash_flow(const struct net_addr *a, const struct net_addr *b)
{
	return hash_ip(hash_ip(hash_start((u64)a->port << 16 | b->port), a->ip), b->ip);
}

#endif
