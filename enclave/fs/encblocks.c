/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block files: sealed blocks in a tree, of which each node holds what its blocks must be, and
 * the header what the root must be.
 *
 * Each block has two places in the host's file. What the header on the disk refers to is never
 * overwritten: a changed block goes to the other place, and a new header makes the change. There
 * are two headers as well, and the later of those that are whole counts.
 */
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/encrypted.h"
#include "fs/vfs.h"
#include "gate/vectors.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/random.h"
#include "lib/string.h"

#define MAGIC		0x636e6573696b6172ull	/* "rakisenc" */
#define VERSION		1u
#define FAN_BITS	7u
#define BLOCKS_LEAST	64u			/* cached, of any one file */

struct header {
	u64 magic;
	u32 version, reserved;
	u8 id[ENC_ID];
	/* up to here it is authenticated, `state` is also encrypted */
	u8 iv[AES_GCM_IV];
	u32 reserved2;
	u8 tag[AES_GCM_TAG];
	struct state {
		u64 generation, size;
		u32 height, reserved;
		struct enc_entry root;
	} state;
};
_Static_assert(sizeof(struct header) == 120, "struct header");
#define HEADER_AAD	offsetof(struct header, iv)

/* Of a block: which one of which file it is. */
struct position {
	u8 id[ENC_ID];
	u64 index;
	u32 level, reserved;
};

static _Atomic u64 blocks_used;		/* by all files */

static u64 blocks_limit(void)
{
	return min((gate_layout.slots - gate_layout.heap) / 4 / ENC_BLOCK, 16384ul);
}

static const char *label(const struct enc_file *f)
{
	return f->label ? f->label : "(unlinked)";
}

/* ---- where blocks are ---- */

/* Blocks of the host's file that a node of this level takes with all below it. */
static u64 span(u32 level)
{
	return level == 1 ? 2 + 2 * ENC_FAN : 2 + ENC_FAN * span(level - 1);
}

/* The first of the two places of a node. */
static u64 node_place(u32 level, u64 index)
{
	if (level == ENC_LEVELS)
		return ENC_HEADERS;
	return node_place(level + 1, index / ENC_FAN) + 2 + index % ENC_FAN * span(level);
}

/* Neighbours in the file are neighbours at the host, as long as both have the same place. */
static u64 place(u32 level, u64 index, u32 where)
{
	if (level)
		return node_place(level, index) + (where & 1);
	return node_place(1, index / ENC_FAN) + 2 + (where & 1) * ENC_FAN + index % ENC_FAN;
}

static struct enc_entry *entry_of(struct enc_file *f, struct enc_block *b)
{
	return b->parent ? (struct enc_entry *)b->parent->data + b->index % ENC_FAN : &f->root;
}

/* Where a new version of the block goes: not where the last header has it. */
static u32 next_where(struct enc_file *f, const struct enc_entry *e)
{
	u32 generation = (f->generation % 0x7ffffffe + 1) << 1;

	if (!e->where)
		return generation;
	return generation | ((e->where ^ generation) >> 1 ? ~e->where & 1 : e->where & 1);
}

/* ---- blocks that are here ---- */

static void drop(struct enc_file *f, struct enc_block *b)
{
	list_remove(&b->lru);
	list_remove(&b->dirty);
	if (b->parent) {
		b->parent->child[b->index % ENC_FAN] = NULL;
		b->parent->children--;
	} else {
		f->top = NULL;
	}
	f->blocks--;
	blocks_used--;
	kfree(b->child);
	kfree(b->data);
	kfree(b);
}

static int flush(struct enc_file *f, u32 level);

/* Make room: the least recently used block that nothing depends on. */
static int evict(struct enc_file *f)
{
	for (u64 i = 0; i < f->blocks; i++) {
		struct enc_block *b = list_entry(f->lru.prev, struct enc_block, lru);
		int err;

		if (b->pins || b->children) {
			list_remove(&b->lru);
			list_push(&f->lru, &b->lru);
			continue;
		}
		if (!list_empty(&b->dirty)) {
			err = flush(f, b->level);
			if (err)
				return err;
		}
		drop(f, b);
		return 0;
	}
	return -ENOMEM;
}

