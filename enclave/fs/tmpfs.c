/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in the libOS's heap: /dev/shm, memfd_create(), mounts by policy. This file is the
 * name space; tmpfile.c holds the data.
 */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <linux/stat.h>

#include "fs/encrypted.h"
#include "fs/gen.h"
#include "fs/tmpfs.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/time.h"

static void node_put(struct tnode *n)
{
	if (atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1)
		return;
	tnode_free_data(n);
	if (n->enc)
		enc_file_forget(n->enc);
	kfree(n->target);
	kfree(n);
}

static struct tnode *node_get(struct tnode *n)
{
	atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
	return n;
}

struct tnode *tnode_new(struct tmpfs *fs, u32 mode)
{
	static _Atomic u64 last_ino = 1;
	struct tnode *n = kzalloc(sizeof(*n));

	if (!n)
		return NULL;
	mutex_init(&n->lock);
	list_init(&n->names);
	list_init(&n->queued);
	n->refs = 1;
	n->fs = fs;
	n->mode = mode;
	n->nlink = S_ISDIR(mode) ? 2 : 1;
	n->uid = process.euid;
	n->gid = process.egid;
	n->seals = F_SEAL_SEAL;
	n->ino = atomic_fetch_add_explicit(&last_ino, 1, memory_order_relaxed);
	n->atime = n->mtime = n->ctime = realtime_ns();
	if (fs && fs->volume && S_ISREG(mode)) {
		n->enc = enc_file_new(fs->volume);
		if (!n->enc) {
			kfree(n);
			return NULL;
		}
	}
	return n;
}

void tnode_changed(struct tnode *n)
{
	n->ctime = realtime_ns();
	if (n->fs && n->fs->volume)
		atomic_store(&n->fs->volume->renamed, true);
}

static void touch(struct tnode *n)
{
	tnode_changed(n);
	n->mtime = n->ctime;
}

/* ---- names; all under fs->lock ---- */

/* Where a path leads: the directory of its last component, and the entry if there is one. */
struct place {
	struct tnode *dir;		/* NULL: the root itself */
	const char *name;
	size_t len;
	struct tname *entry;
	struct tnode *inode;
};

static struct tmpfs *lock_fs(struct where *w)
{
	struct tmpfs *fs = w->mnt->fs;

	mutex_lock(&fs->lock);
	return fs;
}

static int done(struct tmpfs *fs, int err)
{
	mutex_unlock(&fs->lock);
	return err;
}

static struct tname *find(struct tnode *dir, const char *name, size_t len)
{
	struct tname *e;

	list_for_each(e, &dir->names, node)
		if (strncmp(e->name, name, len) == 0 && !e->name[len])
			return e;
	return NULL;
}

/* One step; -ENOENT if the directory on the way is missing. */
static int step(struct place *p, const char *name, size_t len)
{
	if (!p->inode)
		return -ENOENT;
	if (!S_ISDIR(p->inode->mode))
		return -ENOTDIR;
	if (len > VFS_NAME_MAX)
		return -ENAMETOOLONG;
	p->dir = p->inode;
	p->name = name;
	p->len = len;
	p->entry = find(p->dir, name, len);
	p->inode = p->entry ? p->entry->inode : NULL;
	return 0;
}

static int walk(struct tmpfs *fs, struct where *w, struct place *p)
{
	const char *path = w->path, *name;
	size_t len;
	int err = 0;

	*p = (struct place){ .inode = fs->root };
	while (!err && (len = path_component(&path, &name)) != 0)
		err = step(p, name, len);
	if (!err && w->want_dir && p->inode && !S_ISDIR(p->inode->mode))
		err = -ENOTDIR;
	return err;
}

/* The same for a file that must be there. */
static int walk_to(struct tmpfs *fs, struct where *w, struct place *p)
{
	int err = walk(fs, w, p);

	return err ? err : p->inode ? 0 : -ENOENT;
}

static int tmpfs_follow(struct where *w, bool last)
{
	struct tmpfs *fs = lock_fs(w);
	struct place p = { .inode = fs->root };
	const char *path = w->path, *name;
	size_t len;
	int err = 0;

	while (!err && (len = path_component(&path, &name)) != 0) {
		if (step(&p, name, len) || !p.inode)
			break;		/* the operation itself will say */
		if (S_ISLNK(p.inode->mode) && (last || *path))
			err = where_link(w, path - w->path, p.inode->target);
	}
	return done(fs, err);
}

