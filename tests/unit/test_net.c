/* SPDX-License-Identifier: Apache-2.0 */
/* The queues with a kernel in the same memory: who gets what, what is sent, who waits. */
#include "cmocka_first.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "fake_fault.h"
#include "fake_xsk.h"
#include "hostio/park.h"
#include "lib/errno.h"
#include "lib/stats.h"
#include "net/addr.h"
#include "net/demux.h"
#include "net/pool.h"

#define BINDS	6

static struct net_bind binds[BINDS];
static u32 got[BINDS];
static u64 seed = 1, mono;
static bool full;
static struct datagram *kept;

static u64 clock_of_test(void)
{
	return mono;
}

static bool count(struct net_bind *b, struct datagram *d)
{
	if (full)
		return false;
	got[b - binds]++;
	datagram_put(d);
	return true;
}

static bool keep(struct net_bind *b, struct datagram *d)
{
	got[b - binds]++;
	d->next = kept;
	kept = d;
	return true;
}

static struct net_bind *bind_to(u32 i, const char *ip, u16 port)
{
	struct net_bind *b = &binds[i];

	*b = (struct net_bind){ .local.port = port, .v4 = true, .v6 = true, .deliver = count };
	if (ip)
		b->local = fake_addr(ip, port);
	assert_int_equal(net_bind(b, 50 + i), 0);
	assert_int_equal(fake_last.opcode, RAKIS_OP_NET_CLAIM);
	assert_int_equal(fake_last.fd, 50 + i);
	assert_int_equal(fake_last.op_flags, 1);
	return b;
}

static void set_peer(u32 i, const char *ip, u16 port)
{
	struct net_addr peer = { .port = 0 };

	if (ip)
		peer = fake_addr(ip, port);
	net_set_peer(&binds[i], &peer);
}

static int setup(void **state)
{
	fake_xsk_setup();
	net_monotonic = clock_of_test;
	exit_now();		/* nothing is queued from the test before */
	memset(fake_requests, 0, sizeof(fake_requests));
	memset(&stats, 0, sizeof(stats));
	memset(got, 0, sizeof(got));
	full = false;
	kept = NULL;
	return 0;
}

static int teardown(void **state)
{
	u8 frame[2048];

	while (kept) {
		struct datagram *d = kept;

		kept = d->next;
		datagram_put(d);
	}
	for (u32 i = 0; i < BINDS; i++)
		if (binds[i].deliver)
			net_unbind(&binds[i], 50 + i);
	memset(binds, 0, sizeof(binds));
	for (u32 q = 0; q < FAKE_XSKS; q++)
		while (fake_xsk_sent(q, frame) >= 0)
			;
	return stats.enclave.host_faults ? -1 : 0;
}

/* A datagram of `len` bytes, the first of which says `mark`. */
static void arrive(u32 q, const char *from, u16 from_port, const char *to, u16 to_port, u8 mark,
		   u32 len)
{
	struct net_addr a = fake_addr(from, from_port), b = fake_addr(to, to_port);
	u8 data[1800] = { mark }, frame[2048];

	assert_true(fake_xsk_receive(q, frame, fake_packet(frame, &a, &b, data, len)));
}

/* ---- who gets it ---- */

static int whom(const char *from, u16 from_port, const char *to, u16 to_port)
{
	int who = -1;

	memset(got, 0, sizeof(got));
	arrive(0, from, from_port, to, to_port, 0, 10);
	assert_true(net_reap());
	for (int i = 0; i < BINDS; i++) {
		assert_true(got[i] <= 1 && (!got[i] || who < 0));
		if (got[i])
			who = i;
	}
	assert_int_equal(stats.enclave.net_unclaimed, who < 0);
	stats.enclave.net_unclaimed = 0;
	return who;
}

static void test_demux(void **state)
{
	bind_to(0, NULL, 53);
	bind_to(1, "10.0.0.1", 53);
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.1", 53), 1);
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.2", 53), 0);
	assert_int_equal(whom("fd00::9", 7, "fd00::1", 53), 0);
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.1", 54), -1);
	/* Another port in the same bucket. */
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.1", 53 + 1024), -1);
	/* One that takes one family only. */
	binds[0].v4 = false;
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.2", 53), -1);
	assert_int_equal(whom("fd00::9", 7, "fd00::1", 53), 0);
	binds[0].v4 = true;
	binds[0].v6 = false;
	assert_int_equal(whom("fd00::9", 7, "fd00::1", 53), -1);
	/* The same address twice: the last one bound. */
	bind_to(2, "10.0.0.1", 53);
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.1", 53), 2);
	net_unbind(&binds[2], 52);
	assert_int_equal(fake_last.op_flags, 0);
	binds[2].deliver = NULL;
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.1", 53), 1);
}

