/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Provided buffers of an io_uring (struct io_uring_buf_ring of linux/io_uring.h): the
 * enclave lends buffers to the kernel, a completion names the one that it filled.
 *
 * Invariant, bufring_is_valid(): each buffer has one owner, kept in trusted memory: it is
 * lent (in the kernel's hands), held (a completion gave it to us), or spare. A completion
 * can only take a lent one. At most `entries` are lent, so no entry of the shared array is
 * overwritten before the kernel has used it. The array's tail shares a word with the first
 * entry; that word is remembered here and written whole.
 *
 * Spare buffers are lent when those that are lent were not enough: memory that is never
 * needed is never touched. The caller serialises.
 */
#ifndef RAKIS_FASTPATH_BUFRING_H
#define RAKIS_FASTPATH_BUFRING_H

#include "boundary/uring.h"
#include "fastpath/untrusted.h"
#include "lib/types.h"

struct bufring {
	struct uptr array, bufs;
	u32 entries;			/* 0: there is none */
	u32 started;			/* buffers below this are or were lent, others spare */
	u32 nlent;
	u64 first;			/* second word of the first entry, less the tail */
	u16 tail;
	u64 lent[RAKIS_URING_BUFS / 64];	/* a bit each */
};

/* -EINVAL if what the host set up is odd; a host without them is fine. */
int bufring_init(struct bufring *b, const struct rakis_uring *host) __must_check;
bool bufring_is_valid(const struct bufring *b) __must_check;
/* Lend up to n spare ones. False: there are none. */
bool bufring_start(struct bufring *b, u32 n);
/* A completion names a buffer. False: the host may not have it (a host fault). */
bool bufring_take(struct bufring *b, u32 id) __must_check;
/* Lend a held one again. */
void bufring_put(struct bufring *b, u32 id);
static inline struct uptr bufring_at(const struct bufring *b, u32 id)
{
	return uptr_add(b->bufs, (u64)id * RAKIS_URING_BUF_SIZE);
}

#endif
