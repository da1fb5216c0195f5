/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's buffers, walked front to back: what read and readv hand to files, and what
 * requests are filled from. Not shared between threads.
 */
#ifndef RAKIS_HOSTIO_ITER_H
#define RAKIS_HOSTIO_ITER_H

#include "fastpath/untrusted.h"
#include "gate/usercopy.h"
#include "lib/types.h"

/* One element of a guest's iovec array. */
struct user_iovec {
	u64 base;
	u64 len;
};

/* Linux's limits. */
#define IOV_MAX		1024

struct iter {
	struct user_iovec *iov;
	u32 niov, at;
	u64 skip;		/* bytes of iov[at] already used */
	u64 left;		/* bytes in all that remain */
	bool kernel;		/* buffers are the libOS's own, not the guest's */
	struct user_iovec inline_[8];
};

/* One buffer; or an array (copied in; up to 8 entries inline). -EFAULT outside the guest's
 * range, -EINVAL for lengths beyond Linux's. Release what was imported. */
int iter_buf(struct iter *it, u64 uaddr, u64 len) __must_check;
int iter_import(struct iter *it, u64 uiov, u64 niov) __must_check;
void iter_kernel(struct iter *it, void *buf, u64 len);
void iter_release(struct iter *it);
/* Bytes copied; fewer than n only when the iterator ends or a page faults (then at least
 * what came before it); -EFAULT if nothing could be. */
ssize_t iter_write(struct iter *it, const void *src, size_t n) __must_check;	/* to the guest */
ssize_t iter_read(struct iter *it, void *dst, size_t n) __must_check;		/* from the guest */
/* The same between the iterator and the arena, without a copy in between. */
ssize_t iter_from_arena(struct iter *it, struct uptr src, size_t n) __must_check;
/* The same from any alignment, and from pages that may go away; guest buffers only. */
ssize_t iter_from_window(struct iter *it, struct uptr src, size_t n) __must_check;
ssize_t iter_to_arena(struct iter *it, struct uptr dst, size_t n) __must_check;
int iter_zero(struct iter *it, size_t n) __must_check;
/* Go back by n bytes that were walked over but not used. */
void iter_back(struct iter *it, size_t n);

#endif
