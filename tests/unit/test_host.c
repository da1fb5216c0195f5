/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host that lies. Whatever it answers, and whatever it leaves in the arena, a wrapper gives
 * a result within its bounds, and writes only where it was told to.
 */
#include "cmocka_first.h"
#include "lib/errno.h"
#include "lib/stats.h"

#define CHECK(x) assert_true(x)
#include "host_calls.h"

/* ---- the liar ---- */

static s64 lie;
static int fill;		/* a byte, or -1: at random */
static u64 seed;

/* Spoil what the request names, to the end of its block of 512 bytes at least. */
static void spoil(u64 addr, u32 len)
{
	u8 *p = (u8 *)addr;

	if (!in_arena(addr))
		return;
	len = max(len, (u32)(512 - addr % 512));
	for (u32 i = 0; i < len && in_arena(addr + i); i++)
		p[i] = fill < 0 ? (int)fake_random(&seed) : fill;
}

static s64 liar(const struct rakis_request *rq, u32 slot)
{
	u32 len = rq->opcode == RAKIS_OP_READ || rq->opcode == RAKIS_OP_RECV ? rq->len : 0;

	spoil(rq->addr, min(len, 300000u));
	spoil(rq->off, 0);
	spoil(rq->addr3, 0);
	return lie;
}

static void call_all(bool must_be_fault)
{
	for (u32 i = 0; i < ARRAY_SIZE(calls); i++) {
		u64 faults = stats.enclave.host_faults;
		s64 r;

		rooms_reset();
		gate_self()->notified = 0;
		r = calls[i].fn();
		if (r < -133 || r > calls[i].most)
			fail_msg("%s answers %ld when the host says %ld", calls[i].name, r, lie);
		if (must_be_fault && (r != -EIO || stats.enclave.host_faults == faults))
			fail_msg("%s passes %ld on as %ld", calls[i].name, lie, r);
		if (!guards_hold())
			fail_msg("%s writes outside its buffer when the host says %ld",
				 calls[i].name, lie);
	}
	assert_int_equal(gate_self()->parked, 0);
}

static void test_lies(void **state)
{
	static const s64 faults[] = {
		INT64_MIN + 1, INT32_MIN, -(1ll << 32), -4096, -4095, -ERESTARTSYS, -ERESTARTNOHAND,
		-192, -191,
		INT32_MAX + 1ll, 1ll << 32, (1ll << 32) + 5, INT64_MAX,
	}, results[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 17, 24, 33, 34, 41, 42, 61, 62, 99, 100, 101,
		144, 200, 201,
		299, 300, 301, 1 << 17, (1 << 17) + 1, 300000, 1 << 20, INT32_MAX,
	};
	static const int fills[] = { 0, 0xff, 0x7f, 0x80, 1, '/', -1, -1, -1, -1 };

	fake_answer = liar;
	for (u32 f = 0; f < ARRAY_SIZE(fills); f++) {
		fill = fills[f];
		for (u32 i = 0; i < ARRAY_SIZE(faults); i++) {
			lie = faults[i];
			call_all(true);
		}
		for (u32 i = 0; i < ARRAY_SIZE(results); i++) {
			lie = results[i];
			call_all(false);
		}
		for (lie = -1; lie > -140; lie--)
			call_all(false);
	}
}

/* ---- what is in the arena ---- */

static const void *answer;
static u32 answer_len;
static s64 answer_res;
static enum { AT_ADDR, AT_OFF } answer_at;

static s64 give(const struct rakis_request *rq, u32 slot)
{
	memcpy((void *)(answer_at == AT_ADDR ? rq->addr : rq->off), answer, answer_len);
	return answer_res;
}

static void prepare(const void *data, u32 len, s64 res, int where)
{
	fake_answer = give;
	answer = data;
	answer_len = len;
	answer_res = res;
	answer_at = where;
}

struct dirent { u64 ino, off; u16 reclen; u8 type; char name[13]; };	/* 32 bytes */

static void test_getdents(void **state)
{
	static const struct { u16 first, second; u32 res; bool unterminated, ok; } cases[] = {
		{ 32, 32, 64, false, true }, { 64, 0, 64, false, true },
		{ 24, 40, 64, false, true },
		{ 0, 0, 0, false, true }, { 32, 32, 32, false, true },
		{ 32, 32, 64, true, false },
		{ 32, 0, 64, false, false }, { 0, 32, 64, false, false },
		{ 8, 32, 64, false, false },
		{ 16, 48, 64, false, false }, { 33, 31, 64, false, false },
		{ 30, 34, 64, false, false },
		{ 32, 40, 64, false, false }, { 72, 0, 64, false, false },
		{ 0xffff, 0, 64, false, false },
		{ 0xfff8, 0, 64, false, false }, { 32, 32, 63, false, false },
		{ 32, 32, 33, false, false },
		{ 32, 32, 8, false, false }, { 32, 32, 1, false, false },
		{ 48, 16, 64, false, false },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dirent d[2] = {
			{ .reclen = cases[i].first }, { .reclen = cases[i].second },
		};
		s64 r;

		memcpy(d[0].name, "a", 2);
		/* For records that do not begin at d[1]. */
		if (cases[i].first == 24)
			memcpy((u8 *)d + 24 + 16, &cases[i].second, 2);
		if (cases[i].unterminated)
			memset(d[1].name, 'x', sizeof(d[1].name));
		prepare(d, sizeof(d), cases[i].res, AT_ADDR);
		rooms_reset();
		r = host_getdents(3, room(64), 64, 0);
		if (r != (cases[i].ok ? (s64)cases[i].res : -EIO))
			fail_msg("case %u: %ld", i, r);
		assert_true(guards_hold());
	}
}

