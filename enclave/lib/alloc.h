/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libOS's heap: [layout.heap, layout.slots) of the enclave's range. Any thread may
 * call any of these. Blocks are 16-byte aligned. NULL when the heap is used up; the
 * caller answers ENOMEM.
 */
#ifndef RAKIS_LIB_ALLOC_H
#define RAKIS_LIB_ALLOC_H

#include "lib/types.h"

/* `zero`: its memory reads as zero already. */
void heap_init(u64 start, u64 end, bool zero);
void *kmalloc(size_t n) __must_check __attribute__((malloc, alloc_size(1)));
void *kzalloc(size_t n) __must_check __attribute__((malloc, alloc_size(1)));
void *krealloc(void *p, size_t n) __must_check __attribute__((alloc_size(2)));
void kfree(void *p);			/* NULL is fine */
char *kstrdup(const char *s) __must_check;
char *kasprintf(const char *fmt, ...) __must_check __printf(1, 2);
u64 heap_used(void);			/* bytes handed out, overhead included */

#endif
