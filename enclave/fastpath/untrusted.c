/* SPDX-License-Identifier: Apache-2.0 */
/* The accessors; nothing else in the trusted part dereferences an untrusted address. */
#include "fastpath/untrusted.h"
#include "gate/gate.h"
#include "gate/usercopy.h"
#include "lib/errno.h"
#include "lib/string.h"

u64 usercopy_words(void *dst, const void *src, u64 words);
u64 usercopy_8(void *dst, const void *src);

static u64 enclave_base, enclave_size;

void untrusted_init(u64 base, u64 size)
{
	enclave_base = base;
	enclave_size = size;
}

bool uptr_check(u64 addr, u64 len, struct uptr *out)
{
	u64 end = addr + len, top = enclave_base + enclave_size;

	out->addr_ = 0;
	if (!addr || (addr & 7) || end < addr)
		return false;
	if (addr < top && (addr >= enclave_base || end > enclave_base))
		return false;
	out->addr_ = addr;
	return true;
}

u64 untrusted_load(struct uptr p)
{
	return *(const volatile u64 *)p.addr_;
}

void untrusted_store(struct uptr p, u64 v)
{
	*(volatile u64 *)p.addr_ = v;
}

void untrusted_store_half(struct uptr p, u32 shift, u32 v)
{
	_Atomic u64 *word = (_Atomic u64 *)p.addr_;
	u64 old = atomic_load_explicit(word, memory_order_relaxed), new;

	do
		new = (old & ~((u64)UINT32_MAX << shift)) | (u64)v << shift;
	while (!atomic_compare_exchange_weak(word, &old, new));
}

void untrusted_read(void *dst, struct uptr src, size_t n)
{
	size_t words = n / 8, rest = n % 8;
	const void *from = (const void *)src.addr_;

	__asm__ volatile("rep movsq" : "+D"(dst), "+S"(from), "+c"(words) :: "memory");
	if (rest) {
		u64 last = untrusted_load(uptr_add(src, n - rest));

		memcpy(dst, &last, rest);
	}
}

void untrusted_write(struct uptr dst, const void *src, size_t n)
{
	size_t words = n / 8, rest = n % 8;
	void *to = (void *)dst.addr_;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(src), "+c"(words) :: "memory");
	if (rest) {
		u64 last = 0;

		memcpy(&last, src, rest);
		untrusted_store(uptr_add(dst, n - rest), last);
	}
}

/* Whole words between the arena and guest memory; one more try if the pages can be had. */
static int user_words(u64 dst, u64 src, u64 words, u64 uaddr, bool write)
{
	if (!usercopy_words((void *)dst, (const void *)src, words))
		return 0;
	if (!usercopy_fault_hook || !usercopy_fault_hook(uaddr, words * 8, write) ||
	    usercopy_words((void *)dst, (const void *)src, words))
		return -EFAULT;
	return 0;
}

int untrusted_read_user(u64 uaddr, struct uptr src, size_t n)
{
	size_t rest = n % 8;
	u64 last;

	if (!guest_range_ok(uaddr, n) || user_words(uaddr, src.addr_, n / 8, uaddr, true))
		return -EFAULT;
	if (!rest)
		return 0;
	last = untrusted_load(uptr_add(src, n - rest));
	return copy_to_user(uaddr + n - rest, &last, rest);
}

int untrusted_read_user_any(u64 uaddr, struct uptr src, size_t n)
{
	while (n) {
		u64 shift = src.addr_ & 7, word, len;

		if (!shift && n >= 8) {
			len = n & ~7ull;
			if (!guest_range_ok(uaddr, len) || user_words(uaddr, src.addr_, len / 8, uaddr, true))
				return -EFAULT;
		} else {
			len = min(n, 8 - shift);
			if (usercopy_8(&word, (const void *)(src.addr_ - shift)) ||
			    copy_to_user(uaddr, (char *)&word + shift, len))
				return -EFAULT;
		}
		uaddr += len;
		src.addr_ += len;
		n -= len;
	}
	return 0;
}

int untrusted_write_user(struct uptr dst, u64 uaddr, size_t n)
{
	size_t rest = n % 8;
	u64 last = 0;

	if (!guest_range_ok(uaddr, n) || user_words(dst.addr_, uaddr, n / 8, uaddr, false))
		return -EFAULT;
	if (!rest)
		return 0;
	if (copy_from_user(&last, uaddr + n - rest, rest))
		return -EFAULT;
	untrusted_store(uptr_add(dst, n - rest), last);
	return 0;
}
