/* SPDX-License-Identifier: Apache-2.0 */
/* AF_XDP sockets against a kernel in the same memory, honest or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/if_xdp.h>
#include "fake_untrusted.h"
#include "fastpath/xsk.h"
#include "lib/stats.h"

#define N	8u		/* entries of a ring */
#define START	0xfffffffau	/* of all indices: they wrap at once */
#define FRAME	RAKIS_XSK_FRAME_SIZE
#define TX_BASE	((u64)XSK_LANE_FRAMES * FRAME)
#define UMEM	((u64)RAKIS_XSK_FRAMES * FRAME)

/* As the kernel lays them out: each index in a cache line of its own. */
struct address_ring {
	_Alignas(64) u32 producer;
	_Alignas(64) u32 consumer;
	u32 pad, flags;
	_Alignas(64) u64 descs[N];
};

struct desc_ring {
	_Alignas(64) u32 producer;
	_Alignas(64) u32 consumer;
	u32 pad, flags;
	_Alignas(64) struct xdp_desc descs[N];
};

static struct {
	_Alignas(4096) u8 umem[UMEM];
	struct address_ring fill, completion;
	struct desc_ring rx, tx;
} m;

static struct xsk x;

#define RING(r) {								\
	.map = (u64)&m.r, .map_size = sizeof(m.r),				\
	.producer = offsetof(__typeof__(m.r), producer),			\
	.consumer = offsetof(__typeof__(m.r), consumer),			\
	.flags = offsetof(__typeof__(m.r), flags),				\
	.descs = offsetof(__typeof__(m.r), descs), .entries = N,		\
}

static struct rakis_xsk good(void)
{
	return (struct rakis_xsk){
		.umem = (u64)m.umem, .umem_size = UMEM,
		.fill = RING(fill), .completion = RING(completion), .rx = RING(rx), .tx = RING(tx),
	};
}

static int setup(void **state)
{
	struct rakis_xsk h = good();

	memset(&m.fill, 0, sizeof(m) - sizeof(m.umem));
	memset(&stats, 0, sizeof(stats));
	fake_untrusted(&m, sizeof(m));
	m.fill.producer = m.fill.consumer = m.completion.producer = m.completion.consumer = START;
	m.rx.producer = m.rx.consumer = m.tx.producer = m.tx.consumer = START;
	assert_int_equal(xsk_init(&x, &h), 0);
	assert_true(xsk_is_valid(&x));
	return 0;
}

/* ---- the kernel ---- */

/* The next frame lent on the fill ring. */
static u64 take_fill(void)
{
	assert_int_not_equal(m.fill.consumer, m.fill.producer);
	return m.fill.descs[m.fill.consumer++ % N];
}

static void post_rx(u64 addr, u32 len)
{
	m.rx.descs[m.rx.producer++ % N] = (struct xdp_desc){ addr, len, 0 };
}

static void post_completion(u64 addr)
{
	m.completion.descs[m.completion.producer++ % N] = addr;
}

static u64 bad(void)
{
	assert_int_equal(stats.enclave.net_bad_frames, stats.enclave.host_faults);
	return stats.enclave.net_bad_frames;
}

/* ---- */

