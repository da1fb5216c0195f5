/* SPDX-License-Identifier: Apache-2.0 */
/* The data of encrypted files: reads and writes, by blocks. */
#include <linux/falloc.h>

#include "fs/encrypted.h"
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
		put = enc_get(e, *pos / ENC_BLOCK, ENC_READ, (at + left + ENC_BLOCK - 1) / ENC_BLOCK, &b);
		if (put)
			break;
		left = min(left, ENC_BLOCK - at);
		if (b) {
			put = iter_write(it, b->data + at, left);
			enc_put(e, b, false);
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

static ssize_t write_at(struct enc_file *e, struct iter *it, u64 *pos)
{
	ssize_t done = 0, got = 0;

	if (*pos >= ENC_SIZE_MOST)
		return it->left ? -EFBIG : 0;
	while (it->left && *pos < ENC_SIZE_MOST) {
		u64 at = *pos % ENC_BLOCK, n = min(it->left, ENC_BLOCK - at);
		/* A block whose guest pages may fault is not replaced as a whole. */
		struct enc_block *b;

		got = enc_get(e, *pos / ENC_BLOCK, ENC_CHANGE, 1, &b);
		if (got)
			break;
		got = iter_read(it, b->data + at, n);
		enc_put(e, b, got > 0);
		if (got <= 0)
			break;
		done += got;
		*pos += got;
		enc_grown(e, *pos);
		if (got < (ssize_t)n)
			break;
	}
	return done ? done : got;
}

ssize_t encfile_write(struct enc_file *e, struct iter *it, u64 *pos, bool append)
{
	ssize_t n;

	if (!append)
		return write_at(e, it, pos);
	mutex_lock(&e->append);
	*pos = e->size;
	n = write_at(e, it, pos);
	mutex_unlock(&e->append);
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
