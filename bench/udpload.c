/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offers UDP datagrams from an AF_XDP socket, which costs the sender little, and takes what
 * comes back with an XDP program that drops all (so the interface's neighbours must be set by
 * hand). Prints how many were sent and how many packets came, and the time.
 *
 *	bench-udpload IFACE MAC FROM TO PORT SIZE RATE SECONDS	(RATE 0: as many as go; SIZE 0: take only)
 *
 * SIZE may be a text: a request to memcached, sent with its frame header.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAMES	2048u
#define FRAME	2048u
#define BATCH	32u		/* what the kernel sends in one call */
#define FLOWS	16u

struct packet {
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t data[];
} __attribute__((packed));

struct ring {
	_Atomic uint32_t *producer, *consumer;
	void *descs;
};

static uint8_t *umem;
static struct ring tx, completion;
static const char *request;		/* NULL: none */
static size_t size;			/* of the payload */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint16_t sum_of(const void *data, size_t n)
{
	const uint16_t *p = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < n / 2; i++)
		sum += p[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static void build(struct packet *p, char **argv, const uint8_t *source, uint32_t number)
{
	unsigned int mac[6];

	if (sscanf(argv[2], "%x:%x:%x:%x:%x:%x", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
		errx(1, "%s is no MAC address", argv[2]);
	for (int i = 0; i < 6; i++)
		p->eth.ether_dhost[i] = mac[i];
	memcpy(p->eth.ether_shost, source, 6);
	p->eth.ether_type = htons(ETHERTYPE_IP);
	p->ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
				.frag_off = htons(IP_DF), .tot_len = htons(28 + size),
				.saddr = inet_addr(argv[3]), .daddr = inet_addr(argv[4]) };
	p->ip.check = sum_of(&p->ip, sizeof(p->ip));
	/* The sum of a veth packet is not looked at if it is 0: "none". */
	p->udp = (struct udphdr){ .source = htons(20000 + number % FLOWS), .dest = htons(atoi(argv[5])),
				  .len = htons(8 + size) };
	if (request) {
		memcpy(p->data, (uint8_t[]){ number >> 8, number, 0, 0, 0, 1, 0, 0 }, 8);
		memcpy(p->data + 8, request, size - 8);
	} else {
		memset(p->data, number, size);
	}
}

static struct ring map_ring(int fd, const struct xdp_ring_offset *o, off_t page, size_t desc)
{
	uint8_t *p = mmap(NULL, o->desc + FRAMES * desc, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, page);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return (struct ring){ (_Atomic uint32_t *)(p + o->producer), (_Atomic uint32_t *)(p + o->consumer), p + o->desc };
}

static int open_socket(int ifindex)
{
	struct xdp_umem_reg reg = { .len = (uint64_t)FRAMES * FRAME, .chunk_size = FRAME };
	struct sockaddr_xdp address = { .sxdp_family = AF_XDP, .sxdp_ifindex = ifindex, .sxdp_flags = XDP_COPY };
	struct xdp_mmap_offsets offsets;
	socklen_t size = sizeof(offsets);
	uint32_t n = FRAMES;
	int fd = socket(AF_XDP, SOCK_RAW, 0);

	umem = mmap(NULL, reg.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	reg.addr = (uintptr_t)umem;
	if (fd < 0 || umem == MAP_FAILED || setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &n, sizeof(n)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &n, sizeof(n)) ||
	    setsockopt(fd, SOL_XDP, XDP_TX_RING, &n, sizeof(n)) ||
	    getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size))
		err(1, "AF_XDP");
	tx = map_ring(fd, &offsets.tx, XDP_PGOFF_TX_RING, sizeof(struct xdp_desc));
	completion = map_ring(fd, &offsets.cr, XDP_UMEM_PGOFF_COMPLETION_RING, 8);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "bind to the interface");
	return fd;
}

static void drop_all(int ifindex)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_DROP },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "drop", "GPL", program, 2, NULL);

	/* The link goes with this process. */
	if (fd < 0 || bpf_link_create(fd, ifindex, BPF_XDP, NULL) < 0)
		err(1, "XDP program");
}

static unsigned long received(const char *iface)
{
	char path[128];
	unsigned long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/rx_packets", iface);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lu", &n) != 1)
		errx(1, "no %s", path);
	fclose(f);
	return n;
}

/* Up to `n` more; how many there was room for. */
static uint32_t send_some(int fd, uint32_t n, size_t len)
{
	uint32_t head = atomic_load_explicit(tx.producer, memory_order_relaxed), free;
	struct xdp_desc *d = tx.descs;

	/* Frames are used in turn, so as many are free as were completed. */
	atomic_store(completion.consumer, atomic_load(completion.producer));
	free = FRAMES - (head - atomic_load(completion.producer));
	n = n < free ? n : free;
	for (uint32_t i = 0; i < n; i++)
		d[(head + i) % FRAMES] = (struct xdp_desc){ .addr = (head + i) % FRAMES * FRAME, .len = len };
	atomic_store_explicit(tx.producer, head + n, memory_order_release);
	sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
	return n;
}

int main(int argc, char **argv)
{
	struct ifreq ifr = { 0 };
	unsigned long before, sent = 0;
	double start, end, rate;
	char *rest;
	int fd, ifindex;
	size_t len;

	if (argc != 9)
		errx(2, "usage: %s IFACE MAC FROM TO PORT SIZE RATE SECONDS", argv[0]);
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	ifindex = if_nametoindex(argv[1]);
	drop_all(ifindex);
	fd = open_socket(ifindex);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", argv[1]);
	if (ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCGIFHWADDR, &ifr))
		err(1, "%s", argv[1]);
	size = strtoul(argv[6], &rest, 10);
	if (*rest) {
		request = argv[6];
		size = 8 + strlen(request);
	}
	if (size > FRAME - sizeof(struct packet))
		errx(1, "%zu bytes do not fit a frame", size);
	len = sizeof(struct packet) + size;
	for (uint32_t i = 0; i < FRAMES; i++)
		build((struct packet *)(umem + (size_t)i * FRAME), argv, (uint8_t *)ifr.ifr_hwaddr.sa_data, i);
	rate = atof(argv[7]);
	before = received(argv[1]);
	start = now();
	end = start + atof(argv[8]);
	for (double t = start; t < end; t = now()) {
		double due = rate ? (t - start) * rate - sent : BATCH;

		if (size && due >= 1)
			sent += send_some(fd, due < BATCH ? due : BATCH, len);
		else
			usleep(50);
	}
	usleep(100000);
	printf("%lu %lu %.3f\n", sent, received(argv[1]) - before, end - start);
	return 0;
}
