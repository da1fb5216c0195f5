/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mapped files. The enclave cannot have pages of the host's: a mapping is a copy, read
 * through the file's own operations, at once if it is small or executable, else where it
 * is touched. A page of the mapping is present, with the VMA's protection, or it has no
 * access and faults; that a page lies past the end of the file is found when it is read.
 */
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/vma.h"

enum { WINDOW_LEAST = 64 << 10, WINDOW_MOST = 1 << 20 };

struct mapping *mapping_new(struct file *f, u64 off, u64 len)
{
	struct mapping *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->refs = 1;
	m->file = f;
	m->off = off;
	m->pages = len / PAGE_SIZE;
	m->state = kzalloc(m->pages);
	if (!m->state) {
		kfree(m);
		return NULL;
	}
	mm.files->get(f);
	return m;
}

void mapping_put(struct mapping *m)
{
	if (--m->refs)
		return;
	if (m->shared)
		shared_remove(m);
	mm.files->put(m->file);
	kfree(m->sums);
	kfree(m->state);
	kfree(m);
}

static u64 page_index(const struct vma *v, u64 addr)
{
	return (v->off - v->map->off + (addr - v->start)) / PAGE_SIZE;
}

u8 *mapping_state(const struct vma *v, u64 addr)
{
	return &v->map->state[page_index(v, addr)];
}

struct mapping *mapping_clone(const struct vma *v, u64 len)
{
	struct mapping *m = mapping_new(v->map->file, v->off, len);
	u64 n = min(len, v->end - v->start) / PAGE_SIZE * sizeof(u64);

	if (!m || !v->map->sums)
		return m;
	m->sums = kzalloc(m->pages * sizeof(u64));
	if (!m->sums) {
		mapping_put(m);
		return NULL;
	}
	memcpy(m->sums, v->map->sums + page_index(v, v->start), n);
	return m;
}

bool mapping_may_grow(const struct vma *v)
{
	return !v->map || v->map->refs == 1 ||
	       v->off + (v->end - v->start) == v->map->off + v->map->pages * PAGE_SIZE;
}

int mapping_extend(struct mapping *m, u64 off)
{
	u64 pages = (off - m->off) / PAGE_SIZE;
	u64 *sums;
	u8 *state;

	if (pages <= m->pages)
		return 0;
	state = krealloc(m->state, pages);
	if (!state)
		return -ENOMEM;
	memset(state + m->pages, 0, pages - m->pages);
	m->state = state;
	if (m->sums) {
		sums = krealloc(m->sums, pages * sizeof(u64));
		if (!sums)
			return -ENOMEM;
		m->sums = sums;
	}
	m->pages = pages;
	return 0;
}

bool mapping_run(const struct vma *v, u64 *start, u64 *end, bool present)
{
	u64 at = *start, stop = *end;
	u8 want = present ? PAGE_PRESENT : 0;

	while (at < stop && (*mapping_state(v, at) & PAGE_PRESENT) != want)
		at += PAGE_SIZE;
	*start = at;
	while (at < stop && (*mapping_state(v, at) & PAGE_PRESENT) == want)
		at += PAGE_SIZE;
	*end = at;
	return *start < at;
}

static void mark(const struct vma *v, u64 start, u64 end, u8 state)
{
	memset(mapping_state(v, start), state, (end - start) / PAGE_SIZE);
}

static void patch(struct vma *v, u64 start, u64 end)
{
	if (mm.files->prepare_exec)
		mm.files->prepare_exec(v->map->file, start, end - start,
				       v->off + (start - v->start));
}

/* Bytes of the file from `off` to `to`: how many, or an error if there are none. */
static ssize_t read_file(struct vma *v, u64 to, u64 len, u64 off)
{
	u64 have = 0;
	ssize_t n = 0;

	while (have < len) {
		n = mm.files->pread(v->map->file, to + have, len - have, off + have);
		if (n <= 0)
			break;
		have += (u64)n;
	}
	/* Nothing of a page where an error came. */
	return (ssize_t)(n < 0 ? PAGE_DOWN(have) : have);
}

