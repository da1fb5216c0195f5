/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of trusted files, which is the root of a run with a manifest: the files and links that
 * are listed, and the directories on the way to them and to mounts. Nothing else exists, and
 * who looks for what only the host has is told which key of the manifest would change that.
 */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/gen.h"
#include "fs/trusted.h"
#include "fs/vfs.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/policy.h"
#include "lib/string.h"

static const struct rakis_trusted *entries(void)
{
	return policy_entries(policy->files);
}

static const char *path_of(u32 i)
{
	return policy_string(entries()[i].path);
}

/* `path` of `len` bytes, with a slash behind it if `slash`, against the path of an entry. */
static int compare(const char *path, size_t len, bool slash, const char *other)
{
	int c = strncmp(path, other, len);

	return c || !slash ? c : (u8)'/' - (u8)other[len];
}

/* The first entry that is not before it. */
static u32 lower_bound(const char *path, size_t len, bool slash)
{
	u32 lo = 0, hi = policy->files.count;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (compare(path, len, slash, path_of(mid)) > 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct rakis_trusted *find(const char *path, size_t len)
{
	u32 i = lower_bound(path, len, false);

	return i < policy->files.count && !strncmp(path_of(i), path, len) && !path_of(i)[len] ?
		&entries()[i] : NULL;
}

/* Is `other` below the directory? */
static bool is_below(const char *path, size_t len, const char *other)
{
	return !strncmp(other, path, len) && other[len] == '/';
}

static bool is_dir(const char *path, size_t len)
{
	u32 i = lower_bound(path, len, true);
	const struct mount *m;

	if (!len || (i < policy->files.count && is_below(path, len, path_of(i))))
		return true;
	for (u32 j = 0; (m = mount_at(j)); j++)
		if (is_below(path, len, m->prefix))
			return true;
	return false;
}

/* Length of w's path: the root is the empty one, as a directory's name has no slash behind it. */
static size_t length(const struct where *w)
{
	size_t n = strlen(w->full);

	return n && w->full[n - 1] == '/' ? n - 1 : n;
}

static int tree_follow(struct where *w, bool last)
{
	const char *p = w->path, *name;

	while (path_component(&p, &name)) {
		const struct rakis_trusted *e = find(w->full, p - w->full);

		if (e && S_ISLNK(e->mode) && (last || *p))
			return where_link(w, p - w->path, policy_string(e->host));
		if (e && *p && !S_ISLNK(e->mode))
			return -ENOTDIR;
	}
	return 0;
}

/* The one at `w`, or NULL for a directory; -ENOENT. */
static int look(const struct where *w, const struct rakis_trusted **e)
{
	*e = find(w->full, length(w));
	return *e || is_dir(w->full, length(w)) ? 0 : -ENOENT;
}

/* The host's answer decides nothing but whether there is something to say. */
static void tell_missing(const struct where *w)
{
	struct statx st;

	if (!host_statx(VFS_FDCWD, w->full, 0, STATX_TYPE, &st))
		log_warn("%s: not in the manifest; if the program needs it, list it there under `trusted`",
			 w->full);
}

static int tell_readonly(const struct where *w)
{
	log_warn("%s: the manifest lets nothing be written there; a mount of kind encrypted, tmpfs or host "
		 "under `mounts` would", w->full);
	return -EROFS;
}

/* ---- listings: arg is an entry below the directory, or a mount, and the length of its path ---- */

#define ARG_MOUNT	(1ull << 63)
#define ARG(i, len)	((u64)(i) << 16 | (len))
#define ARG_INDEX(arg)	((u32)(((arg) & ~ARG_MOUNT) >> 16))
#define ARG_LEN(arg)	((arg) & 0xffff)

static void add_name(struct gen *g, const char *path, size_t len, u32 mode)
{
	char name[VFS_NAME_MAX + 1];
	const char *p = path + len, *start;
	size_t n = path_component(&p, &start);

	if (n > VFS_NAME_MAX)
		return;
	memcpy(name, start, n);
	name[n] = '\0';
	gen_dirent(g, name, name_ino(path, p - path, 0), *p ? S_IFDIR : mode);
}

static bool same_name(const char *a, const char *b, size_t len)
{
	const char *p = a + len, *start;
	size_t n = path_component(&p, &start);

	n += start - a;
	return !strncmp(a, b, n) && (b[n] == '/' || !b[n]);
}

static void list(struct gen *g)
{
	size_t len = ARG_LEN(g->arg);
	const char *dir = g->arg & ARG_MOUNT ? mount_at(ARG_INDEX(g->arg))->prefix : path_of(ARG_INDEX(g->arg));
	u32 first = lower_bound(dir, len, true), i = first;
	const struct mount *m;

	gen_dirent(g, ".", g->ino, S_IFDIR);
	gen_dirent(g, "..", g->ino, S_IFDIR);
	for (; i < policy->files.count && is_below(dir, len, path_of(i)); i++)
		if (i == first || !same_name(path_of(i), path_of(i - 1), len))
			add_name(g, path_of(i), len, entries()[i].mode);
	for (u32 j = 1; (m = mount_at(j)); j++) {
		bool there = !is_below(dir, len, m->prefix);

		for (u32 k = first; k < i && !there; k++)
			there = same_name(m->prefix, path_of(k), len);
		for (u32 k = 1; k < j && !there; k++)
			there = is_below(dir, len, mount_at(k)->prefix) &&
				same_name(m->prefix, mount_at(k)->prefix, len);
		if (!there)
			add_name(g, m->prefix, len, S_IFDIR);
	}
}

static int open_dir(struct where *w, u32 flags, struct file **out)
{
	size_t len = length(w);
	struct gen dir = {
		.fill = list, .mode = S_IFDIR | 0755, .dev = DEV_TRUSTED, .ino = name_ino(w->full, len, 0),
	};
	u32 i = lower_bound(w->full, len, true);

	if (i < policy->files.count && is_below(w->full, len, path_of(i))) {
		dir.arg = ARG(i, len);
	} else {
		for (i = 1; !is_below(w->full, len, mount_at(i)->prefix); i++)
			;
		dir.arg = ARG(i, len) | ARG_MOUNT;
	}
	return gen_open(&dir, w, flags, out);
}

static int tree_open(struct where *w, u32 flags, u32 mode, struct file **out)
{
	const struct rakis_trusted *e;
	char *name;
	int err = look(w, &e);

	if ((flags & O_TMPFILE) == O_TMPFILE || (err && flags & O_CREAT))
		return tell_readonly(w);
	if (err) {
		tell_missing(w);
		return err;
	}
	if (!e)
		return open_dir(w, flags, out);
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (flags & O_DIRECTORY || w->want_dir)
		return -ENOTDIR;
	if (S_ISLNK(e->mode))
		return -ELOOP;		/* O_NOFOLLOW */
	if ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC)
		return tell_readonly(w);
	name = where_name(w);
	err = trusted_open(e, flags, name, out);
	if (err)
		kfree(name);
	return err;
}

static int tree_stat(struct where *w, u32 flags, u32 mask, struct statx *out)
{
	const struct rakis_trusted *e;
	int err = look(w, &e);

	if (err)
		return err;
	if (e)
		return w->want_dir && !S_ISLNK(e->mode) ? -ENOTDIR : trusted_stat(e, out);
	statx_fill(out, DEV_TRUSTED, name_ino(w->full, length(w), 0), S_IFDIR | 0755, 0);
	return 0;
}

static int tree_readlink(struct where *w, char *buf, size_t n)
{
	const struct rakis_trusted *e;
	int err = look(w, &e);

	if (err || !e || !S_ISLNK(e->mode))
		return err ? err : -EINVAL;
	n = min(n, strlen(policy_string(e->host)));
	memcpy(buf, policy_string(e->host), n);
	return n;
}

static int tree_statfs(struct where *w, struct statfs *out)
{
	statfs_fill(out, 0x52414b49);
	return 0;
}

static int tree_mkdir(struct where *w, u32 mode)
{
	const struct rakis_trusted *e;

	return look(w, &e) ? tell_readonly(w) : -EEXIST;
}

static int tree_unlink(struct where *w, bool dir)
{
	const struct rakis_trusted *e;
	int err = look(w, &e);

	return err ? err : tell_readonly(w);
}

const struct mount_ops trusted_mount_ops = {
	.type = "trusted",
	.follow = tree_follow,
	.open = tree_open,
	.stat = tree_stat,
	.readlink = tree_readlink,
	.statfs = tree_statfs,
	.mkdir = tree_mkdir,
	.unlink = tree_unlink,
};
