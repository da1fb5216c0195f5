/* SPDX-License-Identifier: Apache-2.0 */
/* The host's name space, passed through: its kernel resolves links and `..`. */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/hostfile.h"
#include "fs/vfs.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"

static u32 at_flags(const struct where *w)
{
	return w->nofollow ? AT_SYMLINK_NOFOLLOW : 0;
}

static int host_open(struct where *w, u32 flags, u32 mode, struct file **out)
{
	struct opened o;
	int fd = hostfile_open(w->dirfd, w->path, flags, mode, &o), err;
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
	char *name;

	if (fd < 0)
		return fd;
	name = unnamed ? NULL : where_name(w);
	if (unnamed)
		flags &= ~O_TMPFILE;
	err = hostfile_wrap(fd, flags, name, &o, out);
	kfree(name);
	return err;
}

static int host_stat(struct where *w, u32 flags, u32 mask, struct statx *out)
{
	return host_statx(w->dirfd, w->path, flags | at_flags(w), mask, out);
}

static int host_readlink(struct where *w, char *buf, size_t n)
{
	return host_readlinkat(w->dirfd, w->path, buf, n);
}

static int host_access(struct where *w, u32 mode, u32 flags)
{
	return host_faccessat(w->dirfd, w->path, mode, flags | at_flags(w));
}

static int host_mount_statfs(struct where *w, struct statfs *out)
{
	return host_statfs(w->dirfd, w->path, out);
}

static int host_mkdir(struct where *w, u32 mode)
{
	return host_mkdirat(w->dirfd, w->path, mode);
}

static int host_mknod(struct where *w, u32 mode, u64 dev)
{
	return host_mknodat(w->dirfd, w->path, mode, dev);
}

static int host_symlink(struct where *w, const char *target)
{
	return host_symlinkat(target, w->dirfd, w->path);
}

static int host_unlink(struct where *w, bool dir)
{
	return host_unlinkat(w->dirfd, w->path, dir ? AT_REMOVEDIR : 0);
}

static int host_rename(struct where *from, struct where *to, u32 flags)
{
	return host_renameat(from->dirfd, from->path, to->dirfd, to->path, flags);
}

static int host_link(struct where *from, struct where *to)
{
	char link[40];
	int fd;

	if (!from->file)
		return host_linkat(from->dirfd, from->path, to->dirfd, to->path,
				   from->nofollow ? 0 : AT_SYMLINK_FOLLOW);
	/* An open file without a name (O_TMPFILE) gets one. */
	fd = file_host_fd(from->file);
	if (fd < 0)
		return -EXDEV;
	if (fs_rooted)
		return host_linkat(fd, "", to->dirfd, to->path, AT_EMPTY_PATH);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return host_linkat(VFS_FDCWD, link, to->dirfd, to->path, AT_SYMLINK_FOLLOW);
}

static int host_chmod(struct where *w, u32 mode)
{
	return host_fchmodat(w->dirfd, w->path, mode, at_flags(w));
}

static int host_chown(struct where *w, u32 uid, u32 gid)
{
	return host_fchownat(w->dirfd, w->path, uid, gid, at_flags(w));
}

static int host_utimens(struct where *w, const s64 times[4])
{
	return host_utimensat(w->dirfd, w->path, times, at_flags(w));
}

const struct mount_ops host_mount_ops = {
	.type = "host",
	.open = host_open,
	.stat = host_stat,
	.readlink = host_readlink,
	.access = host_access,
	.statfs = host_mount_statfs,
	.mkdir = host_mkdir,
	.mknod = host_mknod,
	.symlink = host_symlink,
	.unlink = host_unlink,
	.rename = host_rename,
	.link = host_link,
	.chmod = host_chmod,
	.chown = host_chown,
	.utimens = host_utimens,
};
