/* SPDX-License-Identifier: Apache-2.0 */
/* io_uring and its provided buffers against a host in the same memory, honest or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/io_uring.h>
#include "fake_untrusted.h"
#include "fastpath/bufring.h"
#include "fastpath/uring.h"
#include "lib/errno.h"
#include "lib/stats.h"

#define SQ	8u
#define CQ	16u
#define BUFS	4u

/* As kernels of today lay it out. */
static struct {
	_Alignas(64) u32 sq_head, sq_tail, cq_head, cq_tail;
	u32 masks[4], more[8];
	struct io_uring_cqe cqes[CQ];
	_Alignas(8) u32 array[SQ];
	_Alignas(64) struct io_uring_sqe sqes[SQ];
	_Alignas(64) struct io_uring_buf bufs[BUFS];
	_Alignas(64) char data[BUFS][RAKIS_URING_BUF_SIZE];
} m;

static struct uring u;
static struct uring_slot chunks[URING_CHUNKS + 1][URING_CHUNK];
static int owners[URING_CHUNK];

static struct rakis_uring good(void)
{
	return (struct rakis_uring){
		.sq_map = (u64)&m, .sq_map_size = offsetof(__typeof__(m), sqes),
		.sq_head = offsetof(__typeof__(m), sq_head), .sq_tail = offsetof(__typeof__(m), sq_tail),
		.sq_flags = offsetof(__typeof__(m), more), .sq_array = offsetof(__typeof__(m), array),
		.sq_entries = SQ,
		.cq_map = (u64)&m, .cq_map_size = offsetof(__typeof__(m), sqes),
		.cq_head = offsetof(__typeof__(m), cq_head), .cq_tail = offsetof(__typeof__(m), cq_tail),
		.cqes = offsetof(__typeof__(m), cqes), .cq_entries = CQ,
		.sqes = (u64)m.sqes, .sqes_size = sizeof(m.sqes),
		.buf_ring = (u64)m.bufs, .buf_entries = BUFS, .bufs = (u64)m.data,
	};
}

static int setup(void **state)
{
	struct rakis_uring h = good();

	memset(&m, 0, sizeof(m));
	memset(chunks, 0, sizeof(chunks));
	memset(&stats, 0, sizeof(stats));
	fake_untrusted(&m, sizeof(m));
	m.sq_head = m.sq_tail = m.cq_head = m.cq_tail = 0xfffffffd;
	assert_int_equal(uring_init(&u, &h), 0);
	assert_true(uring_grow(&u, chunks[0]));
	return 0;
}

static int submit(void *owner, bool multishot)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_RECV, .fd = 7, .addr = 0x1122334455667788, .len = 9 };
	struct uring_how how = { .owner = owner, .most = 9, .multishot = multishot, .buffers = multishot };

	return uring_submit(&u, &rq, &how, 0);
}

/* The host takes all that is queued. */
static void consume(void)
{
	m.sq_head = m.sq_tail;
}

static void post(u64 user_data, s32 res, u32 flags)
{
	m.cqes[m.cq_tail++ % CQ] = (struct io_uring_cqe){ user_data, res, flags };
}

static bool match(struct uring_done *d)
{
	struct uring_cqe cqe;
	u64 before = stats.enclave.host_faults;
	bool matched;

	assert_int_equal(uring_take(&u, &cqe, 1), 1);
	matched = uring_match(&u, &cqe, d);
	assert_int_equal(stats.enclave.host_faults - before, !matched);
	assert_true(uring_is_valid(&u));
	return matched;
}

