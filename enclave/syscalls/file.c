/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on descriptors: data, positions, duplicates, sizes, syncing. */
#include <linux/close_range.h>
#include <linux/fadvise.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <linux/stat.h>

#include "fs/encrypted.h"
#include "fs/vfs.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "libos/mm.h"
#include "syscalls/fd.h"
#include "syscalls/syscalls.h"

/* ---- data ---- */

static ssize_t do_read(struct file *f, u64 buf, u64 n, const u64 *off)
{
	struct iter it;
	ssize_t r = (s64)n < 0 ? -EINVAL : iter_buf(&it, buf, n);

	return r ? r : off ? file_pread(f, &it, *off) : file_read(f, &it);
}

static ssize_t do_write(struct file *f, u64 buf, u64 n, const u64 *off)
{
	struct iter it;
	ssize_t r = (s64)n < 0 ? -EINVAL : iter_buf(&it, buf, n);

	return r ? r : off ? file_pwrite(f, &it, *off) : file_write(f, &it);
}

SYSCALL_DEFINE(read)
{
	return WITH_FD(a1, f, do_read(f, a2, a3, NULL));
}

SYSCALL_DEFINE(write)
{
	return WITH_FD(a1, f, do_write(f, a2, a3, NULL));
}

SYSCALL_DEFINE(pread64)
{
	return (s64)a4 < 0 ? -EINVAL : WITH_FD(a1, f, do_read(f, a2, a3, &a4));
}

SYSCALL_DEFINE(pwrite64)
{
	return (s64)a4 < 0 ? -EINVAL : WITH_FD(a1, f, do_write(f, a2, a3, &a4));
}

/* off NULL: at the position. */
static ssize_t vector(struct file *f, bool write, u64 uiov, u64 n, const u64 *off)
{
	struct iter it;
	ssize_t r = iter_import(&it, uiov, n);

	if (r)
		return r;
	if (off)
		r = write ? file_pwrite(f, &it, *off) : file_pread(f, &it, *off);
	else
		r = write ? file_write(f, &it) : file_read(f, &it);
	iter_release(&it);
	return r;
}

SYSCALL_DEFINE(readv)
{
	return WITH_FD(a1, f, vector(f, false, a2, a3, NULL));
}

SYSCALL_DEFINE(writev)
{
	return WITH_FD(a1, f, vector(f, true, a2, a3, NULL));
}

SYSCALL_DEFINE(preadv)
{
	return (s64)a4 < 0 ? -EINVAL : WITH_FD(a1, f, vector(f, false, a2, a3, &a4));
}

SYSCALL_DEFINE(pwritev)
{
	return (s64)a4 < 0 ? -EINVAL : WITH_FD(a1, f, vector(f, true, a2, a3, &a4));
}

/* preadv2, pwritev2: position -1 is the file's own. */
static ssize_t vector2(struct file *f, bool write, u64 uiov, u64 n, u64 off, u32 flags)
{
	ssize_t r;

	if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC))
		return -EOPNOTSUPP;
	if ((s64)off < -1)
		return -EINVAL;
	r = vector(f, write, uiov, n, off == ~0ull ? NULL : &off);
	if (r > 0 && write && flags & (RWF_DSYNC | RWF_SYNC) && f->ops->fsync) {
		int err = f->ops->fsync(f, !(flags & RWF_SYNC));

		return err ? err : r;
	}
	return r;
}

SYSCALL_DEFINE(preadv2)
{
	return WITH_FD(a1, f, vector2(f, false, a2, a3, a4, a6));
}

SYSCALL_DEFINE(pwritev2)
{
	return WITH_FD(a1, f, vector2(f, true, a2, a3, a4, a6));
}

SYSCALL_DEFINE(lseek)
{
	return WITH_FD(a1, f, file_lseek(f, a2, a3));
}

/* ---- descriptors ---- */

SYSCALL_DEFINE(close)
{
	return fd_close(a1);
}

