/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of <string.h> and <stdio.h> that the trusted part uses, as in C11. */
#ifndef RAKIS_LIB_STRING_H
#define RAKIS_LIB_STRING_H

#include <stdarg.h>
#include "lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *needle);

static inline bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/*
 * %c %s %.*s %d %i %u %x %p %%, with l, ll, z, width and zero padding.
 * Return what would have been written, without the NUL; dst always ends with one.
 */
int snprintf(char *dst, size_t size, const char *fmt, ...) __printf(3, 4);
int vsnprintf(char *dst, size_t size, const char *fmt, va_list ap) __printf(3, 0);

#endif
