/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patch tables: which bytes around a system call may move. First on sites made for it
 * (sites.S), then the patched code is run; at last the C library of this machine.
 * With arguments: prints for each file named how many sites it has and how long that took.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <link.h>

#include "elf/elf.h"
#include "fake_guest.h"
#include "host/patch_table.h"
#include "lib/stats.h"

int open(const char *path, int flags, ...);
int clock_gettime(int id, long ts[2]);

enum { MOST = 8192 };

static struct rakis_patch table[MOST];
static char *sites_path;
static void *sites;
static u64 sites_base;

static int read_table(const char *path)
{
	int fd = open(path, 0), n;

	assert_true(fd >= 0);
	n = patch_table(fd, table, MOST, 0);
	close(fd);
	return n;
}

static u64 address_of(const char *name)
{
	void *p = dlsym(sites, name);

	assert_non_null(p);
	return (u64)p - sites_base;
}

/* Offset of the system call in the function of that name. */
static u64 site_of(const char *name)
{
	char label[64];
	u64 at;

	snprintf(label, sizeof(label), "%s_site", name);
	at = address_of(label);
	return at + (u64)*(s32 *)(sites_base + at);
}

static const struct {
	const char *name;
	u8 before, after;	/* 0, 0: must be left */
} cases[] = {
	{ "plain", 5, 0 }, { "pair", 5, 0 }, { "behind", 0, 6 }, { "again", 0, 3 }, { "entry", 5, 0 },
	{ "relative", 0, 0 }, { "invaded", 0, 0 }, { "invaded_far", 0, 0 },
	{ "table", 5, 0 }, { "table_register", 0, 0 },
};

static void made_sites(void **state)
{
	int n = read_table(sites_path);

	assert_int_equal(n, ARRAY_SIZE(cases));
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		int k = 0;

		while (k < n && table[k].offset + table[k].before != site_of(cases[i].name))
			k++;
		if (k == n || table[k].before != cases[i].before || table[k].after != cases[i].after)
			fail_msg("%s: displaces %d and %d bytes, not %d and %d", cases[i].name,
				 k < n ? table[k].before : -1, k < n ? table[k].after : -1,
				 cases[i].before, cases[i].after);
		assert_memory_equal(table[k].bytes, (u8 *)sites_base + table[k].offset,
				    table[k].before + 2 + table[k].after);
	}
}

static void in_parts(void **state)
{
	struct rakis_patch one;
	int fd = open(sites_path, 0), n = read_table(sites_path);

	for (int i = 0; i < n; i++) {
		assert_int_equal(patch_table(fd, &one, 1, (uint64_t)i), 1);
		assert_memory_equal(&one, &table[i], sizeof(one));
	}
	assert_int_equal(patch_table(fd, &one, 1, (uint64_t)n), 0);
	assert_int_equal(patch_table(fd, &one, 1, UINT64_MAX), 0);
	close(fd);
	fd = open("/dev/null", 0);
	assert_int_equal(patch_table(fd, &one, 1, 0), 0);
	close(fd);
	assert_true(patch_table(-1, &one, 1, 0) < 0);
}

/* The gate's part: make the call, go on where rcx says. r11 counts. */
void fake_gate(void);
__asm__(".text\n"
	".globl fake_gate\n"
"fake_gate:\n"
	"lea	-128(%rsp), %rsp\n"
	"push	%rcx\n"
	"syscall\n"
	"pop	%rcx\n"
	"lea	128(%rsp), %rsp\n"
	"mov	$0x600d, %r11d\n"
	"jmp	*%rcx\n");

