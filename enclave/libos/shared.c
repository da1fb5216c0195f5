/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared file mappings. A second mmap of the same range of the same file is answered with
 * the address of the first, counted, so that both see each other's writes; other overlaps
 * are separate copies. What was written is found by comparing each page with the sum of
 * what the file had, and goes back to the file on msync, munmap and exit: pages that the
 * program has not changed never overwrite what others have written meanwhile.
 */
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "libos/vma.h"

_Atomic u32 mm_shared_mappings;

/* ---- the registry ---- */

static void identify(struct file *f, u64 id[2])
{
	if (mm.files->identity && !mm.files->identity(f, id))
		return;
	id[0] = ~0ull;
	id[1] = (u64)f;
}

static const char *file_name(struct file *f)
{
	const char *path = mm.files->path ? mm.files->path(f) : NULL;

	return path ? path : "a file";
}

static bool same_file(const struct mapping *m, const u64 id[2])
{
	return m->id[0] == id[0] && m->id[1] == id[1];
}

s64 shared_find(struct file *f, u64 off, u64 len, u32 prot)
{
	struct mapping *m;
	struct vma *v;
	u64 id[2];

	if (list_empty(&mm.shared))
		return 0;
	identify(f, id);
	list_for_each(m, &mm.shared, node) {
		u64 size = m->pages * PAGE_SIZE;

		if (!same_file(m, id) || off >= m->off + size || m->off >= off + len)
			continue;
		v = vma_at(m->addr);
		if (off == m->off && len == size && v && v->map == m && v->start == m->addr &&
		    v->end == m->addr + len) {
			/* One memory has one protection: what any of its users may do. */
			if (prot & ~v->prot) {
				int err;

				/* Written back by the one who may. */
				if (prot & ~v->prot & PROT_WRITE) {
					mm.files->get(f);
					mm.files->put(m->file);
					m->file = f;
				}
				err = protect_vma(v, v->prot | prot);
				if (err)
					return err;
			}
			m->users++;
			return (s64)m->addr;
		}
		log_info("%s is mapped in parts that overlap: they do not see each other's writes",
			 file_name(f));
	}
	return 0;
}

void shared_add(struct mapping *m, u64 addr)
{
	identify(m->file, m->id);
	m->shared = true;
	m->addr = addr;
	m->users = 1;
	list_push(&mm.shared, &m->node);
	atomic_fetch_add(&mm_shared_mappings, 1);
}

void shared_remove(struct mapping *m)
{
	list_remove(&m->node);
	atomic_fetch_sub(&mm_shared_mappings, 1);
}

/* ---- what has changed ---- */

/* Four lanes, each step a bijection of the lane: one changed word always shows. */
static u64 page_sum(u64 page)
{
	const u64 k = 0x9e3779b97f4a7c15ull, *p = (const u64 *)page;
	u64 a = 1, b = 2, c = 3, d = 4;

	for (u32 i = 0; i < PAGE_SIZE / sizeof(u64); i += 4) {
		a = (a ^ p[i]) * k;
		b = (b ^ p[i + 1]) * k;
		c = (c ^ p[i + 2]) * k;
		d = (d ^ p[i + 3]) * k;
		a ^= a >> 29;
		b ^= b >> 29;
		c ^= c >> 29;
		d ^= d >> 29;
	}
	a = (a ^ b >> 7) * k;
	c = (c ^ d >> 7) * k;
	return (a ^ a >> 32) + (c ^ c >> 31) + b + d;
}

static u64 *sum_of(const struct vma *v, u64 at)
{
	return &v->map->sums[mapping_state(v, at) - v->map->state];
}

void shared_filled(struct vma *v, u64 start, u64 end, u64 content)
{
	if (v->map->sums)
		for (u64 at = start; at < end; at += PAGE_SIZE)
			*sum_of(v, at) = page_sum(content + (at - start));
}

int shared_track(struct vma *v)
{
	struct mapping *m = v->map;

	if (!m->sums)
		m->sums = kzalloc(m->pages * sizeof(u64));
	if (!m->sums)
		return -ENOMEM;
	for_each_run(v, at, stop, v->start, v->end, true) {
		/* Perhaps without access until now. */
		int err = v->prot & PROT_READ ? 0 : pages_protect(at, stop, PROT_READ);

		if (err)
			return err;
		shared_filled(v, at, stop, at);
	}
	return 0;
}

static int write_out(struct vma *v, u64 start, u64 end)
{
	u64 off = v->off + (start - v->start);

	while (start < end) {
		ssize_t n = mm.files->pwrite(v->map->file, start, end - start, off);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		start += (u64)n;
		off += (u64)n;
	}
	return 0;
}

int shared_write_back(struct vma *v, u64 start, u64 end)
{
	u64 dirty = 0;		/* start of a run */
	s64 size = -1;
	int err = 0;

	if (!v->shared || !v->map || !v->map->sums || !(v->prot & PROT_WRITE))
		return 0;
	for (u64 at = start; at <= end; at += PAGE_SIZE) {
		bool changed = false;

		if (at < end && *mapping_state(v, at) & PAGE_PRESENT) {
			/* The sum first: what changes after it is seen the next time. */
			u64 sum = page_sum(at);

			changed = sum != *sum_of(v, at);
			*sum_of(v, at) = sum;
		}
		if (changed && !dirty)
			dirty = at;
		if (changed || !dirty)
			continue;
		if (size < 0)
			size = mm.files->size(v->map->file);
		/* The file does not grow by being mapped. */
		if (size >= 0 && (u64)size > v->off + (dirty - v->start)) {
			int res = write_out(v, dirty, min(at, v->start + ((u64)size - v->off)));

			err = err ? err : res;
		}
		dirty = 0;
	}
	if (err)
		log_warn("a shared mapping of %s could not be written back (error %d)",
			 file_name(v->map->file), -err);
	return err;
}

void mm_sync_all(void)
{
	if (!atomic_load(&mm_shared_mappings))
		return;
	mm_lock();
	for (struct vma *v = vma_find(0); v; v = vma_find(v->end))
		(void)!shared_write_back(v, v->start, v->end);
	mm_unlock();
}

/* ---- read and write on a file that is mapped ---- */

static bool maps_file(const struct vma *v, const u64 id[2])
{
	return v->shared && v->map && same_file(v->map, id);
}

void mm_file_sync_slow(struct file *f)
{
	u64 id[2];

	if (mm_is_locked())	/* our own transfer */
		return;
	mm_lock();
	identify(f, id);
	for (struct vma *v = vma_find(0); v; v = vma_find(v->end))
		if (maps_file(v, id))
			(void)!shared_write_back(v, v->start, v->end);
	mm_unlock();
}

void mm_file_written_slow(struct file *f, u64 off, u64 len)
{
	u64 id[2], first = PAGE_DOWN(off), last = PAGE_UP(off + len);

	if (mm_is_locked())
		return;
	mm_lock();
	identify(f, id);
	for (struct vma *v = vma_find(0); v; v = vma_find(v->end)) {
		u64 start, end;

		if (!maps_file(v, id) || first >= v->off + (v->end - v->start) || last <= v->off)
			continue;
		start = v->start + (first > v->off ? first - v->off : 0);
		end = min(v->end, v->start + (last - v->off));
		for_each_run(v, at, stop, start, end, true) {
			mapping_drop(v, at, stop);
			mapping_fill(v, at, stop);
		}
	}
	mm_unlock();
}
