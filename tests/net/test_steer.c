/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steering program alone, by BPF_PROG_TEST_RUN: one good packet of each family, then the
 * same with one thing changed, and what is to become of each. Prints TAP; the last line tells
 * the time that a packet takes.
 *
 * Usage: test_steer STEER_OBJECT
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_xdp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/steer.h"

#define OWNER	7
#define PORT	5300
#define PAYLOAD	100
#define REPEATS	1000000

static const unsigned char mac[6] = { 2, 0, 0, 0, 0, 1 };
static int program, claims, queues, xsks, counters, failed;

/* Ethernet, IP, UDP, payload; room for long ones. */
static unsigned char packet[4096];
static size_t length;

static struct ethhdr *eth(void)
{
	return (void *)packet;
}

static struct iphdr *ip4(void)
{
	return (void *)(packet + ETH_HLEN);
}

static struct ipv6hdr *ip6(void)
{
	return (void *)(packet + ETH_HLEN);
}

static struct udphdr *udp4(void)
{
	return (void *)(ip4() + 1);
}

static struct udphdr *udp6(void)
{
	return (void *)(ip6() + 1);
}

static void make_ethernet(unsigned short proto)
{
	memset(packet, 0, sizeof(packet));
	memcpy(eth()->h_dest, mac, 6);
	memcpy(eth()->h_source, "\2\0\0\0\0\2", 6);
	eth()->h_proto = htons(proto);
}

static void size_ipv4(unsigned int payload)
{
	udp4()->len = htons(sizeof(struct udphdr) + payload);
	ip4()->tot_len = htons(sizeof(struct iphdr) + sizeof(struct udphdr) + payload);
	length = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr) + payload;
}

static void make_ipv4(void)
{
	make_ethernet(ETH_P_IP);
	ip4()->version = 4;
	ip4()->ihl = 5;
	ip4()->ttl = 64;
	ip4()->protocol = IPPROTO_UDP;
	ip4()->frag_off = htons(0x4000);
	inet_pton(AF_INET, "10.0.0.2", &ip4()->saddr);
	inet_pton(AF_INET, "10.0.0.1", &ip4()->daddr);
	udp4()->source = htons(1234);
	udp4()->dest = htons(PORT);
	size_ipv4(PAYLOAD);
}

static void make_ipv6(void)
{
	make_ethernet(ETH_P_IPV6);
	ip6()->version = 6;
	ip6()->nexthdr = IPPROTO_UDP;
	ip6()->hop_limit = 64;
	inet_pton(AF_INET6, "fd00::2", &ip6()->saddr);
	inet_pton(AF_INET6, "fd00::1", &ip6()->daddr);
	udp6()->source = htons(1234);
	udp6()->dest = htons(PORT);
	udp6()->check = htons(0x1234);
	udp6()->len = ip6()->payload_len = htons(sizeof(struct udphdr) + PAYLOAD);
	length = ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct udphdr) + PAYLOAD;
}

static unsigned long long counter(unsigned int which)
{
	unsigned long long each[1024] = { 0 }, sum = 0;

	bpf_map_lookup_elem(counters, &which, each);
	for (int i = 0; i < libbpf_num_possible_cpus() && i < 1024; i++)
		sum += each[i];
	return sum;
}

static int run(unsigned int repeats, unsigned int *ns)
{
	static unsigned char out[4096];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = length,
		    .data_out = out, .data_size_out = sizeof(out), .repeat = repeats);

	if (bpf_prog_test_run_opts(program, &opts))
		return -errno;
	if (ns)
		*ns = opts.duration;
	return memcmp(out, packet, length) ? -1 : (int)opts.retval;
}

/* It must be passed or redirected unchanged, and counted as `why`. */
static void expect(const char *name, unsigned int why)
{
	unsigned long long before = counter(why);
	int verdict = run(1, NULL);
	bool good = verdict == (why == STEER_taken ? XDP_REDIRECT : XDP_PASS) && counter(why) == before + 1;

	failed += !good;
	printf("%s steer: %s\n", good ? "ok" : "not ok", name);
	if (!good)
		printf("    verdict %d, counted %llu\n", verdict, counter(why) - before);
}

#define IPV4(name, change, why) do { make_ipv4(); change; expect("IPv4: " name, STEER_##why); } while (0)
#define IPV6(name, change, why) do { make_ipv6(); change; expect("IPv6: " name, STEER_##why); } while (0)

