/* SPDX-License-Identifier: Apache-2.0 */
/* enclave/lib: strings and printf against libc's, the allocator under stress. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

/* Ours under other names, beside libc's. */
#define memcpy our_memcpy
#define memmove our_memmove
#define memset our_memset
#define memcmp our_memcmp
#define memchr our_memchr
#define strlen our_strlen
#define strnlen our_strnlen
#define strcmp our_strcmp
#define strncmp our_strncmp
#define strchr our_strchr
#define strrchr our_strrchr
#define strstr our_strstr
#define snprintf our_snprintf
#define vsnprintf our_vsnprintf
#include "lib/string.c"
#include "lib/printf.c"
#include "lib/alloc.c"
#include "lib/log.c"
#include "lib/lock.c"
#include "lib/random.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef snprintf
#undef vsnprintf

static void test_memory(void **state)
{
	static char a[2048], b[2048], c[2048];

	for (size_t n = 0; n < 700; n += n < 70 ? 1 : 37) {
		for (size_t from = 0; from < 80; from += 7) {
			for (size_t to = 0; to < 80; to += 5) {
				for (size_t i = 0; i < sizeof(a); i++)
					a[i] = b[i] = c[i] = (char)(i * 31 + n);
				assert_ptr_equal(our_memmove(a + to, a + from, n), a + to);
				memmove(b + to, b + from, n);
				assert_memory_equal(a, b, sizeof(a));
				our_memcpy(a + 1000 + to, c + from, n);
				memcpy(b + 1000 + to, c + from, n);
				assert_memory_equal(a, b, sizeof(a));
			}
			our_memset(a + from, (int)n, n);
			memset(b + from, (int)n, n);
			assert_memory_equal(a, b, sizeof(a));
			assert_int_equal(our_memcmp(a, b, n), 0);
			a[from + n]++;
			assert_true((our_memcmp(a, b, from + n + 1) < 0) ==
				    (memcmp(a, b, from + n + 1) < 0));
			a[from + n]--;
		}
	}
}

static void test_strings(void **state)
{
	assert_int_equal(our_strlen(""), 0);
	assert_int_equal(our_strlen("hello"), 5);
	assert_int_equal(our_strnlen("hello", 3), 3);
	assert_int_equal(our_strnlen("hi", 3), 2);
	assert_int_equal(our_strcmp("a", "a"), 0);
	assert_true(our_strcmp("a", "ab") < 0);
	assert_true(our_strcmp("\xff", "a") > 0);
	assert_int_equal(our_strncmp("abc", "abd", 2), 0);
	assert_true(our_strncmp("abc", "abd", 3) < 0);
	assert_string_equal(our_strchr("a/b/c", '/'), "/b/c");
	assert_string_equal(our_strrchr("a/b/c", '/'), "/c");
	assert_null(our_strchr("abc", 'x'));
	assert_string_equal(our_strchr("abc", 0), "");
	assert_string_equal(our_strstr("one two", "two"), "two");
	assert_string_equal(our_strstr("x", ""), "x");
	assert_null(our_strstr("one", "oneone"));
	assert_null(our_memchr("abc", 'd', 3));
}

static void check_printf(const char *fmt, ...)
{
	char ours[256], theirs[256];
	va_list ap;
	int n, m;

	for (size_t size = 0; size <= sizeof(ours); size = size ? size * 4 : 1) {
		memset(ours, 'x', sizeof(ours));
		memset(theirs, 'x', sizeof(theirs));
		va_start(ap, fmt);
		n = our_vsnprintf(ours, size, fmt, ap);
		va_end(ap);
		va_start(ap, fmt);
		m = vsnprintf(theirs, size, fmt, ap);
		va_end(ap);
		assert_int_equal(n, m);
		assert_memory_equal(ours, theirs, size);
	}
}

static void test_printf(void **state)
{
	check_printf("plain, 100%%");
	check_printf("%s|%10s|%-10s|%.2s|%.*s|%5.1s", "ab", "cd", "ef", "ghij", 3, "klmno", "pq");
	check_printf("%d %i %u %d %d", 1, -2, 3u, INT32_MIN, INT32_MAX);
	check_printf("%ld %lu %lld %zu", INT64_MIN, UINT64_MAX, (long long)-5, (size_t)7);
	check_printf("%x %X %#x %lx %08x %#010lx", 0xabcu, 0xABCu, 255u, 0xdeadbeefcafeul,
		     0x12u, 0x34ul);
	check_printf("%5d|%-5d|%05d|%05d|%.3d|%6.3d", 42, 42, 42, -42, 7, -7);
	check_printf("%o %#o %c%c %3c", 0644u, 0755u, 'h', 'i', 'x');
	check_printf("%p %*d %-*d|", (void *)0x1234, 6, 1, 6, 2);
	check_printf("%200d", 1);
	assert_int_equal(our_snprintf(NULL, 0, "%d", 12345), 5);
}

