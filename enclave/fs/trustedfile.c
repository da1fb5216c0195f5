/* SPDX-License-Identifier: Apache-2.0 */
/* The content of trusted files: chunks that were checked, and those that are yet to be. */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/trusted.h"
#include "fs/vfs.h"
#include "gate/vectors.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/crypto.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "lib/policy.h"
#include "lib/string.h"

#define CHUNK		RAKIS_TRUSTED_CHUNK
#define BUCKETS		256u
#define CHUNKS_MOST	1024u		/* kept, of all files: 16 MiB */

/* A file's content, for as long as it is open. */
struct content {
	_Atomic u32 refs;
	struct list link;		/* of all that are open */
	const struct rakis_trusted *e;
	int fd;
	u8 (*digest)[SHA256_SIZE];	/* of each chunk; the patches are behind */
	_Atomic bool told;		/* that it has changed */
};

/* A chunk that holds what it must. */
struct chunk {
	struct list lru;
	struct chunk *next;		/* in its bucket */
	const struct rakis_trusted *e;
	u64 index;
	u32 pins, len;
	u8 data[CHUNK] __aligned(16);
};

/* Never held while the host is asked. */
static struct spinlock lock = SPINLOCK_INIT;
static struct chunk *buckets[BUCKETS];
static struct list lru = LIST_INIT(lru), contents = LIST_INIT(contents);
static u32 chunks;
static int tables = -1;

void trusted_init(int fd)
{
	tables = fd;
}

static u64 chunks_of(const struct rakis_trusted *e)
{
	return (e->size + CHUNK - 1) / CHUNK;
}

static const struct rakis_patch *patches_of(const struct content *c)
{
	return (const void *)(c->digest + chunks_of(c->e));
}

/* ---- chunks ---- */

static struct chunk **bucket(const struct rakis_trusted *e, u64 index)
{
	return &buckets[((u64)e / sizeof(*e) * 31 + index) % BUCKETS];
}

/* Pinned. Under the lock. */
static struct chunk *find(const struct rakis_trusted *e, u64 index)
{
	struct chunk *k = *bucket(e, index);

	while (k && (k->e != e || k->index != index))
		k = k->next;
	if (k) {
		k->pins++;
		list_remove(&k->lru);
		list_push(&lru, &k->lru);
	}
	return k;
}

/* The least recently used one that nobody reads, out of all lists. Under the lock. */
static struct chunk *take_oldest(void)
{
	struct list *l = lru.prev;
	struct chunk *k, **p;

	while (l != &lru && list_entry(l, struct chunk, lru)->pins)
		l = l->prev;
	if (l == &lru)
		return NULL;
	k = list_entry(l, struct chunk, lru);
	list_remove(&k->lru);
	for (p = bucket(k->e, k->index); *p != k; p = &(*p)->next)
		;
	*p = k->next;
	chunks--;
	return k;
}

static void changed(struct content *c)
{
	if (!atomic_exchange(&c->told, true))
		log_error("%s: the file (%s at the host) differs from the one that was signed; put that one "
			  "back, or sign the manifest again", policy_string(c->e->path),
			  policy_string(c->e->host));
}

static int fetch(struct content *c, struct chunk *k)
{
	u64 at = k->index * CHUNK;
	u8 digest[SHA256_SIZE];
	ssize_t n;

	k->len = min(c->e->size - at, (u64)CHUNK);
	n = host_pread(c->fd, k->data, k->len, at);
	if (n < 0)
		return n;
	vectors_begin();
	sha256(k->data, k->len, digest);
	vectors_end();
	if (n == (ssize_t)k->len && !memcmp(digest, c->digest[k->index], sizeof(digest)))
		return 0;
	changed(c);
	return -EIO;
}

