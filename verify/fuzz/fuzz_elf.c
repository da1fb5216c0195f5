/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz the program loader, and the finder of system call sites: the input is the program's
 * file, and its own interpreter. Whatever it holds, both must end with an error or a result.
 *
 * What the loader may do to memory is checked by the fake rooms below it
 * (tests/unit/fake_guest.c), the rest by the sanitizers. verify/fuzz/build makes it.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "elf/elf.h"
#include "fake_guest.h"
#include "host/patch_table.h"
#include "lib/errno.h"
#include "lib/string.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sites_of(const void *data, size_t size)
{
	struct rakis_patch out[16];
	uint64_t first = 0, end = 0;
	int fd = memfd_create("fuzz", 0), n;

	if (write(fd, data, size) != (ssize_t)size)
		abort();
	while ((n = patch_table(fd, out, 16, first)) > 0) {
		for (int i = 0; i < n; i++) {
			size_t len = out[i].before + 2u + out[i].after;

			if (out[i].offset > size || len > size - out[i].offset || len > RAKIS_PATCH_MAX ||
			    memcmp((const char *)data + out[i].offset, out[i].bytes, len))
				abort();
			/* Segments may overlap in the file; in order they are, nevertheless. */
			if (out[i].offset < end)
				abort();
			end = out[i].offset;
		}
		first += (uint64_t)n;
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *argv[] = { "program", "argument", NULL }, *envp[] = { "A=B", NULL };
	const struct rakis_boot boot = { .cpus = 1 };
	struct regs regs;
	char why[200];
	u32 prot;

	if (size > 1 << 20)
		return 0;
	fake_reset();
	elf_init(&boot);
	fake_add(&(struct fake_file){ "/program", data, size, 0100755, -1 });
	fake_add(&(struct fake_file){ "/lib64/ld-linux-x86-64.so.2", data, size, 0100755, -1 });
	if (program_load("/program", argv, envp, &regs, why, sizeof(why)) == 0) {
		if (regs.rsp % 16 || !fake_mapped(regs.rsp, &prot) || !(prot & PROT_WRITE))
			abort();
	} else if (!why[0] || strchr(why, '\n')) {
		abort();
	}
	if (fake_open_files())
		abort();
	sites_of(data, size);
	return 0;
}
