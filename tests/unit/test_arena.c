/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of the arena: apart from each other, all of them usable, by many threads. */
#include "cmocka_first.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"
#include "hostio/arena.h"
#include "lib/lock.h"

#define BLOCKS	(2048 + 512 + 128 + 16)
#define THREADS	4
#define ROUNDS	20000

static struct arena_buf blocks[BLOCKS + 1];
static u32 count;

static int by_address(const void *a, const void *b)
{
	const struct arena_buf *x = a, *y = b;

	return uptr_number(x->p) < uptr_number(y->p) ? -1 : 1;
}

/* The blocks lie in the arena behind the requests, aligned, and none overlaps another. */
static void check_apart(void)
{
	u64 end = uptr_number(arena_request(0)) + RAKIS_SLOT_COUNT * sizeof(struct rakis_request);
	const u64 top = uptr_number(arena_request(0)) + arena_size_needed();

	qsort(blocks, count, sizeof(*blocks), by_address);
	for (u32 i = 0; i < count; i++) {
		assert_true(uptr_number(blocks[i].p) >= end && uptr_number(blocks[i].p) % 8 == 0);
		end = uptr_number(blocks[i].p) + blocks[i].size;
	}
	assert_true(end <= top);
}

static void get(size_t size)
{
	arena_get(&blocks[count], size);
	assert_true(blocks[count].size >= size && blocks[count].size % 8 == 0);
	count++;
}

static void put_one(void)
{
	assert_true(count > 0);
	arena_put(&blocks[--count]);
	assert_true(uptr_is_null(blocks[count].p));
}

static void put_all(void)
{
	while (count)
		put_one();
}

static void test_sizes(void **state)
{
	static const u32 sizes[] = {
		0, 1, 511, 512, 513, 8191, 8192, 8193, 131071, 131072, 131073, RAKIS_REQ_MAX_BYTES,
	};

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++)
		get(sizes[i]);
	check_apart();
	put_all();
}

/* Small blocks run out, then larger ones serve; each class by itself too. */
static void test_all_blocks(void **state)
{
	static const u32 sizes[] = { 1, 513, 8193, 131073 }, left[] = { BLOCKS, 656, 144, 16 };

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (u32 round = 0; round < 2; round++) {
			while (count < left[i])
				get(sizes[i]);
			check_apart();
			put_all();
		}
	}
}

static void test_waits_for_a_block(void **state)
{
	void (*yield)(void) = lock_yield;
	struct arena_buf b;

	while (count < 16)
		get(RAKIS_REQ_MAX_BYTES);
	lock_yield = put_one;
	arena_get(&b, RAKIS_REQ_MAX_BYTES);
	assert_int_equal(count, 15);
	lock_yield = yield;
	arena_put(&b);
	put_all();
}

static void *stress(void *arg)
{
	u32 slot = (u32)(u64)arg;
	struct arena_buf held[12] = { 0 };
	u64 seed = slot + 1;

	fake_host_enter(slot);
	for (u32 i = 0; i < ROUNDS; i++) {
		struct arena_buf *b = &held[fake_below(&seed, ARRAY_SIZE(held))];
		u64 mark = (u64)b << 8 | slot;

		if (uptr_is_null(b->p)) {
			arena_get(b, 1u << fake_below(&seed, 21));
			untrusted_store(b->p, mark);
			untrusted_store(uptr_add(b->p, b->size - 8), mark);
		} else {
			assert_int_equal(untrusted_load(b->p), mark);
			assert_int_equal(untrusted_load(uptr_add(b->p, b->size - 8)), mark);
			arena_put(b);
		}
	}
	for (u32 i = 0; i < ARRAY_SIZE(held); i++)
		if (!uptr_is_null(held[i].p))
			arena_put(&held[i]);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];

	for (u64 i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, stress, (void *)i), 0);
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* Nothing was lost. */
	while (count < BLOCKS)
		get(1);
	check_apart();
	put_all();
}

static void test_requests_apart(void **state)
{
	for (u32 i = 1; i < RAKIS_SLOT_COUNT; i++)
		assert_int_equal(uptr_number(arena_request(i)) - uptr_number(arena_request(i - 1)),
				 sizeof(struct rakis_request));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_all_blocks),
		cmocka_unit_test(test_waits_for_a_block),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_requests_apart),
	};

	return cmocka_run_group_tests(tests, fake_host_setup, NULL);
}