static struct enc_block *block_alloc(u32 level)
{
	struct enc_block *b = kzalloc(sizeof(*b));

	if (b)
		b->data = kmalloc(ENC_BLOCK);
	if (b && level)
		b->child = kzalloc(ENC_FAN * sizeof(*b->child));
	if (b && b->data && (b->child || !level))
		return b;
	if (b) {
		kfree(b->child);
		kfree(b->data);
	}
	kfree(b);
	return NULL;
}

static int block_new(struct enc_file *f, struct enc_block *parent, u32 level, u64 index,
		     struct enc_block **out)
{
	struct enc_block *b;
	int err;

	if (parent)
		parent->pins++;
	err = blocks_used >= blocks_limit() && f->blocks > BLOCKS_LEAST ? evict(f) : 0;
	while (!err && !(b = block_alloc(level)))
		err = evict(f);
	if (parent)
		parent->pins--;
	if (err)
		return err;
	b->parent = parent;
	b->level = level;
	b->index = index;
	list_push(&f->lru, &b->lru);
	list_init(&b->dirty);
	if (parent) {
		parent->child[index % ENC_FAN] = b;
		parent->children++;
	} else {
		f->top = b;
	}
	f->blocks++;
	blocks_used++;
	*out = b;
	return 0;
}

static void mark(struct enc_file *f, struct enc_block *b)
{
	if (list_empty(&b->dirty))
		list_append(&f->dirty[b->level], &b->dirty);
	f->changed = true;
}

static struct position position(const struct enc_file *f, const struct enc_block *b)
{
	struct position p = { .index = b->index, .level = b->level };

	memcpy(p.id, f->id, ENC_ID);
	return p;
}

enum how { READ, CHANGE, REPLACE };	/* REPLACE: what it held does not matter */

/* ---- reading ---- */

static int damaged(struct enc_file *f, const struct enc_block *b)
{
	log_error("%s: %s %lu is not what was written: the file was changed, damaged, or mixed "
		  "with another version of itself; restore the whole directory from a backup",
		  label(f), b->level ? "node" : "block", b->index);
	return -EIO;
}

/* `n` blocks that are neighbours at the host; what cannot be had is dropped. */
static int fetch(struct enc_file *f, struct enc_block **b, u32 n)
{
	struct enc_entry *e = entry_of(f, b[0]);
	ssize_t got = host_pread(f->fd, f->bounce, n * ENC_BLOCK,
				 place(b[0]->level, b[0]->index, e->where) * ENC_BLOCK);
	u32 good = 0;
	int err = got < 0 ? got : 0;

	if (!err) {
		u32 have = got / ENC_BLOCK;

		vectors_begin();
		for (; good < have; good++) {
			struct position p = position(f, b[good]);

			e = entry_of(f, b[good]);
			if (!aes_gcm_open(f->gcm, e->iv, &p, sizeof(p), f->bounce + good * ENC_BLOCK,
					  b[good]->data, ENC_BLOCK, e->tag))
				break;
		}
		vectors_end();
		if (good < n)
			err = damaged(f, b[good]);
	}
	for (u32 i = good; i < n; i++)
		drop(f, b[i]);
	/* Later ones were not asked for: they may have an error of their own. */
	return good ? 0 : err;
}

/* Data blocks from b on that may come in the same request. */
static int fetch_ahead(struct enc_file *f, struct enc_block *b, u64 ahead)
{
	struct enc_block *run[ENC_RUN] = { b }, *parent = b->parent;
	u32 n = 1, slot = b->index % ENC_FAN;
	struct enc_entry *e = entry_of(f, b);

	b->pins++;
	ahead = min(min(ahead, ENC_RUN), parent ? ENC_FAN - slot : 1);
	for (; n < ahead; n++)
		if (parent->child[slot + n] || !e[n].where || (e[n].where ^ e->where) & 1 ||
		    block_new(f, parent, 0, b->index + n, &run[n]))
			break;
		else
			run[n]->pins++;
	for (u32 i = 0; i < n; i++)
		run[i]->pins--;
	return fetch(f, run, n);
}

