/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's address space: a tree of VMAs over [layout.base, layout.heap). */
#ifndef RAKIS_LIBOS_MM_H
#define RAKIS_LIBOS_MM_H

#include <linux/mman.h>
#include "lib/types.h"

struct file;

#define VM_STUBS	1u	/* syscall stubs of a patched mapping (elf/patch.c) */
#define VM_STACK	2u
#define VM_VDSO		4u
#define VM_BRK		8u

/*
 * What mm needs from files; fs registers it (start.c), so that this room knows nothing of
 * that one. Data goes straight to and from guest memory; the pages are there.
 */
struct mm_file_ops {
	void (*get)(struct file *f);
	void (*put)(struct file *f);
	ssize_t (*pread)(struct file *f, u64 uaddr, u64 len, u64 off);
	ssize_t (*pwrite)(struct file *f, u64 uaddr, u64 len, u64 off);
	s64 (*size)(struct file *f);
	/* -EACCES, -ENODEV as mmap(2), before anything is mapped */
	int (*may_map)(struct file *f, u32 prot, u32 flags);
	const char *(*path)(struct file *f);
	/* Pages [addr, addr+len) hold the file's bytes from `off`, still writable and not yet
	 * executable: patch the system calls in them. */
	void (*prepare_exec)(struct file *f, u64 addr, u64 len, u64 off);
	/* Which file it is (device, inode), so that shared mappings of one file share pages.
	 * Missing: each open file is a file of its own. */
	int (*identity)(struct file *f, u64 id[2]);
	int (*fsync)(struct file *f);		/* msync(MS_SYNC); may be missing */
};

void mm_init(const struct mm_file_ops *files);

/*
 * As mmap(2), with the guest's PROT_* and MAP_*; `file` may be NULL (its reference is taken
 * as needed). An executable file mapping is patched before it becomes executable.
 * The address, or a negative errno.
 */
s64 mm_map(u64 addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off) __must_check;
/* Anonymous pages within +-`reach` bytes of `near`, for stubs: read and execute for the
 * guest in the end, writable until mm_protect() is called. `name`: as /proc/self/maps shows. */
s64 mm_map_near(u64 near, u64 reach, u64 len, u32 vm_flags, const char *name) __must_check;
int mm_unmap(u64 addr, u64 len) __must_check;
int mm_protect(u64 addr, u64 len, u32 prot) __must_check;
/* Flags VM_* of the VMA at addr, -ENOMEM if none. */
int mm_flags_at(u64 addr);
/* Anonymous memory with a name for maps ("[stack]", "[vdso]"). addr 0: anywhere. */
s64 mm_map_anon(u64 addr, u64 len, u32 prot, u32 vm_flags, const char *name) __must_check;
void mm_set_brk(u64 start);		/* program break begins here, or where there is room */
u64 mm_brk(u64 addr);			/* as brk(2) of the kernel: the break afterwards */
/* As the system calls of these names. */
s64 mm_remap(u64 old, u64 old_len, u64 new_len, u32 flags, u64 new) __must_check;
int mm_advise(u64 addr, u64 len, int advice) __must_check;
int mm_sync(u64 addr, u64 len, u32 flags) __must_check;
/* mincore: one byte for each page, at most PAGE_SIZE of them. -ENOMEM if one is not mapped. */
int mm_resident(u64 addr, u64 pages, u8 *vec) __must_check;
bool mm_is_mapped(u64 addr, u64 len);	/* without a hole */
/* A fault at `addr`: true if it was mended (a page beyond what was filled, a stack that
 * grows); false: it becomes a signal, *code the si_code (SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR). */
bool mm_fault(u64 addr, u64 error_code, int *signo, int *code);
/* Bring the pages of [addr, addr + len) in, of mappings that are filled as they are used.
 * -EFAULT unless all can then be read, or written if `write`. */
int mm_populate(u64 addr, u64 len, bool write) __must_check;
/* The process is about to have a second thread (filemap.c). */
void mm_before_threads(void);
/* Write all shared file mappings back: at exit. */
void mm_sync_all(void);

/*
 * Shared mappings are copies of the file. For read and write on the same file to agree with
 * them: mm_file_sync() before either, mm_file_written() after a write. Both return at once
 * while nothing is mapped shared.
 */
extern _Atomic u32 mm_shared_mappings;
void mm_file_sync_slow(struct file *f);
void mm_file_written_slow(struct file *f, u64 off, u64 len);

static inline void mm_file_sync(struct file *f)
{
	if (unlikely(atomic_load_explicit(&mm_shared_mappings, memory_order_relaxed)))
		mm_file_sync_slow(f);
}

static inline void mm_file_written(struct file *f, u64 off, u64 len)
{
	if (unlikely(atomic_load_explicit(&mm_shared_mappings, memory_order_relaxed)))
		mm_file_written_slow(f, off, len);
}

/* For /proc/self/maps and statm: call fn for each VMA in order, under the lock. */
struct vma_info {
	u64 start, end, off;
	u32 prot, vm_flags;
	bool shared;
	struct file *file;
	const char *name;
};
void mm_for_each(void (*fn)(const struct vma_info *v, void *arg), void *arg);
u64 mm_mapped_bytes(void);

#endif
