/* SPDX-License-Identifier: Apache-2.0 */
/* Files without a name: making them, and their common inode. */
#include <linux/fcntl.h>
#include <linux/stat.h>
#include "fs/anon.h"
#include "fs/vfs.h"
#include "lib/alloc.h"
#include "lib/errno.h"

struct file *anon_file(const struct file_ops *ops, u32 flags, void *priv, const char *name)
{
	struct file *f = file_new(ops, flags & (O_ACCMODE | O_NONBLOCK), priv);

	if (f)
		f->path = kstrdup(name);
	return f;
}

int anon_fd(const struct file_ops *ops, u32 flags, void *priv, const char *name)
{
	struct file *f = anon_file(ops, O_RDWR | (flags & O_NONBLOCK), priv, name);

	if (!f) {
		kfree(priv);
		return -ENOMEM;
	}
	return fd_install_or_put(f, flags & O_CLOEXEC);
}

int anon_stat(struct file *f, u32 mask, struct statx *out)
{
	statx_fill(out, DEV_ANON, 1, 0600, 0);
	return 0;
}

s64 anon_lseek(struct file *f, s64 off, u32 whence)
{
	return f->pos;
}
