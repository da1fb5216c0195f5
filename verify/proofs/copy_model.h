/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the proofs of untrusted.c itself: what its instructions touch. The edits of proof.toml
 * put model_*() in place of the two `rep movsq` and of the plain load and store.
 */
#ifndef RAKIS_VERIFY_COPY_MODEL_H
#define RAKIS_VERIFY_COPY_MODEL_H

#include "proof.h"

static u64 outside, outside_len;	/* what the caller may have meant, outside */
static u64 guest, guest_len;		/* and in the guest */

struct rakis_layout gate_layout;
bool (*usercopy_fault_hook)(u64 addr, u64 len, bool write);

/* 8-byte words that hold bytes of the range. */
static void touch_outside(u64 addr, u64 words)
{
	u64 first = outside & ~7ull, last = (outside + outside_len + 7) & ~7ull;

	PROVE(!(addr & 7));
	if (words)
		PROVE(addr >= first && addr <= last && words <= (last - addr) / 8);
}

static void touch_guest(u64 addr, u64 len)
{
	if (len)
		PROVE(addr >= guest && addr - guest <= guest_len && len <= guest_len - (addr - guest));
}

static bool is_outside(const void *p)
{
	return (u64)p >= outside && (u64)p - outside < outside_len;
}

static void model_movs(const void *dst, const void *src, u64 words)
{
	if (!words)
		return;
	if (is_outside(src)) {
		touch_outside((u64)src, words);
		PROVE(__CPROVER_w_ok(dst, words * 8));
	} else {
		touch_outside((u64)dst, words);
		PROVE(__CPROVER_r_ok(src, words * 8));
	}
}

static u64 model_load(u64 addr)
{
	touch_outside(addr, 1);
	return any_u64();
}

static void model_store(u64 addr)
{
	touch_outside(addr, 1);
}

/* Guest memory is reached by these alone: either may fault. */
u64 usercopy_words(void *dst, const void *src, u64 words)
{
	if (!words)
		return 0;
	if (is_outside(src)) {
		touch_outside((u64)src, words);
		touch_guest((u64)dst, words * 8);
	} else {
		touch_outside((u64)dst, words);
		touch_guest((u64)src, words * 8);
	}
	return any_u64();
}

u64 usercopy_8(void *dst, const void *src)
{
	touch_outside((u64)src, 1);
	PROVE(__CPROVER_w_ok(dst, 8));
	*(u64 *)dst = any_u64();
	return any_u64();
}

int copy_to_user(u64 uaddr, const void *src, size_t n)
{
	PROVE(__CPROVER_r_ok(src, n));
	if (!guest_range_ok(uaddr, n))
		return -EFAULT;
	touch_guest(uaddr, n);
	return any_bool() ? 0 : -EFAULT;
}

int copy_from_user(void *dst, u64 uaddr, size_t n)
{
	PROVE(__CPROVER_w_ok(dst, n));
	if (!guest_range_ok(uaddr, n))
		return -EFAULT;
	touch_guest(uaddr, n);
	return any_bool() ? 0 : -EFAULT;
}

static bool any_hook(u64 addr, u64 len, bool write)
{
	touch_guest(addr, len);
	return any_bool();
}

/* Any layout; `n` bytes outside of it at `outside`. */
static void any_outside(u64 n, u64 align)
{
	gate_layout.base = any_u64();
	gate_layout.heap = any_u64();
	gate_layout.size = any_u64();
	ASSUME(!((gate_layout.base | gate_layout.size) & 4095) && gate_layout.base &&
	       gate_layout.base + gate_layout.size > gate_layout.base &&
	       gate_layout.heap > gate_layout.base &&
	       gate_layout.heap < gate_layout.base + gate_layout.size);
	outside = any_u64();
	outside_len = n;
	ASSUME(outside && !(outside % align) && outside + n >= outside && outside + n + 7 >= n);
	ASSUME(outside + n <= gate_layout.base || outside >= gate_layout.base + gate_layout.size);
	/* Pointers of the libOS are not there. */
	ASSUME(outside + n < 1ull << 47);
	usercopy_fault_hook = any_bool() ? any_hook : NULL;
}

#endif
