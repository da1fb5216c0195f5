/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on names. Each comes in a plain form and one with a directory descriptor. */
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "fs/vfs.h"
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/log.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/time.h"
#include "syscalls/fd.h"
#include "syscalls/syscalls.h"

/* `call` with `w` being what the path leads to. */
#define WITH_PATH(dirfd, upath, flags, w, call) ({				\
	struct where *w;							\
	long ret_ = where_get(&w, (int)(dirfd), (upath), (flags));		\
	if (!ret_)								\
		ret_ = (call);							\
	where_put(w);								\
	ret_;									\
})

static u32 where_flags(u32 at)
{
	return (at & AT_SYMLINK_NOFOLLOW ? WHERE_NOFOLLOW : 0) |
	       (at & AT_EMPTY_PATH ? WHERE_EMPTY : 0);
}

static bool at_flags_ok(u32 at)
{
	return !(at & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
}

/* ---- open ---- */

static long do_open(int dirfd, u64 upath, u32 flags, u32 mode)
{
	u32 excl = flags & O_PATH ? 0 : flags & (O_CREAT | O_EXCL);
	bool nofollow = flags & O_NOFOLLOW || excl == (O_CREAT | O_EXCL);
	struct file *f;
	long err;

	err = WITH_PATH(dirfd, upath, nofollow ? WHERE_NOFOLLOW : 0, w,
			vfs_openat(w, flags, mode, &f));
	return err ? err : fd_install_or_put(f, flags & O_CLOEXEC);
}

SYSCALL_DEFINE(open)
{
	return do_open(VFS_FDCWD, a1, a2, a3);
}

SYSCALL_DEFINE(openat)
{
	return do_open(a1, a2, a3, a4);
}

SYSCALL_DEFINE(creat)
{
	return do_open(VFS_FDCWD, a1, O_CREAT | O_WRONLY | O_TRUNC, a2);
}

SYSCALL_DEFINE(openat2)
{
	const u64 resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
			    RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;
	const u64 known = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |
			  O_NONBLOCK | O_SYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY |
			  O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE;
	struct open_how how;

	if (a4 < sizeof(how))
		return -EINVAL;
	if (a4 > PAGE_SIZE)
		return -E2BIG;
	if (get_user(how, a3))
		return -EFAULT;
	for (u64 i = sizeof(how); i < a4; i++) {
		u8 more;

		if (get_user(more, a3 + i))
			return -EFAULT;
		if (more)
			return -E2BIG;
	}
	if (how.flags & ~known || how.resolve & ~resolve || how.mode & ~07777ull ||
	    (how.mode && !(how.flags & (O_CREAT | __O_TMPFILE))) ||
	    (how.flags & O_PATH &&
	     how.flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
		return -EINVAL;
	if (how.resolve & RESOLVE_CACHED)
		return -EAGAIN;		/* its meaning: ask again without */
	if (how.resolve) {
		log_warn("openat2: restricted resolution (%lx) is not supported", (u64)how.resolve);
		return -ENOSYS;
	}
	return do_open(a1, a2, how.flags, how.mode);
}

/* ---- looking ---- */

static long do_access(int dirfd, u64 upath, u32 mode, u32 flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_EACCESS))
		return -EINVAL;
	return WITH_PATH(dirfd, upath, where_flags(flags), w,
			 vfs_access(w, mode, flags & AT_EACCESS));
}

SYSCALL_DEFINE(access)
{
	return do_access(VFS_FDCWD, a1, a2, 0);
}

SYSCALL_DEFINE(faccessat)
{
	return do_access(a1, a2, a3, 0);
}

SYSCALL_DEFINE(faccessat2)
{
	return do_access(a1, a2, a3, a4);
}

static long do_readlink(int dirfd, u64 upath, u64 ubuf, int size)
{
	char *buf;
	long n;

	if (size <= 0)
		return -EINVAL;
	buf = kmalloc(VFS_PATH_MAX);
	if (!buf)
		return -ENOMEM;
	n = WITH_PATH(dirfd, upath, WHERE_NOFOLLOW | WHERE_EMPTY, w,
		      vfs_readlink(w, buf, min(size, VFS_PATH_MAX)));
	if (n > 0 && copy_to_user(ubuf, buf, n))
		n = -EFAULT;
	kfree(buf);
	return n;
}

SYSCALL_DEFINE(readlink)
{
	return do_readlink(VFS_FDCWD, a1, a2, a3);
}

SYSCALL_DEFINE(readlinkat)
{
	return do_readlink(a1, a2, a3, a4);
}

/* ---- making and removing names ---- */

SYSCALL_DEFINE(mkdir)
{
	return WITH_PATH(VFS_FDCWD, a1, WHERE_NOFOLLOW, w, vfs_mkdir(w, a2));
}

SYSCALL_DEFINE(mkdirat)
{
	return WITH_PATH(a1, a2, WHERE_NOFOLLOW, w, vfs_mkdir(w, a3));
}

static long do_mknod(int dirfd, u64 upath, u32 mode, u64 dev)
{
	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return WITH_PATH(dirfd, upath, WHERE_NOFOLLOW, w, vfs_mknod(w, mode, dev));
}

SYSCALL_DEFINE(mknod)
{
	return do_mknod(VFS_FDCWD, a1, a2, (u32)a3);
}

SYSCALL_DEFINE(mknodat)
{
	return do_mknod(a1, a2, a3, (u32)a4);
}

static long do_symlink(u64 utarget, int dirfd, u64 upath)
{
	char *target = kmalloc(VFS_PATH_MAX);
	ssize_t n;
	long err;

	if (!target)
		return -ENOMEM;
	n = strncpy_from_user(target, utarget, VFS_PATH_MAX);
	err = n < 0 ? n : WITH_PATH(dirfd, upath, WHERE_NOFOLLOW, w, vfs_symlink(w, target));
	kfree(target);
	return err;
}

SYSCALL_DEFINE(symlink)
{
	return do_symlink(a1, VFS_FDCWD, a2);
}

SYSCALL_DEFINE(symlinkat)
{
	return do_symlink(a1, a2, a3);
}

SYSCALL_DEFINE(unlink)
{
	return WITH_PATH(VFS_FDCWD, a1, WHERE_NOFOLLOW, w, vfs_unlink(w, false));
}

SYSCALL_DEFINE(rmdir)
{
	return WITH_PATH(VFS_FDCWD, a1, WHERE_NOFOLLOW, w, vfs_unlink(w, true));
}

SYSCALL_DEFINE(unlinkat)
{
	if ((u32)a3 & ~AT_REMOVEDIR)
		return -EINVAL;
	return WITH_PATH(a1, a2, WHERE_NOFOLLOW, w, vfs_unlink(w, a3 & AT_REMOVEDIR));
}

static long do_rename(int olddir, u64 old, int newdir, u64 new, u32 flags)
{
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) ||
	    (flags & RENAME_EXCHANGE && flags != RENAME_EXCHANGE))
		return -EINVAL;
	return WITH_PATH(olddir, old, WHERE_NOFOLLOW, from,
			 WITH_PATH(newdir, new, WHERE_NOFOLLOW, to, vfs_rename(from, to, flags)));
}

