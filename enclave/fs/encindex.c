/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypted mounts: the names are a tmpfs whose image is kept in a block file, the index. It
 * holds all names, attributes and links, and for each file its id and the version that must be
 * on the disk at least. A change of names is durable with the next fsync of any file, fsync of
 * a directory, sync, or the end of the process: all of them at once, and in one step.
 */
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/encrypted.h"
#include "fs/tmpfs.h"
#include "gate/vectors.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/random.h"
#include "lib/string.h"

#define INDEX_MAGIC	0x78646e6963676b72ull
#define INDEX_VERSION	1u
#define INDEX_MOST	(64ull << 20)
#define VOLUMES_MOST	8u
#define LOCK_EX_NB	(2u | 4u)	/* flock(): LOCK_EX | LOCK_NB */

struct index_header {
	u64 magic;
	u32 version;
	u32 records;
};

/* A name; directories come before what is in them. The root is the first, without a name. */
struct index_record {
	u32 parent;			/* number of the directory's record */
	u32 same_as;			/* another name of that record's file; its own number: no */
	u32 mode, uid, gid;
	u16 name_len, target_len;	/* what follows, up to a multiple of 8 bytes */
	s64 atime, mtime, ctime;
	u64 durable;			/* files: the version on the disk */
	u64 rdev;
	u8 id[ENC_ID];
};
_Static_assert(sizeof(struct index_record) == 80, "struct index_record");

static struct enc_volume *volumes[VOLUMES_MOST];
static u32 nvolumes;

/* ---- writing ---- */

struct image {
	u8 *data;
	size_t len, cap;
	u32 records;
	u64 number;			/* of this image */
};

static void *append(struct image *m, size_t n)
{
	if (m->len + n > m->cap) {
		size_t cap = max(m->cap * 2, ALIGN_UP(m->len + n, 64 * 1024));
		u8 *data = krealloc(m->data, cap);

		if (!data)
			return NULL;
		m->data = data;
		m->cap = cap;
	}
	memset(m->data + m->len, 0, n);
	m->len += n;
	return m->data + m->len - n;
}

static int put_record(struct image *m, struct tnode *n, u32 parent, const char *name)
{
	size_t name_len = strlen(name), target_len = n->target ? strlen(n->target) : 0;
	struct index_record *r = append(m, sizeof(*r) + ALIGN_UP(name_len + target_len, 8));

	if (!r)
		return -ENOMEM;
	*r = (struct index_record){
		.parent = parent, .same_as = m->records, .mode = n->mode, .uid = n->uid,
		.gid = n->gid, .name_len = name_len, .target_len = target_len, .atime = n->atime,
		.mtime = n->mtime, .ctime = n->ctime, .rdev = n->rdev,
	};
	if (n->enc) {
		r->durable = n->enc->durable;
		n->enc->in_index = r->durable;
		memcpy(r->id, n->enc->id, ENC_ID);
		n->enc->recorded = true;
	}
	if (n->image == m->number) {
		r->same_as = n->record;
	} else {
		n->image = m->number;
		n->record = m->records;
	}
	memcpy(r + 1, name, name_len);
	if (target_len)
		memcpy((u8 *)(r + 1) + name_len, n->target, target_len);
	m->records++;
	return 0;
}

/* All below the root, breadth first: `last` is the directory whose names come next. */
static int put_names(struct image *m, struct tnode *root)
{
	struct list queue;
	struct tname *e;
	int err = put_record(m, root, 0, "");

	list_init(&queue);
	list_append(&queue, &root->queued);
	while (!list_empty(&queue) && !err) {
		struct tnode *dir = list_first(&queue, struct tnode, queued);

		list_remove(&dir->queued);
		list_for_each(e, &dir->names, node) {
			err = err ? err : put_record(m, e->inode, dir->record, e->name);
			if (S_ISDIR(e->inode->mode))
				list_append(&queue, &e->inode->queued);
		}
	}
	while (!list_empty(&queue))
		list_remove(queue.next);
	return err;
}

static int make_image(struct enc_volume *v, struct image *m)
{
	struct index_header *h = append(m, sizeof(*h));
	int err = h ? 0 : -ENOMEM;

	mutex_lock(&v->fs->lock);
	atomic_store(&v->renamed, false);
	if (!err)
		err = put_names(m, v->fs->root);
	mutex_unlock(&v->fs->lock);
	if (!err && m->len > INDEX_MOST)
		err = -ENOSPC;
	if (!err) {
		h = (void *)m->data;
		*h = (struct index_header){ INDEX_MAGIC, INDEX_VERSION, m->records };
	}
	return err;
}

/* Blocks that are as they were are not written. */
static int store_image(struct enc_file *f, const struct image *m)
{
	for (u64 at = 0; at < m->len; at += ENC_BLOCK) {
		size_t n = min(m->len - at, (size_t)ENC_BLOCK);
		struct enc_block *b;
		int err = enc_get(f, at / ENC_BLOCK, ENC_RUN, &b);
		bool differs = !b || at + n > f->size || memcmp(b->data, m->data + at, n);
		ssize_t put = n;

		if (err)
			return err;
		if (b)
			enc_put(f, b);
		if (differs)
			put = enc_write(f, at, m->data + at, n);
		if (put != (ssize_t)n)
			return put < 0 ? put : -EIO;
	}
	return 0;
}

