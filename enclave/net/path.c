/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes and neighbours: asked of the host, whose kernel does ARP, neighbour discovery and
 * routing, and remembered in a table that all sockets share while the host's generation
 * stands, and for PATH_NS at most. Packets received teach nothing: the host's answer is as
 * good as any, and an attacker on the network has no say.
 */
#include "boundary/boot.h"
#include "boundary/xsk.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "net/addr.h"
#include "net/path.h"

#define PATHS		1024u
#define PATH_NS		30000000000ull
#define MTU_LEAST_V4	68u
#define MTU_LEAST_V6	1280u
#define MTU_MOST	65535u

static struct uptr page;
static struct net_path *paths;
static struct spinlock lock = SPINLOCK_INIT;

static u64 from_page(u64 off)
{
	return untrusted_load(uptr_add(page, off));
}

bool paths_init(u64 addr)
{
	paths = kzalloc(PATHS * sizeof(*paths));
	return uptr_check(addr, sizeof(struct rakis_net_page), &page) && paths;
}

u32 path_ifindex(void)
{
	return from_page(offsetof(struct rakis_net_page, ifindex));
}

/* Can this be the answer? Fills p in from it. */
static bool adopt(struct net_path *p, const struct rakis_route *r)
{
	bool v4 = ip_is_v4(p->to);

	p->fast = r->fast == 1;
	if (!p->fast)
		return r->fast == 0;
	if (r->mtu < (v4 ? MTU_LEAST_V4 : MTU_LEAST_V6) || r->mtu > MTU_MOST || !r->hop_limit ||
	    r->hop_limit > 255 || ip_is_v4(r->source) != v4 || !ip_is_unicast(r->source) ||
	    (!ip_is_zero(p->from) && !ip_same(p->from, r->source)))
		return false;
	ip_copy(p->source, r->source);
	memcpy(p->mac_to, &r->mac_to, 6);
	memcpy(p->mac_from, &r->mac_from, 6);
	p->mtu = r->mtu;
	p->hop_limit = r->hop_limit;
	return true;
}

/* What the host does not know to reach, its kernel's socket may say why. */
static void ask(struct net_path *p)
{
	struct rakis_route r = { 0 };

	ip_copy(r.to, p->to);
	ip_copy(r.from, p->from);
	STAT_INC(net_routes);
	if (host_net_route(&r)) {
		p->fast = false;
	} else if (!adopt(p, &r)) {
		STAT_INC(host_faults);
		log_warn("host fault: a route that it gave is not valid");
		p->fast = false;
	}
}

bool net_path(struct net_path *p, const u8 to[16], const u8 from[16])
{
	struct net_path *shared;
	u64 generation, now;

	p->known = false;
	if (!net_available() || !from_page(offsetof(struct rakis_net_page, up)) ||
	    !ip_is_unicast(to) || (!ip_is_zero(from) && ip_is_v4(to) != ip_is_v4(from)))
		return false;
	generation = from_page(offsetof(struct rakis_net_page, generation));
	now = net_monotonic();
	shared = &paths[hash_ip(hash_ip(hash_start(0), to), from) % PATHS];
	spin_lock(&lock);
	if (shared->generation == generation && now - shared->made < PATH_NS &&
	    ip_same(shared->to, to) && ip_same(shared->from, from))
		*p = *shared;
	spin_unlock(&lock);
	if (likely(p->known))
		return p->fast;
	*p = (struct net_path){ .generation = generation, .made = now, .known = true };
	ip_copy(p->to, to);
	ip_copy(p->from, from);
	ask(p);
	spin_lock(&lock);
	*shared = *p;
	spin_unlock(&lock);
	return p->fast;
}