SYSCALL_DEFINE(rename)
{
	return do_rename(VFS_FDCWD, a1, VFS_FDCWD, a2, 0);
}

SYSCALL_DEFINE(renameat)
{
	return do_rename(a1, a2, a3, a4, 0);
}

SYSCALL_DEFINE(renameat2)
{
	return do_rename(a1, a2, a3, a4, a5);
}

static long do_link(int olddir, u64 old, int newdir, u64 new, u32 flags)
{
	u32 how = (flags & AT_SYMLINK_FOLLOW ? 0 : WHERE_NOFOLLOW) |
		  (flags & AT_EMPTY_PATH ? WHERE_EMPTY : 0);

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return WITH_PATH(olddir, old, how, from,
			 WITH_PATH(newdir, new, WHERE_NOFOLLOW, to, vfs_link(from, to)));
}

SYSCALL_DEFINE(link)
{
	return do_link(VFS_FDCWD, a1, VFS_FDCWD, a2, 0);
}

SYSCALL_DEFINE(linkat)
{
	return do_link(a1, a2, a3, a4, a5);
}

/* ---- mode, owner, times ---- */

static long file_chmod(struct file *f, u32 mode)
{
	return f->ops->chmod ? f->ops->chmod(f, mode & 07777) : -EPERM;
}

static long file_chown(struct file *f, u32 uid, u32 gid)
{
	return f->ops->chown ? f->ops->chown(f, uid, gid) : -EPERM;
}

SYSCALL_DEFINE(chmod)
{
	return WITH_PATH(VFS_FDCWD, a1, 0, w, vfs_chmod(w, a2));
}

SYSCALL_DEFINE(fchmod)
{
	return WITH_FD(a1, f, file_chmod(f, a2));
}

SYSCALL_DEFINE(fchmodat)
{
	return WITH_PATH(a1, a2, 0, w, vfs_chmod(w, a3));
}