static void test_demux_peers(void **state)
{
	bind_to(0, NULL, 53);
	bind_to(1, "10.0.0.1", 53);
	bind_to(2, "10.0.0.1", 53);
	bind_to(3, NULL, 53);
	set_peer(2, "10.9.9.9", 7);
	set_peer(3, "10.9.9.9", 7);
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.1", 53), 2);
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.2", 53), 3);
	assert_int_equal(whom("10.9.9.9", 8, "10.0.0.1", 53), 1);
	assert_int_equal(whom("10.9.9.8", 7, "10.0.0.1", 53), 1);
	assert_int_equal(whom("10.9.9.8", 7, "10.0.0.2", 53), 0);
	/* Another peer, and none any more. */
	set_peer(2, "10.9.9.8", 7);
	assert_int_equal(whom("10.9.9.8", 7, "10.0.0.1", 53), 2);
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.1", 53), 3);
	set_peer(3, NULL, 0);
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.1", 53), 1);
	assert_int_equal(whom("10.9.9.9", 7, "10.0.0.2", 53), 3);
}

/* Each flow goes to one of a group, and to the same one always. */
static void test_demux_shared(void **state)
{
	int owner[200];
	u32 share[BINDS] = { 0 };

	for (u32 i = 0; i < 4; i++) {
		binds[i] = (struct net_bind){
			.local.port = 99, .v4 = true, .shared = true, .deliver = count,
		};
		assert_int_equal(net_bind(&binds[i], 50 + i), 0);
	}
	for (u32 i = 0; i < ARRAY_SIZE(owner); i++) {
		owner[i] = whom("10.2.3.4", 1000 + i, "10.0.0.1", 99);
		assert_true(owner[i] >= 0 && owner[i] < 4);
		share[owner[i]]++;
	}
	for (u32 i = 0; i < 4; i++)
		assert_true(share[i] > 25 && share[i] < 75);
	for (u32 i = 0; i < ARRAY_SIZE(owner); i++)
		assert_int_equal(whom("10.2.3.4", 1000 + i, "10.0.0.1", 99), owner[i]);
	/* One with the exact address is not of the group. */
	bind_to(4, "10.0.0.1", 99);
	assert_int_equal(whom("10.2.3.4", 1, "10.0.0.1", 99), 4);
}

static s64 no_claim(const struct rakis_request *rq, u32 slot)
{
	return -EADDRNOTAVAIL;
}

static void test_claim_refused(void **state)
{
	s64 (*answer)(const struct rakis_request *rq, u32 slot) = fake_answer;
	struct net_bind b = { .local.port = 53, .v4 = true, .deliver = count };

	fake_answer = no_claim;
	assert_int_equal(net_bind(&b, 9), -EADDRNOTAVAIL);
	fake_answer = answer;
	assert_int_equal(whom("10.2.3.4", 1, "10.0.0.1", 53), -1);
}

/* ---- receiving ---- */

static void test_datagram(void **state)
{
	bind_to(0, NULL, 53)->deliver = keep;
	arrive(1, "10.9.9.9", 7, "10.0.0.1", 53, 'a', 1472);
	arrive(0, "fd00::9", 9, "fd00::1", 53, 'b', 0);
	assert_true(net_reap());
	assert_false(net_reap());
	assert_int_equal(got[0], 2);
	/* Queue 0 first. */
	assert_int_equal(kept->len, 1472);
	assert_int_equal(kept->data[0], 'a');
	assert_int_equal(kept->hop_limit, 64);
	assert_int_equal(kept->stamp, 0);
	assert_int_equal(kept->from.port, 7);
	assert_int_equal(kept->next->len, 0);
	assert_true(ip_same(kept->next->from.ip, fake_addr("fd00::9", 0).ip));
	assert_int_equal(stats.enclave.net_rx, 2);
	assert_int_equal(stats.enclave.net_rx_bytes, 1472);
	net_stamps(1);
	arrive(0, "10.9.9.9", 7, "10.0.0.1", 53, 'c', 20);
	assert_true(net_reap());
	net_stamps(-1);
	assert_true(kept->stamp > 1600000000ull * 1000000000);
	assert_int_equal(kept->data[0], 'c');
}

