/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a datagram leaves: the kernel's route and its neighbour. Routes of other interfaces,
 * local, broadcast, multicast and tunnelled ones, and neighbours whose address is not known yet
 * are the kernel's work: it resolves the neighbour when it sends the datagram, and says so.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/net/client.h"
#include "host/net/net.h"

#define HOPS		1024		/* neighbours that are remembered, by a hash */
#define IN_USE		120		/* seconds after the enclave asked */
#define USABLE		(NUD_REACHABLE | NUD_PERMANENT | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_NOARP)

struct neighbour {
	uint16_t state;			/* NUD_* */
	uint8_t mac[6];
};

/* What the enclave was told of a neighbour. */
struct hop {
	uint8_t addr[16];
	bool usable;
	uint8_t mac[6];
	time_t asked;
};

struct way {
	int oif, type;
	bool tunnel;
	uint8_t hop[16], source[16];
	uint32_t mtu, hop_limit;
};

static struct mnl_socket *netlink;
static struct hop hops[HOPS];
static uint32_t default_ttl = 64, default_hop_limit = 64;

static void read_number(const char *path, uint32_t *out)
{
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	if (fscanf(f, "%u", out) != 1 || !*out || *out > 255)
		*out = 64;
	fclose(f);
}

void route_begin(void)
{
	char path[96];

	read_number("/proc/sys/net/ipv4/ip_default_ttl", &default_ttl);
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/hop_limit", net.link.name);
	read_number(path, &default_hop_limit);
}

static time_t seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

static struct hop *hop_of(const uint8_t addr[16])
{
	uint32_t hash = 0;

	for (int i = 0; i < 16; i++)
		hash = hash * 31 + addr[i];
	return &hops[hash % HOPS];
}

/* ---- asking the kernel ---- */

static void metrics(const struct nlattr *nest, struct way *w)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == RTAX_MTU)
			w->mtu = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTAX_HOPLIMIT)
			w->hop_limit = mnl_attr_get_u32(attr);
	}
}

static int parse_route(const struct nlmsghdr *msg, void *data)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	const struct rtvia *via;
	const struct nlattr *attr;
	struct way *w = data;

	w->type = rt->rtm_type;
	mnl_attr_for_each(attr, msg, sizeof(*rt)) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			w->oif = mnl_attr_get_u32(attr);
			break;
		case RTA_GATEWAY:
			address_map(w->hop, rt->rtm_family, mnl_attr_get_payload(attr));
			break;
		case RTA_VIA:
			via = mnl_attr_get_payload(attr);
			address_map(w->hop, via->rtvia_family, via->rtvia_addr);
			break;
		case RTA_PREFSRC:
			address_map(w->source, rt->rtm_family, mnl_attr_get_payload(attr));
			break;
		case RTA_METRICS:
			metrics(attr, w);
			break;
		case RTA_ENCAP:
			w->tunnel = true;
			break;
		}
	}
	return MNL_CB_OK;
}

static bool is_link_local(const uint8_t addr[16])
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

static int find_way(const uint8_t to[16], const uint8_t from[16], struct way *w)
{
	static const uint8_t none[16];
	char room[512];
	struct nlmsghdr *ask = mnl_nlmsg_put_header(room);
	struct rtmsg *rt;
	const void *dst, *src;
	int family = address_unmap(to, &dst), size = family == AF_INET ? 4 : 16;

	memset(w, 0, sizeof(*w));
	memcpy(w->hop, to, 16);
	ask->nlmsg_type = RTM_GETROUTE;
	rt = mnl_nlmsg_put_extra_header(ask, sizeof(*rt));
	rt->rtm_family = family;
	rt->rtm_dst_len = size * 8;
	mnl_attr_put(ask, RTA_DST, size, dst);
	if (memcmp(from, none, 16)) {
		if (address_unmap(from, &src) != family)
			return -EINVAL;
		if (memcmp(src, none, size)) {
			rt->rtm_src_len = size * 8;
			mnl_attr_put(ask, RTA_SRC, size, src);
			memcpy(w->source, from, 16);
		}
	}
	/* Link-local addresses are this link's: the enclave asks for no other. */
	if (family == AF_INET6 && is_link_local(to))
		mnl_attr_put_u32(ask, RTA_OIF, net.link.ifindex);
	return netlink_ask(netlink, ask, parse_route, w);
}

