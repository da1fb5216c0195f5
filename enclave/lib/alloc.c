/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libOS's heap. Blocks up to SMALL_MAX come from slabs of SLAB_PAGES pages, one size
 * class each; larger ones are runs of whole pages, best fit, joined with their free
 * neighbours when they come back. What describes a page lies apart, in a table at the
 * start of the heap, so that writing past a block does not reach it.
 *
 * Pages are not touched before use.
 */
#include "lib/alloc.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "lib/string.h"

enum {
	SMALL_MAX = 4096,
	CLASSES = 28,		/* 16 to 128 in steps of 16, then four to each doubling */
	SLAB_PAGES = 4,
	SLAB_BYTES = SLAB_PAGES * 4096,
	BINS = 64 + 20 * 4,	/* free runs: one page count each below 64, then four a doubling */
};

enum page_kind { PAGE_UNUSED, PAGE_FREE, PAGE_LARGE, PAGE_SLAB };

/* A slab's or a run's first page has it all; a free run's last page has kind and pages;
 * the other pages of a slab have kind and part. */
struct page {
	struct list node;	/* slab: cache.partial while a block is free; run: bin */
	void *free;		/* slab: list of freed blocks, through their first word */
	u32 pages;		/* run: its length */
	u16 used, carved;	/* slab: blocks handed out; blocks ever handed out */
	u8 kind, class, part;
};

struct cache {
	struct spinlock lock;
	struct list partial;	/* slabs with room */
	u32 empty;		/* of them, wholly free */
	u32 size, blocks;	/* bytes of a block; blocks of a slab */
};

static struct {
	struct spinlock lock;	/* bins, and the kind of free pages */
	struct page *table;
	u64 first;		/* address of the page that table[0] describes */
	u64 count;
	u64 used;		/* pages */
	struct list bins[BINS];
	u64 nonempty[(BINS + 63) / 64];
} heap;

static struct cache caches[CLASSES];

static inline u64 page_address(const struct page *p)
{
	return heap.first + (u64)(p - heap.table) * PAGE_SIZE;
}

/* ---- runs of pages ---- */

static u32 bin_of(u64 pages)
{
	u32 log = 63 - (u32)__builtin_clzll(pages);

	if (pages < 64)
		return (u32)pages;
	return min(64 + (log - 6) * 4 + (u32)(pages >> (log - 2) & 3), (u32)BINS - 1);
}

static void run_free(struct page *p, u64 pages)
{
	u32 bin = bin_of(pages);

	p->kind = p[pages - 1].kind = PAGE_FREE;
	p->pages = p[pages - 1].pages = (u32)pages;
	list_push(&heap.bins[bin], &p->node);
	heap.nonempty[bin / 64] |= 1ull << bin % 64;
}

static void run_take(struct page *p)
{
	u32 bin = bin_of(p->pages);

	list_remove(&p->node);
	if (list_empty(&heap.bins[bin]))
		heap.nonempty[bin / 64] &= ~(1ull << bin % 64);
	p->kind = p[p->pages - 1].kind = PAGE_UNUSED;
}

static struct page *pages_get(u64 pages, u8 kind)
{
	struct page *best = NULL, *p;

	if (!pages || pages > heap.count)
		return NULL;
	spin_lock(&heap.lock);
	for (u32 bin = bin_of(pages); bin < BINS && !best; bin++) {
		u64 rest = heap.nonempty[bin / 64] >> bin % 64;

		if (!rest) {
			bin |= 63;
			continue;
		}
		bin += (u32)__builtin_ctzll(rest);
		list_for_each(p, &heap.bins[bin], node)
			if (p->pages >= pages && (!best || p->pages < best->pages)) {
				best = p;
				if (p->pages == pages)
					break;
			}
	}
	if (best) {
		run_take(best);
		if (best->pages > pages)
			run_free(best + pages, best->pages - pages);
		best->pages = (u32)pages;
		best->kind = kind;
		heap.used += pages;
	}
	spin_unlock(&heap.lock);
	return best;
}

static void pages_put(struct page *p, u64 pages)
{
	struct page *end = heap.table + heap.count, *other;

	spin_lock(&heap.lock);
	heap.used -= pages;
	p->kind = PAGE_UNUSED;
	if (p + pages < end && p[pages].kind == PAGE_FREE) {
		other = p + pages;
		run_take(other);
		pages += other->pages;
	}
	if (p > heap.table && p[-1].kind == PAGE_FREE) {
		other = p - p[-1].pages;
		run_take(other);
		pages += other->pages;
		p = other;
	}
	run_free(p, pages);
	spin_unlock(&heap.lock);
}

/* ---- slabs ---- */

static u32 class_of(size_t n)
{
	u32 log;

	if (n <= 128)
		return n ? (u32)(n - 1) / 16 : 0;
	log = 63 - (u32)__builtin_clzll(n - 1);
	return 8 + (log - 7) * 4 + (u32)((n - 1) >> (log - 2) & 3);
}