static void test_layouts(void **state)
{
	struct rakis_uring h = good();
	u32 n = 0;

#define REFUSE(change) do { h = good(); change; n++; \
	if (!uring_init(&u, &h)) fail_msg("layout accepted: %s", #change); } while (0)
	REFUSE(h.sq_entries = 0);
	REFUSE(h.sq_entries = 1);
	REFUSE(h.sq_entries = 7);
	REFUSE(h.sq_entries = 512);
	REFUSE(h.sq_entries = 1ull << 32);
	REFUSE(h.cq_entries = 0);
	REFUSE(h.cq_entries = 12);
	REFUSE(h.cq_entries = 8192);
	REFUSE(h.cq_entries = 64);		/* beyond the mapping */
	REFUSE(h.sq_head = 2);
	REFUSE(h.sq_tail = h.sq_map_size);
	REFUSE(h.sq_tail = ~0ull - 3);
	REFUSE(h.sq_tail = h.sq_head);
	REFUSE(h.sq_tail = h.sq_flags);
	REFUSE(h.sq_tail = h.sq_array + 4);
	REFUSE(h.sq_tail = h.cq_tail);
	REFUSE(h.sq_tail = h.cqes + 8);
	REFUSE(h.cq_head = h.cq_tail);
	REFUSE(h.cq_head = h.sq_head);
	REFUSE(h.cq_head = h.cqes + 12);
	REFUSE(h.cq_tail = h.cqes);
	REFUSE(h.cqes += 4);
	REFUSE(h.cqes = h.cq_map_size - 8);
	REFUSE(h.cqes = ~0ull - 7);
	REFUSE(h.sq_array += 4);
	REFUSE(h.sq_array = h.cqes);
	REFUSE(h.sq_map += 4);
	REFUSE(h.sq_map = 0);
	REFUSE(h.sq_map -= 8);			/* outside of what may be used */
	REFUSE(h.sq_map_size = ~0ull);
	REFUSE(h.sq_map_size -= 8);		/* not the same mapping any more */
	REFUSE(h.cq_map += 64);			/* overlaps the other */
	REFUSE(h.sqes_size -= 1);
	REFUSE(h.sqes = (u64)&m);		/* overlaps the rings */
	REFUSE(h.sqes = (u64)m.cqes);
	REFUSE(h.sqes += 4);
	REFUSE(m.sq_head = 5);			/* relations that cannot be */
	m.sq_head = m.sq_tail;
	REFUSE(m.cq_tail = m.cq_head + CQ + 1);
	m.cq_tail = m.cq_head;
	h = good();
	assert_int_equal(uring_init(&u, &h), 0);
	for (u32 i = 0; i < SQ; i++)
		assert_int_equal(m.array[i], i);
	assert_int_equal(n, 38);
}

static void test_submit(void **state)
{
	for (u32 i = 0; i < SQ; i++) {
		u32 at = m.sq_tail % SQ;

		assert_int_equal(submit(&owners[i], false), i);
		assert_int_equal(m.sqes[at].opcode, RAKIS_OP_RECV);
		assert_int_equal(m.sqes[at].fd, 7);
		assert_int_equal(m.sqes[at].addr, 0x1122334455667788);
		assert_int_equal(m.sqes[at].user_data, i);
		assert_int_equal(m.sq_tail, 0xfffffffd + i + 1);
	}
	assert_int_equal(submit(owners, false), -EAGAIN);
	m.sq_head++;
	assert_int_equal(submit(owners, false), SQ);
	assert_int_equal(submit(owners, false), -EAGAIN);
	consume();
	assert_int_equal(submit(owners, false), SQ + 1);
	m.sq_head += 1000;			/* beyond what there is */
	for (u32 i = 0; i < SQ - 1; i++)
		assert_int_equal(submit(owners, false), SQ + 2 + i);
	assert_int_equal(submit(owners, false), -EAGAIN);
	assert_true(u.sq.faults);
	assert_true(uring_is_valid(&u));
}

static void test_extend(void **state)
{
	int first = submit(owners, false), second = submit(owners, false);
	u32 at = (m.sq_tail - 2) % SQ, generation = uring_generation(&u, first);
	struct uring_done d;

	assert_true(uring_extend(&u, first, generation, 20, 5));
	assert_int_equal(m.sqes[at].len, 20);
	assert_int_equal(m.sqes[at].msg_flags, 5);
	assert_int_equal(m.sqes[at].addr, 0x1122334455667788);
	assert_int_equal(m.sqes[(at + 1) % SQ].len, 9);
	assert_false(uring_extend(&u, first, generation + 1, 30, 5));
	assert_false(uring_extend(&u, second + 1, 0, 30, 5));
	/* taken: the entry may be another's */
	m.sq_head++;
	assert_false(uring_extend(&u, first, generation, 30, 5));
	assert_true(uring_extend(&u, second, uring_generation(&u, second), 8, 0));
	assert_int_equal(m.sqes[at].len, 20);
	consume();
	for (u32 i = 0; i < SQ; i++) {
		assert_true(submit(owners, false) >= 0);
		assert_false(uring_extend(&u, first, generation, 30, 5));
	}
	/* the bound of the result is the longest there was */
	post(first, 20, 0);
	assert_true(match(&d));
	assert_int_equal(d.most, 20);
	post(second, 9, 0);
	assert_true(match(&d));
	assert_int_equal(d.most, 9);
	assert_false(uring_extend(&u, first, generation, 30, 5));
}

static void test_reserve(void **state)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_NOP };
	struct uring_how how = { .owner = owners };

	for (u32 i = 0; i < SQ - 3; i++)
		assert_true(uring_submit(&u, &rq, &how, 3) >= 0);
	assert_int_equal(uring_submit(&u, &rq, &how, 3), -EAGAIN);
	assert_true(uring_submit(&u, &rq, &how, 2) >= 0);
	assert_int_equal(uring_submit(&u, &rq, &how, SQ), -EAGAIN);
	assert_true(uring_submit(&u, &rq, &how, 0) >= 0);
}

