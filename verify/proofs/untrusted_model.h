/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Untrusted memory: each load gives any value; each access must be aligned and lie in a
 * region that the harness has opened, or that uptr_check() has allowed.
 */
#ifndef RAKIS_VERIFY_UNTRUSTED_MODEL_H
#define RAKIS_VERIFY_UNTRUSTED_MODEL_H

#include "fastpath/untrusted.h"
#include "proof.h"

#define MODEL_REGIONS	14

static struct {
	u64 addr, len;
} model_regions[MODEL_REGIONS];
static u32 model_nregions;

static u32 model_loads, model_stores;
static u64 model_loaded;			/* the last value that was loaded */
static u64 model_stored_at, model_stored;	/* the last store */

static void model_region(u64 addr, u64 len)
{
	PROVE(model_nregions < MODEL_REGIONS);
	model_regions[model_nregions].addr = addr;
	model_regions[model_nregions].len = len;
	model_nregions++;
}

static bool model_is_open(u64 addr, u64 len)
{
	bool open = false;

#define IN(i) (addr >= model_regions[i].addr && addr - model_regions[i].addr <= model_regions[i].len && \
	       len <= model_regions[i].len - (addr - model_regions[i].addr))
	open = IN(0) || IN(1) || IN(2) || IN(3) || IN(4) || IN(5) || IN(6) || IN(7) || IN(8) ||
	       IN(9) || IN(10) || IN(11) || IN(12) || IN(13);
#undef IN
	return open;
}

/* Somewhere outside, `len` bytes. */
static struct uptr model_any(u64 len)
{
	u64 addr = any_u64();

	ASSUME(addr && !(addr & 7) && addr + len >= addr);
	model_region(addr, len);
	return (struct uptr){ addr };
}

static void model_access(struct uptr p, u64 len)
{
	PROVE(!(p.addr_ & 7));
	PROVE(model_is_open(p.addr_, len));
}

#ifndef MODEL_NO_UPTR_CHECK
/* By its contract, which the proof `uptr_check` has shown. */
bool uptr_check(u64 addr, u64 len, struct uptr *out)
{
	out->addr_ = 0;
	if (!addr || (addr & 7) || addr + len < addr || any_bool())
		return false;
	model_region(addr, len);
	out->addr_ = addr;
	return true;
}
#endif

u64 untrusted_load(struct uptr p)
{
	model_access(p, 8);
	model_loads++;
	model_loaded = any_u64();
	return model_loaded;
}

/* Where stores are many: any one of them is remembered, for the harness to judge. */
#ifdef MODEL_ONE_STORE
static u32 model_which;
static struct uptr model_one;
#endif

void untrusted_store(struct uptr p, u64 v)
{
#ifdef MODEL_ONE_STORE
	if (model_stores == model_which)
		model_one = p;
#else
	model_access(p, 8);
#endif
	model_stores++;
	model_stored_at = p.addr_;
	model_stored = v;
}

void untrusted_store_half(struct uptr p, u32 shift, u32 v)
{
	PROVE(shift == 0 || shift == 32);
	untrusted_store(p, v);
}

void untrusted_write(struct uptr dst, const void *src, size_t n)
{
	PROVE(__CPROVER_r_ok(src, n));
	model_access(dst, ALIGN_UP(n, 8));
	model_stores++;
	model_stored_at = dst.addr_;
}

void untrusted_read(void *dst, struct uptr src, size_t n)
{
	PROVE(__CPROVER_w_ok(dst, n));
	model_access(src, ALIGN_UP(n, 8));
	model_loads++;
	if (n)
		__CPROVER_havoc_slice(dst, n);
}

#endif
