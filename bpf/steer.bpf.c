/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steering program: UDP that a RAKIS program has claimed goes to the AF_XDP socket at the
 * packet's receive queue, all else to the kernel as if the program were not there. It takes
 * only what the enclave's small stack understands (no tags, options, extension headers or
 * fragments) and what the kernel would have delivered: the interface's own MAC and IP address,
 * no source that cannot be one. Checksums are the receiver's work. It calls no helper that
 * the kernel keeps for GPL programs.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/steer.h"

#define IP_PLAIN	0x45	/* version 4, header of five words */
#define IP_FRAGMENT	0xbfff	/* all but "don't fragment": more, offset, reserved */

char steer_license[] SEC("license") = "Apache-2.0";

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, STEER_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STEER_QUEUES);
	__type(key, __u32);
	__type(value, struct steer_queue);
} queues SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, STEER_CLAIMS);
	__type(key, struct steer_claim);
	__type(value, __u8);
} claims SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_COUNTERS_END);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &which);

	if (n)
		++*n;
}

static __always_inline int pass(__u32 why)
{
	count(why);
	return XDP_PASS;
}

/* 0.0.0.0/8, 127.0.0.0/8, multicast, broadcast: no host sends from these. */
static __always_inline int odd_ipv4_source(__be32 addr)
{
	__u8 first = bpf_ntohl(addr) >> 24;

	return !first || first == 127 || first >= 224;
}

/* Unspecified, loopback, and IPv4 in disguise: no address of a packet. */
static __always_inline int odd_ipv6(const struct in6_addr *addr)
{
	return !addr->in6_u.u6_addr32[0];
}

static __always_inline int odd_ipv6_source(const struct in6_addr *addr)
{
	return odd_ipv6(addr) || addr->in6_u.u6_addr8[0] == 0xff;
}

static __always_inline int to_us(const struct ethhdr *eth, const struct steer_queue *queue)
{
	const __u16 *to = (const __u16 *)eth->h_dest;

	return to[0] == queue->mac[0] && to[1] == queue->mac[1] && to[2] == queue->mac[2];
}

SEC("xdp")
int steer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 number = ctx->rx_queue_index;
	struct steer_claim claim = { 0 };
	struct ethhdr *eth = data;
	struct steer_queue *queue;
	struct udphdr *udp;

	if ((void *)(eth + 1) > end)
		return pass(STEER_other);
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP)
			return pass(STEER_other);
		udp = (void *)(ip + 1);
		if (*(__u8 *)ip != IP_PLAIN || (ip->frag_off & bpf_htons(IP_FRAGMENT)) ||
		    (void *)(udp + 1) > end || odd_ipv4_source(ip->saddr) ||
		    bpf_ntohs(ip->tot_len) != sizeof(*ip) + bpf_ntohs(udp->len))
			return pass(STEER_unusual);
		claim.addr[2] = bpf_htonl(0xffff);
		claim.addr[3] = ip->daddr;
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = (void *)(eth + 1);

		if ((void *)(ip + 1) > end || ip->nexthdr != IPPROTO_UDP)
			return pass(STEER_other);
		udp = (void *)(ip + 1);
		if (ip->version != 6 || (void *)(udp + 1) > end || odd_ipv6_source(&ip->saddr) ||
		    odd_ipv6(&ip->daddr) || ip->payload_len != udp->len || !udp->check)
			return pass(STEER_unusual);
		__builtin_memcpy(claim.addr, &ip->daddr, sizeof(claim.addr));
	} else {
		return pass(STEER_other);
	}
	if (bpf_ntohs(udp->len) < sizeof(*udp) || (void *)udp + bpf_ntohs(udp->len) > end)
		return pass(STEER_unusual);
	if (end - data > STEER_LONGEST)
		return pass(STEER_too_long);

	queue = bpf_map_lookup_elem(&queues, &number);
	if (!queue || !queue->owner)
		return pass(STEER_no_owner);
	if (!to_us(eth, queue))
		return pass(STEER_foreign);
	claim.owner = queue->owner;
	claim.port = udp->dest;
	if (!bpf_map_lookup_elem(&claims, &claim))
		return pass(STEER_unclaimed);
	if (bpf_redirect_map(&xsks, number, XDP_PASS) != XDP_REDIRECT)
		return pass(STEER_no_socket);
	count(STEER_taken);
	return XDP_REDIRECT;
}