/* A new level above the root. */
static int grow(struct enc_file *f)
{
	struct enc_block *old = f->top, *b;
	int err;

	if (old)
		old->pins++;
	err = block_new(f, NULL, f->height + 1, 0, &b);
	if (old)
		old->pins--;
	if (err) {
		f->top = old;
		return err;
	}
	memset(b->data, 0, ENC_BLOCK);
	memcpy(b->data, &f->root, sizeof(f->root));
	f->root = (struct enc_entry){ .where = 0 };
	if (old) {
		old->parent = b;
		b->child[0] = old;
		b->children = 1;
	}
	f->height++;
	mark(f, b);
	return 0;
}

static int get(struct enc_file *f, u64 index, enum how how, u64 ahead, struct enc_block **out)
{
	struct enc_block *parent = NULL, *b = NULL;
	int err = 0;

	*out = NULL;
	while (index >> FAN_BITS * f->height) {
		if (how == READ)
			return 0;
		err = grow(f);
		if (err)
			return err;
	}
	for (int level = f->height; level >= 0; level--, parent = b) {
		u64 i = index >> FAN_BITS * level;
		const struct enc_entry *e = parent ? (struct enc_entry *)parent->data + i % ENC_FAN :
						     &f->root;

		b = parent ? parent->child[i % ENC_FAN] : f->top;
		if (b) {
			list_remove(&b->lru);
			list_push(&f->lru, &b->lru);
			continue;
		}
		if (!e->where && how == READ)
			return 0;
		err = block_new(f, parent, level, i, &b);
		if (err)
			return err;
		if (!level && how == REPLACE)
			break;
		if (!e->where)
			memset(b->data, 0, ENC_BLOCK);
		else
			err = level ? fetch(f, &b, 1) : fetch_ahead(f, b, ahead);
		if (err)
			return err;
	}
	*out = b;
	return 0;
}

int enc_get(struct enc_file *f, u64 index, u64 ahead, struct enc_block **out)
{
	int err;

	mutex_lock(&f->lock);
	if (index == f->next)
		ahead = ENC_RUN;
	f->next = index + 1;
	err = get(f, index, READ, ahead, out);
	if (*out)
		(*out)->pins++;
	mutex_unlock(&f->lock);
	return err;
}

void enc_put(struct enc_file *f, struct enc_block *b)
{
	mutex_lock(&f->lock);
	b->pins--;
	mutex_unlock(&f->lock);
}

/* ---- writing ---- */

/* Write `n` dirty blocks of neighbouring places, from `b` on in the list of dirty ones. */
static int write_run(struct enc_file *f, struct enc_block **run, u32 n)
{
	struct enc_entry new[ENC_RUN];
	u8 ivs[ENC_RUN][AES_GCM_IV];
	ssize_t put;

	random_bytes(ivs, n * AES_GCM_IV);
	vectors_begin();
	for (u32 i = 0; i < n; i++) {
		struct position p = position(f, run[i]);

		new[i].where = next_where(f, entry_of(f, run[i]));
		memcpy(new[i].iv, ivs[i], AES_GCM_IV);
		aes_gcm_seal(f->gcm, new[i].iv, &p, sizeof(p), run[i]->data,
			     f->bounce + i * ENC_BLOCK, ENC_BLOCK, new[i].tag);
	}
	vectors_end();
	put = host_pwrite(f->fd, f->bounce, n * ENC_BLOCK,
			  place(run[0]->level, run[0]->index, new[0].where) * ENC_BLOCK);
	if (put != (ssize_t)(n * ENC_BLOCK))
		return put < 0 ? put : -EIO;
	for (u32 i = 0; i < n; i++) {
		*entry_of(f, run[i]) = new[i];
		list_remove(&run[i]->dirty);
		if (run[i]->parent)
			mark(f, run[i]->parent);
	}
	return 0;
}