static int dir_check(struct tnode *dir)
{
	return mode_check(dir->mode, dir->uid, dir->gid, 3);
}

/* Give `n` the name at `p`; the name takes over the caller's reference if it works. */
static int add(struct place *p, struct tnode *n)
{
	struct tname *e;
	int err = dir_check(p->dir);

	if (err)
		return err;
	if (p->dir->nlink == 0)
		return -ENOENT;
	e = kmalloc(sizeof(*e) + p->len + 1);
	if (!e)
		return -ENOSPC;
	memcpy(e->name, p->name, p->len);
	e->name[p->len] = '\0';
	e->inode = n;
	list_append(&p->dir->names, &e->node);
	if (S_ISDIR(n->mode)) {
		n->parent = p->dir;
		p->dir->nlink++;
	}
	touch(p->dir);
	return 0;
}

int tmpfs_restore(struct tnode *dir, const char *name, size_t len, struct tnode *n, bool again)
{
	struct tname *e = kmalloc(sizeof(*e) + len + 1);

	if (!e)
		return -ENOMEM;
	memcpy(e->name, name, len);
	e->name[len] = '\0';
	e->inode = n;
	list_append(&dir->names, &e->node);
	if (S_ISDIR(n->mode)) {
		n->parent = dir;
		dir->nlink++;
	}
	if (again)
		node_get(n)->nlink++;
	return 0;
}

/* The name goes, its reference is the caller's. */
static void detach(struct place *p)
{
	list_remove(&p->entry->node);
	kfree(p->entry);
	if (S_ISDIR(p->inode->mode))
		p->dir->nlink--;
	touch(p->dir);
}

/* A name of `n` is gone. */
static void unlinked(struct tnode *n)
{
	n->ctime = realtime_ns();
	n->nlink = S_ISDIR(n->mode) ? 0 : n->nlink - 1;
	n->parent = NULL;
	node_put(n);
}

static int make(struct where *w, u32 mode, u64 rdev, const char *target)
{
	struct tmpfs *fs = lock_fs(w);
	struct tnode *n = NULL;
	struct place p;
	int err = walk(fs, w, &p);

	if (!err)
		err = p.inode ? -EEXIST : w->want_dir && !S_ISDIR(mode) ? -ENOENT : 0;
	if (!err) {
		n = tnode_new(fs, mode);
		if (n && target) {
			n->target = kstrdup(target);
			n->size = strlen(target);
		}
		err = !n || (target && !n->target) ? -ENOSPC : 0;
	}
	if (!err) {
		n->rdev = rdev;
		err = add(&p, n);
	}
	if (err && n)
		node_put(n);
	return done(fs, err);
}

static int tmpfs_mkdir(struct where *w, u32 mode)
{
	return make(w, S_IFDIR | mode, 0, NULL);
}

static int tmpfs_mknod(struct where *w, u32 mode, u64 dev)
{
	return make(w, mode & S_IFMT ? mode : mode | S_IFREG, dev, NULL);
}

static int tmpfs_symlink(struct where *w, const char *target)
{
	return make(w, S_IFLNK | 0777, 0, target);
}

/* May the entry go, as unlink or rmdir, or in favour of another? */
static int may_drop(const struct place *p, bool dir)
{
	if (!p->dir)
		return -EBUSY;
	if (dir && !S_ISDIR(p->inode->mode))
		return -ENOTDIR;
	if (!dir && S_ISDIR(p->inode->mode))
		return -EISDIR;
	if (dir && !list_empty(&p->inode->names))
		return -ENOTEMPTY;
	return dir_check(p->dir);
}

static int tmpfs_unlink(struct where *w, bool dir)
{
	struct tmpfs *fs = lock_fs(w);
	struct place p;
	int err = walk_to(fs, w, &p);

	if (!err)
		err = may_drop(&p, dir);
	if (!err) {
		detach(&p);
		unlinked(p.inode);
	}
	return done(fs, err);
}

static bool is_below(const struct tnode *n, const struct tnode *top)
{
	for (; n; n = n->parent)
		if (n == top)
			return true;
	return false;
}

static void moved(struct tnode *n, struct tnode *from, struct tnode *to)
{
	if (S_ISDIR(n->mode)) {
		from->nlink--;
		to->nlink++;
		n->parent = to;
	}
	touch(from);
}

