/* SPDX-License-Identifier: Apache-2.0 */
/* The accessors of untrusted memory: which addresses pass, and that whole words move. */
#include "cmocka_first.h"
#include <string.h>
#include <sys/mman.h>
#include "fake_fault.h"
#include "fake_host.h"
#include "lib/errno.h"

#define BASE	0x100000ull
#define TOP	0x200000ull
#define GUARD	0xa5a5a5a5a5a5a5a5ull

static const struct {
	u64 addr, len;
	bool ok;
} addresses[] = {
	{ 0, 0, false }, { 0, 8, false },
	{ 8, 0, true }, { 8, 8, true }, { 8, BASE - 8, true },
	{ 8, BASE - 7, false },
	{ 1, 8, false }, { 4, 8, false }, { 15, 1, false },
	{ BASE - 8, 8, true }, { BASE - 8, 9, false }, { BASE - 8, 16, false },
	{ BASE - 1, 1, false },
	{ BASE, 0, false }, { BASE, 1, false }, { BASE, 8, false }, { BASE, TOP - BASE, false },
	{ TOP - 8, 0, false }, { TOP - 8, 8, false }, { TOP - 8, 16, false }, { TOP - 1, 1, false },
	{ TOP, 0, true }, { TOP, 8, true }, { TOP + 1, 8, false },
	/* around the enclave */
	{ BASE - 8, TOP - BASE + 16, false }, { 8, TOP, false }, { 8, ~0ull - 8, false },
	/* past the end of everything */
	{ ~7ull, 7, true }, { ~7ull, 8, false }, { ~7ull, ~0ull, false }, { 16, ~0ull, false },
	{ TOP, ~0ull - TOP, true }, { TOP, ~0ull - TOP + 1, false },
};

/* An enclave begins at 0. */
static const struct {
	u64 addr, len;
	bool ok;
} from_zero[] = {
	{ 0, 0, false }, { 0, 8, false }, { 8, 0, false }, { 8, 8, false }, { TOP - 8, 8, false },
	{ TOP - 8, 16, false }, { TOP, 8, true }, { TOP, ~0ull - TOP, true },
	{ TOP, ~0ull - TOP + 1, false }, { ~7ull, 7, true }, { ~7ull, 8, false },
	{ ~7ull, 16, false },
};

static void test_check_from_zero(void **state)
{
	untrusted_init(0, TOP);
	for (u32 i = 0; i < ARRAY_SIZE(from_zero); i++) {
		struct uptr p;

		assert_int_equal(uptr_check(from_zero[i].addr, from_zero[i].len, &p),
				 from_zero[i].ok);
	}
}

static void test_check(void **state)
{
	untrusted_init(BASE, TOP - BASE);
	for (u32 i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct uptr p = { 0x1234 };
		bool ok = uptr_check(addresses[i].addr, addresses[i].len, &p);

		if (ok != addresses[i].ok)
			fail_msg("[%lx, +%lx): %d", addresses[i].addr, addresses[i].len, ok);
		assert_int_equal(uptr_number(p), ok ? addresses[i].addr : 0);
		assert_int_equal(uptr_is_null(p), !ok);
	}
	untrusted_init(gate_layout.base, gate_layout.size);
}

/* A page of untrusted memory; behind its end there is nothing. */
static u8 *page;
static u8 pattern[64];

static int setup(void **state)
{
	fake_host_setup(state);
	page = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	for (u32 i = 0; i < sizeof(pattern); i++)
		pattern[i] = i + 1;
	return page == MAP_FAILED || mprotect(page + PAGE_SIZE, PAGE_SIZE, PROT_NONE);
}

/* The last `n` bytes in whole words, and a guard word in front of them. */
static struct uptr at_end(size_t n)
{
	u8 *p = page + PAGE_SIZE - ALIGN_UP(n, 8);
	struct uptr out;

	memcpy(p - 8, &(u64){ GUARD }, 8);
	assert_true(uptr_check((u64)p, ALIGN_UP(n, 8), &out));
	return out;
}

static bool is_guard(const void *p)
{
	return memcmp(p, &(u64){ GUARD }, 8) == 0;
}

static void check_written(struct uptr p, size_t n)
{
	const u8 *at = (const u8 *)uptr_number(p);

	assert_memory_equal(at, pattern, n);
	for (size_t i = n; i < ALIGN_UP(n, 8); i++)
		assert_int_equal(at[i], 0);
	assert_true(is_guard(at - 8));
}

static void test_every_length(void **state)
{
	struct { u64 before; u8 data[64 + 8]; } in;

	for (size_t n = 0; n <= 64; n++) {
		struct uptr p = at_end(n);

		memset((void *)uptr_number(p), 0xee, ALIGN_UP(n, 8));
		untrusted_write(p, pattern, n);
		check_written(p, n);

		/* The rest of the last word does not come along. */
		memset((void *)uptr_number(p), 0xee, ALIGN_UP(n, 8));
		memcpy((void *)uptr_number(p), pattern, n);
		memset(&in, 0xa5, sizeof(in));
		untrusted_read(in.data, p, n);
		assert_memory_equal(in.data, pattern, n);
		assert_true(is_guard(&in.before) && is_guard(in.data + n));
	}
}