static int flush_level(struct enc_file *f, u32 level)
{
	struct list *dirty = &f->dirty[level];
	struct enc_block *run[ENC_RUN];
	int err = 0;

	while (!err && !list_empty(dirty)) {
		u32 n = 0, first = 0;

		for (struct list *l = dirty->next; l != dirty && n < ENC_RUN; l = l->next) {
			struct enc_block *b = list_entry(l, struct enc_block, dirty);
			u32 where = next_where(f, entry_of(f, b));

			if (!n)
				first = where;
			else if (place(level, b->index, where) !=
				 place(level, run[0]->index, first) + n)
				break;
			run[n++] = b;
		}
		err = write_run(f, run, n);
	}
	return err;
}

/* Write back all dirty blocks up to this level. */
static int flush(struct enc_file *f, u32 level)
{
	int err = 0;

	/* The places that the last durable header refers to may be free only by a later one. */
	if (f->header_unsynced && f->durable) {
		err = host_fsync(f->fd, true);
		if (err)
			return err;
		f->header_unsynced = false;
		f->durable = f->generation;
	}
	for (u32 l = 0; l <= level && !err; l++)
		err = flush_level(f, l);
	return err;
}

static int write_header(struct enc_file *f)
{
	struct header h = { .magic = MAGIC, .version = VERSION };
	struct state s = {
		.generation = f->generation + 1, .size = f->size, .height = f->height, .root = f->root,
	};
	ssize_t put;

	memcpy(h.id, f->id, ENC_ID);
	random_bytes(h.iv, sizeof(h.iv));
	vectors_begin();
	aes_gcm_seal(f->gcm, h.iv, &h, HEADER_AAD, &s, &h.state, sizeof(s), h.tag);
	vectors_end();
	put = host_pwrite(f->fd, &h, sizeof(h), s.generation % ENC_HEADERS * ENC_BLOCK);
	if (put != sizeof(h))
		return put < 0 ? put : -EIO;
	f->generation++;
	return 0;
}

static int commit(struct enc_file *f, bool durable)
{
	int err;

	if (f->changed) {
		err = flush(f, f->height);
		/* Blocks before the header that needs them. */
		if (!err && (durable || f->durable))
			err = host_fsync(f->fd, true);
		if (!err)
			err = write_header(f);
		if (err)
			return err;
		f->changed = false;
		f->header_unsynced = true;
	}
	if (!durable || !f->header_unsynced)
		return 0;
	err = host_fsync(f->fd, true);
	if (err)
		return err;
	f->header_unsynced = false;
	f->durable = f->generation;
	if (f->trim) {
		u64 n = ALIGN_UP(f->size, ENC_BLOCK) / ENC_BLOCK;

		f->trim = false;
		err = host_ftruncate(f->fd, (n ? place(0, n - 1, 1) + 1 : ENC_HEADERS) * ENC_BLOCK);
	}
	return err;
}

int enc_commit(struct enc_file *f, bool durable)
{
	int err;

	mutex_lock(&f->lock);
	err = commit(f, durable);
	mutex_unlock(&f->lock);
	return err;
}

/* ---- size ---- */

ssize_t enc_write(struct enc_file *f, u64 pos, const void *data, size_t n)
{
	size_t done = 0;
	int err = 0;

	mutex_lock(&f->lock);
	while (done < n) {
		size_t at = (pos + done) % ENC_BLOCK, part = min(n - done, ENC_BLOCK - at);
		struct enc_block *b;

		err = get(f, (pos + done) / ENC_BLOCK, part == ENC_BLOCK ? REPLACE : CHANGE, 1, &b);
		if (err)
			break;
		memcpy(b->data + at, data + done, part);
		mark(f, b);
		done += part;
	}
	if (pos + done > f->size)
		f->size = pos + done;
	mutex_unlock(&f->lock);
	return done ? (ssize_t)done : err;
}