static int exchange(struct place *a, struct place *b)
{
	if (!b->inode)
		return -ENOENT;
	if (S_ISDIR(b->inode->mode) && is_below(a->dir, b->inode))
		return -EINVAL;
	a->entry->inode = b->inode;
	b->entry->inode = a->inode;
	moved(a->inode, a->dir, b->dir);
	moved(b->inode, b->dir, a->dir);
	return 0;
}

static int rename_to(struct place *a, struct place *b, u32 flags)
{
	bool dir = S_ISDIR(a->inode->mode);
	int err;

	if (!a->dir || !b->dir)
		return -EBUSY;
	if (flags & RENAME_NOREPLACE && b->inode)
		return -EEXIST;
	if (dir && is_below(b->dir, a->inode))
		return -EINVAL;
	err = dir_check(a->dir);
	if (err || a->inode == b->inode)
		return err;
	if (flags & RENAME_EXCHANGE)
		return exchange(a, b);
	if (b->inode) {
		err = may_drop(b, dir);
		if (err)
			return err;
	}
	if (b->inode) {
		b->entry->inode = a->inode;
		a->inode->parent = b->dir;
		touch(b->dir);
		unlinked(b->inode);
	} else {
		err = add(b, a->inode);
		if (err)
			return err;
	}
	detach(a);
	return 0;
}

static int tmpfs_rename(struct where *from, struct where *to, u32 flags)
{
	struct tmpfs *fs;
	struct place a, b;
	int err;

	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	fs = lock_fs(from);
	err = walk_to(fs, from, &a);
	if (!err)
		err = walk(fs, to, &b);
	if (!err && to->want_dir && !S_ISDIR(a.inode->mode))
		err = -ENOTDIR;
	if (!err)
		err = rename_to(&a, &b, flags);
	return done(fs, err);
}

static int tmpfs_link(struct where *from, struct where *to)
{
	struct tmpfs *fs = lock_fs(to);
	struct place a = { 0 }, b;
	int err;

	if (from->file) {
		a.inode = tnode_of(from->file);
		err = !a.inode || a.inode->fs != fs ? -EXDEV : 0;
	} else {
		err = walk_to(fs, from, &a);
	}
	if (!err && S_ISDIR(a.inode->mode))
		err = -EPERM;
	if (!err)
		err = walk(fs, to, &b);
	if (!err && (b.inode || to->want_dir))
		err = b.inode ? -EEXIST : -ENOENT;
	if (!err)
		err = add(&b, a.inode);
	if (!err) {
		node_get(a.inode)->nlink++;
		a.inode->ctime = realtime_ns();
	}
	return done(fs, err);
}

/* ---- attributes, by name ---- */

/* The file of `w`, with a reference. */
static int node_at(struct where *w, struct tnode **out)
{
	struct tmpfs *fs = lock_fs(w);
	struct place p;
	int err = walk_to(fs, w, &p);

	if (!err)
		*out = node_get(p.inode);
	return done(fs, err);
}

static int tmpfs_stat(struct where *w, u32 flags, u32 mask, struct statx *out)
{
	struct tnode *n;
	int err = node_at(w, &n);

	if (!err) {
		err = tnode_stat(n, out);
		node_put(n);
	}
	return err;
}

static int tmpfs_readlink(struct where *w, char *buf, size_t size)
{
	struct tnode *n;
	int err = node_at(w, &n);

	if (err)
		return err;
	err = -EINVAL;
	if (S_ISLNK(n->mode)) {
		err = min(size, strlen(n->target));
		memcpy(buf, n->target, err);
	}
	node_put(n);
	return err;
}

static int tmpfs_chmod(struct where *w, u32 mode)
{
	struct tnode *n;
	int err = node_at(w, &n);

	if (!err) {
		err = tnode_chmod(n, mode);
		node_put(n);
	}
	return err;
}

static int tmpfs_chown(struct where *w, u32 uid, u32 gid)
{
	struct tnode *n;
	int err = node_at(w, &n);

	if (!err) {
		err = tnode_chown(n, uid, gid);
		node_put(n);
	}
	return err;
}

static int tmpfs_utimens(struct where *w, const s64 times[4])
{
	struct tnode *n;
	int err = node_at(w, &n);

	if (!err) {
		err = tnode_utimens(n, times);
		node_put(n);
	}
	return err;
}

static int tmpfs_statfs(struct where *w, struct statfs *out)
{
	return tnode_statfs(out);
}