static void test_words(void **state)
{
	struct uptr p = at_end(16);

	untrusted_store(p, 1);
	untrusted_store(uptr_add(p, 8), ~0ull);
	assert_int_equal(untrusted_load(p), 1);
	assert_int_equal(untrusted_load(uptr_add(p, 8)), ~0ull);
}

static void test_user_every_length(void **state)
{
	for (size_t n = 1; n <= 64; n++) {
		for (u64 shift = 0; shift < 8; shift++) {
			u8 *g = fake_guest + PAGE_SIZE + shift;
			struct uptr p = at_end(n);

			memset((void *)uptr_number(p), 0xee, ALIGN_UP(n, 8));
			memcpy(g, pattern, n);
			assert_int_equal(untrusted_write_user(p, (u64)g, n), 0);
			check_written(p, n);

			memset(g - 8, 0xa5, n + 16);
			assert_int_equal(untrusted_read_user((u64)g, p, n), 0);
			assert_memory_equal(g, pattern, n);
			assert_true(is_guard(g - 8) && is_guard(g + n));
		}
	}
}

static void test_user_bad_addresses(void **state)
{
	const u64 base = gate_layout.base, heap = gate_layout.heap, hole = base + FAKE_HOLE;
	static const u32 lengths[] = { 1, 7, 8, 9, 64 };

	fake_catch_faults();
	for (u32 i = 0; i < ARRAY_SIZE(lengths); i++) {
		u64 n = lengths[i];
		const u64 bad[] = {
			0, 1, base - 1, base - n, heap - n + 1, heap, heap + 8, ~0ull, -n,
			(u64)pattern, hole, hole - n + 1, hole + PAGE_SIZE - 1,
		};
		const u64 good[] = { base, heap - n, hole - n, hole + PAGE_SIZE };
		struct uptr p = at_end(n);

		for (u32 k = 0; k < ARRAY_SIZE(bad); k++) {
			assert_int_equal(untrusted_read_user(bad[k], p, n), -EFAULT);
			assert_int_equal(untrusted_write_user(p, bad[k], n), -EFAULT);
		}
		for (u32 k = 0; k < ARRAY_SIZE(good); k++) {
			assert_int_equal(untrusted_read_user(good[k], p, n), 0);
			assert_int_equal(untrusted_write_user(p, good[k], n), 0);
		}
	}
	assert_int_equal(untrusted_read_user(base, at_end(8), ~0ull), -EFAULT);
	assert_int_equal(untrusted_write_user(at_end(8), base, ~0ull), -EFAULT);
}

static u32 hooked;

static bool bring_in(u64 addr, u64 len, bool write)
{
	u8 *hole = fake_guest + FAKE_HOLE;

	assert_true(addr < (u64)hole + PAGE_SIZE && addr + len > (u64)hole);
	hooked++;
	return mprotect(hole, PAGE_SIZE, PROT_READ | PROT_WRITE) == 0;
}

static void test_user_any_alignment(void **state)
{
	static u64 block[16];
	u8 *src = (u8 *)block, *dst = fake_guest + 64;

	fake_catch_faults();
	for (u32 i = 0; i < sizeof(block); i++)
		src[i] = i + 1;
	for (u32 shift = 0; shift < 8; shift++) {
		for (u32 n = 0; n <= 50; n++) {
			struct uptr p = { (u64)src + shift };

			memset(dst - 8, 0xee, 80);
			assert_int_equal(untrusted_read_user_any((u64)dst, p, n), 0);
			assert_memory_equal(dst, src + shift, n);
			assert_int_equal(dst[-1], 0xee);
			assert_int_equal(dst[n], 0xee);
		}
	}
	/* A page that is not there, met in the middle; an address that is not the guest's. */
	assert_int_equal(untrusted_read_user_any((u64)fake_guest + FAKE_HOLE - 20,
						 (struct uptr){ (u64)src + 3 }, 50), -EFAULT);
	assert_int_equal(untrusted_read_user_any((u64)block, (struct uptr){ (u64)src }, 16), -EFAULT);
	assert_int_equal(untrusted_read_user_any((u64)block, (struct uptr){ (u64)src }, 3), -EFAULT);
}

static void test_user_second_try(void **state)
{
	u8 *hole = fake_guest + FAKE_HOLE;
	struct uptr p = at_end(61);

	fake_catch_faults();
	usercopy_fault_hook = bring_in;
	untrusted_write(p, pattern, 61);
	for (u32 back = 0; back <= 64; back++) {
		assert_int_equal(mprotect(hole, PAGE_SIZE, PROT_NONE), 0);
		hooked = 0;
		assert_int_equal(untrusted_read_user((u64)hole - back, p, 61), 0);
		assert_int_equal(hooked, back < 61);
		if (hooked)
			assert_memory_equal(hole - back, pattern, 61);
	}
	usercopy_fault_hook = NULL;
	assert_int_equal(mprotect(hole, PAGE_SIZE, PROT_NONE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_from_zero),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_user_every_length),
		cmocka_unit_test(test_user_bad_addresses),
		cmocka_unit_test(test_user_any_alignment),
		cmocka_unit_test(test_user_second_try),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
