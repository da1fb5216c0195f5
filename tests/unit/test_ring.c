/* SPDX-License-Identifier: Apache-2.0 */
/* The one ring type: tables of edge cases, and a host that lies at every read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fake_untrusted.h"
#include "fastpath/ring.h"

#define SIZE	8u

static u64 mem[16];

static struct ring_index at(u32 off)
{
	struct ring_index idx;

	assert_true(ring_index_at(&idx, fake_uptr(mem), sizeof(mem), off));
	return idx;
}

static void set(u32 off, u32 v)
{
	memcpy((char *)mem + off, &v, 4);
}

static u32 get(u32 off)
{
	u32 v;

	memcpy(&v, (char *)mem + off, 4);
	return v;
}

static int setup(void **state)
{
	memset(mem, 0, sizeof(mem));
	fake_untrusted(mem, sizeof(mem));
	return 0;
}

static void test_index_at(void **state)
{
	static const struct {
		u64 off, map;
		bool good;
		u32 word, shift;
	} t[] = {
		{ 0, 128, true, 0, 0 },		{ 4, 128, true, 0, 32 },
		{ 8, 128, true, 8, 0 },		{ 124, 128, true, 120, 32 },
		{ 120, 128, true, 120, 0 },	{ 128, 128, false },
		{ 132, 128, false },		{ 1, 128, false },
		{ 2, 128, false },		{ 6, 128, false },
		{ ~0ull, 128, false },		{ ~0ull - 3, 128, false },
		{ 1ull << 32, 128, false },	{ 0, 0, false },
		{ 0, 4, false },		{ 0, 7, false },
		{ 4, 8, true, 0, 32 },		{ 8, 12, false },
	};

	for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
		struct ring_index idx;

		assert_int_equal(ring_index_at(&idx, fake_uptr(mem), t[i].map, t[i].off), t[i].good);
		if (t[i].good) {
			assert_int_equal(uptr_number(idx.word), (u64)mem + t[i].word);
			assert_int_equal(idx.shift, t[i].shift);
		}
	}
}

static void test_init(void **state)
{
	static const struct {
		u32 size, prod, cons;
		bool good;
	} t[] = {
		{ 0, 0, 0, false },		{ 1, 0, 0, true },
		{ 2, 0, 0, true },		{ 3, 0, 0, false },
		{ 8, 0, 0, true },		{ 7, 0, 0, false },
		{ 1u << 20, 0, 0, true },	{ 1u << 21, 0, 0, false },
		{ 1u << 31, 0, 0, false },	{ ~0u, 0, 0, false },
		{ 8, 8, 0, true },		{ 8, 9, 0, false },
		{ 8, 0, 1, false },		{ 8, 3, 0xfffffffe, true },
		{ 8, 7, 0xfffffffe, false },	{ 8, 0xffffffff, 0xffffffff, true },
	};

	for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
		for (int producer = 0; producer < 2; producer++) {
			struct ring r;
			int err;

			set(0, t[i].prod);
			set(4, t[i].cons);
			err = ring_init(&r, producer, t[i].size, at(producer ? 0 : 4), at(producer ? 4 : 0));
			assert_int_equal(err == 0, t[i].good);
		}
	}
}

/* What the other side may say, by the distance it stands for. */
static void test_refresh(void **state)
{
	static const u32 starts[] = { 0, 1, 7, 8, 9, 0x7fffffff, 0x80000000, 0xfffffff7, 0xfffffff8,
				      0xfffffff9, 0xffffffff };
	static const struct {
		u32 ahead;		/* of producer before consumer */
		bool good;
	} t[] = {
		{ 0, true }, { 1, true }, { 7, true }, { 8, true }, { 9, false }, { 16, false },
		{ 0x7fffffff, false }, { 0x80000000, false }, { 0xfffffff8, false }, { 0xffffffff, false },
	};

	for (u32 s = 0; s < ARRAY_SIZE(starts); s++) {
		for (u32 i = 0; i < ARRAY_SIZE(t); i++) {
			struct ring p, c;

			set(0, starts[s]);
			set(4, starts[s]);
			assert_int_equal(ring_init(&p, true, SIZE, at(0), at(4)), 0);
			assert_int_equal(ring_init(&c, false, SIZE, at(4), at(0)), 0);
			set(0, starts[s] + t[i].ahead);
			ring_refresh(&c);
			assert_int_equal(ring_used(&c), t[i].good ? t[i].ahead : 0);
			assert_int_equal(c.faults, !t[i].good);
			set(4, starts[s] - t[i].ahead);
			ring_refresh(&p);
			assert_int_equal(ring_used(&p), t[i].good ? t[i].ahead : 0);
			assert_int_equal(p.faults, !t[i].good);
			assert_true(ring_is_valid(&p) && ring_is_valid(&c));
		}
	}
}

