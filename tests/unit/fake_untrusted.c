/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include "fake_untrusted.h"
#include "lib/log.h"
#include "lib/stats.h"

struct rakis_stats stats;
u64 (*fake_load)(u64 addr, u64 v);
u64 fake_loads, fake_stores;
static u64 start, end;

void fake_untrusted(void *block, size_t size)
{
	start = (u64)block;
	end = start + size;
	fake_load = NULL;
}

static u64 *word(struct uptr p)
{
	assert(!(p.addr_ & 7) && p.addr_ >= start && p.addr_ < end);
	return (u64 *)p.addr_;
}

bool uptr_check(u64 addr, u64 len, struct uptr *out)
{
	out->addr_ = 0;
	if ((addr & 7) || addr < start || addr > end || len > end - addr)
		return false;
	out->addr_ = addr;
	return true;
}

u64 untrusted_load(struct uptr p)
{
	fake_loads++;
	return fake_load ? fake_load(p.addr_, *word(p)) : *word(p);
}

void untrusted_store(struct uptr p, u64 v)
{
	fake_stores++;
	*word(p) = v;
}

void untrusted_store_half(struct uptr p, u32 shift, u32 v)
{
	assert(shift == 0 || shift == 32);
	fake_stores++;
	memcpy((char *)word(p) + shift / 8, &v, 4);
}

void untrusted_write(struct uptr dst, const void *src, size_t n)
{
	assert(n % 8 == 0);
	for (size_t i = 0; i < n; i += 8) {
		u64 v;

		memcpy(&v, (const char *)src + i, 8);
		untrusted_store(uptr_add(dst, i), v);
	}
}

void panic(const char *fmt, ...)
{
	fprintf(stderr, "panic: %s\n", fmt);
	abort();
}
