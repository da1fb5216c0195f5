/* SPDX-License-Identifier: Apache-2.0 */
/* mmap and mremap: where memory goes, and making it. */
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "libos/vma.h"

enum {
	EAGER_MOST = 256 << 10,		/* file mappings up to this size are read at once */
	EAGER_START = 64 << 10,		/* of larger ones, this much */
};

#define LOW_4G_HALF (1ull << 31)	/* MAP_32BIT */
/* Flags that MAP_SHARED_VALIDATE knows and that mean the same without it. */
#define MAP_LEGACY (MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_32BIT | \
	MAP_GROWSDOWN | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | \
	MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_UNINITIALIZED | \
	MAP_FIXED_NOREPLACE | ((u32)MAP_HUGE_MASK << MAP_HUGE_SHIFT))

static int check_flags(u32 prot, u32 flags, struct file *file)
{
	u32 type = flags & MAP_TYPE, size = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	if (type != MAP_SHARED && type != MAP_PRIVATE && (type != MAP_SHARED_VALIDATE || !file))
		return -EINVAL;
	if (flags & MAP_HUGETLB) {
		/* A machine with no huge pages set aside. */
		if (file || (size && size != 21 && size != 30))
			return -EINVAL;
		return -ENOMEM;
	}
	if (type == MAP_SHARED_VALIDATE && flags & ~MAP_LEGACY)
		return -EOPNOTSUPP;
	if (!file)
		return 0;
	if (flags & MAP_GROWSDOWN)
		return -EINVAL;
	return mm.files->may_map(file, prot, flags);
}

/* Where a mapping goes: the address, or a negative errno. */
static s64 find_place(u64 hint, u64 len, u32 flags)
{
	u64 end, at;

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (hint & ~PAGE_MASK)
			return -EINVAL;
		end = hint + len;
		if (hint < mm.low && hint < PAGE_SIZE * 16)
			return -EPERM;
		if (end < hint || hint < mm.low || end > mm.top)
			return -ENOMEM;
		if (flags & MAP_FIXED_NOREPLACE && !vma_is_free(hint, end))
			return -EEXIST;
		return (s64)hint;
	}
	hint = PAGE_UP(hint);
	if (hint >= mm.low && hint < mm.top && len <= mm.top - hint &&
	    vma_is_free(hint, hint + len) && !(flags & MAP_32BIT && hint + len > LOW_4G_HALF))
		return (s64)hint;
	at = vma_gap(mm.low, flags & MAP_32BIT ? min(mm.top, LOW_4G_HALF) : mm.top, len);
	if (!at && !(flags & MAP_32BIT))
		out_of_memory(len);
	return at ? (s64)at : -ENOMEM;
}

int map_anonymous(u64 start, u64 end, u32 prot, u32 flags, const char *name, bool shared)
{
	struct vma *v = vma_new(start, end);
	int err;

	if (!v)
		return -ENOMEM;
	v->prot = prot;
	v->flags = flags;
	v->name = name;
	v->shared = shared;
	v->used = prot != PROT_NONE;
	err = v->used ? pages_fresh(start, end, prot) : 0;
	if (err) {
		kfree(v);
		return err;
	}
	vma_insert(v);
	vma_merge(v);
	return 0;
}

static int map_file(u64 start, u64 len, u32 prot, u32 flags, struct file *file, u64 off)
{
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
	struct vma *v = vma_new(start, start + len);
	int err = 0;

	if (!v)
		return -ENOMEM;
	v->map = mapping_new(file, off, len);
	if (!v->map) {
		kfree(v);
		return -ENOMEM;
	}
	v->off = off;
	v->prot = prot;
	v->used = true;
	v->shared = shared;
	vma_insert(v);
	if (shared) {
		shared_add(v->map, start);
		if (prot & PROT_WRITE)
			err = shared_track(v);
	}
	if (err) {
		vma_delete(v);
		return err;
	}
	if (!prot)
		return 0;
	if (prot & PROT_EXEC || len <= EAGER_MOST || flags & (MAP_POPULATE | MAP_LOCKED) ||
	    mapping_at_once())
		mapping_fill(v, start, start + len);
	else
		mapping_fill(v, start, start + EAGER_START);
	return 0;
}

