/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names: where a path leads, and what can be done there. A mount is a prefix of the
 * guest's name space with operations of its own; "/" is the host, whose kernel resolves
 * symbolic links and `..` itself. Other mounts get the path within them, without links.
 */
#ifndef RAKIS_FS_VFS_H
#define RAKIS_FS_VFS_H

#include "fs/file.h"
#include "lib/types.h"

struct rakis_boot;
struct where;

#define VFS_PATH_MAX	4096
#define VFS_NAME_MAX	255
#define VFS_FDCWD	(-100)		/* AT_FDCWD */

struct xattr_call {
	enum { XATTR_GET, XATTR_SET, XATTR_LIST, XATTR_REMOVE } op;
	const char *name;
	void *value;			/* trusted buffer, or the list */
	size_t size;
	u32 flags;			/* XATTR_CREATE, XATTR_REPLACE */
};

/* Each on the file that `w` names. Missing: -EPERM, or as vfs_...() says. */
struct mount_ops {
	const char *type;		/* as /proc/mounts shows */
	/*
	 * Follow symbolic links in w->path, the last component only if `last`. 1: w was
	 * rewritten by where_link() and is to be looked at again. Missing: the host does it.
	 */
	int (*follow)(struct where *w, bool last);
	int (*open)(struct where *w, u32 flags, u32 mode, struct file **out);
	int (*stat)(struct where *w, u32 flags, u32 mask, struct statx *out);
	int (*readlink)(struct where *w, char *buf, size_t n);	/* length, no NUL */
	int (*access)(struct where *w, u32 mode, u32 flags);	/* missing: by the mode of stat */
	int (*statfs)(struct where *w, struct statfs *out);
	int (*mkdir)(struct where *w, u32 mode);
	int (*mknod)(struct where *w, u32 mode, u64 dev);
	int (*symlink)(struct where *w, const char *target);
	int (*unlink)(struct where *w, bool dir);
	int (*rename)(struct where *from, struct where *to, u32 flags);
	int (*link)(struct where *from, struct where *to);
	int (*chmod)(struct where *w, u32 mode);
	int (*chown)(struct where *w, u32 uid, u32 gid);
	int (*utimens)(struct where *w, const s64 times[4]);
	int (*xattr)(struct where *w, const struct xattr_call *x);
};

struct mount {
	const char *prefix;
	size_t len;
	const struct mount_ops *ops;
	void *fs;			/* of the mount: struct tmpfs *; the host's path, if it is another */
	bool readonly;
};

/* A path of the guest, resolved as far as the libOS does it. */
struct where {
	const struct mount *mnt;
	struct file *file; /* names this open file itself (empty path, /proc/self/fd/N) */
	struct file *dir;		/* holds what dirfd belongs to */
	int dirfd;			/* host */
	const char *path;		/* host: for dirfd. Others: within the mount, "" its root */
	bool nofollow;			/* the last component is not followed */
	bool want_dir;			/* trailing slash */
	bool readonly;			/* the mount, or the host's /proc behind ours */
	bool absolute;			/* `full`, not `raw`, is the host's path */
	char raw[VFS_PATH_MAX];		/* as the guest gave it */
	char full[VFS_PATH_MAX];	/* absolute, without `.`, `..`, `//`; "" if too long */
};

#define WHERE_NOFOLLOW	1u
#define WHERE_EMPTY	2u		/* an empty path names dirfd */

/* From the guest's string, or from a string of the libOS. On error *w is NULL. */
int where_get(struct where **w, int dirfd, u64 upath, u32 flags) __must_check;
int where_kernel(struct where **w, const char *path, u32 flags) __must_check;
void where_put(struct where *w);	/* NULL is fine */
/* For follow(): the component that ends at w->path + end is a link to `target`. */
int where_link(struct where *w, size_t end, const char *target) __must_check;
/* For follow(): the file is the host's after all. */
void where_to_host(struct where *w, bool readonly);
/* The next component of *p (which moves behind it); its length, 0 at the end. */
size_t path_component(const char **p, const char **name);

