/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_xsk.h. */
#include <arpa/inet.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "boundary/boot.h"
#include "fake_xsk.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "libos/time.h"

#define N	RAKIS_XSK_ENTRIES
#define FRAME	RAKIS_XSK_FRAME_SIZE

struct address_ring {
	_Alignas(64) _Atomic u32 producer;
	_Alignas(64) _Atomic u32 consumer;
	u32 flags[2];
	_Alignas(64) u64 descs[N];
};

struct desc_ring {
	_Alignas(64) _Atomic u32 producer;
	_Alignas(64) _Atomic u32 consumer;
	u32 flags[2];
	_Alignas(64) struct xdp_desc descs[N];
};

struct socket {
	_Alignas(4096) u8 umem[RAKIS_XSK_FRAMES * FRAME];
	struct address_ring fill, completion;
	struct desc_ring rx, tx;
};

struct rakis_net_page fake_page = { .generation = 1, .up = 1, .ifindex = 7 };
struct rakis_route fake_route = {
	.fast = 1, .mac_to = 0x665544332211, .mac_from = 0xffeeddccbbaa, .mtu = 1500,
	.hop_limit = 64,
};
u64 fake_verify = 1;
struct rakis_request fake_last;

static struct socket *sockets[FAKE_XSKS];

void random_bytes(void *dst, size_t n)
{
	memset(dst, 0x5a, n);
}

/* ---- the host ---- */

#define RING(s, r) (struct rakis_xsk_ring) {					\
	.map = (u64)&(s)->r, .map_size = sizeof((s)->r),			\
	.producer = offsetof(__typeof__((s)->r), producer),			\
	.consumer = offsetof(__typeof__((s)->r), consumer),			\
	.flags = offsetof(__typeof__((s)->r), flags),				\
	.descs = offsetof(__typeof__((s)->r), descs), .entries = N,		\
}

void fake_xsk_fresh(u32 q, struct rakis_xsk *out)
{
	struct socket *s = sockets[q];

	if (!s) {
		s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (s == MAP_FAILED)
			abort();
		sockets[q] = s;
	}
	s->tx.flags[0] = XDP_RING_NEED_WAKEUP;
	for (u32 i = 0; i < 8; i++)
		*fake_xsk_index(q, i) = 0xffffff00;
	*out = (struct rakis_xsk){
		.umem = (u64)s->umem, .umem_size = sizeof(s->umem), .fill = RING(s, fill),
		.completion = RING(s, completion), .rx = RING(s, rx), .tx = RING(s, tx),
		.verify = fake_verify, .kick_inline = 1,
	};
}

_Atomic u32 *fake_xsk_index(u32 q, u32 i)
{
	struct socket *s = sockets[q];
	_Atomic u32 *all[] = {
		&s->fill.producer, &s->fill.consumer, &s->completion.producer, &s->completion.consumer,
		&s->rx.producer, &s->rx.consumer, &s->tx.producer, &s->tx.consumer,
	};

	return all[i % ARRAY_SIZE(all)];
}

static s64 answer(const struct rakis_request *rq, u32 slot)
{
	struct rakis_route *r = (void *)rq->addr;
	struct rakis_route asked;

	fake_last = *rq;
	switch (rq->opcode) {
	case RAKIS_OP_NET_SETUP:
		if ((u32)rq->fd >= FAKE_XSKS)
			return -EINVAL;
		fake_xsk_fresh(rq->fd, (void *)rq->addr);
		return 0;
	case RAKIS_OP_NET_CLAIM:
	case RAKIS_OP_KICK:
		return 0;
	case RAKIS_OP_NET_ROUTE:
		asked = *r;
		*r = fake_route;
		memcpy(r->to, asked.to, 32);
		if (!memcmp(r->source, (u8[16]){ 0 }, 16) && r->fast)
			memcpy(r->source, asked.from, 16);
		return 0;
	case RAKIS_OP_PARK:
		for (u32 q = 0; q < FAKE_XSKS; q++)
			if ((rq->rings >> 16 & RAKIS_XSK_BIT(q)) && !(rq->rings >> 48 & RAKIS_XSK_BIT(q)) &&
			    fake_xsk_waiting(q))
				return -EINTR;
	}
	return FAKE_PASS;
}

void fake_xsk_setup(void)
{
	struct rakis_boot boot = { .xsks = FAKE_XSKS, .net_page = (u64)&fake_page };

	fake_host_setup(NULL);
	fake_answer = answer;
	if (net_available())
		return;
	net_monotonic = now_ns;
	net_realtime = realtime_ns;
	net_init(&boot);
}

