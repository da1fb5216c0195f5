/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams' memory: pool.h. */
#include "lib/alloc.h"
#include "net/pool.h"

#define CHUNK	(64u << 10)

static void grow(struct pool *p, bool large)
{
	u32 most = large ? POOL_LARGE_MOST : POOL_SMALL_MOST;
	u32 size = ALIGN_UP(sizeof(struct datagram) + (large ? POOL_LARGE : POOL_SMALL), 16);
	u32 n = min(CHUNK / size, most - p->total[large]);
	char *chunk = n ? kmalloc(n * size) : NULL;

	if (!chunk)
		return;
	p->total[large] += n;
	for (u32 i = 0; i < n; i++) {
		struct datagram *d = (struct datagram *)(chunk + i * size);

		d->home = p;
		d->large = large;
		d->next = p->spare[large];
		p->spare[large] = d;
	}
}

struct datagram *pool_get(struct pool *p, u32 n)
{
	bool large = n > POOL_SMALL;
	struct datagram *d;

	/* Acquire: pairs with the release in datagram_put(). All at once, so no ABA. */
	if (!p->spare[large])
		p->spare[large] = atomic_exchange_explicit(&p->back[large], NULL,
							   memory_order_acquire);
	if (unlikely(!p->spare[large]))
		grow(p, large);
	d = p->spare[large];
	if (d)
		p->spare[large] = d->next;
	return d;
}

void datagram_put(struct datagram *d)
{
	struct datagram *_Atomic *back = &d->home->back[d->large];
	struct datagram *first = atomic_load_explicit(back, memory_order_relaxed);

	do
		d->next = first;
	while (!atomic_compare_exchange_weak_explicit(back, &first, d, memory_order_release,
						      memory_order_relaxed));
}