/* Files that no index names any more. */
static void remove_doomed(struct enc_volume *v, struct list *doomed)
{
	while (!list_empty(doomed)) {
		struct enc_file *f = list_first(doomed, struct enc_file, link);
		char name[ENC_NAME_SIZE];

		list_remove(&f->link);
		enc_name(f, name);
		(void)!host_unlinkat(v->dirfd, name, 0);
		kfree(f->label);
		kfree(f);
	}
}

static int volume_sync(struct enc_volume *v)
{
	static _Atomic u64 images;
	struct image m = { .number = ++images };
	struct list doomed;
	int err;

	list_init(&doomed);
	mutex_lock(&v->files_lock);
	list_splice(&doomed, &v->doomed);
	mutex_unlock(&v->files_lock);
	err = make_image(v, &m);
	if (!err)
		err = store_image(&v->index, &m);
	if (!err)
		err = enc_commit(&v->index, true);
	kfree(m.data);
	if (err) {
		atomic_store(&v->renamed, true);
		mutex_lock(&v->files_lock);
		list_splice(&v->doomed, &doomed);
		mutex_unlock(&v->files_lock);
		return err;
	}
	remove_doomed(v, &doomed);
	return 0;
}

int enc_volume_sync(struct enc_volume *v)
{
	int err = 0;

	mutex_lock(&v->lock);
	if (v->renamed)
		err = volume_sync(v);
	mutex_unlock(&v->lock);
	return err;
}

void enc_sync_all(void)
{
	for (u32 i = 0; i < nvolumes; i++) {
		struct enc_volume *v = volumes[i];
		struct enc_file *f;
		int err = 0;

		mutex_lock(&v->lock);
		mutex_lock(&v->files_lock);
		list_for_each(f, &v->files, link) {
			int e = f->users ? enc_commit(f, false) : 0;

			err = err ? err : e;
		}
		/* One call for all of them; then the index may say that they are there. */
		if (!err)
			err = host_sync(v->dirfd);
		list_for_each(f, &v->files, link) {
			mutex_lock(&f->lock);
			if (!err && !f->changed && f->generation > f->durable) {
				f->durable = f->generation;
				f->header_unsynced = false;
			}
			if (f->durable != f->in_index)
				atomic_store(&v->renamed, true);
			mutex_unlock(&f->lock);
		}
		mutex_unlock(&v->files_lock);
		if (v->renamed || err) {
			int e = volume_sync(v);

			err = err ? err : e;
		}
		mutex_unlock(&v->lock);
		if (err)
			log_error("%s: not all that was written last could be stored (error %d); "
				  "files are as they were at their last fsync or close", v->prefix, -err);
	}
}

/* ---- files of a volume ---- */

struct enc_file *enc_file_new(struct enc_volume *v)
{
	struct enc_file *f = kzalloc(sizeof(*f));
	u8 id[ENC_ID];

	if (!f)
		return NULL;
	random_bytes(id, sizeof(id));
	enc_init(f, v, id);
	mutex_lock(&v->files_lock);
	list_append(&v->files, &f->link);
	mutex_unlock(&v->files_lock);
	return f;
}

void enc_file_forget(struct enc_file *f)
{
	struct enc_volume *v = f->volume;
	struct list now;

	list_init(&now);
	mutex_lock(&v->files_lock);
	list_remove(&f->link);
	/* Not before the index that names it is another. */
	list_append(f->recorded ? &v->doomed : &now, &f->link);
	if (f->recorded)
		atomic_store(&v->renamed, true);
	mutex_unlock(&v->files_lock);
	remove_doomed(v, &now);
}

/* ---- reading ---- */

static int read_image(struct enc_file *f, struct image *m)
{
	u64 pos = 0;
	struct iter it;
	ssize_t n;

	if (f->size > INDEX_MOST)
		return -EINVAL;
	m->data = kmalloc(f->size + 1);
	if (!m->data)
		return -ENOMEM;
	iter_kernel(&it, m->data, f->size);
	n = encfile_read(f, &it, &pos);
	m->len = f->size;
	return n < 0 ? n : n == (ssize_t)m->len ? 0 : -EIO;
}

