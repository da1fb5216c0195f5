/* SPDX-License-Identifier: Apache-2.0 */
/* The heap under threads that allocate, resize, hand over and free; blocks keep their bytes. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "lib/alloc.h"
#include "lib/lock.h"

#define THREADS	4u
#define ROUNDS	20000u
#define HELD	64u
#define CHECK(x) ((x) ? (void)0 : abort())

static _Atomic(u8 *) shared[HELD];	/* from one thread to another */

static u32 size_of(const u8 *p)
{
	u32 n;

	memcpy(&n, p, 4);
	return n;
}

static void check_and_free(u8 *p)
{
	u32 n;

	if (!p)
		return;
	n = size_of(p);
	for (u32 i = 4; i < n; i++)
		CHECK(p[i] == (u8)n);
	kfree(p);
}

static u8 *fill(u8 *p, u32 n)
{
	if (!p)
		return NULL;
	memset(p, (u8)n, n);
	memcpy(p, &n, 4);
	return p;
}

static void *run(void *arg)
{
	unsigned int seed = (unsigned int)(u64)arg;
	u8 *mine[HELD] = { NULL };

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 at = rand_r(&seed) % HELD, n = 4 + rand_r(&seed) % (i % 16 ? 600 : 40000);
		u8 *more;

		if (mine[at] && rand_r(&seed) % 4 == 0) {
			more = krealloc(mine[at], n);
			mine[at] = more ? fill(more, n) : mine[at];
			continue;
		}
		check_and_free(mine[at]);
		mine[at] = fill(kmalloc(n), n);
		if (rand_r(&seed) % 4 == 0)
			mine[at] = atomic_exchange(&shared[at], mine[at]);
	}
	for (u32 i = 0; i < HELD; i++)
		check_and_free(mine[i]);
	return NULL;
}

static void give_way(void)
{
	sched_yield();
}

int main(void)
{
	size_t size = 64 << 20;
	char *heap = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t threads[THREADS];
	u64 before;

	CHECK(heap != MAP_FAILED);
	lock_yield = give_way;
	heap_init((u64)heap, (u64)heap + size, true);
	before = heap_used();
	for (u64 i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, run, (void *)(i + 1)));
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (u32 i = 0; i < HELD; i++)
		check_and_free(shared[i]);
	/* Empty slabs may be kept, a few of each class. */
	CHECK(heap_used() - before < 4 << 20);
	return 0;
}
