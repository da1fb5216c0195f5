/* SPDX-License-Identifier: Apache-2.0 */
/* Packets: packet.h. */
#include "lib/string.h"
#include "net/addr.h"
#include "net/checksum.h"
#include "net/packet.h"
#include "net/wire.h"

bool ip_is_unicast(const u8 *ip)
{
	if (ip_is_v4(ip)) {
		u32 a = be32(ip + 12), net = a >> 24;

		return net != 0 && net != 127 && a >> 28 != 14 && a != 0xffffffff;
	}
	/* ::, ::1 */
	return ip[0] != 0xff && (ip_word(ip, 0) || ip_word(ip, 1) & ~(1ull << 56));
}

/* RFC 768, RFC 8200 8.1: over addresses, protocol and length too. */
static u64 pseudo_header(const u8 *addresses, u32 n, u32 udp_len)
{
	u8 rest[4] = { 0, WIRE_UDP, udp_len >> 8, udp_len };

	return checksum_add(checksum_add(0, addresses, n), rest, 4);
}

/* ---- receiving ---- */

/* `udp`: what the IP packet contains, `room` bytes of it. */
static enum packet_verdict parse_udp(struct datagram *d, u8 *at, u32 room,
				     const u8 *addresses, u32 n, bool verify)
{
	const struct wire_udp *udp = (const struct wire_udp *)at;
	u32 len;

	if (room < sizeof(*udp))
		return PACKET_MALFORMED;
	len = be16(udp->len);
	if (len < sizeof(*udp) || len > room || !be16(udp->to))
		return PACKET_MALFORMED;
	if (!be16(udp->checksum)) {
		/* None was computed: only IPv4 allows that. */
		if (n != 8)
			return PACKET_CHECKSUM;
	} else if (verify &&
		   checksum_end(checksum_add(pseudo_header(addresses, n, len), at, len))) {
		return PACKET_CHECKSUM;
	}
	d->from.port = be16(udp->from);
	d->to.port = be16(udp->to);
	d->data = at + sizeof(*udp);
	d->len = len - sizeof(*udp);
	return PACKET_GOOD;
}

static enum packet_verdict parse_ipv4(struct datagram *d, u8 *at, u32 room, bool verify)
{
	const struct wire_ipv4 *ip = (const struct wire_ipv4 *)at;
	u32 total;

	if (room < sizeof(*ip) || ip->version_ihl != WIRE_V4_IHL5)
		return PACKET_MALFORMED;
	total = be16(ip->total);
	if (total < sizeof(*ip) || total > room || (be16(ip->fragment) & WIRE_FRAGMENT) ||
	    ip->protocol != WIRE_UDP)
		return PACKET_MALFORMED;
	if (checksum_end(checksum_add(0, ip, sizeof(*ip))))
		return PACKET_CHECKSUM;
	ip_from_v4(d->from.ip, ip->from);
	ip_from_v4(d->to.ip, ip->to);
	d->traffic_class = ip->tos;
	d->hop_limit = ip->ttl;
	d->flow_label = 0;
	return parse_udp(d, at + sizeof(*ip), total - sizeof(*ip), ip->from, 8, verify);
}

static enum packet_verdict parse_ipv6(struct datagram *d, u8 *at, u32 room, bool verify)
{
	const struct wire_ipv6 *ip = (const struct wire_ipv6 *)at;
	u32 first, payload;

	if (room < sizeof(*ip))
		return PACKET_MALFORMED;
	first = be32(ip->version_class_flow);
	payload = be16(ip->payload);
	/* Addresses that stand for IPv4 here have no place on the wire. */
	if (first >> 28 != 6 || payload > room - sizeof(*ip) || ip->next != WIRE_UDP ||
	    ip_is_v4(ip->from) || ip_is_v4(ip->to))
		return PACKET_MALFORMED;
	ip_copy(d->from.ip, ip->from);
	ip_copy(d->to.ip, ip->to);
	d->traffic_class = first >> 20;
	d->hop_limit = ip->hop_limit;
	d->flow_label = first & 0xfffff;
	return parse_udp(d, at + sizeof(*ip), payload, ip->from, 32, verify);
}