/* One record; `node` are those before it. */
static int take_record(struct enc_volume *v, const struct index_record *r, struct tnode **node, u32 i)
{
	const char *name = (const char *)(r + 1);
	struct tnode *n;

	if (!i) {
		n = v->fs->root;
		if (!S_ISDIR(r->mode))
			return -EINVAL;
	} else if (r->parent >= i || !S_ISDIR(node[r->parent]->mode) || !r->name_len ||
		   r->name_len > VFS_NAME_MAX || memchr(name, '/', r->name_len) ||
		   memchr(name, '\0', r->name_len) || r->same_as > i) {
		return -EINVAL;
	} else if (r->same_as < i) {
		n = node[r->same_as];
		if (S_ISDIR(n->mode))
			return -EINVAL;
		node[i] = n;
		return tmpfs_restore(node[r->parent], name, r->name_len, n, true);
	} else {
		n = tnode_new(v->fs, r->mode);
		if (!n)
			return -ENOMEM;
	}
	n->mode = r->mode;
	n->uid = r->uid;
	n->gid = r->gid;
	n->atime = r->atime;
	n->mtime = r->mtime;
	n->ctime = r->ctime;
	n->rdev = r->rdev;
	node[i] = n;
	if (n->enc) {
		memcpy(n->enc->id, r->id, ENC_ID);
		n->enc->durable = r->durable;
		n->enc->in_index = r->durable;
		n->enc->recorded = true;
	}
	if (S_ISLNK(r->mode)) {
		n->target = kmalloc(r->target_len + 1ul);
		if (!n->target)
			return -ENOMEM;
		memcpy(n->target, name + r->name_len, r->target_len);
		n->target[r->target_len] = '\0';
		n->size = r->target_len;
	}
	return i ? tmpfs_restore(node[r->parent], name, r->name_len, n, false) : 0;
}

static int take_image(struct enc_volume *v, const struct image *m)
{
	const struct index_header *h = (void *)m->data;
	struct tnode **node;
	size_t at = sizeof(*h);
	int err = 0;

	if (!m->len)
		return 0;
	if (m->len < sizeof(*h) || h->magic != INDEX_MAGIC || h->version != INDEX_VERSION ||
	    h->records > m->len / sizeof(struct index_record))
		return -EINVAL;
	node = kmalloc((h->records + 1ul) * sizeof(*node));
	if (!node)
		return -ENOMEM;
	for (u32 i = 0; i < h->records && !err; i++) {
		const struct index_record *r = (void *)(m->data + at);

		if (m->len - at < sizeof(*r) ||
		    m->len - at - sizeof(*r) < ALIGN_UP(r->name_len + r->target_len, 8))
			err = -EINVAL;
		else
			err = take_record(v, r, node, i);
		if (!err)
			at += sizeof(*r) + ALIGN_UP(r->name_len + r->target_len, 8);
	}
	kfree(node);
	return err;
}

/* ---- mounting ---- */

static int open_index(struct enc_volume *v)
{
	static const u8 id[ENC_ID];
	struct enc_file *f = &v->index;
	char name[ENC_NAME_SIZE];
	struct statx st;
	int err;

	enc_init(f, v, id);
	enc_name(f, name);
	/* One with anything in it must be good; a shorter one was about to be made. */
	err = host_statx(v->dirfd, name, AT_SYMLINK_NOFOLLOW, STATX_SIZE, &st);
	if (!err && st.stx_size > ENC_HEADERS * ENC_BLOCK)
		f->durable = 1;
	else if (err && err != -ENOENT)
		return err;
	err = enc_open(f, v->prefix);
	if (err)
		return err;
	if (host_flock(f->fd, LOCK_EX_NB)) {
		log_error("%s: the encrypted directory is in use by another rakis: end that first",
			  v->prefix);
		return -EBUSY;
	}
	if (f->generation)
		return 0;
	log_info("%s: a new encrypted directory", v->prefix);
	f->changed = true;
	return enc_commit(f, true);
}

struct tmpfs *enc_mount(const char *host, const char *prefix, const u8 key[SHA256_SIZE],
			const char *key_name)
{
	struct enc_volume *v = nvolumes < VOLUMES_MOST ? kzalloc(sizeof(*v)) : NULL;
	struct image m = { 0 };
	int err = v ? 0 : -ENOMEM;

	if (err)
		goto out;
	if (!crypto_has_aes()) {
		log_error("%s: encrypted files need a processor with AES-NI and PCLMULQDQ", prefix);
		return NULL;
	}
	mutex_init(&v->lock);
	mutex_init(&v->files_lock);
	list_init(&v->files);
	list_init(&v->doomed);
	v->prefix = prefix;
	vectors_begin();
	hmac_sha256(key, key_name, strlen(key_name), v->key);
	vectors_end();
	v->fs = tmpfs_new(0755);
	if (!v->fs)
		err = -ENOMEM;
	else
		v->fs->volume = v;
	if (!err) {
		v->dirfd = host_openat(VFS_FDCWD, host, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, NULL);
		err = v->dirfd < 0 ? v->dirfd : open_index(v);
	}
	if (!err)
		err = read_image(&v->index, &m);
	if (!err)
		err = take_image(v, &m);
	kfree(m.data);
	if (err)
		goto out;
	volumes[nvolumes++] = v;
	return v->fs;
out:
	log_error("%s: the encrypted directory %s cannot be used (error %d)", prefix, host, -err);
	return NULL;
}