static void test_layouts(void **state)
{
	struct rakis_xsk h = good();
	u32 n = 0;

#define REFUSE(change) do { h = good(); change; n++; \
	if (!xsk_init(&x, &h)) fail_msg("layout accepted: %s", #change); } while (0)
#define REFUSE_RING(r, entry)							\
	REFUSE(h.r.entries = 0);						\
	REFUSE(h.r.entries = 3);						\
	REFUSE(h.r.entries = 2 * N);		/* beyond the mapping */	\
	REFUSE(h.r.entries = 2 * RAKIS_XSK_ENTRIES);				\
	REFUSE(h.r.entries = 1ull << 63);					\
	REFUSE(h.r.entries = (1ull << 32) | N);					\
	REFUSE(h.r.producer = 2);						\
	REFUSE(h.r.producer = h.r.consumer);					\
	REFUSE(h.r.producer = h.r.map_size);					\
	REFUSE(h.r.producer = ~0ull - 3);					\
	REFUSE(h.r.consumer = h.r.flags);					\
	REFUSE(h.r.consumer = h.r.descs + 4);					\
	REFUSE(h.r.flags = h.r.descs + N * (entry) - 4);			\
	REFUSE(h.r.flags = h.r.map_size - 2);					\
	REFUSE(h.r.descs += 4);							\
	REFUSE(h.r.descs += 8);			/* one word beyond the mapping */ \
	REFUSE(h.r.descs = ~0ull - 7);						\
	REFUSE(h.r.descs = 0);			/* over the indices */		\
	REFUSE(h.r.map = 0);							\
	REFUSE(h.r.map += 4);							\
	REFUSE(h.r.map = h.umem);						\
	REFUSE(h.r.map = h.umem + UMEM - 8);					\
	REFUSE(h.r.map = (u64)&m - 8);		/* outside of what may be used */ \
	REFUSE(h.r.map_size = ~0ull);						\
	REFUSE(h.r.map_size = 8)
	REFUSE_RING(fill, 8);
	REFUSE_RING(completion, 8);
	REFUSE_RING(rx, 16);
	REFUSE_RING(tx, 16);
	REFUSE(h.rx.map = h.tx.map);
	REFUSE(h.fill.map = h.completion.map);
	REFUSE(h.umem = 0);
	REFUSE(h.umem += 8);
	REFUSE(h.umem += 4096);			/* its end over the rings */
	REFUSE(h.umem_size -= 1);
	REFUSE(h.umem_size = ~0ull);
	REFUSE(h.umem_size = sizeof(m) + 8);
	REFUSE(m.rx.producer = START + N + 1);	/* a relation that cannot be */
	m.rx.producer = START;
	h = good();
	assert_int_equal(xsk_init(&x, &h), 0);
	assert_int_equal(n, 4 * 25 + 9);
}

static void test_refill(void **state)
{
	bool seen[XSK_LANE_FRAMES] = { false };

	assert_int_equal(x.rx.nfree, XSK_LANE_FRAMES);
	for (u32 round = 0; round < XSK_LANE_FRAMES / N; round++) {
		xsk_refill(&x);
		assert_int_equal(m.fill.producer - m.fill.consumer, N);
		for (u32 i = 0; i < N; i++) {
			u64 addr = take_fill();

			assert_true(addr < TX_BASE && addr % FRAME == 0);
			assert_false(seen[addr / FRAME]);
			seen[addr / FRAME] = true;
		}
		assert_true(xsk_is_valid(&x));
	}
	/* All are lent. */
	assert_int_equal(x.rx.nfree, 0);
	xsk_refill(&x);
	assert_int_equal(m.fill.producer, m.fill.consumer);
}

static void test_receive(void **state)
{
	struct xsk_packet p[N];
	u32 good;
	u64 a, b;

	xsk_refill(&x);
	a = take_fill();
	b = take_fill();
	post_rx(b + 256, 64);
	post_rx(a + 261, 1500);
	assert_int_equal(xsk_receive(&x, p, 1, &good), 1);
	assert_int_equal(good, 1);
	assert_int_equal(uptr_number(p[0].at), (u64)m.umem + b + 256);
	assert_int_equal(p[0].skip, 0);
	assert_int_equal(p[0].len, 64);
	assert_int_equal(p[0].frame, b / FRAME);
	assert_int_equal(m.rx.consumer, START + 1);
	assert_int_equal(xsk_receive(&x, p + 1, N, &good), 1);
	assert_int_equal(uptr_number(p[1].at), (u64)m.umem + a + 256);
	assert_int_equal(p[1].skip, 5);
	assert_int_equal(p[1].len, 1500);
	assert_int_equal(xsk_receive(&x, p, N, &good), 0);
	assert_int_equal(good, 0);
	assert_int_equal(x.rx.nfree, XSK_LANE_FRAMES - N);
	assert_true(xsk_is_valid(&x));
	xsk_release(&x, p[0].frame);
	xsk_release(&x, p[1].frame);
	assert_int_equal(x.rx.nfree, XSK_LANE_FRAMES - N + 2);
	assert_int_equal(bad(), 0);
}

/* What a descriptor of the RX ring may say of a lent frame, and what not. */
static void test_receive_lies(void **state)
{
	static const struct {
		u64 addr;		/* from the start of the lent frame */
		u32 len;
		bool good;
	} t[] = {
		{ 0, 0, true },			{ 0, FRAME, true },
		{ 0, FRAME + 1, false },	{ 1, FRAME, false },
		{ FRAME - 1, 1, true },		{ FRAME - 1, 2, false },
		{ FRAME - 1, 0, true },		{ 256, FRAME - 256, true },
		{ 256, FRAME - 255, false },	{ 256, ~0u, false },
		{ 256, 0x80000000, false },	{ 0, ~0u, false },
		{ FRAME, 64, false },		/* the next one, which is free */
		{ 0ull - (N - 1) * FRAME - 1, 1, false },	/* below the UMEM */
		{ 0ull - (N - 1) * FRAME - 64, 128, false },
		{ 0ull - N * FRAME, 64, false },
		{ TX_BASE, 64, false },		/* of the other lane */
		{ TX_BASE - FRAME, 64, false },
		{ UMEM, 64, false },		{ UMEM - 64, 64, false },
		{ 1ull << 32, 64, false },	{ 1ull << 48, 64, false },
		{ 1ull << 63, 64, false },
	};

	for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
		struct xsk_packet p[N];
		u32 good;
		u64 addr;

		setup(NULL);
		xsk_refill(&x);
		for (u32 k = 0; k < N; k++)
			addr = take_fill();	/* the last; behind it all are free */
		post_rx(addr + t[i].addr, t[i].len);
		assert_int_equal(xsk_receive(&x, p, N, &good), 1);
		if (good != t[i].good)
			fail_msg("case %u", i);
		assert_int_equal(bad(), !t[i].good);
		assert_true(xsk_is_valid(&x));
		/* The frame stayed with its owner: honest descriptors still work, once. */
		if (good)
			xsk_release(&x, p[0].frame);
		post_rx(addr, 64);
		post_rx(addr, 64);
		assert_int_equal(xsk_receive(&x, p, N, &good), 2);
		assert_int_equal(good, !t[i].good);
		assert_true(xsk_is_valid(&x));
	}
}