static s64 map_locked(u64 addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off)
{
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
	s64 at, err = 0;

	if (file && shared && !(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
		at = shared_find(file, off, len, prot);
		if (at)
			return at;
	}
	at = find_place(addr, len, flags);
	if (at < 0)
		return at;
	if (!vma_is_free((u64)at, (u64)at + len))
		err = unmap_range((u64)at, (u64)at + len, true);
	if (!err)
		err = file ? map_file((u64)at, len, prot, flags, file, off) :
		      map_anonymous((u64)at, (u64)at + len, prot, 0, NULL, shared);
	return err ? err : at;
}

s64 mm_map(u64 addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off)
{
	u64 bytes = PAGE_UP(len);
	s64 at;

	if (off & ~PAGE_MASK || !len)
		return -EINVAL;
	if (!bytes)
		return -ENOMEM;
	if (file && (off + bytes < off || off + bytes > INT64_MAX))
		return -EOVERFLOW;
	at = check_flags(prot, flags, file);
	if (at)
		return at;
	mm_lock();
	at = map_locked(addr, bytes, prot & PROT_ALL, flags, file, off);
	mm_unlock();
	return at;
}

s64 mm_map_anon(u64 addr, u64 len, u32 prot, u32 vm_flags, const char *name)
{
	s64 at;
	int err;

	len = PAGE_UP(len);
	mm_lock();
	at = find_place(addr, len, addr ? MAP_FIXED_NOREPLACE : 0);
	if (at > 0) {
		err = map_anonymous((u64)at, (u64)at + len, prot, vm_flags, name, false);
		at = err ? err : at;
	}
	mm_unlock();
	return at;
}

s64 mm_map_near(u64 near, u64 reach, u64 len, u32 vm_flags, const char *name)
{
	u64 low = max(near > reach ? near - reach : 0, mm.low);
	u64 high = min(near + reach, mm.top), at;
	int err;

	len = PAGE_UP(len);
	mm_lock();
	at = vma_gap(low, min(near, high), len);
	if (!at)
		at = vma_gap(max(near, low), high, len);
	err = at ? map_anonymous(at, at + len, PROT_RW, vm_flags, name, false) : -ENOMEM;
	mm_unlock();
	return err ? err : (s64)at;
}

/* ---- mremap ---- */

/* Copy what is in memory; pages of zeros are left untouched, so that they cost nothing. */
static int copy_pages(u64 from, u64 to, u64 len, u32 prot)
{
	static const u8 zeros[PAGE_SIZE];
	int err = prot & PROT_RW ? 0 : pages_protect(from, from + len, PROT_READ);

	if (!err)
		err = pages_protect(to, to + len, PROT_RW);
	if (err)
		return err;
	for (u64 at = 0; at < len; at += PAGE_SIZE)
		if (gate_sealed || memcmp((void *)(from + at), zeros, PAGE_SIZE))
			memcpy((void *)(to + at), (void *)(from + at), PAGE_SIZE);
	return prot == PROT_RW ? 0 : pages_protect(to, to + len, prot);
}

static int copy_file_pages(struct vma *from, struct vma *to)
{
	u64 start = from->start, end = min(from->end, from->start + (to->end - to->start));
	int err = 0;

	/* Patched code does not run elsewhere; it is read and patched anew. */
	if (from->prot & PROT_EXEC)
		return 0;
	for_each_run(from, at, stop, start, end, true) {
		u64 dst = to->start + (at - start);

		err = copy_pages(at, dst, stop - at, from->prot);
		if (err)
			break;
		memset(mapping_state(to, dst), PAGE_PRESENT, (stop - at) / PAGE_SIZE);
	}
	return err;
}

/* Move the whole of v to [new, new + len), which is free and not smaller. */
static int move_vma(struct vma *v, u64 new, u64 len)
{
	u64 start = v->start, end = v->end;
	struct vma *w = vma_new(new, new + len);
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->off = v->off;
	w->prot = v->prot;
	w->flags = v->flags & ~VM_BRK;
	w->shared = v->shared;
	w->used = v->used;
	if (v->map) {
		w->map = mapping_clone(v, len);
		err = w->map ? 0 : -ENOMEM;
	}
	if (err) {
		kfree(w);
		return err;
	}
	vma_insert(w);
	if (v->map) {
		if (v->shared)
			shared_add(w->map, new);
		err = copy_file_pages(v, w);
	} else if (v->used) {
		err = copy_pages(start, new, end - start, v->prot);
		if (!err)
			err = pages_fresh(new + (end - start), new + len, v->prot);
	}
	if (err) {
		vma_delete(w);
		pages_release(new, new + len);
		/* Copying may have made it readable. */
		(void)!protect_vma(v, v->prot);
		return err;
	}
	vma_merge(w);
	return unmap_range(start, end, true);
}

/* Room behind v is free: take it. */
static int grow_vma(struct vma *v, u64 end)
{
	u64 old = v->end;
	int err = 0;

	if (v->map) {
		err = mapping_extend(v->map, v->off + (end - v->start));
		if (err)
			return err;
	} else if (v->used) {
		err = pages_fresh(old, end, v->prot);
		if (err)
			return err;
	}
	vma_resize(v, end);
	vma_merge(v);
	return 0;
}

static s64 remap_locked(u64 old, u64 old_len, u64 new_len, u32 flags, u64 new)
{
	struct vma *v = vma_at(old);
	s64 at;
	int err;

	if (!v)
		return -EFAULT;
	if (flags & MREMAP_FIXED) {
		at = find_place(new, new_len, MAP_FIXED);
		if (at < 0)
			return at;
		if (new < old + old_len && old < new + new_len)
			return -EINVAL;
	}
	if (old_len > new_len) {
		err = unmap_range(old + new_len, old + old_len, false);
		if (err)
			return err;
		old_len = new_len;
		v = vma_at(old);
		if (!v)
			return -EFAULT;
	}
	if (!(flags & MREMAP_FIXED) && old_len == new_len)
		return (s64)old;
	/* From here on, all in one VMA; the address that others know cannot change. */
	if (!old_len)
		return -EINVAL;
	if (old_len > v->end - old)
		return -EFAULT;
	if (v->map && v->map->users > 1)
		return -ENOMEM;
	if (!(flags & MREMAP_FIXED) && old + old_len == v->end && old + new_len <= mm.top &&
	    vma_is_free(v->end, old + new_len) && mapping_may_grow(v)) {
		err = grow_vma(v, old + new_len);
		return err ? err : (s64)old;
	}
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	if (flags & MREMAP_FIXED) {
		at = (s64)new;
		err = unmap_range(new, new + new_len, true);
	} else {
		at = find_place(0, new_len, 0);
		err = at < 0 ? (int)at : 0;
	}
	if (!err)
		err = vma_cut(old);
	if (!err)
		err = vma_cut(old + old_len);
	if (!err)
		err = move_vma(vma_at(old), (u64)at, new_len);
	return err ? err : at;
}

s64 mm_remap(u64 old, u64 old_len, u64 new_len, u32 flags, u64 new)
{
	s64 at;

	old_len = PAGE_UP(old_len);
	new_len = PAGE_UP(new_len);
	if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED) || old & ~PAGE_MASK || !new_len ||
	    (flags & MREMAP_FIXED && (!(flags & MREMAP_MAYMOVE) || new & ~PAGE_MASK)))
		return -EINVAL;
	if (!guest_range_ok(old, old_len))
		return -EFAULT;
	mm_lock();
	at = remap_locked(old, old_len, new_len, flags, new);
	mm_unlock();
	return at;
}
