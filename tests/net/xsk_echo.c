/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The untrusted half without an enclave: an ordinary program that does what the enclave does
 * with it. Gets queues of an interface, claims a UDP port, sends back what comes, whichever
 * way it comes, until it is killed, and says on "?" from standard input how many datagrams came
 * by each queue and by the kernel, and whether the fast path is up.
 *
 * Usage: xsk_echo IFACE QUEUES PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_xdp.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/host.h"
#include "host/net/net.h"
#include "host/xsk.h"

static struct rakis_xsk xsks[RAKIS_XSK_MOST];
static unsigned long counts[RAKIS_XSK_MOST], by_kernel;

static _Atomic uint32_t *index_of(const struct rakis_xsk_ring *r, uint64_t offset)
{
	return (_Atomic uint32_t *)(r->map + offset);
}

static void fill(struct rakis_xsk *x, uint64_t frame)
{
	_Atomic uint32_t *producer = index_of(&x->fill, x->fill.producer);
	uint64_t *entries = (uint64_t *)(x->fill.map + x->fill.descs);
	uint32_t p = atomic_load(producer);

	entries[p % RAKIS_XSK_ENTRIES] = frame & ~(uint64_t)(RAKIS_XSK_FRAME_SIZE - 1);
	atomic_store(producer, p + 1);
}

static void reclaim(struct rakis_xsk *x)
{
	_Atomic uint32_t *consumer = index_of(&x->completion, x->completion.consumer);
	uint64_t *entries = (uint64_t *)(x->completion.map + x->completion.descs);
	uint32_t c = atomic_load(consumer);

	for (; c != atomic_load(index_of(&x->completion, x->completion.producer)); c++)
		fill(x, entries[c % RAKIS_XSK_ENTRIES]);
	atomic_store(consumer, c);
}

static void swap(void *a, void *b, size_t n)
{
	char t[16];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

/* Sums stay what they are when both ends change places; what the sender left unfinished is not checked. */
static void turn_round(unsigned char *p)
{
	struct ethhdr *eth = (void *)p;
	bool v4 = eth->h_proto == htons(ETH_P_IP);
	struct udphdr *udp = (void *)(p + ETH_HLEN + (v4 ? 20 : 40));

	swap(eth->h_dest, eth->h_source, 6);
	swap(p + ETH_HLEN + (v4 ? 12 : 8), p + ETH_HLEN + (v4 ? 16 : 24), v4 ? 4 : 16);
	swap(&udp->source, &udp->dest, 2);
	udp->check = 0;
	if (!v4) {
		/* RFC 8200: it must be there. */
		uint32_t sum = udp->len + htons(IPPROTO_UDP);
		uint16_t *w = (uint16_t *)(p + ETH_HLEN + 8);
		size_t n = ntohs(udp->len);

		p[ETH_HLEN + 40 + n] = 0;
		for (size_t i = 0; i < (32 + n + 1) / 2; i++)
			sum += w[i];
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		udp->check = ~sum & 0xffff ? ~sum : 0xffff;
	}
}

static void serve_queue(unsigned int i)
{
	struct rakis_xsk *x = &xsks[i];
	_Atomic uint32_t *consumer = index_of(&x->rx, x->rx.consumer);
	_Atomic uint32_t *producer = index_of(&x->tx, x->tx.producer);
	struct xdp_desc *rx = (void *)(x->rx.map + x->rx.descs), *tx = (void *)(x->tx.map + x->tx.descs);
	uint32_t c = atomic_load(consumer), p = atomic_load(producer);

	reclaim(x);
	for (; c != atomic_load(index_of(&x->rx, x->rx.producer)); c++, p++) {
		struct xdp_desc d = rx[c % RAKIS_XSK_ENTRIES];

		turn_round((unsigned char *)x->umem + d.addr);
		tx[p % RAKIS_XSK_ENTRIES] = d;
		counts[i]++;
	}
	atomic_store(consumer, c);
	atomic_store(producer, p);
	xsk_kick(&host_xsks[i]);
}

static void serve_kernel(int sock)
{
	struct sockaddr_in6 from;
	socklen_t size = sizeof(from);
	char data[65536];
	ssize_t n = recvfrom(sock, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &size);

	if (n < 0)
		return;
	by_kernel++;
	sendto(sock, data, n, 0, (struct sockaddr *)&from, size);
}

static void route(const char *to)
{
	struct rakis_route r = { 0 };
	char source[INET6_ADDRSTRLEN];

	inet_pton(AF_INET6, to, r.to);
	net_route(&r);
	inet_ntop(AF_INET6, r.source, source, sizeof(source));
	printf("fast %llu source %s mac %012llx mtu %llu hops %llu\n", (unsigned long long)r.fast, source,
	       (unsigned long long)__builtin_bswap64(r.mac_to) >> 16, (unsigned long long)r.mtu,
	       (unsigned long long)r.hop_limit);
}

static void answer(const struct rakis_net_page *page, uint32_t n)
{
	char line[128];

	if (!fgets(line, sizeof(line), stdin))
		exit(0);
	line[strcspn(line, "\n")] = 0;
	if (*line != '?') {
		route(line);
		return;
	}
	printf("up %llu generation %llu kernel %lu queues", (unsigned long long)page->up,
	       (unsigned long long)page->generation, by_kernel);
	for (uint32_t i = 0; i < n; i++)
		printf(" %lu", counts[i]);
	putchar('\n');
}

int main(int argc, char **argv)
{
	struct sockaddr_in6 local = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(argv[3])) };
	int sock = socket(AF_INET6, SOCK_DGRAM, 0), err;
	uint32_t n = net_open(argv[1], atoi(argv[2]));
	const struct rakis_net_page *page = (void *)net_page();
	struct pollfd fds[2 + RAKIS_XSK_MOST] = { { .fd = 0, .events = POLLIN }, { .fd = sock, .events = POLLIN } };

	setlinebuf(stdout);
	for (uint32_t i = 0; i < n; i++) {
		if (net_set_up(i, &xsks[i]))
			return 1;
		for (uint64_t f = 0; f < RAKIS_XSK_RX_FRAMES - 1; f++)
			fill(&xsks[i], f * RAKIS_XSK_FRAME_SIZE);
		fds[2 + i] = (struct pollfd){ .fd = host_xsks[i].fd, .events = POLLIN };
	}
	if (bind(sock, (struct sockaddr *)&local, sizeof(local)))
		return 1;
	err = net_claim(sock, 1);
	printf("ready %u %s\n", n, err ? strerror(-err) : "claimed");
	for (;;) {
		poll(fds, 2 + n, -1);
		for (uint32_t i = 0; i < n; i++)
			serve_queue(i);
		if (fds[1].revents)
			serve_kernel(sock);
		if (fds[0].revents)
			answer(page, n);
	}
}
