/* SPDX-License-Identifier: Apache-2.0 */
/* What mmap needs from files. Past the common read and write, which ask mm in turn. */
#include <linux/mman.h>

#include "fs/file.h"
#include "fs/mapping.h"
#include "lib/errno.h"

static ssize_t map_pread(struct file *f, u64 uaddr, u64 len, u64 off)
{
	struct iter it;
	int err = 0;

	if (guest_range_ok(uaddr, len))
		err = iter_buf(&it, uaddr, len);
	else	/* pages are made ready elsewhere first */
		iter_kernel(&it, (void *)uaddr, len);
	return err ? err : f->ops->read(f, &it, &off);
}

static ssize_t map_pwrite(struct file *f, u64 uaddr, u64 len, u64 off)
{
	struct iter it;
	int err = iter_buf(&it, uaddr, len);

	return err ? err : f->ops->write ? f->ops->write(f, &it, &off) : -EBADF;
}

static s64 map_size(struct file *f)
{
	return f->ops->map_size(f);
}

static int may_map(struct file *f, u32 prot, u32 flags)
{
	if (!file_readable(f))
		return -EACCES;
	if ((flags & MAP_TYPE) != MAP_PRIVATE && (prot & PROT_WRITE) && !file_writable(f))
		return -EACCES;
	return f->ops->map_size ? 0 : -ENODEV;
}

static const char *map_path(struct file *f)
{
	return f->path;
}

static int map_identity(struct file *f, u64 id[2])
{
	if (!f->ops->identity)
		return -ENOSYS;
	f->ops->identity(f, id);
	return 0;
}

static int map_fsync(struct file *f)
{
	return f->ops->fsync ? f->ops->fsync(f, false) : 0;
}

const struct mm_file_ops fs_mm_ops = {
	.get = file_get,
	.put = file_put,
	.pread = map_pread,
	.pwrite = map_pwrite,
	.size = map_size,
	.may_map = may_map,
	.path = map_path,
	.identity = map_identity,
	.fsync = map_fsync,
};