static void test_receive_twice(void **state)
{
	struct xsk_packet p[N];
	u32 good;
	u64 a;

	xsk_refill(&x);
	a = take_fill();
	/* In one batch, while held, while free. */
	post_rx(a, 60);
	post_rx(a + 64, 60);
	assert_int_equal(xsk_receive(&x, p, N, &good), 2);
	assert_int_equal(good, 1);
	assert_int_equal(p[0].frame, a / FRAME);
	post_rx(a, 60);
	assert_int_equal(xsk_receive(&x, p, N, &good), 1);
	assert_int_equal(good, 0);
	xsk_release(&x, a / FRAME);
	post_rx(a, 60);
	assert_int_equal(xsk_receive(&x, p, N, &good), 1);
	assert_int_equal(good, 0);
	assert_int_equal(bad(), 3);
	assert_true(xsk_is_valid(&x));
	/* Good ones behind bad ones come first in the array. */
	post_rx(a, 60);
	post_rx(UMEM, 60);
	post_rx(take_fill(), 61);
	assert_int_equal(xsk_receive(&x, p, N, &good), 3);
	assert_int_equal(good, 1);
	assert_int_equal(p[0].len, 61);
}

static void test_send(void **state)
{
	u32 f[N + 1], last = XSK_NONE;

	for (u32 i = 0; i < N; i++) {
		f[i] = xsk_frame(&x);
		assert_int_not_equal(f[i], XSK_NONE);
		assert_int_not_equal(f[i], last);
		last = f[i];
		assert_int_equal(uptr_number(xsk_frame_at(&x, f[i])), (u64)m.umem + TX_BASE + f[i] * FRAME);
		assert_true(xsk_send(&x, f[i], 6, 100 + i));
		assert_int_equal(m.tx.producer, START + i + 1);
		assert_int_equal(m.tx.descs[(START + i) % N].addr, TX_BASE + f[i] * FRAME + 6);
		assert_int_equal(m.tx.descs[(START + i) % N].len, 100 + i);
		assert_int_equal(m.tx.descs[(START + i) % N].options, 0);
	}
	/* The ring is full. */
	assert_int_equal(xsk_frame(&x), XSK_NONE);
	m.tx.consumer += 2;
	f[0] = xsk_frame(&x);
	f[1] = xsk_frame(&x);
	assert_int_not_equal(f[1], XSK_NONE);
	assert_true(xsk_send(&x, f[0], 0, FRAME));
	/* The host takes back what it said. */
	m.tx.consumer -= 1;
	assert_int_equal(ring_available(&x.tx.out, N), 0);
	assert_false(xsk_send(&x, f[1], 0, 60));
	assert_int_equal(x.tx.nfree, XSK_LANE_FRAMES - N - 1);
	assert_true(xsk_is_valid(&x));
}