enum packet_verdict packet_parse(struct datagram *d, u8 *frame, u32 len, bool verify)
{
	const struct wire_eth *eth = (const struct wire_eth *)frame;
	enum packet_verdict v = PACKET_MALFORMED;

	if (len < sizeof(*eth))
		return PACKET_MALFORMED;
	if (be16(eth->type) == WIRE_IPV4)
		v = parse_ipv4(d, frame + sizeof(*eth), len - sizeof(*eth), verify);
	else if (be16(eth->type) == WIRE_IPV6)
		v = parse_ipv6(d, frame + sizeof(*eth), len - sizeof(*eth), verify);
	if (v == PACKET_GOOD && (!ip_is_unicast(d->from.ip) || !ip_is_unicast(d->to.ip)))
		return PACKET_MALFORMED;
	return v;
}

/* ---- sending ---- */

static void put_ipv4(struct wire_ipv4 *ip, const struct net_path *p, const struct net_send *s,
		     u32 len, u16 id)
{
	u16 sum;

	*ip = (struct wire_ipv4){
		.version_ihl = WIRE_V4_IHL5, .tos = s->traffic_class,
		.ttl = s->hop_limit ? s->hop_limit : p->hop_limit, .protocol = WIRE_UDP,
	};
	put_be16(ip->total, sizeof(*ip) + len);
	/* A packet that is never cut up needs no number (RFC 6864). */
	put_be16(ip->id, s->dont_fragment ? 0 : id);
	put_be16(ip->fragment, s->dont_fragment ? WIRE_DONT_FRAGMENT : 0);
	memcpy(ip->from, s->from.ip + 12, 4);
	memcpy(ip->to, s->to.ip + 12, 4);
	sum = checksum_end(checksum_add(0, ip, sizeof(*ip)));
	memcpy(ip->checksum, &sum, 2);
}

static void put_ipv6(struct wire_ipv6 *ip, const struct net_path *p, const struct net_send *s,
		     u32 len)
{
	u32 label = s->flow_label;

	/* Without one of its own each flow has one all the same (RFC 6437). */
	if (!label)
		label = hash_flow(&s->from, &s->to);
	put_be32(ip->version_class_flow,
		 6u << 28 | (u32)s->traffic_class << 20 | (label & 0xfffff));
	put_be16(ip->payload, len);
	ip->next = WIRE_UDP;
	ip->hop_limit = s->hop_limit ? s->hop_limit : p->hop_limit;
	ip_copy(ip->from, s->from.ip);
	ip_copy(ip->to, s->to.ip);
}

void packet_headers(u8 room[PACKET_ROOM_MOST], const struct net_path *p, const struct net_send *s,
		    const void *payload, u32 len, u16 id)
{
	bool v4 = ip_is_v4(s->to.ip);
	u32 udp_len = sizeof(struct wire_udp) + len;
	struct wire_eth *eth = (struct wire_eth *)(room + PACKET_ROOM(v4) - PACKET_HEADERS(v4));
	u8 *ip = (u8 *)(eth + 1);
	struct wire_udp *udp = (struct wire_udp *)(ip + (v4 ? sizeof(struct wire_ipv4) :
							      sizeof(struct wire_ipv6)));
	u64 sum;
	u16 end;

	__builtin_memset(room, 0, 8);
	memcpy(eth->to, p->mac_to, 6);
	memcpy(eth->from, p->mac_from, 6);
	put_be16(eth->type, v4 ? WIRE_IPV4 : WIRE_IPV6);
	if (v4) {
		put_ipv4((struct wire_ipv4 *)ip, p, s, udp_len, id);
		sum = pseudo_header(((struct wire_ipv4 *)ip)->from, 8, udp_len);
	} else {
		put_ipv6((struct wire_ipv6 *)ip, p, s, udp_len);
		sum = pseudo_header(((struct wire_ipv6 *)ip)->from, 32, udp_len);
	}
	put_be16(udp->from, s->from.port);
	put_be16(udp->to, s->to.port);
	put_be16(udp->len, udp_len);
	put_be16(udp->checksum, 0);
	end = checksum_end(checksum_add(checksum_add(sum, udp, sizeof(*udp)), payload, len));
	/* 0 would say that none was computed. */
	end = end ? end : 0xffff;
	memcpy(udp->checksum, &end, 2);
}
