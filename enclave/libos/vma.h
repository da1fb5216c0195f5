/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of memory management share; others include libos/mm.h. All of it under
 * mm_lock(). Invariant: pages that belong to no VMA, and pages that were never accessible,
 * are without access as far as the host goes, and made accessible by pages_fresh().
 */
#ifndef RAKIS_LIBOS_VMA_H
#define RAKIS_LIBOS_VMA_H

#include "gate/gate.h"
#include "lib/list.h"
#include "libos/mm.h"
#include "libos/wait.h"

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)
#define PROT_RW (PROT_READ | PROT_WRITE)
#define TASK_SIZE 0x7ffffffff000ull	/* of the guest's ABI; what can be mapped is less */

enum page_state { PAGE_PRESENT = 1, PAGE_PATCHED = 2 };

/* One mmap of a file: which of its pages are in memory. Each is in one VMA at most. */
struct mapping {
	u32 refs;		/* VMAs */
	struct file *file;
	u64 off;		/* of page 0 in the file */
	u64 pages;
	u8 *state;		/* enum page_state of each */
	u64 next, window;	/* filemap.c: sequential faults get larger windows */

	/* shared.c */
	bool shared;
	struct list node;	/* in mm.shared */
	u64 id[2];
	u64 addr;		/* where mmap put it */
	u32 users;		/* mmap calls that were answered with it */
	u64 *sums;		/* content of each page as the file has it; NULL: never writable */
};

struct vma {
	struct vma *left, *right;
	u32 height;
	u64 min, max, gap;	/* of the subtree: bounds, and the largest hole between its VMAs */

	u64 start, end, off;
	u32 prot, flags;	/* PROT_*, VM_* */
	bool shared;
	bool used;		/* was accessible at some time: pages may hold data */
	struct mapping *map;	/* NULL: anonymous */
	const char *name;
};

extern struct mm {
	struct mutex lock;
	struct gate_thread *_Atomic owner;
	u32 depth;
	struct vma *root;
	u64 low, top;		/* what may be mapped */
	u64 bytes;
	u64 brk_end;		/* brk.c: end of what is mapped for the heap */
	const struct mm_file_ops *files;
	struct list shared;	/* struct mapping */
	void *staging;		/* filemap.c: where pages are made ready */
} mm;

/* mm.c. The lock nests: preparing a file for execution maps memory. */
void mm_lock(void);
void mm_unlock(void);
bool mm_is_locked(void);	/* by the running thread */
int pages_protect(u64 start, u64 end, u32 prot) __must_check;
/*
 * The first access, which finds zeros. The host discards what is given back, so that it reads as
 * zero by itself; an enclave's memory it cannot change, and that is cleared here.
 */
int pages_fresh(u64 start, u64 end, u32 prot) __must_check;
/* They read as zero from now on; `prot` is what they have. */
void pages_discard(u64 start, u64 end, u32 prot);
void pages_release(u64 start, u64 end);		/* discard, and no access */
/* `replace`: also what other users of a shared mapping still have. */
int unmap_range(u64 start, u64 end, bool replace) __must_check;
int protect_vma(struct vma *v, u32 prot) __must_check;
/* Anonymous memory at a free place. */
int map_anonymous(u64 start, u64 end, u32 prot, u32 flags, const char *name,
		  bool shared) __must_check;
void out_of_memory(u64 len);

/* vma.c: the tree */
struct vma *vma_find(u64 addr);			/* first that ends above addr */
struct vma *vma_at(u64 addr);			/* the one that holds addr */
struct vma *vma_new(u64 start, u64 end);	/* NULL: no memory */
void vma_insert(struct vma *v);
void vma_delete(struct vma *v);
void vma_resize(struct vma *v, u64 end);	/* into free space, or back */
int vma_cut(u64 at) __must_check;		/* no VMA reaches across `at` afterwards */
struct vma *vma_merge(struct vma *v);		/* with its neighbours; v may be gone */
u64 vma_gap(u64 low, u64 high, u64 len);	/* highest free place in [low, high), 0: none */
bool vma_is_free(u64 start, u64 end);

/* filemap.c: files in memory */
struct mapping *mapping_new(struct file *f, u64 off, u64 len);
void mapping_put(struct mapping *m);
/* What v maps, made a mapping of its own for `len` bytes, none of them in memory. */
struct mapping *mapping_clone(const struct vma *v, u64 len);
/* Can v become longer where it is? Then extend covers the file up to `off`. */
bool mapping_may_grow(const struct vma *v);
int mapping_extend(struct mapping *m, u64 off) __must_check;
u8 *mapping_state(const struct vma *v, u64 addr);
/* [*start, *end): the first run of pages, present or not, in the range. */
bool mapping_run(const struct vma *v, u64 *start, u64 *end, bool present);
/* Each run [at, stop) within [from, to). */
#define for_each_run(v, at, stop, from, to, present)				\
	for (u64 at = (from), stop = (to); mapping_run(v, &at, &stop, present);	\
	     at = stop, stop = (to))
void mapping_fill(struct vma *v, u64 start, u64 end);
/*
 * Must a mapping be read before anybody can touch it? Where nobody can put whole pages into the
 * range from aside, other threads would see them half read.
 */
bool mapping_at_once(void);
bool mapping_fault(struct vma *v, u64 addr);
void mapping_drop(struct vma *v, u64 start, u64 end);	/* forget the pages */
int mapping_protect(struct vma *v, u32 prot) __must_check;

/* shared.c */
s64 shared_find(struct file *f, u64 off, u64 len, u32 prot);	/* address, or 0 */
void shared_add(struct mapping *m, u64 addr);
void shared_remove(struct mapping *m);
int shared_track(struct vma *v) __must_check;	/* it becomes writable */
void shared_filled(struct vma *v, u64 start, u64 end, u64 content);
int shared_write_back(struct vma *v, u64 start, u64 end);

#endif