static void table_ipv4(void)
{
	IPV4("good", (void)0, taken);
	IPV4("don't-fragment not set", ip4()->frag_off = 0, taken);
	IPV4("any TOS, TTL, identification", (ip4()->tos = 0xff, ip4()->ttl = 1, ip4()->id = 77), taken);
	IPV4("padded to the least frame", (size_ipv4(1), length = 60), taken);
	IPV4("no payload", size_ipv4(0), taken);
	IPV4("the longest that fits", size_ipv4(STEER_LONGEST - 42), taken);
	IPV4("one more", size_ipv4(STEER_LONGEST - 41), too_long);
	IPV4("other destination MAC", eth()->h_dest[5]++, foreign);
	IPV4("other destination MAC, first byte", eth()->h_dest[0] += 2, foreign);
	IPV4("broadcast MAC", memset(eth()->h_dest, 0xff, 6), foreign);
	IPV4("VLAN tag", eth()->h_proto = htons(ETH_P_8021Q), other);
	IPV4("QinQ tag", eth()->h_proto = htons(ETH_P_8021AD), other);
	IPV4("ARP", eth()->h_proto = htons(ETH_P_ARP), other);
	IPV4("length instead of a type", eth()->h_proto = htons(100), other);
	IPV4("version 5", ip4()->version = 5, unusual);
	IPV4("version 6", ip4()->version = 6, unusual);
	IPV4("header of 4 words", ip4()->ihl = 4, unusual);
	IPV4("options", ip4()->ihl = 6, unusual);
	IPV4("total length too small", ip4()->tot_len = htons(ntohs(ip4()->tot_len) - 1), unusual);
	IPV4("total length too large", ip4()->tot_len = htons(ntohs(ip4()->tot_len) + 1), unusual);
	IPV4("total length 0", ip4()->tot_len = 0, unusual);
	IPV4("more fragments", ip4()->frag_off = htons(0x2000), unusual);
	IPV4("a later fragment", ip4()->frag_off = htons(1), unusual);
	IPV4("the last fragment", ip4()->frag_off = htons(0x1fff), unusual);
	IPV4("reserved flag", ip4()->frag_off = htons(0x8000), unusual);
	IPV4("TCP", ip4()->protocol = IPPROTO_TCP, other);
	IPV4("ICMP", ip4()->protocol = IPPROTO_ICMP, other);
	IPV4("UDP-Lite", ip4()->protocol = IPPROTO_UDPLITE, other);
	IPV4("source 0.0.0.0", ip4()->saddr = 0, unusual);
	IPV4("source 127.0.0.1", ip4()->saddr = htonl(0x7f000001), unusual);
	IPV4("source 224.0.0.1", ip4()->saddr = htonl(0xe0000001), unusual);
	IPV4("source 255.255.255.255", ip4()->saddr = 0xffffffff, unusual);
	IPV4("other destination address", ip4()->daddr ^= htonl(1), unclaimed);
	IPV4("destination 224.0.0.1", ip4()->daddr = htonl(0xe0000001), unclaimed);
	IPV4("destination 255.255.255.255", ip4()->daddr = 0xffffffff, unclaimed);
	IPV4("other port", udp4()->dest = htons(PORT + 1), unclaimed);
	IPV4("port 0", udp4()->dest = 0, unclaimed);
	IPV4("UDP length 7", (udp4()->len = htons(7), ip4()->tot_len = htons(27)), unusual);
	IPV4("UDP length 0", udp4()->len = 0, unusual);
	IPV4("UDP length behind the packet", (udp4()->len = htons(0xffe0), ip4()->tot_len = htons(0xfff4)), unusual);
	IPV4("UDP shorter than IP", udp4()->len = htons(PAYLOAD + 7), unusual);
	IPV4("cut in the payload", length--, unusual);
	IPV4("cut in the UDP header", length = 14 + 20 + 7, unusual);
	IPV4("cut behind the IP header", length = 14 + 20, unusual);
	IPV4("cut in the IP header", length = 14 + 19, other);
	IPV4("Ethernet alone", length = 14, other);
}