/* Nothing below `b` from block `from` on is there any more. */
static void cut(struct enc_file *f, struct enc_block *b, u64 from)
{
	for (u32 i = 0; b->level && i < ENC_FAN; i++) {
		u64 first = (b->index * ENC_FAN + i) << FAN_BITS * (b->level - 1);
		u64 end = first + (1ull << FAN_BITS * (b->level - 1));
		struct enc_entry *e = (struct enc_entry *)b->data + i;

		if (b->child[i] && end > from)
			cut(f, b->child[i], from);
		if (first >= from && e->where) {
			*e = (struct enc_entry){ .where = 0 };
			mark(f, b);
		}
	}
	if (b->index << FAN_BITS * b->level < from)
		return;
	/* One that somebody is reading or writing stays, as a hole. */
	memset(b->data, 0, ENC_BLOCK);
	list_remove(&b->dirty);
	if (!b->pins && !b->children)
		drop(f, b);
}

static int shrink(struct enc_file *f, u64 size)
{
	u64 from = ALIGN_UP(size, ENC_BLOCK) / ENC_BLOCK;
	struct enc_block *b;
	int err;

	/* The nodes on the edge, and the last block: what is behind its end reads as zeros. */
	if (size % ENC_BLOCK) {
		err = get(f, size / ENC_BLOCK, READ, 1, &b);
		if (err)
			return err;
		if (b) {
			memset(b->data + size % ENC_BLOCK, 0, ENC_BLOCK - size % ENC_BLOCK);
			mark(f, b);
		}
	} else if (size) {
		err = get(f, from - 1, READ, 1, &b);
		if (err)
			return err;
	}
	if (f->top)
		cut(f, f->top, from);
	if (!from) {
		f->root = (struct enc_entry){ .where = 0 };
		f->height = f->top ? f->height : 0;
	}
	f->size = size;
	f->changed = f->trim = true;
	/*
	 * What was cut off must not be forgotten while the last header refers to it: a new one now.
	 */
	return commit(f, false);
}

int enc_resize(struct enc_file *f, u64 size)
{
	int err = 0;

	if (size > ENC_SIZE_MOST)
		return -EFBIG;
	mutex_lock(&f->lock);
	if (size < f->size) {
		err = shrink(f, size);
	} else if (size > f->size) {
		f->size = size;
		f->changed = true;
	}
	mutex_unlock(&f->lock);
	return err;
}

/* ---- opening ---- */

void enc_name(const struct enc_file *f, char name[ENC_NAME_SIZE])
{
	for (u32 i = 0; i < ENC_ID; i++)
		snprintf(name + 2 * i, 3, "%02x", f->id[i]);
}

void enc_init(struct enc_file *f, struct enc_volume *v, const u8 id[ENC_ID])
{
	mutex_init(&f->lock);
	mutex_init(&f->writing);
	list_init(&f->link);
	list_init(&f->lru);
	for (u32 i = 0; i <= ENC_LEVELS; i++)
		list_init(&f->dirty[i]);
	f->volume = v;
	f->fd = -1;
	memcpy(f->id, id, ENC_ID);
}

static bool read_header(struct enc_file *f, u32 which, struct state *s)
{
	struct header h;

	if (host_pread(f->fd, &h, sizeof(h), which * ENC_BLOCK) != sizeof(h) ||
	    h.magic != MAGIC || h.version != VERSION || memcmp(h.id, f->id, ENC_ID) != 0)
		return false;
	vectors_begin();
	bool good = aes_gcm_open(f->gcm, h.iv, &h, HEADER_AAD, &h.state, s, sizeof(*s), h.tag);
	vectors_end();
	return good && s->height <= ENC_LEVELS && s->size <= ENC_SIZE_MOST &&
	       s->generation % ENC_HEADERS == which;
}