static int enc_statfs(struct where *w, struct statfs *out)
{
	struct tmpfs *fs = w->mnt->fs;

	return host_statfs(fs->volume->dirfd, NULL, out);
}

/* ---- open ---- */

void tnode_release(struct tnode *n)
{
	node_put(n);
}

static void list_names(struct gen *g)
{
	struct tnode *dir = (struct tnode *)g->arg;
	struct tmpfs *fs = dir->fs;
	struct tname *e;

	mutex_lock(&fs->lock);
	gen_dirent(g, ".", dir->ino, S_IFDIR);
	gen_dirent(g, "..", dir->parent ? dir->parent->ino : dir->ino, S_IFDIR);
	list_for_each(e, &dir->names, node)
		gen_dirent(g, e->name, e->inode->ino, e->inode->mode);
	mutex_unlock(&fs->lock);
}

static int open_found(struct where *w, struct tnode *n, u32 flags)
{
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (S_ISLNK(n->mode) && !(flags & O_PATH))
		return -ELOOP;
	if (S_ISDIR(n->mode) && ((flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT))
		return -EISDIR;
	if (!S_ISDIR(n->mode) && flags & O_DIRECTORY)
		return -ENOTDIR;
	if (!S_ISDIR(n->mode) && !S_ISREG(n->mode) && !(flags & O_PATH))
		return -ENXIO;
	return mode_check(n->mode, n->uid, n->gid, open_want(flags));
}

static int tmpfs_open(struct where *w, u32 flags, u32 mode, struct file **out)
{
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
	struct tmpfs *fs = lock_fs(w);
	struct tnode *n = NULL;
	char *name = NULL;
	struct place p;
	int err = walk(fs, w, &p);

	if (err)
		return done(fs, err);
	if (unnamed || (!p.inode && flags & O_CREAT && !w->want_dir)) {
		if (unnamed && (!p.inode || !S_ISDIR(p.inode->mode)))
			return done(fs, p.inode ? -ENOTDIR : -ENOENT);
		n = tnode_new(fs, S_IFREG | mode);
		if (!n)
			return done(fs, -ENOSPC);
		if (unnamed)
			n->nlink = 0;
		else
			err = add(&p, n);
		if (!err && !unnamed)
			node_get(n);
	} else if (!p.inode) {
		err = flags & O_CREAT ? -EISDIR : -ENOENT;
	} else {
		err = open_found(w, p.inode, flags);
		if (!err)
			n = node_get(p.inode);
	}
	(void)done(fs, 0);
	if (!err && flags & O_TRUNC && S_ISREG(n->mode))
		err = tnode_truncate(n, 0);
	if (!err) {
		name = unnamed ? NULL : where_name(w);
		err = tnode_open(n, flags & ~(unnamed ? O_TMPFILE : 0), name, list_names, out);
	}
	if (err && n)
		node_put(n);
	return err;
}

#define OPS									\
	.follow = tmpfs_follow, .open = tmpfs_open, .stat = tmpfs_stat,		\
	.readlink = tmpfs_readlink, .mkdir = tmpfs_mkdir, .mknod = tmpfs_mknod,	\
	.symlink = tmpfs_symlink, .unlink = tmpfs_unlink, .rename = tmpfs_rename, \
	.link = tmpfs_link, .chmod = tmpfs_chmod, .chown = tmpfs_chown,		\
	.utimens = tmpfs_utimens

const struct mount_ops tmpfs_mount_ops = { .type = "tmpfs", .statfs = tmpfs_statfs, OPS };
const struct mount_ops enc_mount_ops = { .type = "encrypted", .statfs = enc_statfs, OPS };

void *tmpfs_new(u32 mode)
{
	struct tmpfs *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	mutex_init(&fs->lock);
	fs->root = tnode_new(fs, S_IFDIR | mode);
	if (!fs->root) {
		kfree(fs);
		return NULL;
	}
	return fs;
}

int memfd_new(const char *name, u32 flags, struct file **out)
{
	struct tnode *n = tnode_new(NULL, S_IFREG | 0777);
	int err = -ENOMEM;

	if (!n)
		return err;
	n->nlink = 0;
	if (flags & (MFD_ALLOW_SEALING | 8u))	/* or MFD_NOEXEC_SEAL of newer headers */
		n->seals = 0;
	err = tnode_open(n, O_RDWR, kasprintf("/memfd:%s (deleted)", name), NULL, out);
	if (err)
		node_put(n);
	return err;
}