static void test_table(void **state)
{
	/* Full, and grown to its end. */
	for (u32 i = 0; i < URING_CHUNK; i++) {
		assert_true(submit(owners, false) >= 0);
		consume();
	}
	assert_int_equal(uring_slots_free(&u), 0);
	assert_int_equal(submit(owners, false), -EAGAIN);
	for (u32 i = 1; i < URING_CHUNKS; i++)
		assert_true(uring_grow(&u, chunks[i]));
	assert_false(uring_grow(&u, chunks[URING_CHUNKS]));
	assert_true(uring_is_valid(&u));
	while (uring_slots_free(&u)) {
		assert_true(submit(owners, false) >= 0);
		consume();
	}
	assert_true(uring_is_valid(&u));
}

static void test_completions(void **state)
{
	struct uring_done d;
	u64 id[3];

	for (u32 i = 0; i < 3; i++)
		id[i] = uring_user_data(&u, submit(&owners[i], i == 2));
	consume();
	post(id[1], 5, 0);
	assert_true(match(&d));
	assert_ptr_equal(d.owner, &owners[1]);
	assert_int_equal(d.res, 5);
	assert_false(d.more);
	assert_int_equal(d.most, 9);
	assert_int_equal(d.opcode, RAKIS_OP_RECV);

	/* Faults, none of which changes anything. */
	static const struct {
		u64 flip;
		u32 flags;
	} bad[] = {
		{ 1ull << 32, 0 },		/* another generation */
		{ 1ull << 63, 0 },
		{ 1ull << 20, 0 },		/* a slot beyond the table */
		{ 1ull << 30, 0 },
		{ 1ull << 3, 0 },		/* a free slot */
		{ 0, IORING_CQE_F_MORE },	/* of a single one */
		{ 0, IORING_CQE_F_NOTIF },
	};
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		post(id[0] ^ bad[i].flip, 1, bad[i].flags);
		assert_false(match(&d));
	}
	post(id[1], 5, 0);			/* a duplicate */
	assert_false(match(&d));
	assert_int_equal(u.live, 2);

	/* Multishot: live until the last one. */
	for (u32 i = 0; i < 20; i++) {
		post(id[2], 9, IORING_CQE_F_MORE | IORING_CQE_F_BUFFER | i << IORING_CQE_BUFFER_SHIFT);
		assert_true(match(&d));
		assert_true(d.more && d.buffers);
		assert_int_equal(d.buf, i);
	}
	post(id[2], -ENOBUFS, 0);
	assert_true(match(&d));
	assert_false(d.more);
	assert_int_equal(d.buf, -1);
	post(id[2], 9, IORING_CQE_F_MORE);
	assert_false(match(&d));

	/* A buffer is not looked at where none was asked for; the mark is. */
	post(id[0] | RAKIS_URING_QUIET, 1, IORING_CQE_F_BUFFER | 3 << IORING_CQE_BUFFER_SHIFT);
	assert_true(match(&d));
	assert_int_equal(d.buf, -1);
	assert_true(d.quiet);
	assert_int_equal(u.live, 0);
}