SYSCALL_DEFINE(fchmodat2)
{
	return at_flags_ok(a4) ? WITH_PATH(a1, a2, where_flags(a4), w, vfs_chmod(w, a3)) : -EINVAL;
}

SYSCALL_DEFINE(chown)
{
	return WITH_PATH(VFS_FDCWD, a1, 0, w, vfs_chown(w, a2, a3));
}

SYSCALL_DEFINE(lchown)
{
	return WITH_PATH(VFS_FDCWD, a1, WHERE_NOFOLLOW, w, vfs_chown(w, a2, a3));
}

SYSCALL_DEFINE(fchown)
{
	return WITH_FD(a1, f, file_chown(f, a2, a3));
}

SYSCALL_DEFINE(fchownat)
{
	return at_flags_ok(a5) ? WITH_PATH(a1, a2, where_flags(a5), w, vfs_chown(w, a3, a4))
			       : -EINVAL;
}

static long file_utimens(struct file *f, const s64 *times)
{
	return f->ops->utimens ? f->ops->utimens(f, times) : -EPERM;
}

SYSCALL_DEFINE(utimensat)
{
	s64 t[4], *times = a3 ? t : NULL;

	if (!at_flags_ok(a4))
		return -EINVAL;
	if (times && get_user(t, a3))
		return -EFAULT;
	if (times && t[1] == UTIME_OMIT_ && t[3] == UTIME_OMIT_)
		return 0;
	for (int i = 1; times && i < 4; i += 2)
		if ((u64)t[i] >= NSEC_PER_SEC && t[i] != UTIME_NOW_ && t[i] != UTIME_OMIT_)
			return -EINVAL;
	if (!a2 && (a4 || (int)a1 == VFS_FDCWD))
		return a4 ? -EINVAL : -EFAULT;
	if (!a2)
		return WITH_FD(a1, f, file_utimens(f, times));
	return WITH_PATH(a1, a2, where_flags(a4), w, vfs_utimens(w, times));
}

/* struct timeval[2] at utimes */
static long do_utimes(int dirfd, u64 upath, u64 utimes)
{
	s64 t[4];

	if (utimes && get_user(t, utimes))
		return -EFAULT;
	for (int i = 1; utimes && i < 4; i += 2) {
		if ((u64)t[i] >= 1000000)
			return -EINVAL;
		t[i] *= 1000;
	}
	return WITH_PATH(dirfd, upath, 0, w, vfs_utimens(w, utimes ? t : NULL));
}

SYSCALL_DEFINE(utimes)
{
	return do_utimes(VFS_FDCWD, a1, a2);
}

SYSCALL_DEFINE(futimesat)
{
	return do_utimes(a1, a2, a3);
}

SYSCALL_DEFINE(utime)
{
	s64 sec[2], t[4] = { 0 };

	if (a2 && get_user(sec, a2))
		return -EFAULT;
	if (a2) {
		t[0] = sec[0];
		t[2] = sec[1];
	}
	return WITH_PATH(VFS_FDCWD, a1, 0, w, vfs_utimens(w, a2 ? t : NULL));
}

/* ---- working directory and root ---- */

SYSCALL_DEFINE(chdir)
{
	return WITH_PATH(VFS_FDCWD, a1, 0, w, vfs_chdir(w));
}

SYSCALL_DEFINE(fchdir)
{
	struct file *f = fd_get_path(a1);
	long err;

	if (!f)
		return -EBADF;
	err = vfs_fchdir(f);
	file_put(f);
	return err;
}

SYSCALL_DEFINE(getcwd)
{
	char *buf = kmalloc(VFS_PATH_MAX);
	long n;

	if (!buf)
		return -ENOMEM;
	n = vfs_getcwd(buf, min(a2, (u64)VFS_PATH_MAX));
	if (n > 0 && copy_to_user(a1, buf, n))
		n = -EFAULT;
	kfree(buf);
	return n;
}

/* The guest's name space is RAKIS's to make; no program changes it. */
SYSCALL_DEFINE(chroot)
{
	return -EPERM;
}

SYSCALL_DEFINE(pivot_root)
{
	return -EPERM;
}

SYSCALL_DEFINE(mount)
{
	return -EPERM;
}

SYSCALL_DEFINE(umount2)
{
	return -EPERM;
}

SYSCALL_DEFINE(name_to_handle_at)
{
	return -EOPNOTSUPP;
}

SYSCALL_DEFINE(open_by_handle_at)
{
	return -EPERM;
}
