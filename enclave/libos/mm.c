/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory management: pages, and what changes or asks about a range of VMAs. Mapping is in
 * mmap.c, the contents of files in filemap.c, sharing in shared.c.
 */
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/vma.h"

enum {
	LOWEST = 65536,		/* vm.mmap_min_addr: a null pointer must fault */
	GUARD = 65536,		/* between the guest's memory and the libOS's heap */

	SIGBUS_NR = 7, SIGSEGV_NR = 11,
	CODE_MAPERR = 1, CODE_ACCERR = 2, CODE_ADRERR = 2,
	ERROR_WRITE = 2, ERROR_FETCH = 16,	/* page-fault error code */
};

struct mm mm;

bool mm_is_locked(void)
{
	return atomic_load_explicit(&mm.owner, memory_order_relaxed) == gate_self();
}

void mm_lock(void)
{
	if (mm_is_locked()) {
		mm.depth++;
		return;
	}
	mutex_lock(&mm.lock);
	atomic_store_explicit(&mm.owner, gate_self(), memory_order_relaxed);
}

void mm_unlock(void)
{
	if (mm.depth) {
		mm.depth--;
		return;
	}
	atomic_store_explicit(&mm.owner, NULL, memory_order_relaxed);
	mutex_unlock(&mm.lock);
}

static bool usercopy_fault(u64 addr, u64 len, bool write)
{
	/* A fault of this room's own copies is none that it could mend. */
	return !mm_is_locked() && !mm_populate(addr, len, write);
}

void mm_init(const struct mm_file_ops *files)
{
	mutex_init(&mm.lock);
	list_init(&mm.shared);
	mm.low = max(gate_layout.base, (u64)LOWEST);
	mm.top = gate_layout.heap - GUARD;
	mm.files = files;
	usercopy_fault_hook = usercopy_fault;
}

void out_of_memory(u64 len)
{
	static _Atomic u32 told;

	/* More than once: the first may be a program that only tries. */
	if (atomic_fetch_add(&told, 1) < 3)
		log_warn("out of enclave memory (%lu MiB, %lu in use; %lu KiB asked): "
			 "raise it with --memory", gate_layout.size >> 20, mm.bytes >> 20,
			 len >> 10);
}

/* ---- pages ---- */

int pages_protect(u64 start, u64 end, u32 prot)
{
	return start < end ? host_mem_protect(start, end - start, prot) : 0;
}

static int clear(u64 start, u64 end, u32 prot)
{
	int err = pages_protect(start, end, PROT_RW);

	if (err)
		return err;
	memset((void *)start, 0, end - start);
	return prot != PROT_RW ? pages_protect(start, end, prot) : 0;
}

int pages_fresh(u64 start, u64 end, u32 prot)
{
	return gate_sealed && start < end ? clear(start, end, prot) : pages_protect(start, end, prot);
}

void pages_discard(u64 start, u64 end, u32 prot)
{
	if (start >= end || (!gate_sealed && !host_mem_discard(start, end - start)))
		return;
	/* What does not come back as zero by itself is cleared here. */
	if (clear(start, end, prot))
		panic("the host took guest memory away");
}

void pages_release(u64 start, u64 end)
{
	if (!gate_sealed)
		pages_discard(start, end, PROT_RW);
	if (pages_protect(start, end, PROT_NONE))
		log_info("the host keeps unmapped memory accessible");
}

/* ---- ranges ---- */

int unmap_range(u64 start, u64 end, bool replace)
{
	u64 low = end, high = start, next;
	struct mapping *kept = NULL;
	struct vma *v;
	int err;

	err = vma_cut(start);
	if (!err)
		err = vma_cut(end);
	if (err)
		return err;
	for (v = vma_find(start); v && v->start < end; v = vma_find(next)) {
		struct mapping *m = v->map;

		next = v->end;
		if (m && m->users > 1 && !replace) {
			/* Others were given this range too: one user less, if it gives all back. */
			if (m != kept && start <= m->addr && end - m->addr >= m->pages * PAGE_SIZE)
				m->users--;
			kept = m;
		}
		if (m && m == kept) {
			pages_release(low, high);
			low = end;
			high = start;
			next = vma_merge(v)->end;
			continue;
		}
		if (m) {
			(void)!shared_write_back(v, v->start, v->end);
			mapping_drop(v, v->start, v->end);
		}
		if (v->used) {
			low = min(low, v->start);
			high = v->end;
		}
		vma_delete(v);
	}
	pages_release(low, high);
	return 0;
}

int mm_unmap(u64 addr, u64 len)
{
	u64 end = PAGE_UP(addr + len);
	int err = 0;

	if (addr & ~PAGE_MASK || !len || addr > TASK_SIZE || len > TASK_SIZE - addr)
		return -EINVAL;
	addr = max(addr, mm.low);
	end = min(end, mm.top);
	if (addr >= end)
		return 0;
	mm_lock();
	err = unmap_range(addr, end, false);
	mm_unlock();
	return err;
}

