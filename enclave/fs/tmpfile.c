/* SPDX-License-Identifier: Apache-2.0 */
/* Data and attributes of tmpfs files: sparse arrays of pages from the libOS's heap. */
#include <asm/statfs.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>

#include "fs/encrypted.h"
#include "fs/tmpfs.h"
#include "gate/gate.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/time.h"

#define CHUNK_PAGES	512ul
#define CHUNK_BYTES	(CHUNK_PAGES * PAGE_SIZE)
#define SIZE_MAX_	(1ull << 40)
/* Data passes the lock through a block of this size, on the stack. */
#define BOUNCE		1024ul

static _Atomic u64 pages_used;

/* The libOS itself needs the rest of its heap. */
static u64 pages_limit(void)
{
	return (gate_layout.slots - gate_layout.heap) / 2 / PAGE_SIZE;
}

/* ---- pages; under n->lock ---- */

static u8 *page_find(struct tnode *n, u64 off)
{
	u64 c = off / CHUNK_BYTES;

	return c < n->nchunks && n->chunks[c] ? n->chunks[c][off / PAGE_SIZE % CHUNK_PAGES] : NULL;
}

static u8 *page_make(struct tnode *n, u64 off)
{
	u64 c = off / CHUNK_BYTES, count;
	void ***chunks, **slot;

	if (c >= n->nchunks) {
		count = max(c + 1, n->nchunks * 2);
		chunks = krealloc(n->chunks, count * sizeof(*chunks));
		if (!chunks)
			return NULL;
		memset(chunks + n->nchunks, 0, (count - n->nchunks) * sizeof(*chunks));
		n->chunks = chunks;
		n->nchunks = count;
	}
	if (!n->chunks[c])
		n->chunks[c] = kzalloc(CHUNK_PAGES * sizeof(void *));
	if (!n->chunks[c])
		return NULL;
	slot = &n->chunks[c][off / PAGE_SIZE % CHUNK_PAGES];
	if (!*slot && pages_used < pages_limit()) {
		*slot = kzalloc(PAGE_SIZE);
		if (*slot) {
			n->pages++;
			pages_used++;
		}
	}
	return *slot;
}

/* Bytes [from, to) read as zero from now on; whole pages are freed. */
static void zero_range(struct tnode *n, u64 from, u64 to)
{
	to = min(to, n->nchunks * CHUNK_BYTES);
	while (from < to) {
		u64 c = from / CHUNK_BYTES, end = min(to, (from & PAGE_MASK) + PAGE_SIZE);
		u8 *p = page_find(n, from);

		if (!n->chunks[c]) {
			from = (c + 1) * CHUNK_BYTES;
			continue;
		}
		if (p && end - from == PAGE_SIZE) {
			kfree(p);
			n->chunks[c][from / PAGE_SIZE % CHUNK_PAGES] = NULL;
			n->pages--;
			pages_used--;
		} else if (p) {
			memset(p + from % PAGE_SIZE, 0, end - from);
		}
		from = end;
	}
}

void tnode_free_data(struct tnode *n)
{
	zero_range(n, 0, n->nchunks * CHUNK_BYTES);
	for (u64 c = 0; c < n->nchunks; c++)
		kfree(n->chunks[c]);
	kfree(n->chunks);
}

static void modified(struct tnode *n)
{
	n->mtime = n->ctime = realtime_ns();
}

int tnode_truncate(struct tnode *n, u64 size)
{
	int err = 0;

	if (n->enc) {
		err = encfile_truncate(n->enc, size);
		if (!err)
			modified(n);
		return err;
	}
	if (size > SIZE_MAX_)
		return -EFBIG;
	mutex_lock(&n->lock);
	if ((n->seals & F_SEAL_SHRINK && size < n->size) ||
	    (n->seals & F_SEAL_GROW && size > n->size)) {
		err = -EPERM;
	} else {
		/* The last page too: it must read as zero when the file grows again. */
		if (size < n->size)
			zero_range(n, size, PAGE_UP(n->size));
		n->size = size;
		modified(n);
	}
	mutex_unlock(&n->lock);
	return err;
}

/* ---- the open file ---- */

static struct tnode *node(struct file *f)
{
	return ((struct tfile *)f->priv)->node;
}