/* ---- the kernel ---- */

void fake_xsk_post(u32 q, u64 addr, u64 len_options)
{
	struct socket *s = sockets[q];

	s->rx.descs[s->rx.producer % N] = (struct xdp_desc){ addr, len_options, len_options >> 32 };
	atomic_fetch_add(&s->rx.producer, 1);
}

bool fake_xsk_receive(u32 q, const void *frame, u32 len)
{
	struct socket *s = sockets[q];
	u64 addr;

	if (s->fill.producer == s->fill.consumer)
		return false;
	addr = s->fill.descs[s->fill.consumer % N] + 256;
	atomic_fetch_add(&s->fill.consumer, 1);
	memcpy(s->umem + addr, frame, len);
	fake_xsk_post(q, addr, len);
	return true;
}

int fake_xsk_sent(u32 q, void *out)
{
	struct socket *s = sockets[q];
	struct xdp_desc *d = &s->tx.descs[s->tx.consumer % N];

	if (s->tx.producer == s->tx.consumer)
		return -1;
	if (d->options || d->addr >= sizeof(s->umem) || d->len > FRAME - d->addr % FRAME)
		abort();
	memcpy(out, s->umem + d->addr, d->len);
	s->completion.descs[s->completion.producer % N] = d->addr;
	atomic_fetch_add(&s->tx.consumer, 1);
	atomic_fetch_add(&s->completion.producer, 1);
	return d->len;
}

u32 fake_xsk_queued(u32 q)
{
	return sockets[q]->tx.producer - sockets[q]->tx.consumer;
}

u32 fake_xsk_waiting(u32 q)
{
	return sockets[q]->rx.producer - sockets[q]->rx.consumer;
}

/* ---- frames: all by single bytes, so as not to make the same mistakes ---- */

static u32 sum(const u8 *p, u32 n, u32 from)
{
	for (u32 i = 0; i < n; i++)
		from += i % 2 ? p[i] : p[i] << 8;
	while (from >> 16)
		from = (from & 0xffff) + (from >> 16);
	return from;
}

static void put(u8 *p, u32 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

void fake_mend(u8 *f, u32 len)
{
	bool v4 = f[12] == 8;
	u8 *udp = f + (v4 ? 34 : 54), *addresses = f + (v4 ? 26 : 22);
	u32 n, s;

	if (len < (v4 ? 42 : 62))
		return;
	if (v4) {
		put(f + 24, 0);
		put(f + 24, ~sum(f + 14, 20, 0));
	}
	n = udp[4] << 8 | udp[5];
	put(udp + 6, 0);
	if (n > len - (udp - f))
		n = len - (udp - f);
	s = sum(addresses, v4 ? 8 : 32, 17 + (udp[4] << 8 | udp[5]));
	s = ~sum(udp, n, s) & 0xffff;
	put(udp + 6, s ? s : 0xffff);
}

u32 fake_packet(void *out, const struct net_addr *from, const struct net_addr *to, const void *data,
		u32 len)
{
	bool v4 = !memcmp(to->ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	u8 *f = out, *udp = f + (v4 ? 34 : 54);

	memset(f, 0, udp + 8 - f);
	memcpy(f, "\x02\0\0\0\0\1\x02\0\0\0\0\2", 12);
	if (v4) {
		put(f + 12, 0x0800);
		put(f + 14, 0x4500);
		put(f + 16, 28 + len);
		put(f + 20, 0x4000);
		put(f + 22, 64 << 8 | 17);
		memcpy(f + 26, from->ip + 12, 4);
		memcpy(f + 30, to->ip + 12, 4);
	} else {
		put(f + 12, 0x86dd);
		put(f + 14, 0x6000);
		put(f + 18, 8 + len);
		put(f + 20, 17 << 8 | 64);
		memcpy(f + 22, from->ip, 16);
		memcpy(f + 38, to->ip, 16);
	}
	put(udp, from->port);
	put(udp + 2, to->port);
	put(udp + 4, 8 + len);
	memcpy(udp + 8, data, len);
	fake_mend(f, udp + 8 + len - f);
	return udp + 8 + len - f;
}

struct net_addr fake_addr(const char *text, u16 port)
{
	struct net_addr a = { .port = port };

	memcpy(a.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	if (inet_pton(AF_INET, text, a.ip + 12) != 1 && inet_pton(AF_INET6, text, a.ip) != 1)
		abort();
	return a;
}
