/* SPDX-License-Identifier: Apache-2.0 */
/* Files whose content is made when they are read: most of /proc, and listings. */
#ifndef RAKIS_FS_GEN_H
#define RAKIS_FS_GEN_H

#include "fs/vfs.h"

struct gen {
	struct mutex lock;
	char *data;
	size_t len, cap;
	bool filled, failed;
	void (*fill)(struct gen *g);
	ssize_t (*store)(const char *text, u64 arg);	/* of a write; 0 or negative errno */
	u64 arg;
	u64 ino;
	u32 mode, uid, gid;
	enum fs_dev dev;
};

void gen_printf(struct gen *g, const char *fmt, ...) __printf(2, 3);
void gen_write(struct gen *g, const void *data, size_t n);
/* Spaces until the line that began at offset `line` is `width` long. */
void gen_pad(struct gen *g, size_t line, size_t width);
/* One entry of a listing; its d_off is the offset behind it. `type` is st_mode's. */
void gen_dirent(struct gen *g, const char *name, u64 ino, u32 type);

/* An open file as `model` says (its fill, store, arg, attributes are copied). */
int gen_open(const struct gen *model, struct where *w, u32 flags, struct file **out) __must_check;
/* For directories with file_ops of their own that hold a struct gen. */
int gen_getdents(struct gen *g, struct file *f, void *buf, size_t n);

#endif