static void test_full_and_empty(void **state)
{
	struct ring p, c;

	set(0, 0xfffffffc);
	set(4, 0xfffffffc);
	assert_int_equal(ring_init(&p, true, SIZE, at(0), at(4)), 0);
	assert_int_equal(ring_init(&c, false, SIZE, at(4), at(0)), 0);
	assert_int_equal(ring_available(&c, 1), 0);
	for (u32 i = 0; i < SIZE; i++) {
		assert_int_equal(ring_available(&p, SIZE + 1), SIZE - i);
		assert_int_equal(ring_slot(&p, 0), (0xfffffffc + i) % SIZE);
		ring_advance(&p, 1);
	}
	assert_int_equal(get(0), 4);
	assert_int_equal(ring_available(&p, 1), 0);
	for (u32 i = 0; i < SIZE; i++) {
		assert_int_equal(ring_available(&c, SIZE + 1), SIZE - i);
		assert_int_equal(ring_slot(&c, 0), (0xfffffffc + i) % SIZE);
		ring_advance(&c, 1);
		assert_int_equal(ring_available(&p, SIZE), i + 1);
	}
	assert_int_equal(ring_available(&c, 1), 0);
	assert_int_equal(get(4), 4);
}

/* A producer and a consumer, in batches, over the wrap of the indices. */
static void test_batches(void **state)
{
	u32 data[SIZE], in = 0, out = 0;
	struct ring p, c;

	srand(1);
	set(8, 0xfffff000);
	set(64, 0xfffff000);
	assert_int_equal(ring_init(&p, true, SIZE, at(8), at(64)), 0);
	assert_int_equal(ring_init(&c, false, SIZE, at(64), at(8)), 0);
	while (in < 20000) {
		u32 n = ring_available(&p, rand() % (SIZE + 1));

		for (u32 i = 0; i < n; i++)
			data[ring_slot(&p, i)] = in++;
		ring_advance(&p, n);
		n = ring_available(&c, rand() % (SIZE + 1));
		for (u32 i = 0; i < n; i++)
			assert_int_equal(data[ring_slot(&c, i)], out++);
		ring_advance(&c, n);
	}
	assert_true(p.own < 0xfffff000);
	assert_int_equal(p.faults + c.faults, 0);
}

/* Our own index is stored, never read; what lies beside it is left alone. */
static void test_own_index(void **state)
{
	struct ring p;

	assert_int_equal(ring_init(&p, true, SIZE, at(0), at(64)), 0);
	set(4, 0xabcdef);
	ring_advance(&p, 1);
	set(0, 77);
	assert_int_equal(ring_available(&p, SIZE), SIZE - 1);
	ring_advance(&p, 1);
	assert_int_equal(get(0), 2);
	assert_int_equal(get(4), 0xabcdef);
}

static u32 span;

static u64 liar(u64 addr, u64 v)
{
	u32 lo = rand() % 3 ? v + rand() % span : (u32)rand() << 16 ^ rand();
	u32 hi = rand() % 3 ? (v >> 32) + rand() % span : (u32)rand() << 16 ^ rand();

	return lo | (u64)hi << 32;
}

static void test_lies(void **state)
{
	struct ring p, c;

	srand(2);
	set(0, 0xffffff00);
	set(4, 0xffffff00);
	assert_int_equal(ring_init(&p, true, SIZE, at(0), at(4)), 0);
	assert_int_equal(ring_init(&c, false, SIZE, at(4), at(0)), 0);
	fake_load = liar;
	for (u32 i = 0; i < 200000; i++) {
		u32 n;

		span = 1 + rand() % 20;
		n = ring_available(&p, rand() % 12);
		assert_true(n <= SIZE);
		for (u32 k = 0; k < n; k++)
			assert_true(ring_slot(&p, k) < SIZE);
		ring_advance(&p, n);
		n = ring_available(&c, rand() % 12);
		assert_true(n <= SIZE);
		ring_advance(&c, n);
		assert_true(ring_is_valid(&p) && ring_is_valid(&c));
	}
	assert_true(p.faults && c.faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_index_at, setup),
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_refresh, setup),
		cmocka_unit_test_setup(test_full_and_empty, setup),
		cmocka_unit_test_setup(test_batches, setup),
		cmocka_unit_test_setup(test_own_index, setup),
		cmocka_unit_test_setup(test_lies, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
