/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes of tmpfs, between its names (tmpfs.c) and its data (tmpfile.c). */
#ifndef RAKIS_FS_TMPFS_H
#define RAKIS_FS_TMPFS_H

#include "fs/gen.h"
#include "lib/list.h"

struct enc_file;
struct enc_volume;

struct tmpfs {
	struct mutex lock;		/* every name below the root */
	struct tnode *root;
	struct enc_volume *volume;	/* encrypted files of the host; else NULL */
};

struct tname {
	struct list node;		/* in the directory's names */
	struct tnode *inode;
	char name[];
};

struct tnode {
	_Atomic u32 refs;		/* names and open files */
	u32 mode, uid, gid, nlink, seals;
	u64 ino, rdev, size;
	s64 atime, mtime, ctime;	/* ns */
	struct tmpfs *fs;		/* NULL: a memfd */
	/* directories; under the file system's lock */
	struct list names;
	struct tnode *parent;
	/* links */
	char *target;
	/* of an encrypted mount; encindex.c's while it writes the index */
	struct enc_file *enc;		/* regular files: their data */
	struct list queued;
	u64 image;
	u32 record;
	/* regular files; never held while guest memory is touched */
	struct mutex lock;
	void ***chunks;			/* sparse: chunks[i][j] is a page or NULL */
	u64 nchunks, pages;
};

struct tfile {
	struct tnode *node;
	struct gen listing;		/* directories */
};

struct tnode *tnode_new(struct tmpfs *fs, u32 mode) __must_check;
/* For the index: a name as it was; `again`: not the first one of `n`. */
int tmpfs_restore(struct tnode *dir, const char *name, size_t len, struct tnode *n,
		  bool again) __must_check;
/* Names or attributes are others than before: the index of an encrypted mount has to follow. */
void tnode_changed(struct tnode *n);

/* The open file takes over `name` in any case, and the reference to `n` if it works. */
int tnode_open(struct tnode *n, u32 flags, char *name, void (*list)(struct gen *g),
	       struct file **out) __must_check;
struct tnode *tnode_of(struct file *f);	/* NULL: not a file of tmpfs */
void tnode_release(struct tnode *n);
void tnode_free_data(struct tnode *n);
int tnode_truncate(struct tnode *n, u64 size) __must_check;
int tnode_stat(struct tnode *n, struct statx *out) __must_check;
int tnode_statfs(struct statfs *out);
int tnode_chmod(struct tnode *n, u32 mode) __must_check;
int tnode_chown(struct tnode *n, u32 uid, u32 gid) __must_check;
int tnode_utimens(struct tnode *n, const s64 times[4]) __must_check;

#endif
