/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of local endpoints: those with a peer by port and peer, those without by port.
 * New ones come first in their bucket.
 */
#include "net/addr.h"
#include "net/demux.h"

#define BUCKETS	1024u

static struct net_bind *with_peer[BUCKETS], *without[BUCKETS];
static u32 npeers;

static struct net_bind **bucket_of_peer(u16 port, const struct net_addr *peer)
{
	return &with_peer[hash_ip(hash_start((u64)port << 16 | peer->port), peer->ip) % BUCKETS];
}

static struct net_bind **bucket_of(const struct net_bind *b)
{
	if (b->peer.port)
		return bucket_of_peer(b->local.port, &b->peer);
	return &without[b->local.port % BUCKETS];
}

void demux_add(struct net_bind *b)
{
	struct net_bind **at = bucket_of(b);

	npeers += b->peer.port != 0;
	b->next = *at;
	*at = b;
}

void demux_remove(struct net_bind *b)
{
	struct net_bind **at = bucket_of(b);

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	npeers -= b->peer.port != 0;
}

enum { MISS, ANY_ADDRESS, EXACT };

static int match(const struct net_bind *b, const struct net_addr *from, const struct net_addr *to)
{
	if (b->local.port != to->port ||
	    (b->peer.port && (b->peer.port != from->port || !ip_same(b->peer.ip, from->ip))))
		return MISS;
	if (!ip_is_zero(b->local.ip))
		return ip_same(b->local.ip, to->ip) ? EXACT : MISS;
	return (ip_is_v4(to->ip) ? b->v4 : b->v6) ? ANY_ADDRESS : MISS;
}

/* Of the equals of `best`, which are shared, the one that the flow falls to. */
static struct net_bind *choose(struct net_bind *best, u32 n, int quality,
			       const struct net_addr *from, const struct net_addr *to)
{
	u32 which = (u64)(u32)hash_flow(from, to) * n >> 32;

	for (struct net_bind *b = best; b; b = b->next)
		if (b->shared && match(b, from, to) == quality && !which--)
			return b;
	return best;
}

static struct net_bind *find(struct net_bind *bucket, const struct net_addr *from,
			     const struct net_addr *to)
{
	struct net_bind *best = NULL;
	int quality = MISS;
	u32 n = 0;

	for (struct net_bind *b = bucket; b; b = b->next) {
		int m = match(b, from, to);

		if (m > quality) {
			best = b;
			quality = m;
			n = 0;
		}
		n += m && m == quality && b->shared;
	}
	return best && best->shared && n > 1 ? choose(best, n, quality, from, to) : best;
}

struct net_bind *demux_find(const struct net_addr *from, const struct net_addr *to)
{
	struct net_bind *b = npeers ? find(*bucket_of_peer(to->port, from), from, to) : NULL;

	return b ? b : find(without[to->port % BUCKETS], from, to);
}
