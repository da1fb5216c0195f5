/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only way to untrusted memory. An untrusted address is a struct uptr, so that
 * dereferencing one does not compile; loads and stores are 8 bytes wide and aligned
 * (INTEL-SA-00657: narrower reads may return stale data; INTEL-SA-00615: narrower
 * writes may leak it). Whatever is loaded may be different at the next load: copy in,
 * check the copy, use the copy.
 */
#ifndef RAKIS_FASTPATH_UNTRUSTED_H
#define RAKIS_FASTPATH_UNTRUSTED_H

#include "lib/types.h"

struct uptr {
	u64 addr_;		/* only untrusted.c and the two inlines below open it */
};

/*
 * Make one from a number that came from the host: 8-byte aligned, [addr, addr + len)
 * wholly outside the enclave's range, no wrap. False if not; *out is then null.
 */
bool uptr_check(u64 addr, u64 len, struct uptr *out) __must_check;

static inline struct uptr uptr_add(struct uptr p, u64 n)
{
	return (struct uptr){ p.addr_ + n };
}

/* The number to put into a request. */
static inline u64 uptr_number(struct uptr p)
{
	return p.addr_;
}

static inline bool uptr_is_null(struct uptr p)
{
	return p.addr_ == 0;
}

u64 untrusted_load(struct uptr p);
void untrusted_store(struct uptr p, u64 v);
/*
 * Set the half of the word at `p` that begins at bit `shift` (0 or 32), where the host may be
 * writing the other half: one locked 8-byte exchange, so that neither write is lost. A full
 * barrier.
 */
void untrusted_store_half(struct uptr p, u32 shift, u32 v);

/* Copy `n` bytes in or out, any `n`; the last partial word is padded with zeros. */
void untrusted_read(void *dst, struct uptr src, size_t n);
void untrusted_write(struct uptr dst, const void *src, size_t n);

/*
 * The same for guest memory, where the guest may have passed a bad address: 0 or
 * -EFAULT. The guest range is checked here.
 */
int untrusted_read_user(u64 uaddr, struct uptr src, size_t n) __must_check;
/* From untrusted memory at any alignment, whose pages the host may take away meanwhile
 * (windows of files): -EFAULT then, too. */
int untrusted_read_user_any(u64 uaddr, struct uptr src, size_t n) __must_check;
int untrusted_write_user(struct uptr dst, u64 uaddr, size_t n) __must_check;

/* Set once at start from the measured layout. */
void untrusted_init(u64 base, u64 size);

#endif
