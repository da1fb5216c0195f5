/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table. Each room of handlers lists its calls in a .tbl file, one SYS(name, args)
 * each; `args` is for --trace, one letter per argument:
 *   d int  u unsigned  x hex  o octal  p pointer  s string  f descriptor  a AT_FDCWD or
 *   descriptor  b buffer that goes out, its length is the next argument  - not printed
 * Handlers take the six registers and return the result or a negative errno; they unpack
 * and call the rooms below.
 */
#ifndef RAKIS_SYSCALLS_SYSCALLS_H
#define RAKIS_SYSCALLS_SYSCALLS_H

#include <asm/unistd.h>
#include "lib/errno.h"
#include "lib/types.h"

/* Newer than the oldest kernel headers that RAKIS builds with. */
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

#define SYSARGS u64 a1, u64 a2, u64 a3, u64 a4, u64 a5, u64 a6
#define SYSCALL_DEFINE(name) long sys_##name(u64 a1 __attribute__((unused)),		\
	u64 a2 __attribute__((unused)), u64 a3 __attribute__((unused)),			\
	u64 a4 __attribute__((unused)), u64 a5 __attribute__((unused)),			\
	u64 a6 __attribute__((unused)))

#define SYS(name, args) long sys_##name(SYSARGS);
#include "syscalls/all.tbl"
#undef SYS

/* Traps and patched sites are counted apart (--stats). */
void syscall_count_trapped(void);

#endif