static ssize_t tmp_read(struct file *f, struct iter *it, u64 *pos)
{
	struct tnode *n = node(f);
	ssize_t done = 0, put = 0;
	u8 buf[BOUNCE];

	while (it->left) {
		size_t want = min(min(it->left, BOUNCE), PAGE_SIZE - *pos % PAGE_SIZE);
		u8 *p;

		mutex_lock(&n->lock);
		want = *pos < n->size ? min(want, n->size - *pos) : 0;
		p = page_find(n, *pos);
		if (p)
			memcpy(buf, p + *pos % PAGE_SIZE, want);
		mutex_unlock(&n->lock);
		if (!want)
			break;
		put = p ? iter_write(it, buf, want) : 0;
		if (!p) {
			int err = iter_zero(it, want);

			put = err ? err : (ssize_t)want;
		}
		if (put <= 0)
			break;
		done += put;
		*pos += put;
	}
	n->atime = realtime_ns();
	return done ? done : put;
}

/* One piece at *pos that lies in one page. */
static int write_piece(struct tnode *n, const u8 *buf, size_t len, u64 pos)
{
	u8 *p;
	int err = 0;

	mutex_lock(&n->lock);
	p = page_make(n, pos);
	if (n->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) ||
	    (n->seals & F_SEAL_GROW && pos + len > n->size))
		err = -EPERM;
	else if (!p)
		err = -ENOSPC;
	else
		memcpy(p + pos % PAGE_SIZE, buf, len);
	if (!err && pos + len > n->size)
		n->size = pos + len;
	mutex_unlock(&n->lock);
	return err;
}

static ssize_t tmp_write(struct file *f, struct iter *it, u64 *pos)
{
	struct tnode *n = node(f);
	bool append = f->flags & O_APPEND;
	u64 reserved = 0;
	ssize_t done = 0, err = 0;
	u8 buf[BOUNCE];

	if (append && it->left) {
		/* What is appended in one call stays together. */
		mutex_lock(&n->lock);
		*pos = n->size;
		if (!(n->seals & (F_SEAL_GROW | F_SEAL_WRITE)) && *pos + it->left <= SIZE_MAX_)
			n->size = reserved = *pos + it->left;
		mutex_unlock(&n->lock);
	}
	while (it->left) {
		size_t want = min(min(it->left, BOUNCE), PAGE_SIZE - *pos % PAGE_SIZE);
		ssize_t got;

		err = -EFBIG;
		if (*pos + want > SIZE_MAX_)
			break;
		got = iter_read(it, buf, want);
		if (got <= 0) {
			err = got;
			break;
		}
		err = write_piece(n, buf, got, *pos);
		if (err) {
			iter_back(it, got);
			break;
		}
		done += got;
		*pos += got;
		if (got < (ssize_t)want)
			break;
	}
	mutex_lock(&n->lock);
	if (reserved > *pos && n->size == reserved)
		n->size = *pos;
	if (done)
		modified(n);
	mutex_unlock(&n->lock);
	return done ? done : err;
}

static s64 tmp_lseek(struct file *f, s64 off, u32 whence)
{
	struct tnode *n = node(f);

	if (!S_ISDIR(n->mode))
		return lseek_within(f, off, whence, n->enc ? n->enc->size : n->size);
	return whence > 1 ? -EINVAL : lseek_within(f, off, whence, 0);
}

static int tmp_getdents(struct file *f, void *buf, size_t size)
{
	return gen_getdents(&((struct tfile *)f->priv)->listing, f, buf, size);
}

int tnode_stat(struct tnode *n, struct statx *out)
{
	const s64 times[] = { n->atime, n->mtime, n->ctime };
	struct statx_timestamp *to[] = { &out->stx_atime, &out->stx_mtime, &out->stx_ctime };
	u64 size = n->size;
	int err = n->enc ? encfile_size(n->enc, &size) : 0;

	if (err)
		return err;
	statx_fill(out, DEV_TMPFS, n->ino, n->mode, size);
	out->stx_nlink = n->nlink;
	out->stx_uid = n->uid;
	out->stx_gid = n->gid;
	out->stx_blocks = n->enc ? (size + 511) / 512 : n->pages * (PAGE_SIZE / 512);
	out->stx_rdev_major = n->rdev >> 8 & 0xfff;
	out->stx_rdev_minor = (n->rdev & 0xff) | (n->rdev >> 12 & 0xfff00);
	for (int i = 0; i < 3; i++) {
		to[i]->tv_sec = times[i] / (s64)NSEC_PER_SEC;
		to[i]->tv_nsec = times[i] % (s64)NSEC_PER_SEC;
	}
	return 0;
}

