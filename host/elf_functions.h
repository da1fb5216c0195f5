/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the functions of an ELF file begin and end: from .eh_frame through its sorted
 * index, and where that is silent from the symbol tables. The file is the user's and may be
 * anything: every offset is checked.
 */
#ifndef RAKIS_HOST_ELF_FUNCTIONS_H
#define RAKIS_HOST_ELF_FUNCTIONS_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_image {
	const uint8_t *data;
	size_t size;
	const Elf64_Ehdr *eh;
	const Elf64_Phdr *ph;
	const Elf64_Shdr *sh;		/* NULL if there is no usable section table */
	unsigned int phnum, shnum;
};

/* False: no little-endian x86-64 ELF object with a sound program header table. */
bool elf_image_init(struct elf_image *img, const void *data, size_t size);

/* Program header `i` if it is executable and lies in the file. */
const Elf64_Phdr *elf_exec_segment(const struct elf_image *img, unsigned int i);

struct function {
	uint32_t start, end;		/* offsets into the segment's bytes */
	uint32_t decoded;		/* patch_table.c: decoded and understood up to here */
	bool lsda;			/* has landing pads */
	bool gap;			/* guessed: no function is known here */
	bool indirect;			/* patch_table.c: has an indirect jump */
};

/* Sorted by start, none overlaps another. */
struct functions {
	struct function *f;
	uint32_t n, room;
};

int functions_from_unwind(struct functions *fs, const struct elf_image *img, const Elf64_Phdr *seg);
int functions_from_symbols(struct functions *fs, const struct elf_image *img, const Elf64_Phdr *seg);
/* The function that contains `off`, or NULL. */
struct function *function_at(const struct functions *fs, uint32_t off);
/* Insert a pseudo-function around `off`, where none is known: a few KB of what lies between
 * its neighbours. */
int functions_add_gap(struct functions *fs, const struct elf_image *img, const Elf64_Phdr *seg,
		      uint32_t off);

/* Call fn for the offset of each symbol that names code in the segment. */
void elf_each_code_symbol(const struct elf_image *img, const Elf64_Phdr *seg,
			  void (*fn)(void *arg, uint32_t start, uint32_t size), void *arg);

#endif
