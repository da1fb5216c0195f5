/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arena: one stretch of untrusted memory, cut at start into blocks of a few sizes.
 * Which blocks are free is known in trusted memory only. Last in, first out: the blocks
 * that are used stay few and in the cache.
 */
#include "boundary/boot.h"
#include "hostio/arena.h"
#include "lib/lock.h"
#include "lib/log.h"

#define CLASSES 4

static const struct {
	u32 size, count;
} classes[CLASSES] = {
	{ 512, 2048 },
	{ 8u << 10, 512 },
	{ 128u << 10, 128 },
	{ RAKIS_REQ_MAX_BYTES, 16 },
};

static struct {
	struct spinlock lock;
	u32 nfree;
	struct uptr base;
} pool[CLASSES];

/* The free blocks of each class, as a stack. */
static u16 free0[2048], free1[512], free2[128], free3[16];
static u16 *const free_stack[CLASSES] = { free0, free1, free2, free3 };

static struct uptr requests;	/* one struct rakis_request for each thread slot */

u64 arena_size_needed(void)
{
	u64 n = RAKIS_SLOT_COUNT * sizeof(struct rakis_request);

	for (int c = 0; c < CLASSES; c++)
		n += (u64)classes[c].size * classes[c].count;
	return n;
}

void arena_init(struct uptr base, u64 size)
{
	if (size < arena_size_needed())
		panic("the host's arena is too small");
	requests = base;
	base = uptr_add(base, RAKIS_SLOT_COUNT * sizeof(struct rakis_request));
	for (int c = 0; c < CLASSES; c++) {
		pool[c].base = base;
		pool[c].nfree = classes[c].count;
		for (u32 i = 0; i < classes[c].count; i++)
			free_stack[c][i] = classes[c].count - 1 - i;
		base = uptr_add(base, (u64)classes[c].size * classes[c].count);
	}
}

struct uptr arena_request(u64 slot)
{
	return uptr_add(requests, slot * sizeof(struct rakis_request));
}

static bool take(struct arena_buf *b, u8 c, u32 keep)
{
	u32 i;

	spin_lock(&pool[c].lock);
	if (pool[c].nfree <= keep) {
		spin_unlock(&pool[c].lock);
		return false;
	}
	i = free_stack[c][--pool[c].nfree];
	spin_unlock(&pool[c].lock);
	b->p = uptr_add(pool[c].base, (u64)i * classes[c].size);
	b->size = classes[c].size;
	b->class = c;
	return true;
}

static u8 class_of(size_t size)
{
	u8 c = 0;

	ASSERT(size <= RAKIS_REQ_MAX_BYTES);
	while (classes[c].size < size)
		c++;
	return c;
}

void arena_get(struct arena_buf *b, size_t size)
{
	u8 first = class_of(size);

	for (;;) {
		/* A larger block will do; when there is none at all, others will give theirs back. */
		for (u8 c = first; c < CLASSES; c++)
			if (take(b, c, 0))
				return;
		lock_yield();
	}
}

bool arena_try(struct arena_buf *b, size_t size)
{
	for (u8 c = class_of(size); c < CLASSES; c++)
		if (take(b, c, classes[c].count / 2))
			return true;
	return false;
}

void arena_put(struct arena_buf *b)
{
	u8 c = b->class;
	u32 i = (uptr_number(b->p) - uptr_number(pool[c].base)) / classes[c].size;

	spin_lock(&pool[c].lock);
	free_stack[c][pool[c].nfree++] = i;
	spin_unlock(&pool[c].lock);
	b->p = (struct uptr){ 0 };
}
