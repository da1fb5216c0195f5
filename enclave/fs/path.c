/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: normal form, the mount they lead to, symbolic links of internal mounts, cwd. */
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "boundary/boot.h"
#include "fs/proc.h"
#include "fs/vfs.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/policy.h"
#include "lib/string.h"

#define MOUNTS_MAX	16
#define LINKS_MAX	40

bool fs_rooted;
char fs_hostname[65];

static struct mount mounts[MOUNTS_MAX] = { { "", 0, &host_mount_ops, NULL, false } };
static u32 nmounts = 1;

/* Working directory: its name, and on the host a descriptor (O_PATH), which the host's
 * own working directory follows. fd -1: it is internal. */
static struct {
	struct mutex lock;
	char *path;
	int fd;
} cwd = { .fd = -1 };

/* ---- mounts ---- */

int mount_add(const char *prefix, const struct mount_ops *ops, void *fs, bool readonly)
{
	if (nmounts == MOUNTS_MAX)
		return -ENOSPC;
	mounts[nmounts++] = (struct mount){ prefix, strlen(prefix), ops, fs, readonly };
	return 0;
}

const struct mount *mount_at(u32 i)
{
	return i < nmounts ? &mounts[i] : NULL;
}

static const struct mount *mount_of(const char *full)
{
	const struct mount *best = &mounts[0];

	for (u32 i = 1; i < nmounts; i++) {
		const struct mount *m = &mounts[i];

		if (m->len > best->len && strncmp(full, m->prefix, m->len) == 0 &&
		    (full[m->len] == '/' || full[m->len] == '\0'))
			best = m;
	}
	return best;
}

/* ---- names ---- */

size_t path_component(const char **p, const char **name)
{
	const char *s = *p;

	while (*s == '/')
		s++;
	*name = s;
	while (*s && *s != '/')
		s++;
	*p = s;
	return s - *name;
}

/* Append `path` to the normal form in dst, of length *len ("" is the root). */
static bool append_path(char *dst, size_t *len, const char *path)
{
	const char *name;
	size_t n;

	while ((n = path_component(&path, &name)) != 0) {
		if (n == 1 && name[0] == '.')
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			while (*len && dst[--*len] != '/')
				;
			continue;
		}
		if (*len + 1 + n >= VFS_PATH_MAX)
			return false;
		dst[(*len)++] = '/';
		memcpy(dst + *len, name, n);
		*len += n;
	}
	return true;
}

/* dst = base + "/" + path without `.`, `..`, `//`; "" if it is too long. */
static void normalise(char *dst, const char *base, const char *path)
{
	size_t len = 0;

	if (!append_path(dst, &len, base) || !append_path(dst, &len, path)) {
		dst[0] = '\0';
		return;
	}
	if (!len)
		dst[len++] = '/';
	dst[len] = '\0';
}

