/* SPDX-License-Identifier: Apache-2.0 */
/* Scatter lists against a flat model; faults in the middle; Linux's limits. */
#include "cmocka_first.h"
#include <string.h>
#include "fake_fault.h"
#include "fake_host.h"
#include "lib/errno.h"

#define AREA	8192u		/* of guest memory, where the buffers lie */
#define MOST	(20 * 48)	/* bytes of one list */
#define LISTS	3000

static u64 seed = 1;
static u8 model[AREA];		/* what the area must hold */
static u32 place[MOST];		/* offset in the area of each byte of the list */
static u32 total;
static struct arena_buf block;

static int setup(void **state)
{
	fake_host_setup(state);
	arena_get(&block, 2 * MOST);
	return 0;
}

static u64 arena_at(u32 off)
{
	return uptr_number(block.p) + off;
}

/* A list of up to 20 stretches that do not touch, in the guest or in one buffer of ours. */
static void make(struct iter *it)
{
	struct user_iovec *v = (void *)(fake_guest + AREA);
	u32 n = fake_below(&seed, 21), at = 0;

	total = 0;
	if (fake_below(&seed, 8) == 0) {
		total = fake_below(&seed, MOST);
		at = fake_below(&seed, 16);
		for (u32 k = 0; k < total; k++)
			place[k] = at + k;
		iter_kernel(it, fake_guest + at, total);
		return;
	}
	for (u32 i = 0; i < n; i++) {
		at += 1 + fake_below(&seed, 40);
		v[i].base = (u64)fake_guest + at;
		v[i].len = fake_below(&seed, 3) ? fake_below(&seed, 48) : fake_below(&seed, 4);
		for (u32 k = 0; k < v[i].len; k++)
			place[total++] = at++;
	}
	assert_int_equal(iter_import(it, (u64)v, n), 0);
}

enum { WRITE, READ, FROM_ARENA, TO_ARENA, ZERO, BACK, OPS };

static u32 step(struct iter *it, u32 pos)
{
	u32 op = fake_below(&seed, OPS), n = fake_below(&seed, 130), got = min(n, total - pos);
	u8 data[130 + 16];

	memset(data, 0xa5, sizeof(data));
	switch (op) {
	case WRITE:
	case FROM_ARENA:
		for (u32 k = 0; k < got; k++)
			data[k] = model[place[pos + k]] = fake_random(&seed);
		memcpy((void *)arena_at(0), data, sizeof(data));
		assert_int_equal(op == WRITE ? iter_write(it, data, n) :
				 iter_from_arena(it, block.p, n), got);
		break;
	case READ:
		assert_int_equal(iter_read(it, data, n), got);
		for (u32 k = 0; k < sizeof(data); k++)
			assert_int_equal(data[k], k < got ? model[place[pos + k]] : 0xa5);
		break;
	case TO_ARENA:
		memset((void *)arena_at(0), 0xa5, sizeof(data));
		assert_int_equal(iter_to_arena(it, block.p, n), got);
		memcpy(data, (void *)arena_at(0), sizeof(data));
		for (u32 k = 0; k < sizeof(data); k++)
			assert_int_equal(data[k], k < got ? model[place[pos + k]] :
					 k < ALIGN_UP(got, 8) ? 0 : 0xa5);
		break;
	case ZERO:
		assert_int_equal(iter_zero(it, n), 0);
		for (u32 k = 0; k < got; k++)
			model[place[pos + k]] = 0;
		break;
	case BACK:
		got = min(n, pos);
		iter_back(it, got);
		return pos - got;
	}
	return pos + got;
}

static void test_against_the_model(void **state)
{
	memset(fake_guest, 0xcc, AREA);
	memset(model, 0xcc, AREA);
	for (u32 i = 0; i < LISTS; i++) {
		struct iter it;
		u32 pos = 0;

		make(&it);
		assert_int_equal(it.left, total);
		for (u32 k = 0; k < 20; k++) {
			pos = step(&it, pos);
			assert_int_equal(it.left, total - pos);
		}
		assert_memory_equal(fake_guest, model, AREA);
		iter_release(&it);
		assert_int_equal(it.left, 0);
	}
}

static ssize_t do_write(struct iter *it, u32 n)
{
	static const u8 data[256];

	return iter_write(it, data, n);
}

static ssize_t do_read(struct iter *it, u32 n)
{
	u8 data[256];

	return iter_read(it, data, n);
}

static ssize_t do_from_arena(struct iter *it, u32 n)
{
	return iter_from_arena(it, block.p, n);
}

static ssize_t do_to_arena(struct iter *it, u32 n)
{
	return iter_to_arena(it, block.p, n);
}

static ssize_t (*const moves[])(struct iter *it, u32 n) = {
	do_write, do_read, do_from_arena, do_to_arena,
};