/* The state of the file from its later header; `f->durable` is what the index knows of it. */
static int load(struct enc_file *f)
{
	struct state s[ENC_HEADERS];
	bool good[ENC_HEADERS];
	u32 use;

	for (u32 i = 0; i < ENC_HEADERS; i++)
		good[i] = read_header(f, i, &s[i]);
	use = good[1] && (!good[0] || s[1].generation > s[0].generation);
	if (!good[use]) {
		/* It was never said to be on the disk: a crash may have left nothing of it. */
		if (!f->durable)
			return 0;
		log_error("%s: the encrypted file is damaged, cut, another file, or of another key; "
			  "restore the whole directory from a backup", label(f));
		return -EIO;
	}
	if (s[use].generation < f->durable) {
		log_error("%s: the encrypted file is an old version (%lu, was %lu): it was rolled back; "
			  "restore the whole directory from a backup", label(f), s[use].generation,
			  (u64)f->durable);
		return -EIO;
	}
	f->generation = s[use].generation;
	f->size = s[use].size;
	f->height = s[use].height;
	f->root = s[use].root;
	return 0;
}

static void set_key(struct enc_file *f)
{
	struct { char use[8]; u8 id[ENC_ID]; } what = { .use = "file" };
	u8 key[SHA256_SIZE];

	memcpy(what.id, f->id, ENC_ID);
	vectors_begin();
	hmac_sha256(f->volume->key, &what, sizeof(what), key);
	aes_gcm_init(f->gcm, key);
	vectors_end();
	memset(key, 0, sizeof(key));
}

static void close_host(struct enc_file *f)
{
	while (!list_empty(&f->lru)) {
		struct enc_block *b = list_first(&f->lru, struct enc_block, lru);

		/* Nodes go when nothing is below them any more. */
		if (b->children) {
			list_remove(&b->lru);
			list_append(&f->lru, &b->lru);
		} else {
			drop(f, b);
		}
	}
	if (f->fd >= 0)
		host_close(f->fd);
	f->fd = -1;
	if (f->gcm)
		memset(f->gcm, 0, sizeof(*f->gcm));
	kfree(f->gcm);
	kfree(f->bounce);
	kfree(f->staged);
	f->staged = NULL;
	f->gcm = NULL;
	f->bounce = NULL;
}

static int open_host(struct enc_file *f)
{
	bool is_new = !f->generation && !f->durable;
	char name[ENC_NAME_SIZE];
	int err = 0;

	f->gcm = kmalloc(sizeof(*f->gcm));
	f->bounce = kmalloc(ENC_RUN * ENC_BLOCK);
	if (!f->gcm || !f->bounce)
		err = -ENOMEM;
	if (!err) {
		set_key(f);
		enc_name(f, name);
		f->fd = host_openat(f->volume->dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW |
				    (is_new ? O_CREAT : 0), is_new ? 0600 : 0, NULL);
		err = f->fd < 0 ? f->fd : 0;
		if (err == -ENOENT) {
			log_error("%s: the host has the encrypted file (%s) no more; restore the "
				  "whole directory from a backup", label(f), name);
			err = -EIO;
		}
	}
	if (!err && !f->loaded)
		err = load(f);
	if (err)
		close_host(f);
	else
		f->loaded = true;
	return err;
}

int enc_open(struct enc_file *f, const char *path)
{
	char *copy = path ? kstrdup(path) : NULL;
	int err;

	mutex_lock(&f->lock);
	if (copy) {
		kfree(f->label);
		f->label = copy;
	}
	err = f->users ? 0 : open_host(f);
	if (!err)
		f->users++;
	mutex_unlock(&f->lock);
	return err;
}

void enc_close(struct enc_file *f)
{
	mutex_lock(&f->lock);
	if (!--f->users) {
		int err = commit(f, false);

		if (err) {
			log_error("%s: what was written last could not be stored (error %d); the file "
				  "is as it was before", label(f), -err);
			f->loaded = f->changed = false;
		}
		close_host(f);
	}
	mutex_unlock(&f->lock);
}