static u32 class_size(u32 class)
{
	if (class < 8)
		return (class + 1) * 16;
	return (5 + (class - 8) % 4) << (5 + (class - 8) / 4);
}

static struct page *slab_new(u32 class)
{
	struct page *slab = pages_get(SLAB_PAGES, PAGE_SLAB);

	if (!slab)
		return NULL;
	slab->free = NULL;
	slab->used = slab->carved = 0;
	for (u32 i = 0; i < SLAB_PAGES; i++) {
		slab[i].kind = PAGE_SLAB;
		slab[i].class = (u8)class;
		slab[i].part = (u8)i;
	}
	return slab;
}

static void *small_get(u32 class)
{
	struct cache *c = &caches[class];
	struct page *slab, *fresh = NULL;
	void *p;

	spin_lock(&c->lock);
	if (list_empty(&c->partial)) {
		spin_unlock(&c->lock);
		fresh = slab_new(class);
		if (!fresh)
			return NULL;
		spin_lock(&c->lock);
		list_push(&c->partial, &fresh->node);
		c->empty++;
	}
	slab = list_first(&c->partial, struct page, node);
	p = slab->free;
	if (p)
		slab->free = *(void **)p;
	else
		p = (void *)(page_address(slab) + slab->carved++ * c->size);
	if (slab->used++ == 0)
		c->empty--;
	if (!slab->free && slab->carved == c->blocks)
		list_remove(&slab->node);
	spin_unlock(&c->lock);
	return p;
}

static void small_put(struct page *slab, void *p)
{
	struct cache *c = &caches[slab->class];
	bool drop = false;

	spin_lock(&c->lock);
	if (!slab->free && slab->carved == c->blocks)
		list_push(&c->partial, &slab->node);
	*(void **)p = slab->free;
	slab->free = p;
	if (--slab->used == 0) {
		/* One empty slab stays, so that a block taken and put back costs no more. */
		drop = c->empty > 0;
		if (drop)
			list_remove(&slab->node);
		else
			c->empty++;
	}
	spin_unlock(&c->lock);
	if (!drop)
		return;
	for (u32 i = 0; i < SLAB_PAGES; i++)
		slab[i].kind = PAGE_UNUSED;
	pages_put(slab, SLAB_PAGES);
}

/* ---- what alloc.h offers ---- */

void heap_init(u64 start, u64 end, bool zero)
{
	u64 pages = (end - start) / PAGE_SIZE;

	heap.table = (struct page *)start;
	heap.first = start + PAGE_UP(pages * sizeof(struct page));
	heap.count = (end - heap.first) / PAGE_SIZE;
	if (!zero)
		memset(heap.table, 0, heap.first - start);
	for (u32 i = 0; i < BINS; i++)
		list_init(&heap.bins[i]);
	for (u32 i = 0; i < CLASSES; i++) {
		list_init(&caches[i].partial);
		caches[i].size = class_size(i);
		caches[i].blocks = SLAB_BYTES / caches[i].size;
	}
	run_free(heap.table, heap.count);
}

/* The first page of the slab or large block that p is in. */
static struct page *page_of(const void *p)
{
	u64 i = ((u64)p - heap.first) / PAGE_SIZE;
	struct page *page = &heap.table[i];

	if (i < heap.count && page->kind == PAGE_SLAB) {
		u32 at = (u32)((u64)p - page_address(page - page->part));

		if (at % caches[page->class].size == 0)
			return page - page->part;
	} else if (i < heap.count && page->kind == PAGE_LARGE && (u64)p % PAGE_SIZE == 0) {
		return page;
	}
	panic("heap: %p is no allocated block", p);
}

void *kmalloc(size_t n)
{
	struct page *page;

	if (n <= SMALL_MAX)
		return small_get(class_of(n));
	page = n + PAGE_SIZE > n ? pages_get(PAGE_UP(n) / PAGE_SIZE, PAGE_LARGE) : NULL;
	return page ? (void *)page_address(page) : NULL;
}

void *kzalloc(size_t n)
{
	void *p = kmalloc(n);

	return p ? memset(p, 0, n) : NULL;
}

void kfree(void *p)
{
	struct page *page;

	if (!p)
		return;
	page = page_of(p);
	if (page->kind == PAGE_SLAB)
		small_put(page, p);
	else
		pages_put(page, page->pages);
}

void *krealloc(void *p, size_t n)
{
	struct page *page;
	size_t have;
	void *new;

	if (!p)
		return kmalloc(n);
	page = page_of(p);
	have = page->kind == PAGE_SLAB ? caches[page->class].size : page->pages * PAGE_SIZE;
	if (n <= have && (n >= have / 2 || have <= 64))
		return p;
	new = kmalloc(n);
	if (new) {
		memcpy(new, p, min(n, have));
		kfree(p);
	}
	return new;
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = kmalloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

char *kasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = kmalloc((size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

u64 heap_used(void)
{
	return (heap.used + (u64)((heap.first - (u64)heap.table) / PAGE_SIZE)) * PAGE_SIZE;
}