static long call(u64 at, u64 arg, bool *patched)
{
	u64 r11 = 0;
	long ret;

	__asm__ volatile("mov	%[arg], %%rdi\n\t"
			 "xor	%%r11d, %%r11d\n\t"
			 "sub	$256, %%rsp\n\t"
			 "call	*%[at]\n\t"
			 "add	$256, %%rsp\n\t"
			 "mov	%%r11, %[r11]\n\t"
			 : "=a"(ret), [r11] "=&r"(r11)
			 : [at] "r"(at), [arg] "r"(arg)
			 : "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
	*patched = r11 == 0x600d;
	return ret;
}

/* Copy the library's text into the guest, patch it, and run what is there. */
static void patched_code(void **state)
{
	struct fake_file f = { .path = sites_path, .fd = open(sites_path, 0) };
	struct file *file;
	u64 off = 0, len = 0, at;
	bool patched;

	fake_reset();
	for (int i = 0, n = read_table(sites_path); i < n; i++) {
		off = i ? off : PAGE_DOWN(table[i].offset);
		len = PAGE_UP(table[i].offset + PAGE_SIZE) - off;
	}
	file = fake_open(&f);
	at = (u64)mm_map_anon(0, len, PROT_READ | PROT_WRITE, 0, NULL);
	/* The last page may be cut short in memory, too. */
	memcpy((void *)at, (void *)(sites_base + off), address_of("no_site") - off);
	gate_self()->syscall_entry = (u64)fake_gate;
	memset(&stats, 0, sizeof(stats));
	patch_mapping(file, at, len, off);
	assert_int_equal(stats.enclave.sites_patched, 6);
	assert_int_equal(stats.enclave.sites_left, 4);

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 fn = address_of(cases[i].name) - off + at;

		if (cases[i].before + cases[i].after == 0 || !strcmp(cases[i].name, "pair"))
			continue;
		assert_int_equal(call(fn, 0, &patched), getpid());
		assert_true(patched);
	}
	assert_int_equal(call(address_of("entry") - off + at, 1, &patched), getpid());

	/* Addresses: to the stub and back. */
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		u32 before = cases[i].before, after = cases[i].after;
		u64 site = site_of(cases[i].name) - before - off + at;

		for (u32 k = 0; k <= before + 2 + after; k++) {
			u64 stub = patch_resume_rip(site + k);
			bool inside = k && k < before + 2 + after && k != before + 1 && before + after;

			assert_true((stub != site + k) == inside);
			assert_int_equal(patch_original_rip(stub), site + k);
		}
		/* Return addresses: where the call instruction ends. */
		if (before + after)
			assert_int_equal(patch_original_rip(site + before + 2), site + before + 2);
	}

	/* Patching again changes nothing; other code in the same place frees the stubs. */
	patch_mapping(file, at, len, off);
	assert_int_equal(call(address_of("plain") - off + at, 0, &patched), getpid());
	assert_true(patched);
	memset((void *)at, 0xcc, len);
	at += site_of("plain") - 1 - off;
	assert_int_equal(patch_resume_rip(at), at);
	patch_mapping(file, PAGE_DOWN(at), len, off);
	assert_int_equal(patch_resume_rip(at), at);
	close(f.fd);
	file_put(file);
}

static int count_patchable(const struct rakis_patch *t, int n)
{
	int good = 0;

	for (int i = 0; i < n; i++)
		good += t[i].before || t[i].after;
	return good;
}

/* Debian 12: 524 of 526, and 45 of 46; other versions differ a little. */
static void c_library(void **state)
{
	struct link_map *lib = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_LAZY);
	int n, good;

	assert_non_null(lib);
	n = read_table(lib->l_name);
	good = count_patchable(table, n);
	assert_true(n > 300);
	assert_true(good * 100 >= n * 95);
	for (int i = 0; i < n; i++) {
		const struct rakis_patch *e = &table[i];
		u32 len = e->before + 2u + e->after;

		assert_true(i == 0 || table[i - 1].offset + table[i - 1].before + 2u + table[i - 1].after <=
			    e->offset);
		assert_true(len == 2 || (len >= 5 && len <= RAKIS_PATCH_MAX));
		assert_memory_equal(e->bytes + e->before, "\x0f\x05", 2);
	}
}

static int print_tables(char **path)
{
	for (; *path; path++) {
		int fd = open(*path, 0), n;
		long a[2], b[2];

		if (fd < 0) {
			perror(*path);
			return 1;
		}
		clock_gettime(1, a);
		n = patch_table(fd, table, MOST, 0);
		clock_gettime(1, b);
		close(fd);
		printf("%5d sites %5d patchable %8.3f ms  %s\n", n, count_patchable(table, n),
		       (double)(b[0] - a[0]) * 1e3 + (double)(b[1] - a[1]) / 1e6, *path);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_sites),
		cmocka_unit_test(in_parts),
		cmocka_unit_test(patched_code),
		cmocka_unit_test(c_library),
	};
	struct link_map *lib;

	sites_path = getenv("SITES");
	if (argc > 1)
		return print_tables(argv + 1);
	sites = sites_path ? dlopen(sites_path, RTLD_NOW) : NULL;
	if (!sites) {
		fprintf(stderr, "SITES must name the library made of sites.S\n");
		return 99;
	}
	lib = sites;
	sites_base = lib->l_addr;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