/* ---- heap ---- */

enum { HEAP_BYTES = 32 << 20, SLOTS = 400 };

static int setup_heap(void **state)
{
	static bool done;
	void *p;

	if (!done) {
		p = mmap(NULL, HEAP_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		heap_init((u64)p, (u64)p + HEAP_BYTES, true);
		done = true;
	}
	return 0;
}

static void test_classes(void **state)
{
	for (size_t n = 0; n <= SMALL_MAX; n++) {
		u32 class = class_of(n);

		assert_true(class < CLASSES && class_size(class) >= n);
		assert_int_equal(class_size(class) % 16, 0);
		assert_true(class == 0 || class_size(class - 1) < n);
	}
}

static void *stress(void *arg)
{
	struct { u8 *p; size_t n; u8 fill; } slot[SLOTS] = { 0 };
	unsigned int seed = (unsigned int)(size_t)arg;

	for (int i = 0; i < 60000; i++) {
		u32 k = (u32)rand_r(&seed) % SLOTS;
		size_t n = (size_t)rand_r(&seed) % (i % 8 ? 300 : i % 64 ? 6000 : 70000);
		u8 *p = slot[k].p;

		for (size_t j = 0; p && j < slot[k].n; j += 97)
			if (p[j] != slot[k].fill)
				return "a block was overwritten";
		if (p && i % 3 == 0) {
			p = krealloc(p, n);
			for (size_t j = 0; p && j < min(n, slot[k].n); j += 97)
				if (p[j] != slot[k].fill)
					return "realloc lost data";
		} else {
			kfree(p);
			p = i % 2 ? kmalloc(n) : kzalloc(n);
			for (size_t j = 0; p && i % 2 == 0 && j < n; j++)
				if (p[j])
					return "kzalloc did not clear";
		}
		if (!p)
			return "out of memory";
		if ((u64)p % 16)
			return "not aligned";
		slot[k].p = p;
		slot[k].n = n;
		slot[k].fill = (u8)i;
		memset(p, (u8)i, n);
	}
	for (u32 k = 0; k < SLOTS; k++)
		kfree(slot[k].p);
	return NULL;
}

static void test_stress(void **state)
{
	u64 before = heap_used();
	pthread_t t[3];
	void *why;

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&t[i], NULL, stress, (void *)(i + 1)), 0);
	for (size_t i = 0; i < 3; i++) {
		pthread_join(t[i], &why);
		if (why)
			fail_msg("%s", (char *)why);
	}
	/* Nothing stays but an empty slab or so in each class. */
	assert_true(heap_used() <= before + CLASSES * 2 * SLAB_BYTES);
}

static void test_reuse(void **state)
{
	void *a = kmalloc(4 << 20), *b = kmalloc(1 << 20), *c = kmalloc(4 << 20);
	volatile size_t huge = ~0ul;

	kfree(a);
	kfree(c);
	assert_ptr_equal(kmalloc(4 << 20), a);		/* best fit: the hole, not the rest */
	kfree(a);
	kfree(b);
	a = kmalloc(20 << 20);				/* all joined again */
	assert_non_null(a);
	kfree(a);
	assert_null(kmalloc(HEAP_BYTES));
	assert_null(kmalloc(huge));
	assert_null(kmalloc(huge - 5000));
	a = kasprintf("%s %d", "number", 5);
	assert_string_equal(a, "number 5");
	kfree(a);
	assert_int_equal((u64)kmalloc(4096) % 4096, 0);
}

/* RFC 8439, 2.3.2, with its nonce and counter at zero: A.1 test vector 1. */
static void test_random_numbers(void **state)
{
	static const u8 expect[8] = { 0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90 };
	u32 key[KEY_WORDS] = { 0 }, out[BLOCK_WORDS];
	u8 a[1000], b[1000], zero[1000] = { 0 };
	u64 ones = 0;

	block(key, 0, out);
	assert_memory_equal(out, expect, sizeof(expect));
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + 900, zero, 100);
	for (size_t i = 0; i < sizeof(a); i++)
		ones += (u64)__builtin_popcount(a[i]);
	assert_in_range(ones, 3600, 4400);
	random_bytes(zero, 7);
	assert_int_equal(zero[7], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_classes),
		cmocka_unit_test_setup(test_stress, setup_heap),
		cmocka_unit_test_setup(test_reuse, setup_heap),
		cmocka_unit_test(test_random_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
