/* SPDX-License-Identifier: Apache-2.0 */
/* The data of encrypted files: reads and writes, by blocks. */
#include <linux/falloc.h>

#include "fs/encrypted.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Guest memory is touched with the block pinned and no lock held: its page may be a file's. */
ssize_t encfile_read(struct enc_file *e, struct iter *it, u64 *pos)
{
	ssize_t done = 0, put = 0;

	while (it->left) {
		u64 size = e->size, at = *pos % ENC_BLOCK, left;
		struct enc_block *b;

		if (*pos >= size)
			break;
		left = min(it->left, size - *pos);
		put = enc_get(e, *pos / ENC_BLOCK, (at + left + ENC_BLOCK - 1) / ENC_BLOCK, &b);
		if (put)
			break;
		left = min(left, ENC_BLOCK - at);
		if (b) {
			put = iter_write(it, b->data + at, left);
			enc_put(e, b);
		} else {
			put = iter_zero(it, left);
			put = put ? put : (ssize_t)left;
		}
		if (put <= 0)
			break;
		done += put;
		*pos += put;
		if (put < (ssize_t)left)
			break;
	}
	return done ? done : put;
}

/* By way of a copy: the guest's pages may fault, and a block is not changed halfway. */
static ssize_t write_staged(struct enc_file *e, struct iter *it, u64 *pos)
{
	ssize_t done = 0, n = 0;

	if (!e->staged)
		e->staged = kmalloc(ENC_RUN * ENC_BLOCK);
	if (!e->staged)
		return -ENOMEM;
	while (it->left && *pos < ENC_SIZE_MOST) {
		/* As far as a block's end, so that what follows is whole blocks. */
		size_t want = min(min(it->left, ENC_RUN * ENC_BLOCK - *pos % ENC_BLOCK), ENC_SIZE_MOST - *pos);
		ssize_t got = iter_read(it, e->staged, want);

		n = got > 0 ? enc_write(e, *pos, e->staged, got) : got;
		if (n < got)
			iter_back(it, n < 0 ? got : got - n);
		if (n <= 0)
			break;
		done += n;
		*pos += n;
		if (n < (ssize_t)want)
			break;
	}
	return done ? done : n;
}

ssize_t encfile_write(struct enc_file *e, struct iter *it, u64 *pos, bool append)
{
	ssize_t n;

	mutex_lock(&e->writing);
	if (append)
		*pos = e->size;
	n = *pos >= ENC_SIZE_MOST && it->left ? -EFBIG : write_staged(e, it, pos);
	mutex_unlock(&e->writing);
	return n;
}

/* For calls by name: the file may not be open. */
int encfile_truncate(struct enc_file *e, u64 size)
{
	int err = enc_open(e, NULL);

	if (err)
		return err;
	err = enc_resize(e, size);
	enc_close(e);
	return err;
}

int encfile_size(struct enc_file *e, u64 *size)
{
	int err = 0;

	if (!e->loaded) {
		err = enc_open(e, NULL);
		if (err)
			return err;
		enc_close(e);
	}
	*size = e->size;
	return err;
}

/* Blocks get their places when they are written: there is nothing to reserve. */
int encfile_fallocate(struct enc_file *e, u32 mode, u64 off, u64 len)
{
	if (mode & ~FALLOC_FL_KEEP_SIZE)
		return -EOPNOTSUPP;
	if (mode || off + len <= e->size)
		return 0;
	return enc_resize(e, off + len);
}