static void test_values(void **state)
{
	static const s64 positions[] = { 0, 5, INT64_MAX, -1, -EINVAL, INT64_MIN };
	static const struct { int fds[2]; bool ok; } pairs[] = {
		{ { 3, 4 }, true }, { { 0, INT32_MAX }, true }, { { -1, 4 }, false },
		{ { 3, -1 }, false },
		{ { INT32_MIN, INT32_MIN }, false },
	};
	int out[2];

	for (u32 i = 0; i < ARRAY_SIZE(positions); i++) {
		prepare(&positions[i], 8, 0, AT_ADDR);
		assert_int_equal(host_lseek(3, 0, 1), positions[i] >= 0 ? positions[i] : -EIO);
	}
	for (u32 i = 0; i < ARRAY_SIZE(pairs); i++) {
		prepare(pairs[i].fds, 8, 0, AT_ADDR);
		assert_int_equal(host_socketpair(1, 1, 0, out), pairs[i].ok ? 0 : -EIO);
	}
}

static void test_lengths(void **state)
{
	static const u64 lengths[] = { 0, 16, 127, 128, 129, 0x7fffffff, 0xffffffff, ~0ull };
	struct host_addr *a;
	u8 *value;

	for (u32 i = 0; i < ARRAY_SIZE(lengths); i++) {
		rooms_reset();
		a = addr();
		prepare(&lengths[i], 8, 0, AT_OFF);
		assert_int_equal(host_getsockname(3, a), 0);
		assert_int_equal(a->len, (u32)lengths[i]);
		value = room(20);
		prepare(&lengths[i], 8, 0, AT_OFF);
		assert_int_equal(host_getsockopt(3, 1, 1, value, 20),
				 min(lengths[i] & 0xffffffff, 20ull));
		assert_true(guards_hold());
	}
}

static void test_recvmsg_header(void **state)
{
	static const struct { u32 namelen; u64 controllen; u32 want; } cases[] = {
		{ 16, 0, 0 }, { 128, 24, 24 }, { 129, 25, 24 }, { ~0u, ~0ull, 24 },
		{ 1u << 31, 1ull << 32, 24 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct rakis_msghdr h = {
			.name = 8, .namelen = cases[i].namelen, .iov = 8, .iovlen = ~0ull,
			.control = 8, .controllen = cases[i].controllen, .flags = 0x20,
		};
		struct host_msg m;
		struct iter it;

		rooms_reset();
		m = (struct host_msg){ .addr = addr(), .data = data(&it, 10), .control = room(24),
				       .controllen = 24 };
		prepare(&h, sizeof(h), 4, AT_ADDR);
		assert_int_equal(host_recvmsg(3, &m, 0, HOST_NOWAIT), 4);
		assert_int_equal(m.controllen, cases[i].want);
		assert_int_equal(m.addr->len, cases[i].namelen);
		assert_int_equal(m.flags, 0x20);
		assert_int_equal(it.left, 6);
		assert_true(guards_hold());
	}
}

/* The request is a copy: the host may scribble over it. */
static s64 scribble(const struct rakis_request *rq, u32 slot)
{
	memset((void *)uptr_number(arena_request(slot)), 0xff, sizeof(*rq));
	return 4;
}

static void test_request_spoilt(void **state)
{
	u8 buf[8];

	fake_answer = scribble;
	assert_int_equal(host_pread(3, buf, 8, 0), 4);
	assert_int_equal(host_openat(-100, "/x", 0, 0, NULL), 4);
}

static void test_too_large(void **state)
{
	static struct host_msg m;
	struct iter it;

	iter_kernel(&it, room(8), 8);
	m = (struct host_msg){ .data = &it, .control = pool, .controllen = HOST_CONTROL_MAX + 1 };
	assert_int_equal(host_sendmsg(3, &m, 0, HOST_NOWAIT), -ENOBUFS);
	assert_int_equal(host_poll(NULL, HOST_POLL_MAX + 1, HOST_NOWAIT), -EINVAL);
	assert_int_equal(host_setsockopt(3, 1, 1, pool, (64 << 10) + 1), -EINVAL);
	assert_int_equal(host_setxattr(3, NULL, false, "user.x", pool, (64 << 10) + 1, 0), -E2BIG);
	for (u32 i = 0; i < 256; i++)
		assert_int_equal(fake_requests[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_lies, fake_host_setup),
		cmocka_unit_test_setup(test_getdents, fake_host_setup),
		cmocka_unit_test_setup(test_values, fake_host_setup),
		cmocka_unit_test_setup(test_lengths, fake_host_setup),
		cmocka_unit_test_setup(test_recvmsg_header, fake_host_setup),
		cmocka_unit_test_setup(test_request_spoilt, fake_host_setup),
		cmocka_unit_test_setup(test_too_large, fake_host_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
