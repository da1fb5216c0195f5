/* SPDX-License-Identifier: Apache-2.0 */
/* Provided buffers: bufring.h has the invariant. */
#include <linux/io_uring.h>
#include "fastpath/bufring.h"
#include "lib/errno.h"
#include "lib/log.h"

_Static_assert(sizeof(struct io_uring_buf) == 16, "an entry is two words");
_Static_assert(offsetof(struct io_uring_buf_ring, tail) == 14, "the tail ends the first entry");

static bool is_lent(const struct bufring *b, u32 id)
{
	return b->lent[id / 64] >> (id % 64) & 1;
}

bool bufring_is_valid(const struct bufring *b)
{
	u32 n = 0;

	for (u32 id = 0; id < RAKIS_URING_BUFS; id++) {
		n += is_lent(b, id);
		if (is_lent(b, id) && id >= b->started)
			return false;
	}
	return b->entries <= RAKIS_URING_BUFS && !(b->entries & (b->entries - 1)) &&
	       b->started <= b->entries && n == b->nlent;
}

int bufring_init(struct bufring *b, const struct rakis_uring *h)
{
	u64 n = h->buf_entries, array = n * 16, bufs = n * RAKIS_URING_BUF_SIZE;

	*b = (struct bufring){ .entries = 0 };
	if (!h->buf_ring)
		return 0;
	if (!n || n > RAKIS_URING_BUFS || (n & (n - 1)) ||
	    !uptr_check(h->buf_ring, array, &b->array) || !uptr_check(h->bufs, bufs, &b->bufs) ||
	    (h->buf_ring < h->bufs + bufs && h->bufs < h->buf_ring + array))
		return -EINVAL;
	b->entries = n;
	untrusted_store(uptr_add(b->array, 8), 0);
	return 0;
}

/* Fill the next entry and move the tail, which the kernel reads after the entry. */
static void lend(struct bufring *b, u32 id)
{
	u32 i = b->tail & (b->entries - 1);
	struct uptr entry = uptr_add(b->array, i * 16);
	u64 what = RAKIS_URING_BUF_SIZE | (u64)id << 32;

	ASSERT(!is_lent(b, id) && id < b->started);
	untrusted_store(entry, uptr_number(bufring_at(b, id)));
	if (i == 0)
		b->first = what;
	else
		untrusted_store(uptr_add(entry, 8), what);
	b->lent[id / 64] |= 1ull << (id % 64);
	b->nlent++;
	b->tail++;
	atomic_thread_fence(memory_order_release);
	untrusted_store(uptr_add(b->array, 8), b->first | (u64)b->tail << 48);
}

bool bufring_start(struct bufring *b, u32 n)
{
	u32 end = min(b->started + n, b->entries);

	if (end == b->started)
		return false;
	for (u32 id = b->started; id < end; id++) {
		b->started = id + 1;
		lend(b, id);
	}
	return true;
}

bool bufring_take(struct bufring *b, u32 id)
{
	if (id >= b->entries || !is_lent(b, id))
		return false;
	b->lent[id / 64] &= ~(1ull << (id % 64));
	b->nlent--;
	return true;
}

void bufring_put(struct bufring *b, u32 id)
{
	ASSERT(id < b->entries);
	lend(b, id);
}
