/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for the rooms below elf/: guest memory as a plain piece of this process, files
 * as arrays. For the tests and the fuzz target of the loader.
 */
#ifndef RAKIS_TESTS_FAKE_GUEST_H
#define RAKIS_TESTS_FAKE_GUEST_H

#include "fs/file.h"
#include "libos/mm.h"

#define GUEST_BASE	0x200000ul
#define GUEST_SIZE	(64ul << 20)

struct fake_file {
	const char *path;
	const void *data;
	size_t size;
	u32 mode;		/* st_mode */
	int fd;			/* host descriptor, or -1 */
};

/* Forget all mappings and files. The first call sets the process up. */
void fake_reset(void);
/* `path` leads to it from now on. */
void fake_add(const struct fake_file *f);
struct file *fake_open(const struct fake_file *f);	/* it must stay */
/* PROT_* and whether mapped, of the page at addr. */
bool fake_mapped(u64 addr, u32 *prot);
u32 fake_open_files(void);	/* references held */
extern u64 fake_brk;
extern u32 fake_maps;		/* calls that map */

#endif
