/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory and string functions. The compiler calls memcpy, memmove, memset and memcmp on
 * its own, and would turn a plain loop in here into a call of the very function: loops
 * hold a barrier, and small sizes are two overlapping moves.
 */
#include "lib/string.h"

enum { REP_MIN = 256 };		/* from here on the start-up cost of rep is won back */

#define BARRIER() __asm__ volatile("" ::: "memory")

struct unaligned {
	union {
		u64 q;
		u32 d;
		u16 w;
	};
} __attribute__((packed, may_alias));

#define Q(p) (((struct unaligned *)(p))->q)
#define D(p) (((struct unaligned *)(p))->d)
#define W(p) (((struct unaligned *)(p))->w)

/* Up to 32 bytes: everything is loaded before anything is stored, so overlap is harmless. */
static inline void move_small(u8 *d, const u8 *s, size_t n)
{
	if (n > 16) {
		u64 a = Q(s), b = Q(s + 8), y = Q(s + n - 16), z = Q(s + n - 8);

		Q(d) = a;
		Q(d + 8) = b;
		Q(d + n - 16) = y;
		Q(d + n - 8) = z;
	} else if (n >= 8) {
		u64 a = Q(s), z = Q(s + n - 8);

		Q(d) = a;
		Q(d + n - 8) = z;
	} else if (n >= 4) {
		u32 a = D(s), z = D(s + n - 4);

		D(d) = a;
		D(d + n - 4) = z;
	} else if (n >= 2) {
		u16 a = W(s), z = W(s + n - 2);

		W(d) = a;
		W(d + n - 2) = z;
	} else if (n) {
		*d = *s;
	}
}

/* Right for dst below src, too. */
static inline void copy_forward(u8 *d, const u8 *s, size_t n, bool rep)
{
	if (rep) {
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) :: "memory");
		return;
	}
	for (; n > 32; n -= 32, d += 32, s += 32) {
		u64 a = Q(s), b = Q(s + 8), y = Q(s + 16), z = Q(s + 24);

		Q(d) = a;
		Q(d + 8) = b;
		Q(d + 16) = y;
		Q(d + 24) = z;
		BARRIER();
	}
	move_small(d, s, n);
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	copy_forward(dst, src, n, n >= REP_MIN);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	if ((size_t)(d - s) >= n) {	/* dst below src, or apart */
		/* rep is slow when the two are close. */
		copy_forward(d, s, n, n >= REP_MIN && (size_t)(s - d) >= 64);
		return dst;
	}
	for (; n > 32; n -= 32) {
		u64 a = Q(s + n - 8), b = Q(s + n - 16), y = Q(s + n - 24), z = Q(s + n - 32);

		Q(d + n - 8) = a;
		Q(d + n - 16) = b;
		Q(d + n - 24) = y;
		Q(d + n - 32) = z;
		BARRIER();
	}
	move_small(d, s, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	u8 *d = dst;
	u64 v = (u8)c * 0x0101010101010101ull;

	if (n >= REP_MIN) {
		__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
		return dst;
	}
	if (n >= 8) {
		for (size_t i = 0; i + 8 < n; i += 8) {
			Q(d + i) = v;
			BARRIER();
		}
		Q(d + n - 8) = v;
		return dst;
	}
	while (n--) {
		d[n] = (u8)c;
		BARRIER();
	}
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	while (n >= 8 && Q(p) == Q(q)) {
		p += 8;
		q += 8;
		n -= 8;
	}
	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	for (const u8 *p = s; n; n--, p++)
		if (*p == (u8)c)
			return (void *)p;
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p) {
		p++;
		BARRIER();
	}
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	const char *end = memchr(s, 0, max);

	return end ? (size_t)(end - s) : max;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do {
		if (*s == (char)c)
			last = s;
	} while (*s++);
	return (char *)last;
}

char *strstr(const char *s, const char *needle)
{
	size_t n = strlen(needle);

	for (;; s++) {
		if (strncmp(s, needle, n) == 0)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}
