/* SPDX-License-Identifier: Apache-2.0 */
/* What files are: the stat family, statfs, directory entries. */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/vfs.h"
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/string.h"
#include "syscalls/fd.h"
#include "syscalls/syscalls.h"

#define GETDENTS_MOST	(32ul << 10)

/* ---- stat ---- */

static u64 dev_number(u32 major, u32 minor)
{
	return (minor & 0xff) | (u64)(major & 0xfff) << 8 | (u64)(minor & ~0xffu) << 12;
}

static int put_stat(const struct statx *x, u64 ubuf)
{
	struct stat st = {
		.st_dev = dev_number(x->stx_dev_major, x->stx_dev_minor),
		.st_ino = x->stx_ino,
		.st_nlink = x->stx_nlink,
		.st_mode = x->stx_mode,
		.st_uid = x->stx_uid,
		.st_gid = x->stx_gid,
		.st_rdev = dev_number(x->stx_rdev_major, x->stx_rdev_minor),
		.st_size = x->stx_size,
		.st_blksize = x->stx_blksize,
		.st_blocks = x->stx_blocks,
		.st_atime = x->stx_atime.tv_sec,
		.st_atime_nsec = x->stx_atime.tv_nsec,
		.st_mtime = x->stx_mtime.tv_sec,
		.st_mtime_nsec = x->stx_mtime.tv_nsec,
		.st_ctime = x->stx_ctime.tv_sec,
		.st_ctime_nsec = x->stx_ctime.tv_nsec,
	};

	return copy_to_user(ubuf, &st, sizeof(st));
}

/* By name, or with AT_EMPTY_PATH by descriptor: fstat() of the C library. */
static int stat_at(int dirfd, u64 upath, u32 flags, u32 mask, struct statx *x)
{
	u32 how = (flags & AT_SYMLINK_NOFOLLOW ? WHERE_NOFOLLOW : 0) |
		  (flags & AT_EMPTY_PATH ? WHERE_EMPTY : 0);
	char first = 1;
	struct where *w;
	struct file *f;
	int err;

	if (flags & AT_EMPTY_PATH && dirfd >= 0) {
		if (upath && get_user(first, upath))
			return -EFAULT;
		if (!upath || !first) {
			f = fd_get_path(dirfd);
			if (!f)
				return -EBADF;
			err = file_stat(f, mask, x);
			file_put(f);
			return err;
		}
	}
	err = where_get(&w, dirfd, upath, how);
	if (!err)
		err = vfs_stat(w, flags & (AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE), mask, x);
	where_put(w);
	return err;
}

static long do_stat(int dirfd, u64 upath, u32 flags, u64 ubuf)
{
	struct statx x;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT))
		return -EINVAL;
	err = stat_at(dirfd, upath, flags, STATX_BASIC_STATS, &x);
	return err ? err : put_stat(&x, ubuf);
}

SYSCALL_DEFINE(stat)
{
	return do_stat(VFS_FDCWD, a1, 0, a2);
}

SYSCALL_DEFINE(lstat)
{
	return do_stat(VFS_FDCWD, a1, AT_SYMLINK_NOFOLLOW, a2);
}

SYSCALL_DEFINE(newfstatat)
{
	return do_stat(a1, a2, a4, a3);
}

SYSCALL_DEFINE(fstat)
{
	struct file *f = fd_get_path(a1);
	struct statx x;
	int err;

	if (!f)
		return -EBADF;
	err = file_stat(f, STATX_BASIC_STATS, &x);
	file_put(f);
	return err ? err : put_stat(&x, a2);
}

SYSCALL_DEFINE(statx)
{
	u32 flags = a3, mask = a4;
	struct statx x;
	int err;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE) ||
	    (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || mask & STATX__RESERVED)
		return -EINVAL;
	err = stat_at(a1, a2, flags, mask, &x);
	return err ? err : copy_to_user(a5, &x, sizeof(x));
}

/* ---- statfs ---- */

SYSCALL_DEFINE(statfs)
{
	struct where *w;
	struct statfs st;
	int err = where_get(&w, VFS_FDCWD, a1, 0);

	if (!err)
		err = vfs_statfs(w, &st);
	where_put(w);
	return err ? err : copy_to_user(a2, &st, sizeof(st));
}

static long do_fstatfs(struct file *f, u64 ubuf)
{
	struct statfs st;
	int err = 0;

	if (f->ops->statfs)
		err = f->ops->statfs(f, &st);
	else
		statfs_fill(&st, 0x09041934 /* ANON_INODE_FS_MAGIC */);
	return err ? err : copy_to_user(ubuf, &st, sizeof(st));
}

SYSCALL_DEFINE(fstatfs)
{
	struct file *f = fd_get_path(a1);
	long err;

	if (!f)
		return -EBADF;
	err = do_fstatfs(f, a2);
	file_put(f);
	return err;
}

/* ---- directory entries ---- */

/* The older record: no type before the name, but one in the last byte. Same length. */
static void make_old_dirents(u8 *buf, int n)
{
	for (int at = 0; at < n;) {
		u8 *r = buf + at, type = r[18];
		u16 reclen;

		memcpy(&reclen, r + 16, 2);
		memmove(r + 18, r + 19, reclen - 19);
		r[reclen - 1] = type;
		at += reclen;
	}
}

static long do_getdents(struct file *f, u64 ubuf, u32 size, bool old)
{
	size_t most = min((u64)size, GETDENTS_MOST);
	u8 *buf;
	int n;

	if (!f->ops->getdents)
		return -ENOTDIR;
	buf = kmalloc(max(most, 1ul));
	if (!buf)
		return -ENOMEM;
	mutex_lock(&f->pos_lock);
	n = f->ops->getdents(f, buf, most);
	mutex_unlock(&f->pos_lock);
	if (n > 0) {
		if (old)
			make_old_dirents(buf, n);
		if (copy_to_user(ubuf, buf, n))
			n = -EFAULT;
	}
	kfree(buf);
	return n;
}

SYSCALL_DEFINE(getdents64)
{
	return WITH_FD(a1, f, do_getdents(f, a2, a3, false));
}

SYSCALL_DEFINE(getdents)
{
	return WITH_FD(a1, f, do_getdents(f, a2, a3, true));
}