/*
 * Read pages that are not present: how far the file goes, at most `end`. `aside`: other
 * threads may touch the pages meanwhile, and must find them either absent or complete.
 */
static u64 load(struct vma *v, u64 start, u64 end, bool aside)
{
	u64 into = aside ? (u64)mm.staging : start, have;
	u64 off = v->off + (start - v->start);
	u32 prot = v->prot;
	ssize_t n;

	if (!aside && pages_protect(start, end, PROT_RW))
		return start;
	n = read_file(v, into, end - start, off);
	/* Zeros behind the end of the file, in its last page. */
	have = start + PAGE_UP((u64)n);
	memset((void *)(into + (u64)n), 0, have - start - (u64)n);
	if (aside) {
		if (have > start && host_mem_install(start, (void *)into, (u32)(have - start)))
			return load(v, start, end, false);
	} else if (have < end) {
		pages_release(have, end);
	}
	if (have == start)
		return start;
	mark(v, start, have, PAGE_PRESENT | (prot & PROT_EXEC ? PAGE_PATCHED : 0));
	shared_filled(v, start, have, into);
	if (prot & PROT_EXEC)
		patch(v, start, have);
	if ((aside || prot != PROT_RW) && pages_protect(start, have, prot))
		return start;
	return have;
}

static void fill(struct vma *v, u64 start, u64 end, bool aside)
{
	for_each_run(v, at, stop, start, end, false)
		if (load(v, at, stop, aside) < stop)
			return;
}

void mapping_fill(struct vma *v, u64 start, u64 end)
{
	fill(v, start, end, false);
}

bool mapping_at_once(void)
{
	return gate_sealed && process.ntasks > 1;
}

void mm_before_threads(void)
{
	if (!gate_sealed || process.ntasks > 1)
		return;
	mm_lock();
	for (struct vma *v = vma_find(0); v; v = vma_find(v->end))
		if (v->map && v->prot)
			mapping_fill(v, v->start, v->end);
	mm_unlock();
}

bool mapping_fault(struct vma *v, u64 addr)
{
	struct mapping *m = v->map;
	u64 page = PAGE_DOWN(addr), start, end;
	bool aside = process.ntasks > 1 && !(v->prot & PROT_EXEC) && !gate_sealed;

	if (aside && !mm.staging)
		mm.staging = kmalloc(WINDOW_MOST);
	aside &= mm.staging != NULL;
	/* In order: from here on, and more each time. Elsewhere: what lies around it. */
	if (v->off + (page - v->start) == m->next) {
		m->window = min(m->window * 2, (u64)WINDOW_MOST);
		start = page;
	} else {
		m->window = WINDOW_LEAST;
		start = max(v->start, page & ~(m->window - 1));
	}
	end = min(v->end, start + m->window);
	m->next = v->off + (end - v->start);
	fill(v, start, end, aside);
	if (*mapping_state(v, page) & PAGE_PRESENT)
		return true;
	/* Something before it could not be read; the page itself perhaps can. */
	fill(v, page, page + PAGE_SIZE, aside);
	return *mapping_state(v, page) & PAGE_PRESENT;
}

void mapping_drop(struct vma *v, u64 start, u64 end)
{
	mark(v, start, end, 0);
}

int mapping_protect(struct vma *v, u32 prot)
{
	bool exec = prot & PROT_EXEC;
	int err = 0;

	for_each_run(v, at, stop, v->start, v->end, true) {
		if (exec && !(*mapping_state(v, at) & PAGE_PATCHED)) {
			err = pages_protect(at, stop, PROT_RW);
			if (err)
				break;
			mark(v, at, stop, PAGE_PRESENT | PAGE_PATCHED);
			patch(v, at, stop);
		}
		err = pages_protect(at, stop, prot);
		if (err)
			break;
	}
	/* Code is patched as a whole: a site may lie across two pages. */
	if ((exec || (prot && mapping_at_once())) && !err)
		mapping_fill(v, v->start, v->end);
	return err;
}