static bool ends_as_dir(const char *path)
{
	const char *last = strrchr(path, '/');

	last = last ? last + 1 : path;
	return !*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

/* ---- resolution ---- */

int where_link(struct where *w, size_t end, const char *target)
{
	const char *rest = w->path + end;
	size_t start = w->path - w->full + end;
	int n;

	while (start && w->full[start - 1] != '/')
		start--;
	/* `raw` is free by now: nothing but `full` is used once a mount is internal. */
	if (*target == '/')
		n = snprintf(w->raw, sizeof(w->raw), "%s%s", target, rest);
	else
		n = snprintf(w->raw, sizeof(w->raw), "%.*s%s%s", (int)start, w->full, target, rest);
	if (n >= (int)sizeof(w->raw))
		return -ENAMETOOLONG;
	w->want_dir |= ends_as_dir(w->raw);
	normalise(w->full, "", w->raw);
	w->absolute = true;
	return 1;
}

void where_to_host(struct where *w, bool readonly)
{
	w->mnt = &mounts[0];
	w->dirfd = VFS_FDCWD;
	w->path = w->full;
	w->readonly = readonly;
	/* The host must see the slash that the normal form has lost. */
	if (w->want_dir && w->full[1] && strlen(w->full) + 1 < VFS_PATH_MAX)
		memcpy(w->full + strlen(w->full), "/", 2);
}

/* A directory of the host that the guest knows by another path. */
static bool is_mapped(const struct mount *m)
{
	return !m->ops->follow && m->fs;
}

static int resolve_mapped(struct where *w)
{
	int n = snprintf(w->raw, sizeof(w->raw), "%s%s%s", (const char *)w->mnt->fs,
			 w->full + w->mnt->len, w->want_dir ? "/" : "");

	w->dirfd = VFS_FDCWD;
	w->path = w->raw;
	w->absolute = true;
	return n < (int)sizeof(w->raw) ? 0 : -ENAMETOOLONG;
}

static int resolve(struct where *w)
{
	/* Too long, and the host does not know the directory where it starts. */
	if (w->absolute && !w->full[0])
		return -ENAMETOOLONG;
	for (int i = 0; i < LINKS_MAX; i++) {
		int r;

		w->mnt = mount_of(w->full);
		w->readonly = w->mnt->readonly;
		if (is_mapped(w->mnt))
			return resolve_mapped(w);
		if (!w->mnt->ops->follow) {
			if (w->absolute)
				where_to_host(w, false);
			else
				w->path = w->raw;
			return 0;
		}
		w->dirfd = VFS_FDCWD;
		w->path = w->full + w->mnt->len;
		while (*w->path == '/')
			w->path++;
		r = w->mnt->ops->follow(w, !w->nofollow || w->want_dir);
		if (r <= 0)
			return r;
	}
	return -ELOOP;
}

/* The last one given back is kept: most programs need one at a time. */
static _Atomic(struct where *) spare;

static struct where *where_new(u32 flags)
{
	struct where *w = atomic_exchange_explicit(&spare, NULL, memory_order_acquire);

	if (!w)
		w = kmalloc(sizeof(*w));
	if (w) {
		memset(w, 0, offsetof(struct where, raw));
		w->dirfd = VFS_FDCWD;
		w->nofollow = flags & WHERE_NOFOLLOW;
	}
	return w;
}

void where_put(struct where *w)
{
	if (!w)
		return;
	if (w->file)
		file_put(w->file);
	if (w->dir)
		file_put(w->dir);
	kfree(atomic_exchange_explicit(&spare, w, memory_order_acq_rel));
}

static int relative_to_fd(struct where *w, int dirfd)
{
	struct file *f = w->dir = fd_get_path(dirfd);

	if (!f)
		return -EBADF;
	w->dirfd = file_host_fd(f);
	if (w->dirfd < 0 || (f->path && is_mapped(mount_of(f->path)))) {
		if (!f->ops->getdents || !f->path)
			return -ENOTDIR;
		w->absolute = true;
	}
	if (f->path)
		normalise(w->full, f->path, w->raw);
	else
		w->full[0] = '\0';
	return 0;
}

static void relative_to_cwd(struct where *w)
{
	mutex_lock(&cwd.lock);
	normalise(w->full, cwd.path, w->raw);
	w->absolute = cwd.fd < 0;
	mutex_unlock(&cwd.lock);
}

static int where_finish(struct where **out, struct where *w, int dirfd)
{
	int err = 0;

	w->want_dir = ends_as_dir(w->raw);
	if (w->raw[0] == '/') {
		normalise(w->full, "", w->raw);
		/* The way may lead through mounts that the host knows nothing of. */
		w->absolute = policy && strstr(w->raw, "/..");
	} else if (dirfd == VFS_FDCWD) {
		relative_to_cwd(w);
	} else {
		err = relative_to_fd(w, dirfd);
	}
	if (!err)
		err = resolve(w);
	if (err) {
		where_put(w);
		w = NULL;
	}
	*out = w;
	return err;
}

int where_get(struct where **out, int dirfd, u64 upath, u32 flags)
{
	struct where *w = *out = NULL;
	ssize_t n;

	w = where_new(flags);
	if (!w)
		return -ENOMEM;
	n = strncpy_from_user(w->raw, upath, sizeof(w->raw));
	if (n == 0 && (flags & WHERE_EMPTY)) {
		if (dirfd == VFS_FDCWD) {
			memcpy(w->raw, ".", 2);
		} else {
			w->file = fd_get_path(dirfd);
			n = w->file ? 0 : -EBADF;
			if (!n) {
				*out = w;
				return 0;
			}
		}
	} else if (n == 0) {
		n = -ENOENT;
	}
	if (n < 0) {
		where_put(w);
		return n;
	}
	return where_finish(out, w, dirfd);
}

int where_kernel(struct where **out, const char *path, u32 flags)
{
	struct where *w = *out = NULL;
	size_t n = strlen(path);

	if (!n || n >= VFS_PATH_MAX)
		return n ? -ENAMETOOLONG : -ENOENT;
	w = where_new(flags);
	if (!w)
		return -ENOMEM;
	memcpy(w->raw, path, n + 1);
	return where_finish(out, w, VFS_FDCWD);
}

/* ---- working directory ---- */

static int cwd_set(int fd, const char *path)
{
	char *copy = kstrdup(path), *old;
	int old_fd, err = copy ? 0 : -ENOMEM;

	mutex_lock(&cwd.lock);
	if (!err && fd >= 0)
		err = host_fchdir(fd);
	if (err) {
		mutex_unlock(&cwd.lock);
		kfree(copy);
		return err;
	}
	old = cwd.path;
	old_fd = cwd.fd;
	cwd.path = copy;
	cwd.fd = fd;
	mutex_unlock(&cwd.lock);
	kfree(old);
	if (old_fd >= 0)
		host_close(old_fd);
	return 0;
}

static int cwd_set_host(int dirfd, const char *path, const char *name)
{
	int fd = host_openat(dirfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, NULL), err = -ENOMEM;
	char *buf;

	if (fd < 0)
		return fd;
	buf = kmalloc(VFS_PATH_MAX);
	if (buf) {
		if (host_fdpath(fd, buf, VFS_PATH_MAX) >= 0 && buf[0] == '/')
			name = buf;
		err = cwd_set(fd, name[0] ? name : "/");
		kfree(buf);
	}
	if (err)
		host_close(fd);
	return err;
}

int vfs_fchdir(struct file *f)
{
	int fd = f->path && is_mapped(mount_of(f->path)) ? -1 : file_host_fd(f);

	if (fd >= 0)
		return cwd_set_host(fd, ".", f->path ? f->path : "");
	return f->ops->getdents && f->path ? cwd_set(-1, f->path) : -ENOTDIR;
}

int vfs_chdir(struct where *w)
{
	struct statx st;
	int err;

	if (w->file)
		return vfs_fchdir(w->file);
	if (!is_mapped(w->mnt) && !w->mnt->ops->follow)
		return cwd_set_host(w->dirfd, w->path, w->full);
	err = vfs_stat(w, 0, STATX_BASIC_STATS, &st);
	if (err)
		return err;
	if (!S_ISDIR(st.stx_mode))
		return -ENOTDIR;
	err = mode_check(st.stx_mode, st.stx_uid, st.stx_gid, 1);
	return err ? err : cwd_set(-1, w->full);
}

int vfs_getcwd(char *buf, size_t n)
{
	struct statx st;
	int len;

	mutex_lock(&cwd.lock);
	len = strlen(cwd.path) + 1;
	if (cwd.fd >= 0) {
		/* Ask: it may have been renamed or removed. */
		char *now = kmalloc(VFS_PATH_MAX);

		if (host_statx(cwd.fd, "", AT_EMPTY_PATH, STATX_NLINK, &st) == 0 && !st.stx_nlink) {
			len = -ENOENT;
		} else if (now && host_fdpath(cwd.fd, now, VFS_PATH_MAX) >= 0 && now[0] == '/' &&
			   strcmp(now, cwd.path) != 0) {
			kfree(cwd.path);
			cwd.path = now;
			now = NULL;
			len = strlen(cwd.path) + 1;
		}
		kfree(now);
	}
	if (len > (int)n)
		len = -ERANGE;
	if (len > 0)
		memcpy(buf, cwd.path, len);
	mutex_unlock(&cwd.lock);
	return len;
}

void mount_trusted_root(const char *path)
{
	struct where *w;

	mounts[0].ops = &trusted_mount_ops;
	if (cwd_set(-1, "/"))
		panic("no memory for the file systems: raise --memory");
	if (*path && where_kernel(&w, path, 0) == 0) {
		if (vfs_chdir(w))
			log_warn("%s: no directory of the guest, so it starts in /", path);
		where_put(w);
	}
}

void vfs_init(const struct rakis_boot *boot, const char *path, const char *hostname)
{
	void *shm = tmpfs_new(01777);

	fs_rooted = boot->rooted;
	snprintf(fs_hostname, sizeof(fs_hostname), "%s", hostname);
	mutex_init(&cwd.lock);
	if (cwd_set_host(VFS_FDCWD, ".", path))
		cwd.path = kstrdup("/");
	proc_init(boot);
	if (!cwd.path || !shm || mount_add("/proc", &proc_mount_ops, NULL, false) ||
	    mount_add("/dev", &dev_mount_ops, NULL, false) ||
	    mount_add("/dev/shm", &tmpfs_mount_ops, shm, false))
		panic("no memory for the file systems: raise --memory");
}