int tnode_statfs(struct statfs *out)
{
	statfs_fill(out, TMPFS_MAGIC);
	out->f_blocks = pages_limit();
	out->f_bfree = out->f_bavail = out->f_blocks - min((u64)out->f_blocks, (u64)pages_used);
	return 0;
}

static bool owner(const struct tnode *n)
{
	return process.euid == 0 || process.euid == n->uid;
}

int tnode_chmod(struct tnode *n, u32 mode)
{
	if (!owner(n))
		return -EPERM;
	n->mode = (n->mode & S_IFMT) | (mode & 07777);
	tnode_changed(n);
	return 0;
}

int tnode_chown(struct tnode *n, u32 uid, u32 gid)
{
	if (process.euid != 0 && ((uid != ~0u && uid != n->uid) || !owner(n)))
		return -EPERM;
	if (uid != ~0u)
		n->uid = uid;
	if (gid != ~0u)
		n->gid = gid;
	if (!S_ISDIR(n->mode))
		n->mode &= ~(S_ISUID | (n->mode & S_IXGRP ? S_ISGID : 0));
	tnode_changed(n);
	return 0;
}

int tnode_utimens(struct tnode *n, const s64 times[4])
{
	s64 *to[] = { &n->atime, &n->mtime }, now = realtime_ns();

	for (int i = 0; i < 2; i++) {
		s64 nsec = times ? times[2 * i + 1] : UTIME_NOW_;

		if (nsec == UTIME_OMIT_)
			continue;
		if (!owner(n) && nsec != UTIME_NOW_)
			return -EPERM;
		*to[i] = nsec == UTIME_NOW_ ? now : times[2 * i] * (s64)NSEC_PER_SEC + nsec;
	}
	tnode_changed(n);
	return 0;
}

static int tmp_stat(struct file *f, u32 mask, struct statx *out)
{
	return tnode_stat(node(f), out);
}

static int tmp_statfs(struct file *f, struct statfs *out)
{
	struct tmpfs *fs = node(f)->fs;

	return fs && fs->volume ? host_statfs(fs->volume->dirfd, NULL, out) : tnode_statfs(out);
}

static int tmp_truncate(struct file *f, u64 size)
{
	return tnode_truncate(node(f), size);
}

static int tmp_fallocate(struct file *f, u32 mode, u64 off, u64 len)
{
	struct tnode *n = node(f);
	u64 end = off + len;
	int err = 0;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (end > SIZE_MAX_)
		return -EFBIG;
	mutex_lock(&n->lock);
	if (n->seals & F_SEAL_WRITE ||
	    (n->seals & F_SEAL_GROW && end > n->size && !(mode & FALLOC_FL_KEEP_SIZE)))
		err = -EPERM;
	else if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		zero_range(n, off, end);
	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		for (u64 at = PAGE_DOWN(off); at < end && !err; at += PAGE_SIZE)
			err = page_make(n, at) ? 0 : -ENOSPC;
	if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > n->size)
		n->size = end;
	if (!err)
		modified(n);
	mutex_unlock(&n->lock);
	return err;
}

static int tmp_fsync(struct file *f, bool data_only)
{
	struct tnode *n = node(f);
	int err = n->enc ? enc_commit(n->enc, true) : 0;

	if (!err && n->fs && n->fs->volume)
		err = enc_volume_sync(n->fs->volume);
	return err;
}

static int tmp_chmod(struct file *f, u32 mode)
{
	return tnode_chmod(node(f), mode);
}

static int tmp_chown(struct file *f, u32 uid, u32 gid)
{
	return tnode_chown(node(f), uid, gid);
}

static int tmp_utimens(struct file *f, const s64 times[4])
{
	return tnode_utimens(node(f), times);
}

static s64 tmp_map_size(struct file *f)
{
	struct tnode *n = node(f);

	return n->enc ? n->enc->size : n->size;
}

static void tmp_identity(struct file *f, u64 id[2])
{
	id[0] = DEV_TMPFS;
	id[1] = node(f)->ino;
}