static void parse_neighbour(const struct nlmsghdr *msg, struct neighbour *n, const void **addr, int *family)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr;

	memset(n, 0, sizeof(*n));
	*addr = NULL;
	*family = nd->ndm_family;
	n->state = msg->nlmsg_type == RTM_DELNEIGH ? NUD_FAILED : nd->ndm_state;
	mnl_attr_for_each(attr, msg, sizeof(*nd)) {
		if (mnl_attr_get_type(attr) == NDA_DST)
			*addr = mnl_attr_get_payload(attr);
		else if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
			memcpy(n->mac, mnl_attr_get_payload(attr), 6);
	}
}

static int found_neighbour(const struct nlmsghdr *msg, void *data)
{
	const void *addr;
	int family;

	parse_neighbour(msg, data, &addr, &family);
	return MNL_CB_OK;
}

/* Without an entry: state 0. */
static void find_neighbour(const uint8_t addr[16], struct neighbour *n)
{
	char room[256];
	struct nlmsghdr *ask = mnl_nlmsg_put_header(room);
	struct ndmsg *nd;
	const void *part;
	int family = address_unmap(addr, &part);

	memset(n, 0, sizeof(*n));
	ask->nlmsg_type = RTM_GETNEIGH;
	nd = mnl_nlmsg_put_extra_header(ask, sizeof(*nd));
	nd->ndm_family = family;
	nd->ndm_ifindex = net.link.ifindex;
	mnl_attr_put(ask, NDA_DST, family == AF_INET ? 4 : 16, part);
	if (netlink_ask(netlink, ask, found_neighbour, n))
		n->state = 0;
}

/*
 * The kernel does not see that the neighbour is used, and would never ask again whether it is
 * still there; the helper may tell it.
 */
static void keep_alive(const uint8_t addr[16])
{
	struct net_reply reply;
	int fds[2];

	(void)client_ask(net.helper, NET_PROBE, addr, -1, &reply, fds);
}

/* ---- what the enclave asks ---- */

static void lookup(struct rakis_route *r, bool *stale, uint8_t hop[16])
{
	struct neighbour n;
	struct hop *h;
	struct way w;
	const void *part;

	if (!net.page->up || find_way(r->to, r->from, &w) || w.type != RTN_UNICAST || w.tunnel ||
	    w.oif != net.link.ifindex || !net.link.neighbours)
		return;
	find_neighbour(w.hop, &n);
	h = hop_of(w.hop);
	memcpy(h->addr, w.hop, 16);
	memcpy(h->mac, n.mac, 6);
	h->usable = n.state & USABLE;
	h->asked = seconds();
	if (!h->usable)
		return;
	*stale = n.state & NUD_STALE;
	memcpy(hop, w.hop, 16);
	memcpy(r->source, w.source, 16);
	memcpy(&r->mac_to, n.mac, 6);
	memcpy(&r->mac_from, net.link.mac, 6);
	r->mtu = w.mtu && w.mtu < net.link.mtu ? w.mtu : net.link.mtu;
	r->hop_limit = w.hop_limit ? w.hop_limit :
		address_unmap(r->to, &part) == AF_INET ? default_ttl : default_hop_limit;
	r->fast = 1;
}

int net_route(struct rakis_route *route)
{
	struct rakis_route r = { 0 };
	bool stale = false;
	uint8_t hop[16];

	if (!route)
		return -EINVAL;
	memcpy(r.to, route->to, 16);
	memcpy(r.from, route->from, 16);
	pthread_mutex_lock(&net.lock);
	if (!netlink)
		netlink = netlink_open(0);
	if (netlink)
		lookup(&r, &stale, hop);
	pthread_mutex_unlock(&net.lock);
	if (stale)
		keep_alive(hop);
	*route = r;
	return 0;
}

bool route_neighbour(const struct nlmsghdr *msg)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);
	bool other = false, stale = false;
	struct neighbour n;
	uint8_t addr[16];
	const void *part;
	struct hop *h;
	int family;

	parse_neighbour(msg, &n, &part, &family);
	if (nd->ndm_ifindex != net.link.ifindex || !part || (family != AF_INET && family != AF_INET6))
		return false;
	address_map(addr, family, part);
	pthread_mutex_lock(&net.lock);
	h = hop_of(addr);
	if (memcmp(h->addr, addr, 16)) {
		/* It may be one that another has taken the place of. */
		other = h->asked;
	} else {
		bool usable = n.state & USABLE;

		other = usable != h->usable || (usable && memcmp(h->mac, n.mac, 6));
		h->usable = usable;
		memcpy(h->mac, n.mac, 6);
		stale = n.state & NUD_STALE && seconds() - h->asked < IN_USE;
	}
	pthread_mutex_unlock(&net.lock);
	if (stale)
		keep_alive(addr);
	return other;
}