static void test_complete(void **state)
{
	static const u64 lies[] = {
		0, TX_BASE - 1, UMEM, UMEM + FRAME, ~0ull, 1ull << 63,
	};
	u64 a, before;
	u32 f = xsk_frame(&x);

	a = TX_BASE + (u64)f * FRAME;
	/* Held, not lent. */
	post_completion(a);
	xsk_complete(&x);
	assert_int_equal(bad(), 1);
	assert_true(xsk_send(&x, f, 2, 64));
	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		post_completion(lies[i]);
		post_completion(TX_BASE + ((u64)f + 1) * FRAME);	/* free */
		xsk_complete(&x);
		assert_int_equal(bad(), 3 + 2 * i);
		assert_int_equal(x.tx.nfree, XSK_LANE_FRAMES - 1);
		assert_true(xsk_is_valid(&x));
	}
	before = bad();
	post_completion(a + 2);
	post_completion(a + 2);
	xsk_complete(&x);
	assert_int_equal(x.tx.nfree, XSK_LANE_FRAMES);
	assert_int_equal(bad(), before + 1);
	assert_true(xsk_is_valid(&x));
	/* A frame lent for receiving is none that was sent. */
	xsk_refill(&x);
	post_completion(take_fill());
	xsk_complete(&x);
	assert_int_equal(bad(), before + 2);
	assert_true(xsk_is_valid(&x));
}

static void test_all_frames(void **state)
{
	u32 n = 0, f;

	/* Every frame can be out at once, and every one comes back. */
	while ((f = xsk_frame(&x)) != XSK_NONE) {
		assert_true(xsk_send(&x, f, 0, 60));
		m.tx.consumer = m.tx.producer;
		n++;
	}
	assert_int_equal(n, XSK_LANE_FRAMES);
	for (u32 i = 0; i < n; i++) {
		post_completion(TX_BASE + (u64)(n - 1 - i) * FRAME);
		if (i % N == N - 1)
			xsk_complete(&x);
	}
	assert_int_equal(x.tx.nfree, XSK_LANE_FRAMES);
	assert_true(xsk_is_valid(&x));
	assert_int_equal(bad(), 0);
}

static void test_sleeps(void **state)
{
	assert_false(xsk_tx_sleeps(&x));
	assert_false(xsk_fill_sleeps(&x));
	m.tx.flags = XDP_RING_NEED_WAKEUP;
	assert_true(xsk_tx_sleeps(&x));
	assert_false(xsk_fill_sleeps(&x));
	m.tx.flags = ~XDP_RING_NEED_WAKEUP;
	m.fill.flags = XDP_RING_NEED_WAKEUP;
	m.fill.pad = m.tx.pad = ~0u;
	assert_false(xsk_tx_sleeps(&x));
	assert_true(xsk_fill_sleeps(&x));
}