static void table_ipv6(void)
{
	IPV6("good", (void)0, taken);
	IPV6("any class, flow and hop limit", (packet[14] = 0x6f, packet[15] = 0xff, ip6()->hop_limit = 1), taken);
	IPV6("other destination MAC", eth()->h_dest[3]++, foreign);
	IPV6("multicast MAC", memcpy(eth()->h_dest, "\x33\x33\0\0\0\1", 6), foreign);
	IPV6("version 4", ip6()->version = 4, unusual);
	IPV6("hop-by-hop options", ip6()->nexthdr = 0, other);
	IPV6("fragment header", ip6()->nexthdr = 44, other);
	IPV6("routing header", ip6()->nexthdr = 43, other);
	IPV6("destination options", ip6()->nexthdr = 60, other);
	IPV6("TCP", ip6()->nexthdr = IPPROTO_TCP, other);
	IPV6("ICMPv6", ip6()->nexthdr = IPPROTO_ICMPV6, other);
	IPV6("payload length 0 (jumbo)", ip6()->payload_len = 0, unusual);
	IPV6("payload length too small", ip6()->payload_len = htons(PAYLOAD + 7), unusual);
	IPV6("payload length too large", ip6()->payload_len = htons(PAYLOAD + 9), unusual);
	IPV6("source ::", memset(&ip6()->saddr, 0, 16), unusual);
	IPV6("source ::1", inet_pton(AF_INET6, "::1", &ip6()->saddr), unusual);
	IPV6("source ::ffff:10.0.0.2", inet_pton(AF_INET6, "::ffff:10.0.0.2", &ip6()->saddr), unusual);
	IPV6("source ff02::1", inet_pton(AF_INET6, "ff02::1", &ip6()->saddr), unusual);
	IPV6("other destination address", ip6()->daddr.s6_addr[15]++, unclaimed);
	IPV6("IPv4's address in IPv6", inet_pton(AF_INET6, "::ffff:10.0.0.1", &ip6()->daddr), unusual);
	IPV6("destination ff02::1", inet_pton(AF_INET6, "ff02::1", &ip6()->daddr), unclaimed);
	IPV6("other port", udp6()->dest = htons(PORT + 256), unclaimed);
	IPV6("no checksum", udp6()->check = 0, unusual);
	IPV6("UDP length 7", udp6()->len = ip6()->payload_len = htons(7), unusual);
	IPV6("cut in the payload", length--, unusual);
	IPV6("cut in the UDP header", length = 14 + 40 + 7, unusual);
	IPV6("cut in the IP header", length = 14 + 39, other);
}

static int set_queue(unsigned int owner, int xsk)
{
	struct steer_queue queue = { .owner = owner };
	unsigned int zero = 0;

	memcpy(queue.mac, mac, 6);
	if (xsk < 0)
		bpf_map_delete_elem(xsks, &zero);
	else if (bpf_map_update_elem(xsks, &zero, &xsk, 0))
		return -errno;
	return bpf_map_update_elem(queues, &zero, &queue, 0);
}

static int claim(const char *addr, unsigned int owner)
{
	struct steer_claim key = { .owner = owner, .port = htons(PORT) };
	char one = 1;

	inet_pton(AF_INET6, addr, key.addr);
	return bpf_map_update_elem(claims, &key, &one, 0);
}

static int load(const char *path)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);

	if (!obj || bpf_object__load(obj))
		return -errno;
	program = bpf_program__fd(bpf_object__find_program_by_name(obj, "steer"));
	claims = bpf_object__find_map_fd_by_name(obj, "claims");
	queues = bpf_object__find_map_fd_by_name(obj, "queues");
	xsks = bpf_object__find_map_fd_by_name(obj, "xsks");
	counters = bpf_object__find_map_fd_by_name(obj, "counters");
	return 0;
}

int main(int argc, char **argv)
{
	int xsk = socket(AF_XDP, SOCK_RAW, 0), err;
	unsigned int ns = 0;

	err = load(argv[1]);
	if (err || xsk < 0) {
		printf("%s # SKIP no rights for XDP, or a kernel without (%s)\n", "ok steer", strerror(errno));
		return 0;
	}
	if (set_queue(OWNER, xsk) || claim("::ffff:10.0.0.1", OWNER) || claim("fd00::1", OWNER) ||
	    claim("::ffff:10.0.0.3", OWNER + 1)) {
		perror("maps");
		return 1;
	}
	table_ipv4();
	table_ipv6();
	IPV4("claimed by another queue's owner", ip4()->daddr = htonl(0x0a000003), unclaimed);
	set_queue(OWNER + 1, xsk);
	IPV4("claimed, but not by this queue's owner", (void)0, unclaimed);
	set_queue(OWNER, -1);
	IPV4("no socket at the queue", (void)0, no_socket);
	set_queue(0, -1);
	IPV4("nobody at the queue", (void)0, no_owner);
	set_queue(OWNER, xsk);
	make_ipv4();
	run(REPEATS, &ns);
	printf("# taken, IPv4: %u ns a packet\n", ns);
	make_ipv6();
	run(REPEATS, &ns);
	printf("# taken, IPv6: %u ns a packet\n", ns);
	make_ipv4();
	ip4()->protocol = IPPROTO_TCP;
	run(REPEATS, &ns);
	printf("# TCP: %u ns a packet\n", ns);
	return failed != 0;
}