/* More than all frames: every one comes back, whatever becomes of its packet. */
static void test_frames_return(void **state)
{
	u64 good = 0, all = 0;

	bind_to(0, NULL, 53);
	for (u32 round = 0; round < 3000; round++) {
		u32 n = fake_below(&seed, 5);

		for (u32 i = 0; i < n; i++) {
			u8 junk[60];

			for (u32 k = 0; k < sizeof(junk); k++)
				junk[k] = fake_random(&seed);
			switch (fake_below(&seed, 4)) {
			case 0:
				assert_true(fake_xsk_receive(0, junk, fake_below(&seed, 60)));
				break;
			case 1:
				arrive(0, "10.9.9.9", 7, "10.0.0.1", 54, 0, 18);
				break;
			default:
				good++;
				arrive(0, "10.9.9.9", 7, "10.0.0.1", 53, 0, fake_below(&seed, 1473));
			}
			all++;
		}
		full = fake_below(&seed, 2);
		net_reap();
	}
	while (net_reap())
		;
	assert_int_equal(stats.enclave.net_rx + stats.enclave.net_full, good);
	assert_int_equal(stats.enclave.net_rx, got[0]);
	assert_int_equal(stats.enclave.net_rx + stats.enclave.net_full + stats.enclave.net_malformed +
			 stats.enclave.net_checksum + stats.enclave.net_unclaimed, all);
	assert_int_equal(stats.enclave.net_bad_frames, 0);
}

/* Sockets that keep all they get: memory has its bound, then packets are dropped. */
static void test_memory(void **state)
{
	u32 n = POOL_LARGE_MOST + 500;

	bind_to(0, NULL, 53)->deliver = keep;
	for (u32 i = 0; i < n; i++) {
		arrive(0, "10.9.9.9", 7, "10.0.0.1", 53, i, 1000);
		net_reap();
	}
	assert_int_equal(got[0], POOL_LARGE_MOST);
	assert_int_equal(stats.enclave.net_memory, 500);
	/* Small ones have memory of their own; what is put back serves again. */
	arrive(0, "10.9.9.9", 7, "10.0.0.1", 53, 1, 100);
	assert_true(net_reap());
	assert_int_equal(got[0], POOL_LARGE_MOST + 1);
	teardown(NULL);
	setup(NULL);
	bind_to(0, NULL, 53);
	arrive(0, "10.9.9.9", 7, "10.0.0.1", 53, 1, 1000);
	assert_true(net_reap());
	assert_int_equal(got[0], 1);
}

static void test_not_verified(void **state)
{
	struct net_addr a = fake_addr("10.9.9.9", 7), b = fake_addr("10.0.0.1", 53);
	u8 frame[100];
	u32 n = fake_packet(frame, &a, &b, "x", 1);

	bind_to(0, NULL, 53);
	frame[40] ^= 1;
	fake_xsk_receive(0, frame, n);
	assert_true(net_reap());
	assert_int_equal(stats.enclave.net_checksum, 1);
	assert_int_equal(got[0], 0);
}

/* ---- waiting ---- */

static void test_park(void **state)
{
	bind_to(0, NULL, 53);
	/* What is there ends a park without an exit. */
	arrive(1, "10.9.9.9", 7, "10.0.0.1", 53, 0, 1);
	park_begin();
	net_depend();
	park(~0ull);
	assert_int_equal(got[0], 1);
	assert_int_equal(fake_requests[RAKIS_OP_PARK], 0);
	/* The host is told which sockets to sleep on, and of nothing to send. */
	park_begin();
	net_depend();
	park(1000000);
	assert_int_equal(fake_requests[RAKIS_OP_PARK], 1);
	assert_int_equal(fake_last.rings, (u64)(RAKIS_XSK_BIT(0) | RAKIS_XSK_BIT(1)) << 16);
	/* A park that does not depend on them leaves them alone. */
	arrive(0, "10.9.9.9", 7, "10.0.0.1", 53, 0, 1);
	park_begin();
	park(1000000);
	assert_int_equal(fake_last.rings, 0);
	assert_int_equal(got[0], 1);
	assert_true(net_reap());
}

static _Atomic int stage;

static bool slow(struct net_bind *b, struct datagram *d)
{
	stage = 1;
	while (stage != 2)
		sched_yield();
	datagram_put(d);
	return true;
}

static void *other_thread(void *arg)
{
	fake_host_enter(1);
	net_reap();
	return NULL;
}

