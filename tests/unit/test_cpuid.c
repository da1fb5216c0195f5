/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID from the host's table: what an enclave lacks is taken out, what is dangerous is made. */
#include "cmocka_first.h"
#include <string.h>
#include "fastpath/untrusted.h"
#include "lib/log.h"
#include "libos/cpuid.h"

static u64 mask;
static u32 size;

u64 gate_xstate_mask(void) { return mask; }
u32 gate_xstate_size(void) { return size; }

static jmp_buf died;
static void die(void) { longjmp(died, 1); }

static _Alignas(8) struct rakis_cpuid table[32];
static u32 entries;

static void add(u32 leaf, u32 subleaf, u32 a, u32 b, u32 c, u32 d)
{
	table[entries++] = (struct rakis_cpuid){ leaf, subleaf, a, b, c, d };
}

/* True if the libOS takes the table. */
static bool init(u64 n)
{
	struct rakis_boot boot = { .cpuid = (u64)table, .ncpuid = n };

	if (setjmp(died))
		return false;
	cpuid_init(&boot);
	return true;
}

static struct regs cpuid(u32 leaf, u32 subleaf)
{
	/* What is above the low halves does not count, and is cleared. */
	struct regs r = { .rax = leaf | 5ull << 32, .rcx = subleaf | 6ull << 32, .rbx = ~0ull,
			  .rdx = ~0ull };

	cpuid_emulate(&r);
	return r;
}

static int setup(void **state)
{
	log_die = die;
	untrusted_init(0, 1 << 20);
	memset(table, 0, sizeof(table));
	entries = 0;
	mask = 0xe7;
	size = 2688;
	return 0;
}

static void test_features(void **state)
{
	struct regs r;

	add(0, 0, 0x20, 1, 2, 3);
	add(1, 0, ~0u, ~0u, ~0u, ~0u);
	add(7, 0, ~0u, ~0u, ~0u, ~0u);
	add(7, 1, ~0u, ~0u, ~0u, ~0u);
	add(0x12, 0, ~0u, ~0u, ~0u, ~0u);
	add(0x12, 1, ~0u, ~0u, ~0u, ~0u);
	assert_true(init(entries));
	r = cpuid(1, 77);
	assert_int_equal(r.rcx, ~(1u << 3 | 1u << 5 | 1u << 6));
	assert_int_equal(r.rdx, ~0u);
	r = cpuid(7, 0);
	assert_int_equal(r.rbx & (1u << 2 | 1u << 14), 0);
	assert_int_equal(r.rbx & (1u << 16 | 1u << 5), 1u << 16 | 1u << 5);
	assert_int_equal(r.rdx & (7u << 22 | 1u << 25), 1u << 23);
	assert_int_equal(cpuid(7, 1).rax, ~0u);
	assert_int_equal(cpuid(7, 2).rax, 0);
	assert_int_equal(cpuid(0x12, 0).rax | cpuid(0x12, 1).rbx, 0);
	assert_int_equal(cpuid(0, 9).rax, 0x20);
	assert_int_equal(cpuid(0x99, 0).rbx, 0);

	mask = 7;
	assert_true(init(entries));
	assert_int_equal(cpuid(7, 0).rbx & (1u << 16 | 1u << 5), 1u << 5);
	mask = 3;
	assert_true(init(entries));
	assert_int_equal(cpuid(1, 0).rcx & (1u << 12 | 1u << 28 | 1u << 27), 1u << 27);
}

static void test_xstate(void **state)
{
	struct regs r;

	/* Sizes that would have a program save less room than XSAVE fills. */
	add(0xd, 0, ~0u, 16, 16, ~0u);
	add(0xd, 1, ~0u, 16, ~0u, ~0u);
	add(0xd, 2, 16, 576, ~0u, ~0u);
	add(0xd, 7, 16, 2688 - 1024, 0, 0);
	add(0xd, 9, 8, 2688, 0, 0);
	assert_true(init(entries));
	r = cpuid(0xd, 0);
	assert_int_equal(r.rax, 0xe7);
	assert_int_equal(r.rbx, 2688);
	assert_int_equal(r.rcx, 2688);
	assert_int_equal(r.rdx, 0);
	r = cpuid(0xd, 1);
	assert_int_equal(r.rax, 7);
	assert_int_equal(r.rbx, 2688);
	assert_int_equal(r.rcx | r.rdx, 0);
	assert_int_equal(cpuid(0xd, 2).rax, 256);
	assert_int_equal(cpuid(0xd, 2).rbx, 576);
	assert_int_equal(cpuid(0xd, 7).rax, 1024);
	assert_int_equal(cpuid(0xd, 9).rax | cpuid(0xd, 9).rbx, 0);
}

static void test_lies(void **state)
{
	static const u32 offsets[] = { 0, 575, 2688 - 255, 2688, ~0u, ~0u - 255 };

	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		entries = 0;
		add(0xd, 2, 256, offsets[i], 0, 0);
		assert_false(init(entries));
	}
	assert_false(init(1ull << 60));
	assert_false(init(257));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_features, setup),
		cmocka_unit_test_setup(test_xstate, setup),
		cmocka_unit_test_setup(test_lies, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
