/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a guest's buffers; copies to and from the libOS and the arena. */
#include "gate/gate.h"
#include "hostio/iter.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"

/* As MAX_RW_COUNT of Linux. */
#define MOST_BYTES 0x7ffff000ull

int iter_buf(struct iter *it, u64 uaddr, u64 len)
{
	len = min(len, (u64)MOST_BYTES);
	if (len && !guest_range_ok(uaddr, len))
		return -EFAULT;
	it->inline_[0] = (struct user_iovec){ uaddr, len };
	it->iov = it->inline_;
	it->niov = 1;
	it->at = 0;
	it->skip = 0;
	it->left = len;
	it->kernel = false;
	return 0;
}

int iter_import(struct iter *it, u64 uiov, u64 niov)
{
	int err = -EFAULT;

	if (niov > IOV_MAX)
		return -EINVAL;
	it->iov = it->inline_;
	if (niov > ARRAY_SIZE(it->inline_)) {
		it->iov = kmalloc(niov * sizeof(*it->iov));
		if (!it->iov)
			return -ENOMEM;
	}
	it->niov = niov;
	it->at = 0;
	it->skip = 0;
	it->left = 0;
	it->kernel = false;
	if (copy_from_user(it->iov, uiov, niov * sizeof(*it->iov)))
		goto fail;
	for (u32 i = 0; i < niov; i++) {
		struct user_iovec *v = &it->iov[i];

		if ((s64)v->len < 0) {
			err = -EINVAL;
			goto fail;
		}
		v->len = min(v->len, MOST_BYTES - it->left);
		if (v->len && !guest_range_ok(v->base, v->len))
			goto fail;
		it->left += v->len;
	}
	return 0;
fail:
	iter_release(it);
	return err;
}

void iter_kernel(struct iter *it, void *buf, u64 len)
{
	it->inline_[0] = (struct user_iovec){ (u64)buf, len };
	it->iov = it->inline_;
	it->niov = 1;
	it->at = 0;
	it->skip = 0;
	it->left = len;
	it->kernel = true;
}

void iter_release(struct iter *it)
{
	if (it->iov != it->inline_)
		kfree(it->iov);
	it->iov = it->inline_;
	it->niov = 0;
	it->left = 0;
}

/* The next stretch of at most n bytes: its address, and its length (0 at the end). */
static u64 stretch(struct iter *it, u64 n, u64 *len)
{
	while (it->at < it->niov && it->iov[it->at].len == it->skip) {
		it->at++;
		it->skip = 0;
	}
	if (it->at == it->niov) {
		*len = 0;
		return 0;
	}
	*len = min(n, it->iov[it->at].len - it->skip);
	return it->iov[it->at].base + it->skip;
}

static void advance(struct iter *it, u64 n)
{
	it->skip += n;
	it->left -= n;
}

void iter_back(struct iter *it, size_t n)
{
	it->left += n;
	while (n > it->skip) {
		n -= it->skip;
		it->at--;
		it->skip = it->iov[it->at].len;
	}
	it->skip -= n;
}

/* Page by page after a fault would be exact; what came before the faulting stretch counts. */
ssize_t iter_write(struct iter *it, const void *src, size_t n)
{
	size_t done = 0;

	while (done < n) {
		u64 len, at = stretch(it, n - done, &len);

		if (!len)
			break;
		if (it->kernel)
			memcpy((void *)at, (const char *)src + done, len);
		else if (copy_to_user(at, (const char *)src + done, len))
			return done ? (ssize_t)done : -EFAULT;
		advance(it, len);
		done += len;
	}
	return done;
}

ssize_t iter_read(struct iter *it, void *dst, size_t n)
{
	size_t done = 0;

	while (done < n) {
		u64 len, at = stretch(it, n - done, &len);

		if (!len)
			break;
		if (it->kernel)
			memcpy((char *)dst + done, (const void *)at, len);
		else if (copy_from_user((char *)dst + done, at, len))
			return done ? (ssize_t)done : -EFAULT;
		advance(it, len);
		done += len;
	}
	return done;
}

int iter_zero(struct iter *it, size_t n)
{
	while (n) {
		u64 len, at = stretch(it, n, &len);

		if (!len)
			break;
		if (it->kernel)
			memset((void *)at, 0, len);
		else if (clear_user(at, len))
			return -EFAULT;
		advance(it, len);
		n -= len;
	}
	return 0;
}

/*
 * The arena is read and written in aligned words only. A stretch that begins in the middle
 * of a word is moved through a trusted copy of that word.
 */
ssize_t iter_from_arena(struct iter *it, struct uptr src, size_t n)
{
	size_t done = 0;

	while (done < n) {
		u64 len, at, word, shift = done % 8;
		int err = 0;

		at = stretch(it, n - done, &len);
		if (!len)
			break;
		if (shift) {
			word = untrusted_load(uptr_add(src, done - shift));
			len = min(len, 8 - shift);
			if (it->kernel)
				memcpy((void *)at, (char *)&word + shift, len);
			else
				err = copy_to_user(at, (char *)&word + shift, len);
		} else if (it->kernel) {
			untrusted_read((void *)at, uptr_add(src, done), len);
		} else {
			err = untrusted_read_user(at, uptr_add(src, done), len);
		}
		if (err)
			return done ? (ssize_t)done : err;
		advance(it, len);
		done += len;
	}
	return done;
}

ssize_t iter_from_window(struct iter *it, struct uptr src, size_t n)
{
	size_t done = 0;

	while (done < n) {
		u64 len, at = stretch(it, n - done, &len);

		if (!len)
			break;
		if (untrusted_read_user_any(at, uptr_add(src, done), len))
			return done ? (ssize_t)done : -EFAULT;
		advance(it, len);
		done += len;
	}
	return done;
}

ssize_t iter_to_arena(struct iter *it, struct uptr dst, size_t n)
{
	size_t done = 0;
	u64 word = 0;		/* the bytes of an unfinished word at dst + done */

	while (done < n) {
		u64 len, at, shift = done % 8;
		int err = 0;

		at = stretch(it, n - done, &len);
		if (!len)
			break;
		if (shift || len < 8) {
			len = min(len, 8 - shift);
			if (it->kernel)
				memcpy((char *)&word + shift, (const void *)at, len);
			else
				err = copy_from_user((char *)&word + shift, at, len);
			if (!err) {
				untrusted_store(uptr_add(dst, done - shift), word);
				if (shift + len == 8)
					word = 0;
			}
		} else {
			len &= ~7ull;
			if (it->kernel)
				untrusted_write(uptr_add(dst, done), (const void *)at, len);
			else
				err = untrusted_write_user(uptr_add(dst, done), at, len);
		}
		if (err)
			return done ? (ssize_t)done : err;
		advance(it, len);
		done += len;
	}
	return done;
}