/* Mounts and working directory. */
void vfs_init(const struct rakis_boot *boot, const char *cwd, const char *hostname);
int mount_add(const char *prefix, const struct mount_ops *ops, void *fs, bool readonly) __must_check;
/* mounts.c: those of the manifest. `key`: for encrypted ones; NULL: there is none. */
void mounts_init(const u8 *key);
/* The root is the tree of trusted files, not the host's. */
void mount_trusted_root(const char *cwd);
const struct mount *mount_at(u32 i);	/* NULL behind the last */
extern bool fs_rooted;			/* the host's /proc and /sys are out of reach */
extern char fs_hostname[65];

extern const struct mount_ops host_mount_ops, dev_mount_ops, proc_mount_ops, tmpfs_mount_ops,
	enc_mount_ops, trusted_mount_ops;

int vfs_openat(struct where *w, u32 flags, u32 mode, struct file **out) __must_check;
int vfs_stat(struct where *w, u32 flags, u32 mask, struct statx *out) __must_check;
int vfs_readlink(struct where *w, char *buf, size_t n) __must_check;
int vfs_access(struct where *w, u32 mode, u32 flags) __must_check;
int vfs_statfs(struct where *w, struct statfs *out) __must_check;
int vfs_mkdir(struct where *w, u32 mode) __must_check;
int vfs_mknod(struct where *w, u32 mode, u64 dev) __must_check;
int vfs_symlink(struct where *w, const char *target) __must_check;
int vfs_unlink(struct where *w, bool dir) __must_check;
int vfs_rename(struct where *from, struct where *to, u32 flags) __must_check;
int vfs_link(struct where *from, struct where *to) __must_check;
int vfs_chmod(struct where *w, u32 mode) __must_check;
int vfs_chown(struct where *w, u32 uid, u32 gid) __must_check;
int vfs_utimens(struct where *w, const s64 times[4]) __must_check;
int vfs_xattr(struct where *w, const struct xattr_call *x) __must_check;
int file_xattr(struct file *f, const struct xattr_call *x) __must_check;
int vfs_chdir(struct where *w) __must_check;
int vfs_fchdir(struct file *f) __must_check;
int vfs_getcwd(char *buf, size_t n) __must_check;	/* with NUL; -ERANGE, -ENOENT if removed */
/* A second open file for what `f` names (open of /proc/self/fd/N). */
int file_reopen(struct file *f, u32 flags, struct file **out) __must_check;
/* For f->path: w->full without a trailing slash; NULL if that is not known. */
char *where_name(const struct where *w);
/* What F_GETFL shows of the flags of open(). */
u32 open_status(u32 flags);
/* Name of an open file as /proc/self/fd shows it; its length. */
int file_name(struct file *f, char *buf, size_t n) __must_check;

/* What internal file systems fill in; sizes and times of the rest by the caller. */
enum fs_dev { DEV_PROC = 64, DEV_DEV, DEV_TMPFS, DEV_ANON, DEV_TRUSTED };	/* minor numbers of st_dev */
void statx_fill(struct statx *st, enum fs_dev dev, u64 ino, u32 mode, u64 size);
void statfs_fill(struct statfs *st, u64 magic);
/* May the process do `want` (R_OK 4, W_OK 2, X_OK 1) to a file of this mode? 0 or -EACCES. */
int mode_check(u32 mode, u32 uid, u32 gid, u32 want) __must_check;
u32 open_want(u32 flags);		/* what open(flags) needs, for mode_check() */
/* An inode number that stays the same: of the name in the directory `dir`. */
u64 name_ino(const char *name, size_t len, u64 dir);

/* tmpfs.c */
void *tmpfs_new(u32 mode) __must_check;
int memfd_new(const char *name, u32 flags, struct file **out) __must_check;
/* linux/stat.h keeps these from user space */
#define UTIME_NOW_	((1l << 30) - 1)
#define UTIME_OMIT_	((1l << 30) - 2)

#endif