/* A kernel that gives back what it got, while now and then each word it is asked for is a lie. */
static bool lying;

static u64 liar(u64 addr, u64 v)
{
	if (!lying || rand() % 8)
		return v;
	switch (rand() % 4) {
	case 0:
		return v + rand() % 5 - 2;
	case 1:
		return (u64)rand() % (UMEM + FRAME);
	case 2:
		return (u64)rand() << 33 ^ rand();
	default:
		return v ^ 1ull << rand() % 64;
	}
}

/* Where lies have led the enclave's index astray, a kernel would start anew. */
static void resync(void)
{
	if (m.fill.producer - m.fill.consumer > N)
		m.fill.consumer = m.fill.producer;
	if (m.tx.producer - m.tx.consumer > N)
		m.tx.consumer = m.tx.producer;
	if (m.rx.producer - m.rx.consumer > N)
		m.rx.producer = m.rx.consumer;
	if (m.completion.producer - m.completion.consumer > N)
		m.completion.producer = m.completion.consumer;
}

static void test_lies(void **state)
{
	u64 bad_frames = 0, faults = 0;
	u64 fills[2 * N], sent[2 * N];
	u32 nfills = 0, nsent = 0;

	srand(3);
	for (u32 round = 0; round < 100000; round++) {
		struct xsk_packet p[N];
		u32 good, n, f;

		/* Frames that lies have cost do not come back. */
		if (round % 1000 == 0) {
			bad_frames += stats.enclave.net_bad_frames;
			faults += stats.enclave.host_faults;
			lying = false;
			setup(NULL);
			nfills = nsent = 0;
			fake_load = liar;
		}
		resync();
		lying = rand() % 2;
		xsk_refill(&x);
		while (m.fill.consumer != m.fill.producer && nfills < 2 * N)
			fills[nfills++] = take_fill();
		while (nfills && m.rx.producer - m.rx.consumer < N && rand() % 4)
			post_rx(fills[--nfills] + 256, rand() % 1700);
		n = xsk_receive(&x, p, 1 + rand() % N, &good);
		assert_true(good <= n && n <= N);
		for (u32 i = 0; i < good; i++) {
			u64 at = uptr_number(p[i].at) - (u64)m.umem + p[i].skip;

			assert_true(at / FRAME == p[i].frame && at < TX_BASE);
			assert_true(at % FRAME + p[i].len <= FRAME && p[i].skip < 8);
			xsk_release(&x, p[i].frame);
		}
		f = xsk_frame(&x);
		if (f != XSK_NONE && xsk_send(&x, f, rand() % 8, rand() % 1500)) {
			while (m.tx.consumer != m.tx.producer && nsent < 2 * N)
				sent[nsent++] = m.tx.descs[m.tx.consumer++ % N].addr;
		}
		while (nsent && m.completion.producer - m.completion.consumer < N && rand() % 4)
			post_completion(sent[--nsent]);
		xsk_complete(&x);
		if (round % 16 == 0)
			assert_true(xsk_is_valid(&x));
	}
	assert_true(bad_frames > 1000 && faults > bad_frames + 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_layouts, setup),
		cmocka_unit_test_setup(test_refill, setup),
		cmocka_unit_test_setup(test_receive, setup),
		cmocka_unit_test_setup(test_receive_lies, setup),
		cmocka_unit_test_setup(test_receive_twice, setup),
		cmocka_unit_test_setup(test_send, setup),
		cmocka_unit_test_setup(test_complete, setup),
		cmocka_unit_test_setup(test_all_frames, setup),
		cmocka_unit_test_setup(test_sleeps, setup),
		cmocka_unit_test_setup(test_lies, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
