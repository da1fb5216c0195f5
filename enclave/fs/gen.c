/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Generated files. The content is made when reading starts at the front, and made again
 * when it does so again, so that one open file shows new values after a seek to 0. A
 * directory is such a file too: its records are the content, so positions stay valid.
 */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/stat.h>

#include "fs/gen.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"

/* struct linux_dirent64 up to the name */
#define DIRENT_HEAD	19

static bool reserve(struct gen *g, size_t n)
{
	size_t cap = g->cap ? g->cap : 1024;
	char *data;

	while (cap < g->len + n)
		cap *= 2;
	if (cap != g->cap) {
		data = krealloc(g->data, cap);
		if (!data) {
			g->failed = true;
			return false;
		}
		g->data = data;
		g->cap = cap;
	}
	return true;
}

void gen_write(struct gen *g, const void *data, size_t n)
{
	if (reserve(g, n)) {
		memcpy(g->data + g->len, data, n);
		g->len += n;
	}
}

void gen_printf(struct gen *g, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!reserve(g, 256))
		return;
	va_start(ap, fmt);
	n = vsnprintf(g->data + g->len, g->cap - g->len, fmt, ap);
	va_end(ap);
	if (n >= g->cap - g->len) {
		if (!reserve(g, n + 1))
			return;
		va_start(ap, fmt);
		vsnprintf(g->data + g->len, g->cap - g->len, fmt, ap);
		va_end(ap);
	}
	g->len += n;
}

void gen_pad(struct gen *g, size_t line, size_t width)
{
	while (!g->failed && g->len < line + width)
		gen_write(g, " ", 1);
}

void gen_dirent(struct gen *g, const char *name, u64 ino, u32 type)
{
	size_t len = strlen(name) + 1, total = ALIGN_UP(DIRENT_HEAD + len, 8);
	u16 reclen = total;
	u64 next = g->len + total;
	char *p;

	if (!reserve(g, total))
		return;
	p = g->data + g->len;
	memset(p, 0, total);
	memcpy(p, &ino, 8);
	memcpy(p + 8, &next, 8);
	memcpy(p + 16, &reclen, 2);
	p[18] = (type & S_IFMT) >> 12;
	memcpy(p + DIRENT_HEAD, name, len);
	g->len = next;
}

/* Lock, and make the content if it is not there or reading starts over. */
static int begin(struct gen *g, u64 pos)
{
	mutex_lock(&g->lock);
	if (!g->filled || pos == 0) {
		g->len = 0;
		g->failed = false;
		g->fill(g);
		g->filled = !g->failed;
	}
	if (!g->failed)
		return 0;
	mutex_unlock(&g->lock);
	return -ENOMEM;
}

int gen_getdents(struct gen *g, struct file *f, void *buf, size_t n)
{
	size_t at = 0, done = 0;
	int err = begin(g, f->pos);

	if (err)
		return err;
	while (at < g->len) {
		u16 reclen;

		memcpy(&reclen, g->data + at + 16, 2);
		if (at >= f->pos) {
			if (reclen > n - done) {
				err = done ? 0 : -EINVAL;
				break;
			}
			memcpy(buf + done, g->data + at, reclen);
			done += reclen;
			f->pos = at + reclen;
		}
		at += reclen;
	}
	mutex_unlock(&g->lock);
	return err ? err : (int)done;
}

static ssize_t gen_read(struct file *f, struct iter *it, u64 *pos)
{
	struct gen *g = f->priv;
	ssize_t n;
	int err;

	if (S_ISDIR(g->mode))
		return -EISDIR;
	err = begin(g, *pos);
	if (err)
		return err;
	n = *pos < g->len ? iter_write(it, g->data + *pos, min(g->len - *pos, it->left)) : 0;
	mutex_unlock(&g->lock);
	if (n > 0)
		*pos += n;
	return n;
}

static ssize_t gen_store(struct file *f, struct iter *it, u64 *pos)
{
	struct gen *g = f->priv;
	u64 total = it->left, n = total;
	char text[64];
	ssize_t err;

	if (!g->store)
		return -EIO;
	if (n >= sizeof(text))
		return -EINVAL;
	if (iter_read(it, text, n) != (ssize_t)n)
		return -EFAULT;
	while (n && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	err = g->store(text, g->arg);
	if (err)
		return err;
	*pos += total;
	return total;
}

static s64 gen_lseek(struct file *f, s64 off, u32 whence)
{
	return whence > SEEK_CUR ? -EINVAL : lseek_within(f, off, whence, 0);
}

static int gen_list(struct file *f, void *buf, size_t n)
{
	struct gen *g = f->priv;

	return S_ISDIR(g->mode) ? gen_getdents(g, f, buf, n) : -ENOTDIR;
}

static int gen_stat(struct file *f, u32 mask, struct statx *out)
{
	struct gen *g = f->priv;

	statx_fill(out, g->dev, g->ino, g->mode, 0);
	out->stx_uid = g->uid;
	out->stx_gid = g->gid;
	return 0;
}

static int gen_statfs(struct file *f, struct statfs *out)
{
	struct gen *g = f->priv;

	statfs_fill(out, g->dev == DEV_PROC ? PROC_SUPER_MAGIC : TMPFS_MAGIC);
	return 0;
}

static void gen_release(struct file *f)
{
	struct gen *g = f->priv;

	kfree(g->data);
	kfree(g);
}

static const struct file_ops file_ops = {
	.kind = "generated", .read = gen_read, .write = gen_store, .lseek = gen_lseek,
	.stat = gen_stat, .statfs = gen_statfs, .release = gen_release,
};

static const struct file_ops list_ops = {
	.kind = "dir", .read = gen_read, .lseek = gen_lseek, .getdents = gen_list,
	.stat = gen_stat, .statfs = gen_statfs, .release = gen_release,
};

int gen_open(const struct gen *model, struct where *w, u32 flags, struct file **out)
{
	bool dir = S_ISDIR(model->mode);
	struct gen *g;
	struct file *f;
	int err;

	if (!(flags & O_PATH)) {
		if (flags & O_CREAT && flags & O_EXCL)
			return -EEXIST;
		if (dir && ((flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT))
			return -EISDIR;
	}
	if (!dir && (flags & O_DIRECTORY || w->want_dir))
		return -ENOTDIR;
	err = mode_check(model->mode, model->uid, model->gid, open_want(flags));
	if (err)
		return err;
	g = kmalloc(sizeof(*g));
	f = g ? file_new(dir ? &list_ops : &file_ops, open_status(flags), g) : NULL;
	if (!f) {
		kfree(g);
		return -ENOMEM;
	}
	*g = *model;
	mutex_init(&g->lock);
	f->path = where_name(w);
	*out = f;
	return 0;
}
