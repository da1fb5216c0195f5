/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypted files: what the host keeps of them it can neither read nor change, mix or cut
 * unnoticed. docs/files.md has the format and what it promises.
 *
 * Three layers: a block file (encblocks.c) is one file of the host, a tree of sealed blocks
 * with one root; the data of an encrypted file is in one (encfile.c); and the names of a
 * mount are a tmpfs whose image is in another, the index (encindex.c).
 */
#ifndef RAKIS_FS_ENCRYPTED_H
#define RAKIS_FS_ENCRYPTED_H

#include "fs/file.h"
#include "lib/crypto.h"
#include "lib/list.h"

#define ENC_BLOCK	4096u
#define ENC_FAN		128u			/* entries of a node */
#define ENC_LEVELS	4u
#define ENC_SIZE_MOST	(1ull << 40)		/* ENC_FAN to the ENC_LEVELS blocks */
#define ENC_HEADERS	2u			/* blocks, one each */
#define ENC_RUN		16u			/* blocks moved at once */
#define ENC_ID		16u

/* What a node, or the header, knows of a block below it. */
struct enc_entry {
	u8 iv[AES_GCM_IV];
	u32 where;		/* 0: a hole; else its generation << 1 | which of its two places */
	u8 tag[AES_GCM_TAG];
};
_Static_assert(sizeof(struct enc_entry) * ENC_FAN == ENC_BLOCK, "a node is a block");

struct enc_block {
	struct list lru, dirty;		/* dirty: linked if it is */
	struct enc_block *parent;	/* its entry is there; NULL: in enc_file.root */
	struct enc_block **child;	/* nodes: those of its blocks that are here */
	u64 index;
	u32 level;			/* 0: data */
	u32 children, pins;
	u8 *data;			/* ENC_BLOCK bytes */
};

struct enc_volume;

struct enc_file {
	struct mutex lock;		/* all below */
	struct enc_volume *volume;
	struct list link;		/* of the volume's files */
	char *label;			/* for messages: the guest's path when it was opened */
	u32 users;			/* open files; host file and cache are there while there are any */
	int fd;
	bool loaded;			/* what follows is known */
	bool recorded;			/* an index names it */
	bool changed;			/* since the last header */
	bool header_unsynced;
	bool trim;			/* the host's file is longer than it need be */
	u8 id[ENC_ID];
	_Atomic u64 size;
	u64 generation;			/* of the last header written */
	_Atomic u64 durable;		/* the last one that is surely on the disk */
	_Atomic u64 in_index;		/* the same, as the last index has it */
	u32 height;			/* level of the root */
	struct enc_entry root;
	/* while open */
	struct aes_gcm *gcm;
	u8 *bounce;			/* ENC_RUN blocks, sealed */
	struct enc_block *top;
	struct list lru, dirty[ENC_LEVELS + 1];
	u64 blocks;			/* here */
	u64 next;			/* a read here goes on with the last one */
	struct mutex writing;		/* one write at a time, and its data; above `lock` */
	u8 *staged;			/* ENC_RUN blocks */
};

/* ---- block files; each call locks ---- */

void enc_init(struct enc_file *f, struct enc_volume *v, const u8 id[ENC_ID]);
/* The key of `id` is derived from the volume's. `create`: it may be missing, and is then made. */
int enc_open(struct enc_file *f, const char *label) __must_check;
/* The last one writes back; what fails then is logged. */
void enc_close(struct enc_file *f);
/*
 * A block, pinned: its data may be read until enc_put(). NULL for a hole. `ahead` blocks are
 * wanted in all.
 */
int enc_get(struct enc_file *f, u64 index, u64 ahead, struct enc_block **out) __must_check;
void enc_put(struct enc_file *f, struct enc_block *b);
/* Bytes written, of n. */
ssize_t enc_write(struct enc_file *f, u64 pos, const void *data, size_t n) __must_check;
int enc_resize(struct enc_file *f, u64 size) __must_check;
/* All that was changed becomes the file's state in one step; `durable`: and is on the disk. */
int enc_commit(struct enc_file *f, bool durable) __must_check;

/* ---- volumes ---- */

struct tmpfs;
struct tnode;

struct enc_volume {
	struct mutex lock;		/* the index; above the lock of the names */
	struct tmpfs *fs;
	const char *prefix;		/* where it is mounted */
	int dirfd;
	u8 key[SHA256_SIZE];
	struct enc_file index;
	_Atomic bool renamed;		/* the index lacks changes of names or attributes */
	struct mutex files_lock;	/* both lists; above those of files */
	struct list files, doomed;	/* doomed: without a name, but an index has one */
};

/* What the host calls a file. */
#define ENC_NAME_SIZE	(2 * ENC_ID + 1)
void enc_name(const struct enc_file *f, char name[ENC_NAME_SIZE]);

/*
 * The names of the directory `host` as a tmpfs, for mount_add(). NULL: said why. `key`: of the
 * run; `key_name` makes it the mount's.
 */
struct tmpfs *enc_mount(const char *host, const char *prefix, const u8 key[SHA256_SIZE],
			const char *key_name) __must_check;
/* Names and attributes are on the disk, as far as those of files that were committed. */
int enc_volume_sync(struct enc_volume *v) __must_check;
/* Everything of all volumes: the process ends, or sync(). */
void enc_sync_all(void);

/* ---- what tmpfs asks for ---- */

struct enc_file *enc_file_new(struct enc_volume *v) __must_check;
void enc_file_forget(struct enc_file *f);	/* no name, no open file */
ssize_t encfile_read(struct enc_file *e, struct iter *it, u64 *pos);
ssize_t encfile_write(struct enc_file *e, struct iter *it, u64 *pos, bool append);
int encfile_truncate(struct enc_file *e, u64 size) __must_check;
int encfile_fallocate(struct enc_file *e, u32 mode, u64 off, u64 len) __must_check;
int encfile_size(struct enc_file *e, u64 *size) __must_check;

#endif