/* A queue that another thread is at is named so. */
static void test_busy(void **state)
{
	pthread_t other;

	bind_to(0, NULL, 53)->deliver = slow;
	arrive(1, "10.9.9.9", 7, "10.0.0.1", 53, 0, 1);
	stage = 0;
	pthread_create(&other, NULL, other_thread, NULL);
	while (stage != 1)
		sched_yield();
	assert_false(net_reap());
	park_begin();
	net_depend();
	park(1000000);
	assert_int_equal(fake_last.rings, (u64)(RAKIS_XSK_BIT(0) | RAKIS_XSK_BIT(1)) << 16 |
			 (u64)RAKIS_XSK_BIT(1) << 48);
	stage = 2;
	pthread_join(other, NULL);
}

/* ---- paths ---- */

static u8 any[16];

static void test_path(void **state)
{
	struct net_addr to = fake_addr("10.0.0.9", 0), me = fake_addr("10.0.0.1", 0);
	struct net_addr to6 = fake_addr("fd00::9", 0);
	struct net_path p = { 0 }, second = { 0 };
	struct rakis_route was = fake_route;

	memcpy(fake_route.source, me.ip, 16);
	assert_true(net_path(&p, to.ip, any));
	assert_true(ip_same(p.source, me.ip));
	assert_memory_equal(p.mac_to, "\x11\x22\x33\x44\x55\x66", 6);
	assert_memory_equal(p.mac_from, "\xaa\xbb\xcc\xdd\xee\xff", 6);
	assert_int_equal(net_payload_most(&p, true), 1472);
	assert_int_equal(net_payload_most(&p, false), 1452);
	assert_int_equal(fake_requests[RAKIS_OP_NET_ROUTE], 1);
	/* Known, to this socket and to all. */
	assert_true(net_path(&p, to.ip, any));
	assert_true(net_path(&second, to.ip, any));
	assert_int_equal(fake_requests[RAKIS_OP_NET_ROUTE], 1);
	/* From another address it is another path. */
	assert_true(net_path(&p, to.ip, me.ip));
	assert_int_equal(fake_requests[RAKIS_OP_NET_ROUTE], 2);
	/* No more after a change, or after a while; while it is down nothing is. */
	fake_page.generation++;
	assert_true(net_path(&p, to.ip, any));
	assert_int_equal(fake_requests[RAKIS_OP_NET_ROUTE], 3);
	mono += 29000000000ull;
	assert_true(net_path(&p, to.ip, any));
	assert_int_equal(fake_requests[RAKIS_OP_NET_ROUTE], 3);
	mono += 2000000000ull;
	assert_true(net_path(&p, to.ip, any));
	assert_int_equal(fake_requests[RAKIS_OP_NET_ROUTE], 4);
	fake_page.up = 0;
	assert_false(net_path(&p, to.ip, any));
	fake_page.up = 1;
	assert_true(net_path(&p, to.ip, any));
	assert_int_equal(fake_requests[RAKIS_OP_NET_ROUTE], 4);
	/* What goes by the kernel is known too. */
	fake_route.fast = 0;
	fake_page.generation++;
	for (u32 i = 0; i < 3; i++)
		assert_false(net_path(&p, to.ip, any));
	assert_int_equal(fake_requests[RAKIS_OP_NET_ROUTE], 5);
	/* Some are never asked for. */
	assert_false(net_path(&p, fake_addr("127.0.0.1", 0).ip, any));
	assert_false(net_path(&p, fake_addr("224.0.0.1", 0).ip, any));
	assert_false(net_path(&p, fake_addr("255.255.255.255", 0).ip, any));
	assert_false(net_path(&p, fake_addr("::1", 0).ip, any));
	assert_false(net_path(&p, fake_addr("ff02::1", 0).ip, any));
	assert_false(net_path(&p, any, any));
	assert_false(net_path(&p, to6.ip, me.ip));
	assert_int_equal(fake_requests[RAKIS_OP_NET_ROUTE], 5);
	fake_route = was;
}

