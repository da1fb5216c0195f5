/* SPDX-License-Identifier: Apache-2.0 */
/* /dev: the nodes that programs open; names it does not know are the host's. */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>

#include "fs/gen.h"
#include "gate/usercopy.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"

struct node {
	const char *name;
	u32 mode;
	u32 minor;			/* of major 1 */
	const char *target;		/* links */
	const struct file_ops *ops;	/* NULL: the host's, listed only */
};

static ssize_t null_read(struct file *f, struct iter *it, u64 *pos)
{
	return 0;
}

static ssize_t null_write(struct file *f, struct iter *it, u64 *pos)
{
	return it->left;
}

static ssize_t zero_read(struct file *f, struct iter *it, u64 *pos)
{
	u64 n = it->left;
	int err = iter_zero(it, n);

	/* What came before a bad page counts. */
	return err < 0 && it->left == n ? err : (ssize_t)(n - it->left);
}

static ssize_t full_write(struct file *f, struct iter *it, u64 *pos)
{
	return it->left ? -ENOSPC : 0;
}

static ssize_t random_read(struct file *f, struct iter *it, u64 *pos)
{
	ssize_t done = 0, n = 0;
	u8 buf[256];

	while (it->left) {
		size_t want = min(it->left, sizeof(buf));

		random_bytes(buf, want);
		n = iter_write(it, buf, want);
		if (n < 0)
			break;
		done += n;
		if (n < (ssize_t)want)
			break;
	}
	return done ? done : n;
}

static s64 dev_lseek(struct file *f, s64 off, u32 whence)
{
	return 0;
}

static s64 zero_map_size(struct file *f)
{
	return INT64_MAX;
}

static int dev_stat_file(struct file *f, u32 mask, struct statx *out);
static int dev_statfs_file(struct file *f, struct statfs *out)
{
	statfs_fill(out, TMPFS_MAGIC);
	return 0;
}

#define DEV(r, w) { .kind = "device", .read = r, .write = w, .lseek = dev_lseek,	\
		    .stat = dev_stat_file, .statfs = dev_statfs_file }

static const struct file_ops null_ops = DEV(null_read, null_write);
static const struct file_ops full_ops = DEV(zero_read, full_write);
static const struct file_ops random_ops = DEV(random_read, null_write);
static const struct file_ops zero_ops = {
	.kind = "device", .read = zero_read, .write = null_write, .lseek = dev_lseek,
	.stat = dev_stat_file, .statfs = dev_statfs_file, .map_size = zero_map_size,
};

static const struct node nodes[] = {
	{ "null", S_IFCHR | 0666, 3, NULL, &null_ops },
	{ "zero", S_IFCHR | 0666, 5, NULL, &zero_ops },
	{ "full", S_IFCHR | 0666, 7, NULL, &full_ops },
	{ "random", S_IFCHR | 0666, 8, NULL, &random_ops },
	{ "urandom", S_IFCHR | 0666, 9, NULL, &random_ops },
	{ "fd", S_IFLNK | 0777, 0, "/proc/self/fd", NULL },
	{ "stdin", S_IFLNK | 0777, 0, "/proc/self/fd/0", NULL },
	{ "stdout", S_IFLNK | 0777, 0, "/proc/self/fd/1", NULL },
	{ "stderr", S_IFLNK | 0777, 0, "/proc/self/fd/2", NULL },
	{ "shm", S_IFDIR | 01777, 0, NULL, NULL },
	{ "tty", S_IFCHR | 0666, 0, NULL, NULL },
	{ "ptmx", S_IFCHR | 0666, 0, NULL, NULL },
	{ "pts", S_IFDIR | 0755, 0, NULL, NULL },
};

static u64 node_ino(const struct node *n)
{
	return n ? 2 + (n - nodes) : 1;
}

/* NULL: none of ours. */
static const struct node *find(const char *path, size_t len)
{
	for (u32 i = 0; i < ARRAY_SIZE(nodes); i++) {
		const struct node *n = &nodes[i];

		if ((n->ops || n->target) && strlen(n->name) == len &&
		    memcmp(n->name, path, len) == 0)
			return n;
	}
	return NULL;
}

static int dev_follow(struct where *w, bool last)
{
	const char *p = w->path, *name;
	size_t len = path_component(&p, &name);
	const struct node *n = find(name, len);

	if (!len)
		return 0;
	if (!n) {
		where_to_host(w, false);
		return 0;
	}
	if (n->target && (last || *p))
		return where_link(w, p - w->path, n->target);
	return *p || (w->want_dir && !n->target) ? -ENOTDIR : 0;
}

static void fill_stat(const struct node *n, struct statx *out)
{
	statx_fill(out, DEV_DEV, node_ino(n), n ? n->mode : S_IFDIR | 0755,
		   n && n->target ? strlen(n->target) : 0);
	if (n && S_ISCHR(n->mode)) {
		out->stx_rdev_major = 1;
		out->stx_rdev_minor = n->minor;
	}
}

static int dev_stat_file(struct file *f, u32 mask, struct statx *out)
{
	fill_stat(f->priv, out);
	return 0;
}

static int dev_stat(struct where *w, u32 flags, u32 mask, struct statx *out)
{
	fill_stat(find(w->path, strlen(w->path)), out);
	return 0;
}

static int dev_readlink(struct where *w, char *buf, size_t n)
{
	const struct node *node = find(w->path, strlen(w->path));

	if (!node || !node->target)
		return -EINVAL;
	n = min(n, strlen(node->target));
	memcpy(buf, node->target, n);
	return n;
}

static int dev_statfs(struct where *w, struct statfs *out)
{
	return dev_statfs_file(NULL, out);
}

static void list(struct gen *g)
{
	gen_dirent(g, ".", 1, S_IFDIR);
	gen_dirent(g, "..", 1, S_IFDIR);
	for (u32 i = 0; i < ARRAY_SIZE(nodes); i++)
		gen_dirent(g, nodes[i].name, node_ino(&nodes[i]), nodes[i].mode);
}

static int dev_open(struct where *w, u32 flags, u32 mode, struct file **out)
{
	const struct node *n = find(w->path, strlen(w->path));
	const struct gen dir = { .fill = list, .mode = S_IFDIR | 0755, .dev = DEV_DEV, .ino = 1 };

	if (!n)
		return gen_open(&dir, w, flags, out);
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	if (n->target)
		return -ELOOP;		/* O_NOFOLLOW */
	*out = file_new(n->ops, open_status(flags), (void *)n);
	if (!*out)
		return -ENOMEM;
	(*out)->path = where_name(w);
	return 0;
}

const struct mount_ops dev_mount_ops = {
	.type = "devtmpfs",
	.follow = dev_follow,
	.open = dev_open,
	.stat = dev_stat,
	.readlink = dev_readlink,
	.statfs = dev_statfs,
};
