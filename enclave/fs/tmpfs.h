/* SPDX-License-Identifier: Apache-2.0 */
/* Inodes of tmpfs, between its names (tmpfs.c) and its data (tmpfile.c). */
#ifndef RAKIS_FS_TMPFS_H
#define RAKIS_FS_TMPFS_H

#include "fs/gen.h"
#include "lib/list.h"

struct tmpfs;

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
	/* regular files; never held while guest memory is touched */
	struct mutex lock;
	void ***chunks;			/* sparse: chunks[i][j] is a page or NULL */
	u64 nchunks, pages;
};

/* The open file takes over `name` in any case, and the reference to `n` if it works. */
int tnode_open(struct tnode *n, u32 flags, char *name, void (*list)(struct gen *g),
	       struct file **out) __must_check;
struct tnode *tnode_of(struct file *f);	/* NULL: not a file of tmpfs */
void tnode_release(struct tnode *n);
void tnode_free_data(struct tnode *n);
int tnode_truncate(struct tnode *n, u64 size) __must_check;
void tnode_stat(struct tnode *n, struct statx *out);
int tnode_statfs(struct statfs *out);
int tnode_chmod(struct tnode *n, u32 mode) __must_check;
int tnode_chown(struct tnode *n, u32 uid, u32 gid) __must_check;
int tnode_utimens(struct tnode *n, const s64 times[4]) __must_check;

#endif
