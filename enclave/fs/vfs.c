/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on names: dispatch to the mount, or to the open file that a name stands for. */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/vfs.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/time.h"

#define OPEN_FLAGS (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK |	\
		    O_SYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |	\
		    O_CLOEXEC | O_PATH | __O_TMPFILE)

u32 open_status(u32 flags)
{
	if (!(flags & O_PATH))
		flags |= O_LARGEFILE;
	return flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
}

char *where_name(const struct where *w)
{
	char *s = w->full[0] ? kstrdup(w->full) : NULL;
	size_t n = s ? strlen(s) : 0;

	if (n > 1 && s[n - 1] == '/')
		s[n - 1] = '\0';
	return s;
}

int vfs_openat(struct where *w, u32 flags, u32 mode, struct file **out)
{
	flags &= OPEN_FLAGS;
	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (flags & __O_TMPFILE) {
		if ((flags & (O_TMPFILE | O_CREAT)) != O_TMPFILE || !(flags & O_ACCMODE))
			return -EINVAL;
	}
	mode = flags & (O_CREAT | __O_TMPFILE) ? mode & 07777 & ~process.umask : 0;
	if (w->file && flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (w->file)
		return file_reopen(w->file, flags, out);
	if (w->readonly && ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC)))
		return -EACCES;
	return w->mnt->ops->open(w, flags, mode, out);
}

int vfs_open(const char *path, u32 flags, u32 mode, struct file **out)
{
	struct where *w;
	int err = where_kernel(&w, path, flags & O_NOFOLLOW ? WHERE_NOFOLLOW : 0);

	if (!err)
		err = vfs_openat(w, flags, mode, out);
	where_put(w);
	return err;
}

int file_reopen(struct file *f, u32 flags, struct file **out)
{
	u32 have = f->flags & O_ACCMODE, want = flags & O_ACCMODE;

	if (f->ops->reopen)
		return f->ops->reopen(f, flags, out);
	if (f->path && f->path[0] == '/')
		return vfs_open(f->path, flags, 0, out);
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	/* Pipes and the like: the same open file, if it may do what is asked. */
	if (have != O_RDWR && have != want)
		return -EACCES;
	file_get(f);
	*out = f;
	return 0;
}

int file_name(struct file *f, char *buf, size_t n)
{
	int fd = file_host_fd(f);

	if (fd >= 0 && host_fdpath(fd, buf, n) >= 0 && buf[0])
		return strlen(buf);
	if (f->path)
		return min((size_t)snprintf(buf, n, "%s", f->path), n - 1);
	return snprintf(buf, n, "anon_inode:[%s]", f->ops->kind);
}

int vfs_stat(struct where *w, u32 flags, u32 mask, struct statx *out)
{
	if (w->file)
		return file_stat(w->file, mask, out);
	return w->mnt->ops->stat(w, flags, mask, out);
}

int vfs_readlink(struct where *w, char *buf, size_t n)
{
	int fd = w->file ? file_host_fd(w->file) : -1;

	if (w->file)		/* an O_PATH descriptor of a link */
		return fd >= 0 ? host_readlinkat(fd, "", buf, n) : -EINVAL;
	return w->mnt->ops->readlink ? w->mnt->ops->readlink(w, buf, n) : -EINVAL;
}

int vfs_access(struct where *w, u32 mode, u32 flags)
{
	struct statx st;
	int err, fd = w->file ? file_host_fd(w->file) : -1;

	if (mode > 7)
		return -EINVAL;
	if (fd >= 0)
		return host_faccessat(fd, "", mode, AT_EMPTY_PATH);
	if (!w->file && w->mnt->ops->access)
		return w->mnt->ops->access(w, mode, flags);
	err = vfs_stat(w, 0, STATX_BASIC_STATS, &st);
	return err ? err : mode_check(st.stx_mode, st.stx_uid, st.stx_gid, mode);
}

int vfs_statfs(struct where *w, struct statfs *out)
{
	if (!w->file)
		return w->mnt->ops->statfs(w, out);
	return w->file->ops->statfs ? w->file->ops->statfs(w->file, out) : -ENOSYS;
}

/* Changes of the name space go to the mount, never to an open file. */
#define CHANGE(w, name, ...)							\
	((w)->file ? -ENOENT : (w)->readonly ? -EROFS :				\
	 (w)->mnt->ops->name ? (w)->mnt->ops->name(__VA_ARGS__) : -EPERM)

int vfs_mkdir(struct where *w, u32 mode)
{
	return CHANGE(w, mkdir, w, mode & 01777 & ~process.umask);
}

int vfs_mknod(struct where *w, u32 mode, u64 dev)
{
	return CHANGE(w, mknod, w, mode & ~process.umask, dev);
}

int vfs_symlink(struct where *w, const char *target)
{
	return target[0] ? CHANGE(w, symlink, w, target) : -ENOENT;
}

int vfs_unlink(struct where *w, bool dir)
{
	return CHANGE(w, unlink, w, dir);
}

