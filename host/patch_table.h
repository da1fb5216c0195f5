/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the system call instructions of an ELF file are, and which bytes around each may be
 * replaced by a jump (struct rakis_patch in boundary/request.h). Found with a disassembler;
 * a site about which there is doubt is reported as one that cannot be patched.
 */
#ifndef RAKIS_HOST_PATCH_TABLE_H
#define RAKIS_HOST_PATCH_TABLE_H

#include "boundary/request.h"

/*
 * Entries [first, first + max) of the table of the file open at `fd`, sorted by offset: how
 * many are given, or a negative errno. A file that is no x86-64 ELF object has none. Any
 * thread; the tables of the last few files are kept.
 */
int patch_table(int fd, struct rakis_patch *out, uint32_t max, uint64_t first);

#endif
