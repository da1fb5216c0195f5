/* SPDX-License-Identifier: Apache-2.0 */
/* Untrusted memory that a test can watch, and that may change at every load. */
#ifndef RAKIS_TESTS_FAKE_UNTRUSTED_H
#define RAKIS_TESTS_FAKE_UNTRUSTED_H

#include "fastpath/untrusted.h"

/* All accesses must lie in this block, aligned. */
void fake_untrusted(void *block, size_t size);
/* What a load of the word at `addr` gives instead of `v`; NULL: what is there. */
extern u64 (*fake_load)(u64 addr, u64 v);
extern u64 fake_loads, fake_stores;

static inline struct uptr fake_uptr(const void *p)
{
	return (struct uptr){ (u64)p };
}

#endif