/* Good stretches of some lengths, then one that faults: what came before it counts. */
static void test_fault_in_the_middle(void **state)
{
	static const u32 before[][3] = {
		{ 0, 0, 0 }, { 1, 0, 0 }, { 7, 0, 0 }, { 8, 0, 0 }, { 9, 3, 5 }, { 1, 1, 1 },
		{ 64, 16, 8 },
	};
	struct user_iovec *v = (void *)(fake_guest + AREA);
	const u64 hole = (u64)fake_guest + FAKE_HOLE;
	/* all of it bad; a first good byte; a last one */
	const struct user_iovec bad[] = {
		{ hole, 32 }, { hole - 1, 32 }, { hole + PAGE_SIZE - 31, 32 },
	};

	fake_catch_faults();
	for (u32 m = 0; m < ARRAY_SIZE(moves); m++) {
		for (u32 i = 0; i < ARRAY_SIZE(before) * ARRAY_SIZE(bad); i++) {
			const u32 *len = before[i % ARRAY_SIZE(before)];
			const u32 good = len[0] + len[1] + len[2];
			struct iter it;
			ssize_t n;

			for (u32 k = 0; k < 3; k++)
				v[k] = (struct user_iovec){ (u64)fake_guest + 100 * k + k, len[k] };
			v[3] = bad[i / ARRAY_SIZE(before)];
			v[4] = (struct user_iovec){ (u64)fake_guest, 8 };
			assert_int_equal(iter_import(&it, (u64)v, 5), 0);
			n = moves[m](&it, 200);
			/* A first good byte may or may not be counted. */
			if (n > good)
				assert_true(v[3].base == hole - 1 && n < good + 32);
			else
				assert_int_equal(n, good ? (ssize_t)good : -EFAULT);
			assert_int_equal(it.left, good + 40 - max(n, 0l));
			assert_int_equal(moves[m](&it, 200), -EFAULT);
			iter_release(&it);
		}
	}
}

static void test_zero_faults(void **state)
{
	struct iter it;

	fake_catch_faults();
	assert_int_equal(iter_buf(&it, (u64)fake_guest + FAKE_HOLE, 8), 0);
	assert_int_equal(iter_zero(&it, 8), -EFAULT);
}

static void test_buf(void **state)
{
	const u64 base = gate_layout.base, heap = gate_layout.heap;
	const struct { u64 addr, len; int err; } cases[] = {
		{ 0, 0, 0 }, { ~0ull, 0, 0 }, { base, 1, 0 }, { base, heap - base, 0 },
		{ heap - 1, 1, 0 },
		{ 0, 1, -EFAULT }, { base - 1, 1, -EFAULT }, { heap, 1, -EFAULT },
		{ heap - 1, 2, -EFAULT }, { ~0ull, 1, -EFAULT }, { base, ~0ull, -EFAULT },
	};
	struct iter it;

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(iter_buf(&it, cases[i].addr, cases[i].len), cases[i].err);
		if (!cases[i].err)
			assert_int_equal(it.left, cases[i].len);
	}
}

static void test_import(void **state)
{
	struct user_iovec *v = (void *)fake_guest, good = { gate_layout.base + 64 * PAGE_SIZE, 16 };
	const u64 uiov = (u64)v, heap = gate_layout.heap;
	struct iter it;

	fake_catch_faults();
	for (u32 i = 0; i < IOV_MAX; i++)
		v[i] = good;
	assert_int_equal(iter_import(&it, uiov, 0), 0);
	assert_int_equal(it.left, 0);
	assert_int_equal(iter_import(&it, 0, 0), 0);
	assert_int_equal(iter_import(&it, uiov, IOV_MAX), 0);
	assert_int_equal(it.left, IOV_MAX * 16);
	iter_release(&it);
	assert_int_equal(iter_import(&it, uiov, IOV_MAX + 1), -EINVAL);
	assert_int_equal(iter_import(&it, uiov, ~0ull), -EINVAL);
	assert_int_equal(iter_import(&it, 8, 1), -EFAULT);
	assert_int_equal(iter_import(&it, gate_layout.base + FAKE_HOLE - 8, 1), -EFAULT);
	assert_int_equal(iter_import(&it, heap - 8, 1), -EFAULT);

	v[9].len = 1ull << 63;
	assert_int_equal(iter_import(&it, uiov, 10), -EINVAL);
	assert_int_equal(iter_import(&it, uiov, 9), 0);
	iter_release(&it);
	v[9] = (struct user_iovec){ 8, 1 };
	assert_int_equal(iter_import(&it, uiov, 10), -EFAULT);
	v[9] = (struct user_iovec){ 8, 0 };
	assert_int_equal(iter_import(&it, uiov, 10), 0);
	iter_release(&it);

	/* Nothing moves more than MAX_RW_COUNT; only the range is looked at here. */
	gate_layout.heap += 8ull << 30;
	v[0].len = v[1].len = 1ull << 32;
	v[2].len = INT64_MAX;
	assert_int_equal(iter_import(&it, uiov, 3), 0);
	assert_int_equal(it.left, 0x7ffff000);
	iter_release(&it);
	assert_int_equal(iter_buf(&it, good.base, ~0ull), 0);
	assert_int_equal(it.left, 0x7ffff000);
	gate_layout.heap = heap;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_the_model),
		cmocka_unit_test(test_fault_in_the_middle),
		cmocka_unit_test(test_zero_faults),
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_import),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