SYSCALL_DEFINE(close_range)
{
	if ((u32)a1 > (u32)a2 || (u32)a3 & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	fd_close_range(a1, a2, (u32)a3 & CLOSE_RANGE_CLOEXEC);
	return 0;
}

static long dup_to(int old, int new, bool cloexec)
{
	struct file *f = fd_get_path(old);
	int fd;

	if (!f)
		return -EBADF;
	fd = new < 0 ? fd_install(f, cloexec, 0) : fd_replace(f, new, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL_DEFINE(dup)
{
	return dup_to(a1, -1, false);
}

SYSCALL_DEFINE(dup2)
{
	if ((int)a2 < 0)
		return -EBADF;
	if ((int)a1 == (int)a2)
		return fd_cloexec(a1) < 0 ? -EBADF : (int)a1;
	return dup_to(a1, a2, false);
}

SYSCALL_DEFINE(dup3)
{
	if ((u32)a3 & ~O_CLOEXEC || (int)a1 == (int)a2)
		return -EINVAL;
	return (int)a2 < 0 ? -EBADF : dup_to(a1, a2, a3);
}

SYSCALL_DEFINE(memfd_create)
{
	char name[250];
	ssize_t n = strncpy_from_user(name, a1, sizeof(name));
	struct file *f;
	int err;

	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	/* 8, 16: MFD_NOEXEC_SEAL, MFD_EXEC of newer headers */
	if ((u32)a2 & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | 8u | 16u))
		return -EINVAL;
	err = memfd_new(name, a2, &f);
	return err ? err : fd_install_or_put(f, (u32)a2 & MFD_CLOEXEC);
}

/* ---- size and storage ---- */

static long do_ftruncate(struct file *f, u64 len)
{
	if (!f->ops->truncate || !file_writable(f))
		return -EINVAL;
	mm_file_sync(f);
	return f->ops->truncate(f, len);
}

SYSCALL_DEFINE(ftruncate)
{
	return (s64)a2 < 0 ? -EINVAL : WITH_FD(a1, f, do_ftruncate(f, a2));
}

SYSCALL_DEFINE(truncate)
{
	struct where *w;
	struct file *f;
	int err;

	if ((s64)a2 < 0)
		return -EINVAL;
	err = where_get(&w, VFS_FDCWD, a1, 0);
	if (!err)
		err = vfs_openat(w, O_WRONLY | O_NONBLOCK, 0, &f);
	if (!err) {
		err = do_ftruncate(f, a2);
		file_put(f);
	}
	where_put(w);
	return err;
}

static long do_fallocate(struct file *f, u32 mode, s64 off, s64 len)
{
	s64 end;

	if (off < 0 || len <= 0)
		return -EINVAL;
	if (!file_writable(f))
		return -EBADF;
	if (!f->ops->fallocate)
		return f->ops->lseek ? -ENODEV : -ESPIPE;
	return __builtin_add_overflow(off, len, &end) ? -EFBIG
						      : f->ops->fallocate(f, mode, off, len);
}

SYSCALL_DEFINE(fallocate)
{
	return WITH_FD(a1, f, do_fallocate(f, a2, a3, a4));
}

static long do_fsync(struct file *f, bool data_only)
{
	if (!f->ops->fsync)
		return -EINVAL;
	if (f->ops->map_size)
		mm_file_sync(f);
	return f->ops->fsync(f, data_only);
}

SYSCALL_DEFINE(fsync)
{
	return WITH_FD(a1, f, do_fsync(f, false));
}

SYSCALL_DEFINE(fdatasync)
{
	return WITH_FD(a1, f, do_fsync(f, true));
}

SYSCALL_DEFINE(sync)
{
	enc_sync_all();
	(void)!host_sync(-1);
	return 0;
}

static long do_syncfs(struct file *f)
{
	int fd = file_host_fd(f);

	if (fd >= 0)
		return host_sync(fd);
	enc_sync_all();
	return 0;
}

SYSCALL_DEFINE(syncfs)
{
	return WITH_FD(a1, f, do_syncfs(f));
}

static long do_sync_range(struct file *f, s64 off, s64 len, u32 flags)
{
	if (flags & ~7u || off < 0 || len < 0)
		return -EINVAL;
	if (!f->ops->lseek)
		return -ESPIPE;
	/* More than asked for, which is allowed. */
	return flags && f->ops->fsync ? do_fsync(f, true) : 0;
}

SYSCALL_DEFINE(sync_file_range)
{
	return WITH_FD(a1, f, do_sync_range(f, a2, a3, a4));
}

static long do_fadvise(struct file *f, s64 off, s64 len, u32 advice)
{
	int fd = file_host_fd(f);

	if (!f->ops->lseek)
		return -ESPIPE;
	if (len < 0 || advice > POSIX_FADV_NOREUSE)
		return -EINVAL;
	return fd < 0 ? 0 : host_fadvise(fd, off, len, advice);
}

SYSCALL_DEFINE(fadvise64)
{
	return WITH_FD(a1, f, do_fadvise(f, a2, a3, a4));
}

static long do_readahead(struct file *f, s64 off, u64 n)
{
	if (!file_readable(f))
		return -EBADF;
	return f->ops->map_size ? do_fadvise(f, off, n, POSIX_FADV_WILLNEED) : -EINVAL;
}

SYSCALL_DEFINE(readahead)
{
	return WITH_FD(a1, f, do_readahead(f, a2, a3));
}