static void test_path_lies(void **state)
{
	struct net_addr to = fake_addr("10.0.0.9", 0), me = fake_addr("10.0.0.1", 0);
	struct rakis_route was = fake_route;
	struct net_path p = { 0 };
	u32 n = 0;

	memcpy(fake_route.source, me.ip, 16);
#define REFUSE(change) do { struct rakis_route is = fake_route; change; n++; fake_page.generation++;	\
	if (net_path(&p, to.ip, any)) fail_msg("route accepted: %s", #change);			\
	assert_int_equal(stats.enclave.host_faults, n); fake_route = is; } while (0)
	REFUSE(fake_route.fast = 2);
	REFUSE(fake_route.fast = ~0ull);
	REFUSE(fake_route.mtu = 0);
	REFUSE(fake_route.mtu = 67);
	REFUSE(fake_route.mtu = 65536);
	REFUSE(fake_route.mtu = (1ull << 32) | 1500);
	REFUSE(fake_route.hop_limit = 0);
	REFUSE(fake_route.hop_limit = 256);
	REFUSE(fake_route.source[15] = 0; memset(fake_route.source + 12, 0, 3));
	REFUSE(fake_route.source[12] = 127);
	REFUSE(fake_route.source[12] = 224);
	REFUSE(fake_route.source[0] = 0x20);
	/* Not the source that was asked for. */
	fake_page.generation++;
	assert_false(net_path(&p, to.ip, fake_addr("10.0.0.2", 0).ip));
	assert_int_equal(stats.enclave.host_faults, n + 1);
	fake_page.generation++;
	fake_route.mtu = 68;
	assert_true(net_path(&p, to.ip, any));
	assert_int_equal(net_payload_most(&p, true), 40);
	fake_route.mtu = 65535;
	fake_page.generation++;
	assert_true(net_path(&p, to.ip, any));
	assert_true(net_payload_most(&p, true) <= 1792);
	/* IPv6 has a least of its own. */
	memcpy(fake_route.source, fake_addr("fd00::1", 0).ip, 16);
	fake_route.mtu = 1279;
	assert_false(net_path(&p, fake_addr("fd00::9", 0).ip, any));
	assert_int_equal(stats.enclave.host_faults, n + 2);
	stats.enclave.host_faults = 0;
	fake_route = was;
	fake_page.generation++;
}

/* ---- sending ---- */

static void path_to(struct net_path *p, struct net_send *s, const char *from, const char *to)
{
	*p = (struct net_path){ 0 };
	*s = (struct net_send){ .from = fake_addr(from, 53), .to = fake_addr(to, 7) };
	assert_true(net_path(p, s->to.ip, s->from.ip));
}

static int send_bytes(const struct net_path *p, const struct net_send *s, void *data, u32 len)
{
	struct iter it;

	iter_kernel(&it, data, len);
	return net_send(p, s, &it, len);
}

static void test_send(void **state)
{
	u8 data[1472], frame[2048], want[2048];
	struct net_path p;
	struct net_send s;

	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = fake_random(&seed);
	for (int v4 = 0; v4 < 2; v4++) {
		path_to(&p, &s, v4 ? "10.0.0.1" : "fd00::1", v4 ? "10.0.0.9" : "fd00::9");
		s.dont_fragment = true;
		for (u32 len = 0; len <= net_payload_most(&p, v4); len += 1 + len / 8) {
			u32 n = fake_packet(want, &s.from, &s.to, data, len);

			memcpy(want, p.mac_to, 6);
			memcpy(want + 6, p.mac_from, 6);
			assert_int_equal(send_bytes(&p, &s, data, len), 0);
			assert_int_equal(fake_xsk_sent(0, frame), n);
			if (!v4)
				memcpy(want + 15, frame + 15, 3);	/* the flow's label */
			assert_memory_equal(frame, want, n);
			assert_int_equal(fake_xsk_sent(0, frame), -1);
		}
		assert_int_equal(send_bytes(&p, &s, data, net_payload_most(&p, v4) + 1), -EMSGSIZE);
	}
	/* The path's source, where the sender says none; a queue for each thread. */
	memset(s.from.ip, 0, 16);
	fake_host_enter(1);
	assert_int_equal(send_bytes(&p, &s, data, 3), 0);
	fake_host_enter(0);
	assert_int_equal(fake_xsk_sent(0, frame), -1);
	assert_int_equal(fake_xsk_sent(1, frame), 45);
	assert_memory_equal(frame + 26, "\x0a\0\0\1", 4);
}

/* Numbers of packets that may be cut up differ from one to the next. */
static void test_send_idents(void **state)
{
	struct net_path p;
	struct net_send s;
	u8 frame[2048];
	u16 last = 0;

	path_to(&p, &s, "10.0.0.1", "10.0.0.9");
	for (u32 i = 0; i < 10; i++) {
		u16 id;

		assert_int_equal(send_bytes(&p, &s, "x", 1), 0);
		fake_xsk_sent(0, frame);
		id = frame[18] << 8 | frame[19];
		if (i)
			assert_int_equal(id, (u16)(last + 1));
		last = id;
	}
}