static void test_generation_wrap(void **state)
{
	struct uring_done d;
	u64 id;

	for (u32 i = 0; i < URING_CHUNK; i++)
		chunks[0][i].generation = UINT32_MAX;
	id = uring_user_data(&u, submit(&owners[0], false));
	assert_int_equal(id >> 32, UINT32_MAX);
	post(id, 0, 0);
	assert_true(match(&d));
	assert_int_equal(uring_user_data(&u, submit(&owners[0], false)) >> 32, 0);
	post(id, 0, 0);
	assert_false(match(&d));
}

static void test_taking(void **state)
{
	struct uring_cqe cqe[CQ + 4];

	assert_int_equal(uring_take(&u, cqe, 4), 0);
	for (u32 i = 0; i < CQ; i++)
		post(i, i, i);
	assert_int_equal(uring_take(&u, cqe, 5), 5);
	assert_int_equal(m.cq_head, 0xfffffffd + 5);
	m.cq_tail += 6;				/* more than the queue holds */
	assert_int_equal(uring_take(&u, cqe + 5, CQ), CQ - 5);
	for (u32 i = 0; i < CQ; i++) {
		assert_int_equal(cqe[i].user_data, i);
		assert_int_equal(cqe[i].res, i);
	}
	assert_int_equal(u.cq.faults, 1);
	m.cq_tail = m.cq_head - 1;		/* back */
	assert_int_equal(uring_take(&u, cqe, 1), 0);
	assert_int_equal(u.cq.faults, 2);
}

static u64 liar(u64 addr, u64 v)
{
	switch (rand() % 4) {
	case 0:
		return (u64)rand() << 32 ^ rand();
	case 1:
		return v ^ (rand() % 8) << rand() % 8;
	default:
		return v;
	}
}

static void test_lies(void **state)
{
	static bool live[URING_CHUNK];
	struct uring_cqe cqe[8];
	struct uring_done d;
	u32 inflight = 0, good = 0;

	srand(3);
	memset(live, 0, sizeof(live));
	for (u32 i = 0; i < 100000; i++) {
		u32 n = rand() % 4;
		int slot;

		fake_load = liar;
		while (n-- && inflight < URING_CHUNK) {
			slot = submit(NULL, rand() % 2);
			if (slot < 0)
				break;
			assert_false(live[slot]);
			live[slot] = true;
			inflight++;
		}
		if (rand() % 2)
			consume();
		m.cq_tail = m.cq_head;
		for (n = rand() % 4; n--;) {
			u32 at = rand() % URING_CHUNK;

			post(uring_user_data(&u, at), rand(), (u32)rand() << 1);
		}
		n = uring_take(&u, cqe, 8);
		for (u32 k = 0; k < n; k++) {
			if (!uring_match(&u, &cqe[k], &d))
				continue;
			assert_true(live[d.slot]);
			live[d.slot] = d.more;
			inflight -= !d.more;
			good++;
		}
		if (i % 64 == 0)
			assert_true(uring_is_valid(&u));
	}
	assert_int_equal(u.live, inflight);
	assert_true(good > 1000);
	assert_true(stats.enclave.host_faults > 1000);
}