int protect_vma(struct vma *v, u32 prot)
{
	bool fresh = !v->used && prot;
	u32 old = v->prot;
	int err = 0;

	if (v->shared && v->map) {
		if (prot & ~old & PROT_WRITE)
			err = mm.files->may_map(v->map->file, prot, MAP_SHARED) ? -EACCES :
			      shared_track(v);
		else if (old & ~prot & PROT_WRITE)
			(void)!shared_write_back(v, v->start, v->end);
		if (err)
			return err;
	}
	v->prot = prot;
	v->used |= prot != PROT_NONE;
	if (v->map)
		err = mapping_protect(v, prot);
	else if (fresh)
		err = pages_fresh(v->start, v->end, prot);
	else
		err = pages_protect(v->start, v->end, prot);
	if (err)
		v->prot = old;
	return err;
}

/* Call fn on each VMA that the range touches. -ENOMEM at a hole, or after all of them. */
static int for_range(u64 start, u64 end, int (*fn)(struct vma *v, u64 arg), u64 arg,
		     bool across_holes)
{
	struct vma *v;
	int err = 0, hole = 0;

	for (u64 at = start; at < end; ) {
		v = vma_find(at);
		if (!v || v->start > at) {
			hole = -ENOMEM;
			if (!across_holes || !v || v->start >= end)
				break;
			at = v->start;
		}
		at = min(v->end, end);
		err = fn(v, arg);
		if (err)
			break;
	}
	return err ? err : hole;
}

struct protect_args {
	u64 start, end;
	u32 prot;
};

static int protect_part(struct vma *v, u64 arg)
{
	struct protect_args *a = (void *)arg;
	u64 start = max(v->start, a->start), end = min(v->end, a->end);
	int err;

	if (v->prot == a->prot)
		return 0;
	err = vma_cut(start);
	if (!err)
		err = vma_cut(end);
	if (err)
		return err;
	v = vma_at(start);
	err = protect_vma(v, a->prot);
	vma_merge(v);
	return err;
}