static void test_send_faults(void **state)
{
	struct iter it;
	struct net_path p;
	struct net_send s;
	u8 frame[2048];

	fake_catch_faults();
	path_to(&p, &s, "10.0.0.1", "10.0.0.9");
	assert_int_equal(iter_buf(&it, (u64)fake_guest + FAKE_HOLE - 10, 20), 0);
	assert_int_equal(net_send(&p, &s, &it, 20), -EFAULT);
	assert_int_equal(iter_buf(&it, (u64)fake_guest + FAKE_HOLE, 20), 0);
	assert_int_equal(net_send(&p, &s, &it, 20), -EFAULT);
	assert_int_equal(fake_xsk_sent(0, frame), -1);
	assert_int_equal(iter_buf(&it, (u64)fake_guest + FAKE_HOLE - 10, 10), 0);
	assert_int_equal(net_send(&p, &s, &it, 10), 0);
	assert_int_equal(fake_xsk_sent(0, frame), 52);
	assert_int_equal(stats.enclave.net_tx, 1);
	assert_int_equal(stats.enclave.net_tx_bytes, 10);
}

/* Many are told of by one exit; any exit takes along what is queued. */
static void test_kicks(void **state)
{
	struct net_path p;
	struct net_send s;

	path_to(&p, &s, "10.0.0.1", "10.0.0.9");
	for (u32 i = 1; i < 32; i++)
		assert_int_equal(send_bytes(&p, &s, "x", 1), 0);
	assert_int_equal(fake_requests[RAKIS_OP_KICK], 0);
	assert_int_equal(fake_xsk_queued(0), 31);
	assert_int_equal(send_bytes(&p, &s, "x", 1), 0);
	assert_int_equal(fake_requests[RAKIS_OP_KICK], 1);
	assert_int_equal(fake_last.rings, RAKIS_XSK_BIT(0));
	assert_int_equal(stats.enclave.net_kicks, 1);
	/* A park, which does not spin meanwhile; then nothing is owed. */
	assert_int_equal(send_bytes(&p, &s, "x", 1), 0);
	park_begin();
	net_depend();
	park(1000000);
	assert_int_equal(fake_last.rings & 0xffff, RAKIS_XSK_BIT(0));
	park_begin();
	park(1000000);
	assert_int_equal(fake_last.rings, 0);
	/* And the count begins anew. */
	for (u32 i = 1; i < 32; i++)
		assert_int_equal(send_bytes(&p, &s, "x", 1), 0);
	assert_int_equal(fake_requests[RAKIS_OP_KICK], 1);
	exit_now();
}

/* A kernel that sends nothing: no memory is overwritten, and the sender is told. */
static void test_no_frames(void **state)
{
	u32 n = 0, back = 0;
	struct net_path p;
	struct net_send s;
	u8 frame[2048];

	path_to(&p, &s, "10.0.0.1", "10.0.0.9");
	while (net_may_send()) {
		assert_int_equal(send_bytes(&p, &s, &n, 4), 0);
		n++;
	}
	assert_true(n > 1900 && n <= RAKIS_XSK_FRAMES - RAKIS_XSK_RX_FRAMES);
	assert_int_equal(send_bytes(&p, &s, &n, 4), -EAGAIN);
	assert_int_equal(fake_last.opcode, RAKIS_OP_KICK);
	assert_int_equal(fake_xsk_queued(0), n);
	while (fake_xsk_sent(0, frame) >= 0) {
		assert_memory_equal(frame + 42, &back, 4);
		back++;
	}
	assert_int_equal(back, n);
	assert_true(net_may_send());
	for (u32 i = 0; i < 5000; i++) {
		assert_int_equal(send_bytes(&p, &s, &i, 4), 0);
		assert_int_equal(fake_xsk_sent(0, frame), 46);
	}
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_demux), TEST(test_demux_peers), TEST(test_demux_shared),
		TEST(test_claim_refused), TEST(test_datagram), TEST(test_frames_return),
		TEST(test_memory), TEST(test_not_verified), TEST(test_park), TEST(test_busy),
		TEST(test_path), TEST(test_path_lies), TEST(test_send), TEST(test_send_idents),
		TEST(test_send_faults), TEST(test_kicks), TEST(test_no_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