static long tmp_fcntl(struct file *f, u32 cmd, u64 arg)
{
	struct tnode *n = node(f);

	if (cmd == F_GET_SEALS)
		return n->seals;
	if (cmd != F_ADD_SEALS)
		return -EINVAL;
	if (arg &
	    ~(u64)(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EINVAL;
	if (!file_writable(f) || n->seals & F_SEAL_SEAL)
		return -EPERM;
	n->seals |= arg;
	return 0;
}

static void tmp_release(struct file *f)
{
	struct tfile *t = f->priv;

	if (t->node->enc && !(f->flags & O_PATH))
		enc_close(t->node->enc);
	tnode_release(t->node);
	kfree(t->listing.data);
	kfree(t);
}

static int tmp_reopen(struct file *f, u32 flags, struct file **out);

#define COMMON									\
	.stat = tmp_stat, .statfs = tmp_statfs, .chmod = tmp_chmod, .chown = tmp_chown,	\
	.utimens = tmp_utimens, .fsync = tmp_fsync, .lseek = tmp_lseek,		\
	.reopen = tmp_reopen, .release = tmp_release

/* ---- regular files of encrypted mounts ---- */

static ssize_t data_read(struct file *f, struct iter *it, u64 *pos)
{
	node(f)->atime = realtime_ns();
	return encfile_read(node(f)->enc, it, pos);
}

static ssize_t data_write(struct file *f, struct iter *it, u64 *pos)
{
	struct tnode *n = node(f);
	ssize_t done = encfile_write(n->enc, it, pos, f->flags & O_APPEND);
	int err;

	if (done <= 0)
		return done;
	modified(n);
	err = f->flags & O_DSYNC ? tmp_fsync(f, true) : 0;
	return err ? err : done;
}

static int data_fallocate(struct file *f, u32 mode, u64 off, u64 len)
{
	return encfile_fallocate(node(f)->enc, mode, off, len);
}

static const struct file_ops encfile_ops = {
	.kind = "encrypted",
	.read = data_read,
	.write = data_write,
	.truncate = tmp_truncate,
	.fallocate = data_fallocate,
	.map_size = tmp_map_size,
	.identity = tmp_identity,
	COMMON,
};

static const struct file_ops tmpfile_ops = {
	.kind = "tmpfs",
	.read = tmp_read,
	.write = tmp_write,
	.truncate = tmp_truncate,
	.fallocate = tmp_fallocate,
	.map_size = tmp_map_size,
	.identity = tmp_identity,
	.fcntl = tmp_fcntl,
	COMMON,
};

static ssize_t dir_read(struct file *f, struct iter *it, u64 *pos)
{
	return -EISDIR;
}

static const struct file_ops tmpdir_ops = {
	.kind = "dir", .read = dir_read, .getdents = tmp_getdents, COMMON,
};

struct tnode *tnode_of(struct file *f)
{
	return f->ops == &tmpfile_ops || f->ops == &encfile_ops || f->ops == &tmpdir_ops ?
		node(f) : NULL;
}

int tnode_open(struct tnode *n, u32 flags, char *name, void (*list)(struct gen *g),
	       struct file **out)
{
	const struct file_ops *ops = S_ISDIR(n->mode) ? &tmpdir_ops : n->enc ? &encfile_ops : &tmpfile_ops;
	int err = n->enc && !(flags & O_PATH) ? enc_open(n->enc, name) : 0;
	struct tfile *t = err ? NULL : kzalloc(sizeof(*t));
	struct file *f = t ? file_new(ops, open_status(flags), t) : NULL;

	if (!f) {
		if (!err && n->enc && !(flags & O_PATH))
			enc_close(n->enc);
		kfree(t);
		kfree(name);
		return err ? err : -ENOMEM;
	}
	t->node = n;
	mutex_init(&t->listing.lock);
	t->listing.fill = list;
	t->listing.arg = (u64)n;
	f->path = name;
	*out = f;
	return 0;
}

static int tmp_reopen(struct file *f, u32 flags, struct file **out)
{
	struct tfile *t = f->priv;
	struct tnode *n = t->node;
	int err = mode_check(n->mode, n->uid, n->gid, open_want(flags));

	if (!err && flags & O_TRUNC && S_ISREG(n->mode))
		err = tnode_truncate(n, 0);
	if (err)
		return err;
	atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
	err = tnode_open(n, flags, f->path ? kstrdup(f->path) : NULL, t->listing.fill, out);
	if (err)
		tnode_release(n);
	return err;
}
