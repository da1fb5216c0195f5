/* SPDX-License-Identifier: Apache-2.0 */
/* One ELF object, from its headers to its place in memory: what the loader's files share. */
#ifndef RAKIS_ELF_IMAGE_H
#define RAKIS_ELF_IMAGE_H

#include <linux/elf.h>
#include "lib/types.h"

struct file;
struct regs;

/* Where an error's text goes. */
struct why {
	char *text;
	size_t size;
};

/* Say why, and return `err`. */
int fail(struct why *why, int err, const char *fmt, ...) __printf(3, 4);

struct image {
	struct file *file;
	const char *path;		/* as errors show it */
	struct elf64_phdr *ph;		/* kmalloc'ed, checked by image_read() */
	u32 phnum;
	bool fixed;			/* ET_EXEC */
	u64 low, high;			/* pages that it covers, before `bias` */
	u64 align;
	u64 entry, phdr;		/* before image_map(): without bias */
	u64 bias;
	u64 end;			/* end of its last byte in memory */
	char *interp;			/* kmalloc'ed path, NULL: none */
};

/* Read and check the headers of file->... -ENOEXEC if they are not sound. */
int image_read(struct image *img, struct why *why) __must_check;
/* Map it: at its own address, or at `hint` or wherever there is room. */
int image_map(struct image *img, u64 hint, struct why *why) __must_check;
void image_free(struct image *img);

/* Whole `n` bytes of the file, or a negative errno (-ENOEXEC: it is shorter). */
int read_exactly(struct file *f, void *buf, size_t n, u64 off) __must_check;

/* stack.c */
struct program {
	char **argv, **envp;
	const char *execfn;
	const struct image *main;
	u64 interp_base;		/* 0: none */
	u64 vdso;			/* 0: none */
};

/* Map the stack and write what a program finds there; *rsp is where it begins. */
int stack_build(const struct program *p, u64 *rsp, struct why *why) __must_check;
void stack_init(u64 hwcap, u64 hwcap2);

/* vdso.c */
void vdso_init(u64 cpus);

#endif
