/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the enclave's range lies. Below everything of the host, because Syscall User
 * Dispatch lets one stretch of addresses make system calls: from the range's end upwards.
 * A program linked at fixed addresses wants it to begin as low as the kernel allows.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "host/host.h"

#define MIB		(1ull << 20)
#define GIB		(1ull << 30)
#define MEMORY_DEFAULT	(64 * GIB)	/* addresses; what is not touched costs nothing */
#define MEMORY_LEAST	GIB		/* where addresses are rationed (ulimit -v) */
#define HEAP_LEAST	(16 * MIB)
#define HEAP_MOST	GIB
#define GUEST_LEAST	(32 * MIB)
#define SLOTS_SIZE	((uint64_t)RAKIS_SLOT_COUNT * RAKIS_SLOT_SIZE)
#define RANGE_MOST	(16384 * GIB)	/* twice this is below where the kernel puts rakis itself */

static uint64_t page_up(uint64_t n)
{
	return (n + RAKIS_PAGE_SIZE - 1) & -(uint64_t)RAKIS_PAGE_SIZE;
}

static uint64_t lowest_address(void)
{
	FILE *f = fopen("/proc/sys/vm/mmap_min_addr", "re");
	unsigned long long least = 0;

	if (f) {
		if (fscanf(f, "%llu", &least) != 1)
			least = 0;
		fclose(f);
	}
	return least > 65536 ? page_up(least) : 65536;
}

/* Naturally aligned, as the range of an enclave must be. */
static uint64_t aligned_base(uint64_t size)
{
	uint64_t base = 4 * GIB;

	while (base < size)
		base *= 2;
	return base;
}

static void *reserve(uint64_t base, uint64_t size)
{
	void *p = mmap((void *)base, size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	/* Kernels before 4.17 take the address as a hint. */
	if (p != MAP_FAILED && p != (void *)base) {
		munmap(p, size);
		errno = EEXIST;
		return MAP_FAILED;
	}
	return p;
}

static uint64_t base_for(const struct program *p, uint64_t size)
{
	return p->fixed ? lowest_address() : aligned_base(size);
}

void layout_reserve(const struct program *p, uint64_t memory, uint64_t image_size)
{
	uint64_t size = memory ? memory & -(uint64_t)RAKIS_PAGE_SIZE : MEMORY_DEFAULT;
	uint64_t base, heap, least;
	struct rakis_layout *l = &host.layout;
	void *range;

	if (size > RANGE_MOST)
		die(EXIT_USAGE, "--memory: at most %llu GiB", RANGE_MOST / GIB);
	range = reserve(base_for(p, size), size);
	while (range == MAP_FAILED && !memory && size > MEMORY_LEAST) {
		size /= 2;
		range = reserve(base_for(p, size), size);
	}
	base = base_for(p, size);
	if (range == MAP_FAILED)
		die(EXIT_RAKIS, "cannot reserve %llu MiB of addresses at 0x%llx (%m); "
		    "try a smaller --memory, or a larger ulimit -v",
		    (unsigned long long)(size / MIB), (unsigned long long)base);
	heap = page_up(size / 8);
	if (heap < HEAP_LEAST)
		heap = HEAP_LEAST;
	if (heap > HEAP_MOST)
		heap = HEAP_MOST;
	least = GUEST_LEAST + heap + SLOTS_SIZE + image_size;
	if (size < least)
		die(EXIT_USAGE, "--memory: %llu MiB is too little; at least %llu MiB are needed",
		    (unsigned long long)(size / MIB), (unsigned long long)(least / MIB + 1));
	*l = (struct rakis_layout){
		.base = base,
		.size = size,
		.image = base + size - image_size,
		.image_size = image_size,
		.slot_size = RAKIS_SLOT_SIZE,
		.slot_count = RAKIS_SLOT_COUNT,
	};
	l->slots = l->image - SLOTS_SIZE;
	l->heap = l->slots - heap;
	if (p->fixed && (p->low < base || p->high > RANGE_MOST - 2 * GIB))
		die(EXIT_CANNOT_RUN, "%s: linked at addresses that cannot be had, 0x%llx to "
		    "0x%llx; link it as a position-independent program", p->path,
		    (unsigned long long)p->low, (unsigned long long)p->high);
	if (p->fixed && p->high > l->heap)
		die(EXIT_RAKIS, "%s: linked at addresses up to 0x%llx; it needs --memory %lluG",
		    p->path, (unsigned long long)p->high, (unsigned long long)(p->high / GIB + 2));
	if (mprotect((void *)l->heap, l->image - l->heap, PROT_READ | PROT_WRITE))
		die(EXIT_RAKIS, "not enough memory for the libOS: %m");
	/* It is used sparsely; huge pages would make every corner of it resident. */
	madvise((void *)l->heap, l->image - l->heap, MADV_NOHUGEPAGE);
}

const char *layout_try(void)
{
	uint64_t low = lowest_address();

	if (reserve(aligned_base(MEMORY_LEAST), MEMORY_LEAST) == MAP_FAILED)
		return "1 GiB of addresses at 4 GiB cannot be reserved; look at ulimit -v";
	munmap((void *)aligned_base(MEMORY_LEAST), MEMORY_LEAST);
	if (reserve(low, MEMORY_LEAST) == MAP_FAILED)
		return "low addresses cannot be had: programs linked at fixed ones will not run";
	munmap((void *)low, MEMORY_LEAST);
	return NULL;
}