/* ---- provided buffers ---- */

static void test_bufring_layouts(void **state)
{
	struct rakis_uring h = good();
	struct bufring b;

#define REFUSE_BUFS(change) do { h = good(); change; \
	if (!bufring_init(&b, &h)) fail_msg("buffers accepted: %s", #change); } while (0)
	REFUSE_BUFS(h.buf_entries = 0);
	REFUSE_BUFS(h.buf_entries = 3);
	REFUSE_BUFS(h.buf_entries = 8);		/* beyond the memory */
	REFUSE_BUFS(h.buf_entries = 2048);
	REFUSE_BUFS(h.buf_entries = 1ull << 63);
	REFUSE_BUFS(h.buf_ring += 4);
	REFUSE_BUFS(h.bufs += 4);
	REFUSE_BUFS(h.bufs = 0);
	REFUSE_BUFS(h.bufs = h.buf_ring);
	REFUSE_BUFS(h.buf_ring = h.bufs + 64);
	h = good();
	h.buf_ring = 0;
	assert_int_equal(bufring_init(&b, &h), 0);
	assert_false(bufring_take(&b, 0));
	assert_false(bufring_start(&b, 1));
}

static u16 tail(void)
{
	return m.bufs[0].resv;
}

static void test_bufring(void **state)
{
	struct rakis_uring h = good();
	struct bufring b;

	assert_int_equal(bufring_init(&b, &h), 0);
	assert_true(bufring_start(&b, 2));
	assert_int_equal(tail(), 2);
	assert_int_equal(m.bufs[0].addr, (u64)m.data[0]);
	assert_int_equal(m.bufs[0].len, RAKIS_URING_BUF_SIZE);
	assert_int_equal(m.bufs[0].bid, 0);
	assert_int_equal(m.bufs[1].addr, (u64)m.data[1]);
	assert_int_equal(m.bufs[1].bid, 1);
	assert_false(bufring_take(&b, 2));	/* spare */
	assert_false(bufring_take(&b, 4));
	assert_false(bufring_take(&b, 65535));
	assert_true(bufring_take(&b, 1));
	assert_false(bufring_take(&b, 1));	/* twice */
	assert_true(bufring_start(&b, 100));
	assert_false(bufring_start(&b, 1));
	assert_int_equal(tail(), 4);
	bufring_put(&b, 1);
	assert_int_equal(tail(), 5);
	assert_int_equal(m.bufs[0].bid, 1);	/* the first entry again, and its tail */
	assert_int_equal(m.bufs[0].addr, (u64)m.data[1]);
	assert_true(bufring_is_valid(&b));

	/* Over the wrap of the tail; whatever the host writes into the array is overwritten. */
	srand(4);
	for (u32 i = 0; i < 200000; i++) {
		u32 id = rand() % BUFS, at = tail() % BUFS;

		assert_true(bufring_take(&b, id));
		if (rand() % 8 == 0)
			memset(&m.bufs[1], rand(), sizeof(m.bufs[1]));
		bufring_put(&b, id);
		assert_int_equal(m.bufs[at].bid, id);
		assert_int_equal(m.bufs[at].addr, (u64)m.data[id]);
		assert_int_equal(tail(), (u16)(5 + i + 1));
	}
	assert_true(bufring_is_valid(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_layouts, setup),
		cmocka_unit_test_setup(test_submit, setup),
		cmocka_unit_test_setup(test_extend, setup),
		cmocka_unit_test_setup(test_reserve, setup),
		cmocka_unit_test_setup(test_table, setup),
		cmocka_unit_test_setup(test_completions, setup),
		cmocka_unit_test_setup(test_generation_wrap, setup),
		cmocka_unit_test_setup(test_taking, setup),
		cmocka_unit_test_setup(test_lies, setup),
		cmocka_unit_test_setup(test_bufring_layouts, setup),
		cmocka_unit_test_setup(test_bufring, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