static bool same_mount(const struct where *a, const struct where *b)
{
	return a->mnt->ops == b->mnt->ops && a->mnt->fs == b->mnt->fs;
}

int vfs_rename(struct where *from, struct where *to, u32 flags)
{
	if (from->file || to->file || from->readonly)
		return -EROFS;
	return same_mount(from, to) ? CHANGE(to, rename, from, to, flags) : -EXDEV;
}

int vfs_link(struct where *from, struct where *to)
{
	if (!from->file && !same_mount(from, to))
		return -EXDEV;
	return CHANGE(to, link, from, to);
}

/* Changes of a file go to either. */
#define CHANGE_FILE(w, name, ...)						\
	((w)->file ? (w)->file->ops->name ?					\
		(w)->file->ops->name((w)->file, ##__VA_ARGS__) : -EPERM :	\
	 (w)->readonly ? -EROFS :						\
	 (w)->mnt->ops->name ? (w)->mnt->ops->name(w, ##__VA_ARGS__) : -EPERM)

int vfs_chmod(struct where *w, u32 mode)
{
	return CHANGE_FILE(w, chmod, mode & 07777);
}

int vfs_chown(struct where *w, u32 uid, u32 gid)
{
	return CHANGE_FILE(w, chown, uid, gid);
}

int vfs_utimens(struct where *w, const s64 times[4])
{
	return CHANGE_FILE(w, utimens, times);
}

/* fd >= 0, or a path of the host that starts at its working directory. */
static int host_xattr(int fd, const char *path, bool nofollow, const struct xattr_call *x)
{
	switch (x->op) {
	case XATTR_GET:
		return host_getxattr(fd, path, nofollow, x->name, x->value, x->size);
	case XATTR_SET:
		return host_setxattr(fd, path, nofollow, x->name, x->value, x->size, x->flags);
	case XATTR_LIST:
		return host_listxattr(fd, path, nofollow, x->value, x->size);
	default:
		return host_removexattr(fd, path, nofollow, x->name);
	}
}

int file_xattr(struct file *f, const struct xattr_call *x)
{
	int fd = file_host_fd(f);

	return fd >= 0 ? host_xattr(fd, "", false, x) : -EOPNOTSUPP;
}

int vfs_xattr(struct where *w, const struct xattr_call *x)
{
	struct statx st;
	int err;

	if (w->file)
		return file_xattr(w->file, x);
	if (!w->mnt->ops->follow) {
		if (w->readonly && (x->op == XATTR_SET || x->op == XATTR_REMOVE))
			return -EROFS;
		return host_xattr(-1, w->path, w->nofollow, x);
	}
	err = vfs_stat(w, 0, STATX_TYPE, &st);
	return err ? err : x->op == XATTR_LIST ? 0 : -EOPNOTSUPP;
}

/* ---- what internal file systems share ---- */

void statx_fill(struct statx *st, enum fs_dev dev, u64 ino, u32 mode, u64 size)
{
	u64 now = realtime_ns();

	*st = (struct statx){
		.stx_mask = STATX_BASIC_STATS, .stx_blksize = PAGE_SIZE, .stx_ino = ino,
		.stx_mode = mode, .stx_size = size, .stx_nlink = S_ISDIR(mode) ? 2 : 1,
		.stx_dev_minor = dev,
	};
	st->stx_atime.tv_sec = now / NSEC_PER_SEC;
	st->stx_atime.tv_nsec = now % NSEC_PER_SEC;
	st->stx_mtime = st->stx_ctime = st->stx_atime;
}

void statfs_fill(struct statfs *st, u64 magic)
{
	*st = (struct statfs){
		.f_type = magic,
		.f_bsize = PAGE_SIZE,
		.f_frsize = PAGE_SIZE,
		.f_namelen = VFS_NAME_MAX,
	};
}

u32 open_want(u32 flags)
{
	static const u8 want[] = { 4, 2, 6, 6 };

	return flags & O_PATH ? 0 : want[flags & O_ACCMODE] | (flags & O_TRUNC ? 2 : 0);
}

int mode_check(u32 mode, u32 uid, u32 gid, u32 want)
{
	bool group = process.egid == gid;

	if (process.euid == 0)
		return want & 1 && !S_ISDIR(mode) && !(mode & 0111) ? -EACCES : 0;
	for (u32 i = 0; i < process.ngroups && !group; i++)
		group = process.groups[i] == gid;
	if (process.euid == uid)
		mode >>= 6;
	else if (group)
		mode >>= 3;
	return want & ~mode & 7 ? -EACCES : 0;
}

u64 name_ino(const char *name, size_t len, u64 dir)
{
	u64 h = 0xcbf29ce484222325ull ^ dir;	/* FNV-1a */

	while (len--)
		h = (h ^ (u8)*name++) * 0x100000001b3ull;
	return (h >> 32 ^ h) & 0x7fffffff;
}
