/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz the way of packets, through rings in the memory of this process: the input says which
 * packets arrive, which descriptors and indices the kernel makes up, and what is sent in
 * between. Whatever a socket is handed must be for it, and whole.
 */
#include <stdlib.h>
#include <string.h>
#include "fake_xsk.h"
#include "net/addr.h"
#include "net/queue.h"

#define CHECK(x) ((x) ? (void)0 : abort())
#define PORT	53
#define PEER	7

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const u8 *in;
static size_t left;
static u64 sum;

static u8 byte(void)
{
	return left ? left--, *in++ : 0;
}

static u64 word(u32 bytes)
{
	u64 v = 0;

	for (u32 i = 0; i < bytes; i++)
		v |= (u64)byte() << (8 * i);
	return v;
}

static bool deliver(struct net_bind *b, struct datagram *d)
{
	CHECK(d->to.port == b->local.port && ip_is_v4(d->from.ip) == ip_is_v4(d->to.ip));
	CHECK(ip_is_unicast(d->from.ip) && ip_is_unicast(d->to.ip));
	CHECK(!b->peer.port || (d->from.port == b->peer.port && ip_same(d->from.ip, b->peer.ip)));
	CHECK(d->data >= (u8 *)d->frame &&
	      d->data + d->len <= (u8 *)d->frame + (d->large ? POOL_LARGE : POOL_SMALL));
	for (u32 i = 0; i < d->len; i++)
		sum += d->data[i];
	datagram_put(d);
	return d->len % 7;
}

static struct net_bind binds[] = {
	{ .local.port = PORT, .v4 = true, .v6 = true, .deliver = deliver },
	{ .local.port = PORT, .v4 = true, .shared = true, .deliver = deliver },
	{ .local.port = PORT, .v4 = true, .shared = true, .deliver = deliver },
	{ .local.port = PORT, .v6 = true, .deliver = deliver },
};

/* Queues begin anew with each input: frames that lies have cost do not come back. */
static void start(void)
{
	static bool started;

	fake_xsk_setup();
	if (!started) {
		for (u32 i = 0; i < ARRAY_SIZE(binds); i++)
			CHECK(!net_bind(&binds[i], i));
		started = true;
	}
	for (u32 q = 0; q < net_nqueues; q++) {
		struct rakis_xsk layout;

		fake_xsk_fresh(q, &layout);
		CHECK(!xsk_init(&net_queues[q]->xsk, &layout));
		xsk_refill(&net_queues[q]->xsk);
	}
}

static void raw(u32 q)
{
	u8 frame[RAKIS_XSK_FRAME_SIZE - 256];
	u32 n = word(2) % (sizeof(frame) + 1);

	for (u32 i = 0; i < n; i++)
		frame[i] = byte();
	fake_xsk_receive(q, frame, n);
}

static void changed(u32 q)
{
	static const u8 payload[100];
	u8 how = byte(), frame[256];
	struct net_addr from = fake_addr(how & 1 ? "fd00::9" : "10.0.0.9", PEER);
	struct net_addr to = fake_addr(how & 1 ? "fd00::1" : "10.0.0.1", PORT);
	u32 changes = byte() % 4, n = fake_packet(frame, &from, &to, payload, byte() % 100);

	while (changes--)
		frame[byte() % n] = byte();
	if (how & 2)
		fake_mend(frame, n);
	fake_xsk_receive(q, frame, n - (how >> 4));
}

static void post(u32 q)
{
	u64 addr = word(8);

	fake_xsk_post(q, addr, word(8));
}

static void send_one(u32 q)
{
	static u8 payload[2048];
	bool v6 = byte() & 1;
	struct net_send s = {
		.from = fake_addr(v6 ? "fd00::1" : "10.0.0.1", PORT),
		.to = fake_addr(v6 ? "fd00::9" : "10.0.0.9", PEER),
	};
	u32 n = byte() * 8;
	struct net_path p = { 0 };
	struct iter it;

	gate_self()->slot = q;
	iter_kernel(&it, payload, n);
	if (net_path(&p, s.to.ip, s.from.ip))
		(void)!net_send(&p, &s, &it, n);
	gate_self()->slot = 0;
}

static void sent(u32 q)
{
	u8 frame[RAKIS_XSK_FRAME_SIZE];

	/* An index that was made up shows old descriptors. */
	if (fake_xsk_queued(q) <= RAKIS_XSK_ENTRIES)
		(void)fake_xsk_sent(q, frame);
}

static void route(void)
{
	fake_route.fast = byte() % 3;
	fake_route.mtu = word(2);
	fake_route.hop_limit = byte();
	fake_page.generation++;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct net_addr peer = fake_addr("10.0.0.9", PEER);

	in = data;
	left = size;
	start();
	while (left) {
		u8 op = byte();
		u32 q = op >> 7, which;

		switch (op % 9) {
		case 0:
			raw(q);
			break;
		case 1:
			changed(q);
			break;
		case 2:
			post(q);
			break;
		case 3:
			net_reap();
			break;
		case 4:
			send_one(q);
			break;
		case 5:
			sent(q);
			break;
		case 6:
			which = byte();
			atomic_fetch_add(fake_xsk_index(q, which), word(4));
			break;
		case 7:
			peer.port = byte() % 2 ? PEER : 0;
			net_set_peer(&binds[byte() % ARRAY_SIZE(binds)], &peer);
			break;
		case 8:
			route();
			break;
		}
	}
	net_reap();
	for (u32 q = 0; q < net_nqueues; q++)
		CHECK(xsk_is_valid(&net_queues[q]->xsk));
	return 0;
}
