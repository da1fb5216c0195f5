/* SPDX-License-Identifier: Apache-2.0 */
/* Open files: references, positions, and the common part of reading and writing. */
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "fs/vfs.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/mm.h"

void (*file_close_hook)(struct file *f);

struct file *file_new(const struct file_ops *ops, u32 flags, void *priv)
{
	struct file *f = kzalloc(sizeof(*f));

	if (!f)
		return NULL;
	f->ops = ops;
	f->refs = 1;
	f->flags = flags;
	f->priv = priv;
	mutex_init(&f->pos_lock);
	return f;
}

void file_put(struct file *f)
{
	/* Acquire and release: whoever frees sees what the others did. */
	if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (f->epoll_hook && file_close_hook)
		file_close_hook(f);
	if (f->ops->release)
		f->ops->release(f);
	kfree(f->path);
	kfree(f);
}

/* Is the position f->pos? Else there is none, or it is not kept here. */
static bool has_pos(const struct file *f)
{
	return f->ops->lseek && !f->ops->own_position;
}

/* Shared mappings hold copies of what they map: bring these and the file together. */
static ssize_t do_read(struct file *f, struct iter *it, u64 *pos)
{
	if (f->ops->map_size)
		mm_file_sync(f);
	return f->ops->read(f, it, pos);
}

static ssize_t do_write(struct file *f, struct iter *it, u64 *pos)
{
	ssize_t n;

	if (!f->ops->map_size)
		return f->ops->write(f, it, pos);
	mm_file_sync(f);
	n = f->ops->write(f, it, pos);
	if (n > 0)	/* where an append went is the host's to say: all of it */
		mm_file_written(f, pos && !(f->flags & O_APPEND) ? *pos - n : 0,
				pos && !(f->flags & O_APPEND) ? (u64)n : (u64)INT64_MAX);
	return n;
}

static int may_read(const struct file *f)
{
	if (!file_readable(f))
		return -EBADF;
	return f->ops->read ? 0 : -EINVAL;
}

static int may_write(const struct file *f)
{
	if (!file_writable(f))
		return -EBADF;
	return f->ops->write ? 0 : -EINVAL;
}

ssize_t file_read(struct file *f, struct iter *it)
{
	ssize_t n = may_read(f);

	if (n)
		return n;
	if (!has_pos(f))
		return do_read(f, it, NULL);
	mutex_lock(&f->pos_lock);
	n = do_read(f, it, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t file_write(struct file *f, struct iter *it)
{
	ssize_t n = may_write(f);

	if (n)
		return n;
	if (!has_pos(f))
		return do_write(f, it, NULL);
	mutex_lock(&f->pos_lock);
	n = do_write(f, it, &f->pos);
	mutex_unlock(&f->pos_lock);
	return n;
}

ssize_t file_pread(struct file *f, struct iter *it, u64 off)
{
	int err = may_read(f);

	if (!f->ops->lseek)
		return -ESPIPE;
	return err ? err : do_read(f, it, &off);
}

ssize_t file_pwrite(struct file *f, struct iter *it, u64 off)
{
	int err = may_write(f);

	if (!f->ops->lseek)
		return -ESPIPE;
	return err ? err : do_write(f, it, &off);
}

s64 file_lseek(struct file *f, s64 off, u32 whence)
{
	s64 pos;

	if (whence > SEEK_MAX)
		return -EINVAL;
	if (!f->ops->lseek)
		return -ESPIPE;
	mutex_lock(&f->pos_lock);
	pos = f->ops->lseek(f, off, whence);
	mutex_unlock(&f->pos_lock);
	return pos;
}

s64 lseek_within(struct file *f, s64 off, u32 whence, u64 size)
{
	s64 base = 0;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		base = size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (off < 0 || (u64)off >= size)
			return -ENXIO;
		if (whence == SEEK_HOLE)
			off = size;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, off, &off))
		return -EOVERFLOW;
	if (off < 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

int file_stat(struct file *f, u32 mask, struct statx *out)
{
	if (f->ops->stat)
		return f->ops->stat(f, mask, out);
	/* epoll, eventfd and the like: an anonymous inode */
	statx_fill(out, DEV_ANON, 1, 0600, 0);
	return 0;
}

int file_set_flags(struct file *f, u32 set, u32 mask)
{
	u32 old = f->flags, new = (old & ~mask) | (set & mask);
	int err = f->ops->set_flags && new != old ? f->ops->set_flags(f, new) : 0;

	if (!err)
		f->flags = new;
	return err;
}

int file_host_fd(struct file *f)
{
	return f->ops->host_fd ? f->ops->host_fd(f) : -1;
}
