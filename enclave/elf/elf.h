/* SPDX-License-Identifier: Apache-2.0 */
/* Loading programs, patching their system calls, and the libOS's vDSO. */
#ifndef RAKIS_ELF_ELF_H
#define RAKIS_ELF_ELF_H

#include "gate/gate.h"
#include "lib/types.h"

struct file;

void elf_init(const struct rakis_boot *boot);	/* before the rest */

/*
 * Load the program at `path` (ELF or #!) with its interpreter, build its stack (argv, envp,
 * auxv as Linux), and fill `regs` and process.exe, .cmdline, .auxv, .brk_start.
 * -ENOENT, -EACCES, -ENOEXEC, -ELIBBAD, -ENOMEM, ...; `why` says it in words.
 */
int program_load(const char *path, char **argv, char **envp, struct regs *regs,
		 char *why, size_t why_size) __must_check;

/* mm_file_ops.prepare_exec */
void patch_mapping(struct file *f, u64 addr, u64 len, u64 off);
/*
 * A signal frame shows the guest's own addresses, not those of stubs: stub -> original, and
 * back at sigreturn. Other addresses come back unchanged. On an address inside a stub after
 * its call, patch_original_rip() gives the matching address of the original code, and for
 * the stub's `lea` (and the jump after it) that of the syscall instruction; for that address,
 * site + before, patch_resume_rip() gives the `lea`: so an interrupted call is done again.
 */
u64 patch_original_rip(u64 rip);
u64 patch_resume_rip(u64 rip);

/* Map the vDSO and its data page; the address for AT_SYSINFO_EHDR, or a negative errno. */
s64 vdso_map(void) __must_check;
u64 vdso_sigreturn(void);	/* code that makes the call rt_sigreturn(2), for sig_restorer */

#endif