static int get(struct content *c, u64 index, struct chunk **out)
{
	struct chunk *k, *old = NULL;
	int err;

	spin_lock(&lock);
	k = find(c->e, index);
	if (!k && chunks >= CHUNKS_MOST)
		old = take_oldest();
	spin_unlock(&lock);
	*out = k;
	if (k)
		return 0;
	k = old ? old : kmalloc(sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->e = c->e;
	k->index = index;
	err = fetch(c, k);
	if (err) {
		kfree(k);
		return err;
	}
	spin_lock(&lock);
	/* Another thread may have been faster. */
	*out = find(c->e, index);
	if (!*out) {
		struct chunk **b = bucket(c->e, index);

		k->pins = 1;
		k->next = *b;
		*b = k;
		list_push(&lru, &k->lru);
		chunks++;
		*out = k;
	}
	spin_unlock(&lock);
	if (*out != k)
		kfree(k);
	return 0;
}

static void put(struct chunk *k)
{
	spin_lock(&lock);
	k->pins--;
	spin_unlock(&lock);
}

/* ---- open files ---- */

static void content_put(struct content *c)
{
	bool last;

	spin_lock(&lock);
	last = --c->refs == 0;
	if (last)
		list_remove(&c->link);
	spin_unlock(&lock);
	if (!last)
		return;
	if (c->fd >= 0)
		host_close_later(c->fd);
	kfree(c->digest);
	kfree(c);
}

static int read_table(struct content *c)
{
	size_t size = chunks_of(c->e) * SHA256_SIZE + c->e->patches * sizeof(struct rakis_patch);
	u8 digest[SHA256_SIZE];
	ssize_t n;

	c->digest = kmalloc(size + 1);
	if (!c->digest)
		return -ENOMEM;
	n = tables < 0 ? -ENOENT : host_pread(tables, c->digest, size, c->e->table);
	vectors_begin();
	sha256(c->digest, size, digest);
	vectors_end();
	if (n == (ssize_t)size && !memcmp(digest, c->e->digest, sizeof(digest)))
		return 0;
	log_error("%s: the table of trusted files is not the one of this manifest; sign it again",
		  policy_string(c->e->path));
	return -EACCES;
}

static struct content *content_find(const struct rakis_trusted *e)
{
	struct content *c;

	spin_lock(&lock);
	list_for_each(c, &contents, link) {
		if (c->e == e) {
			c->refs++;
			spin_unlock(&lock);
			return c;
		}
	}
	spin_unlock(&lock);
	return NULL;
}

static int content_open(const struct rakis_trusted *e, struct content **out)
{
	struct content *c = *out = content_find(e);
	int err;

	if (c)
		return 0;
	c = kzalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->e = e;
	c->refs = 1;
	list_init(&c->link);
	c->fd = host_openat(VFS_FDCWD, policy_string(e->host), O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, NULL);
	err = c->fd < 0 ? c->fd : read_table(c);
	if (err == -ENOENT)
		log_error("%s: the trusted file (%s at the host) is not there", policy_string(e->path),
			  policy_string(e->host));
	if (err) {
		content_put(c);
		return err;
	}
	spin_lock(&lock);
	list_push(&contents, &c->link);
	spin_unlock(&lock);
	*out = c;
	return 0;
}

static struct content *content_of(struct file *f)
{
	return f->priv;
}

/* Guest memory is touched with the chunk pinned and no lock held: its page may be a file's. */
static ssize_t tr_read(struct file *f, struct iter *it, u64 *pos)
{
	struct content *c = content_of(f);
	ssize_t done = 0, n = 0;

	while (it->left && *pos < c->e->size) {
		size_t at = *pos % CHUNK, want;
		struct chunk *k;

		n = get(c, *pos / CHUNK, &k);
		if (n)
			break;
		want = min(it->left, (u64)(k->len - at));
		n = iter_write(it, k->data + at, want);
		put(k);
		if (n <= 0)
			break;
		done += n;
		*pos += n;
		if (n < (ssize_t)want)
			break;
	}
	return done ? done : n;
}

static s64 tr_lseek(struct file *f, s64 off, u32 whence)
{
	return lseek_within(f, off, whence, content_of(f)->e->size);
}

int trusted_stat(const struct rakis_trusted *e, struct statx *out)
{
	const char *path = policy_string(e->path);
	struct statx host;
	bool link = S_ISLNK(e->mode);

	statx_fill(out, DEV_TRUSTED, name_ino(path, strlen(path), 0), e->mode,
		   link ? strlen(policy_string(e->host)) : e->size);
	out->stx_blocks = (out->stx_size + 511) / 512;
	/* Times are the host's word: they are not signed, and programs compare them. */
	if (link || host_statx(VFS_FDCWD, policy_string(e->host), 0, STATX_MTIME, &host))
		memset(&host, 0, sizeof(host));
	out->stx_mtime = out->stx_ctime = out->stx_atime = host.stx_mtime;
	return 0;
}

static int tr_stat(struct file *f, u32 mask, struct statx *out)
{
	return trusted_stat(content_of(f)->e, out);
}

static int tr_statfs(struct file *f, struct statfs *out)
{
	statfs_fill(out, 0x52414b49);
	return 0;
}

static s64 tr_map_size(struct file *f)
{
	return content_of(f)->e->size;
}

static void tr_identity(struct file *f, u64 id[2])
{
	const char *path = policy_string(content_of(f)->e->path);

	id[0] = DEV_TRUSTED;
	id[1] = name_ino(path, strlen(path), 0);
}

static int tr_patches(struct file *f, struct rakis_patch *out, u32 max, u64 first)
{
	struct content *c = content_of(f);
	u32 n = first < c->e->patches ? min(c->e->patches - first, (u64)max) : 0;

	memcpy(out, patches_of(c) + first, n * sizeof(*out));
	return n;
}

static int tr_fsync(struct file *f, bool data_only)
{
	return 0;
}

static void tr_release(struct file *f)
{
	content_put(f->priv);
}

static const struct file_ops trusted_ops = {
	.kind = "trusted",
	.read = tr_read,
	.lseek = tr_lseek,
	.stat = tr_stat,
	.statfs = tr_statfs,
	.fsync = tr_fsync,
	.map_size = tr_map_size,
	.identity = tr_identity,
	.patches = tr_patches,
	.release = tr_release,
};

int trusted_open(const struct rakis_trusted *e, u32 flags, char *path, struct file **out)
{
	struct content *c;
	int err = content_open(e, &c);

	if (err)
		return err;
	*out = file_new(&trusted_ops, open_status(flags), c);
	if (!*out) {
		content_put(c);
		return -ENOMEM;
	}
	(*out)->path = path;
	return 0;
}