int mm_protect(u64 addr, u64 len, u32 prot)
{
	struct protect_args a = { addr, addr + PAGE_UP(len), prot & PROT_ALL };
	struct vma *v;
	int err = 0;

	if (addr & ~PAGE_MASK || prot & ~(PROT_ALL | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP) ||
	    (prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (!len)
		return 0;
	if (PAGE_UP(len) < len || !guest_range_ok(addr, PAGE_UP(len)))
		return -ENOMEM;
	mm_lock();
	if (prot & (PROT_GROWSDOWN | PROT_GROWSUP)) {
		/* For stacks: from their beginning. */
		v = vma_at(addr);
		if (!v)
			err = -ENOMEM;
		else if (prot & PROT_GROWSUP || !(v->flags & VM_STACK))
			err = -EINVAL;
		else
			a.start = v->start;
	}
	if (!err)
		err = for_range(a.start, a.end, protect_part, (u64)&a, false);
	mm_unlock();
	return err;
}

int mm_flags_at(u64 addr)
{
	struct vma *v;
	int flags;

	mm_lock();
	v = vma_at(addr);
	flags = v ? (int)v->flags : -ENOMEM;
	mm_unlock();
	return flags;
}

static int nothing(struct vma *v, u64 arg)
{
	return 0;
}

bool mm_is_mapped(u64 addr, u64 len)
{
	bool mapped;

	if (!guest_range_ok(addr, len))
		return false;
	mm_lock();
	mapped = for_range(addr, addr + len, nothing, 0, false) == 0;
	mm_unlock();
	return mapped;
}

int mm_resident(u64 addr, u64 pages, u8 *vec)
{
	int err = 0;

	mm_lock();
	for (u64 i = 0; i < pages && !err; i++) {
		u64 at = addr + i * PAGE_SIZE;
		struct vma *v = vma_at(at);

		if (!v)
			err = -ENOMEM;
		else
			vec[i] = v->map ? *mapping_state(v, at) & PAGE_PRESENT : v->used;
	}
	mm_unlock();
	return err;
}

/* ---- msync, madvise ---- */

struct sync_args {
	u64 start, end;
	bool wait;
};

static int sync_part(struct vma *v, u64 arg)
{
	struct sync_args *a = (void *)arg;
	int err;

	if (!v->shared || !v->map)
		return 0;
	err = shared_write_back(v, max(v->start, a->start), min(v->end, a->end));
	if (!err && a->wait && mm.files->fsync)
		err = mm.files->fsync(v->map->file);
	return err;
}

int mm_sync(u64 addr, u64 len, u32 flags)
{
	struct sync_args a = { addr, addr + PAGE_UP(len), flags & MS_SYNC };
	int err;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || addr & ~PAGE_MASK ||
	    (flags & MS_ASYNC && flags & MS_SYNC))
		return -EINVAL;
	if (a.end < addr)
		return -ENOMEM;
	mm_lock();
	err = for_range(a.start, a.end, sync_part, (u64)&a, true);
	mm_unlock();
	return err;
}

struct advise_args {
	u64 start, end;
	int advice;
};

static int advise_part(struct vma *v, u64 arg)
{
	struct advise_args *a = (void *)arg;
	u64 start = max(v->start, a->start), end = min(v->end, a->end);

	switch (a->advice) {
	case MADV_FREE:
		if (v->map || v->shared)
			return -EINVAL;
		if (gate_sealed)
			return 0;	/* the host cannot use the memory otherwise */
		/* fall through */
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		/* Pages of shared mappings belong to the file: they stay. */
		if (v->shared || !v->used)
			return 0;
		if (v->map) {
			mapping_drop(v, start, end);
			pages_release(start, end);
		} else {
			pages_discard(start, end, v->prot);
		}
		return 0;
	case MADV_REMOVE:
		return v->shared && !v->map ? -EOPNOTSUPP : -EINVAL;
	case MADV_WIPEONFORK:
		return v->map || v->shared ? -EINVAL : 0;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		if (mm_populate(start, end - start, a->advice == MADV_POPULATE_WRITE))
			return v->prot & (a->advice == MADV_POPULATE_WRITE ? PROT_WRITE : PROT_RW) ?
			       -EFAULT : -EINVAL;
		return 0;
	default:
		return 0;
	}
}

int mm_advise(u64 addr, u64 len, int advice)
{
	struct advise_args a = { addr, addr + PAGE_UP(len), advice };
	int err;

	switch (advice) {
	case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL: case MADV_WILLNEED:
	case MADV_DONTNEED: case MADV_FREE: case MADV_REMOVE: case MADV_DONTFORK: case MADV_DOFORK:
	case MADV_MERGEABLE: case MADV_UNMERGEABLE: case MADV_HUGEPAGE: case MADV_NOHUGEPAGE:
	case MADV_DONTDUMP: case MADV_DODUMP: case MADV_WIPEONFORK: case MADV_KEEPONFORK:
	case MADV_COLD: case MADV_PAGEOUT: case MADV_POPULATE_READ: case MADV_POPULATE_WRITE:
	case MADV_DONTNEED_LOCKED:
		break;
	case MADV_HWPOISON: case MADV_SOFT_OFFLINE:
		return -EPERM;
	default:
		return -EINVAL;
	}
	if (addr & ~PAGE_MASK || PAGE_UP(len) < len || a.end < addr)
		return -EINVAL;
	if (!len)
		return 0;
	mm_lock();
	err = for_range(a.start, a.end, advise_part, (u64)&a, true);
	mm_unlock();
	return err;
}

/* ---- faults ---- */

bool mm_fault(u64 addr, u64 error_code, int *signo, int *code)
{
	u32 need = error_code & ERROR_WRITE ? PROT_WRITE :
		   error_code & ERROR_FETCH ? PROT_EXEC : PROT_RW;
	bool mended = false;
	struct vma *v;

	*signo = SIGSEGV_NR;
	*code = CODE_MAPERR;
	mm_lock();
	v = vma_at(addr);
	if (v)
		*code = CODE_ACCERR;
	if (v && v->prot & need) {
		/* What is there now was not when the access was made: another thread was faster. */
		u64 page = PAGE_DOWN(addr);

		mended = v->map && !(*mapping_state(v, addr) & PAGE_PRESENT) ?
			 mapping_fault(v, addr) : !pages_protect(page, page + PAGE_SIZE, v->prot);
		if (!mended) {
			*signo = SIGBUS_NR;
			*code = CODE_ADRERR;
		}
	}
	mm_unlock();
	return mended;
}

int mm_populate(u64 addr, u64 len, bool write)
{
	u64 end = PAGE_UP(addr + len), next;
	int err = 0;

	if (!guest_range_ok(addr, len))
		return -EFAULT;
	mm_lock();
	for (u64 at = PAGE_DOWN(addr); at < end && !err; at = next) {
		struct vma *v = vma_at(at);

		if (!v || !(v->prot & (write ? PROT_WRITE : PROT_RW))) {
			err = -EFAULT;
			break;
		}
		next = min(v->end, end);
		if (v->map) {
			u64 from = at, to = next;

			mapping_fill(v, at, next);
			if (mapping_run(v, &from, &to, false))
				err = -EFAULT;
		}
	}
	mm_unlock();
	return err;
}

/* ---- reports ---- */

void mm_for_each(void (*fn)(const struct vma_info *v, void *arg), void *arg)
{
	u64 brk;

	mm_lock();
	brk = PAGE_UP(process.brk);
	for (struct vma *v = vma_find(0); v; v = vma_find(v->end)) {
		/* The heap is mapped ahead of the break. */
		u64 end = v->flags & VM_BRK && v->end == mm.brk_end ? min(v->end, brk) : v->end;
		struct vma_info info = {
			.start = v->start, .end = end, .off = v->off,
			.prot = v->prot, .vm_flags = v->flags, .shared = v->shared,
			.file = v->map ? v->map->file : NULL,
			.name = v->name || !v->map ? v->name : mm.files->path(v->map->file),
		};

		if (info.end > info.start)
			fn(&info, arg);
	}
	mm_unlock();
}

u64 mm_mapped_bytes(void)
{
	return *(volatile u64 *)&mm.bytes;
}
