/* SPDX-License-Identifier: Apache-2.0 */
/* What is where in an enclave, with which rights, and what of it is measured. */
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

#include "boundary/policy.h"
#include "host/host.h"
#include "host/sgx/arch.h"
#include "host/sgx/measure.h"
#include "host/sgx/plan.h"

#define MIB		(1ull << 20)
#define GIB		(1ull << 30)
#define MEMORY_DEFAULT	GIB
#define MEMORY_LEAST	(64 * MIB)
#define MEMORY_MOST	(512 * GIB)
#define HEAP_LEAST	(16 * MIB)
#define HEAP_MOST	GIB
#define THREADS_DEFAULT	64

static uint64_t pages(uint64_t bytes)
{
	return bytes / SGX_PAGE;
}

/* Bytes of the range for a manifest. */
static uint64_t manifest_room(uint64_t size)
{
	return (size + SGX_PAGE - 1) & ~(uint64_t)(SGX_PAGE - 1);
}

static uint64_t machine_xfrm(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo & RAKIS_XFRM_MOST;
}

void sgx_policy_make(struct rakis_policy *policy, uint64_t memory, uint64_t threads,
		     uint64_t manifest_size, const struct image *image)
{
	struct rakis_layout *l = &policy->layout;
	uint64_t size = MEMORY_LEAST, heap, slots;

	if (!memory)
		memory = MEMORY_DEFAULT;
	if (!threads)
		threads = THREADS_DEFAULT;
	if (threads > RAKIS_SLOT_COUNT)
		die(EXIT_USAGE, "--threads: at most %d", RAKIS_SLOT_COUNT);
	if (memory > MEMORY_MOST)
		die(EXIT_USAGE, "--memory: at most %llu GiB in an enclave", MEMORY_MOST / GIB);
	while (size < memory)
		size *= 2;
	heap = size / 8 > HEAP_MOST ? HEAP_MOST : size / 8 < HEAP_LEAST ? HEAP_LEAST : size / 8;
	slots = threads * RAKIS_SGX_SLOT_SIZE + manifest_room(manifest_size);
	if (size < heap + slots + image_size(image) + MEMORY_LEAST / 2)
		die(EXIT_USAGE, "--memory: %llu MiB is too little for %llu threads; "
		    "try --memory %lluM", (unsigned long long)(size / MIB),
		    (unsigned long long)threads, (unsigned long long)(size * 2 / MIB));
	*policy = (struct rakis_policy){
		.version = RAKIS_POLICY_VERSION,
		.xfrm = machine_xfrm(),
		.manifest_size = manifest_size,
	};
	l->size = size;
	l->image_size = image_size(image);
	l->image = size - l->image_size;
	l->slot_size = RAKIS_SGX_SLOT_SIZE;
	l->slot_count = threads;
	l->slots = l->image - RAKIS_POLICY_SIZE - slots;
	l->heap = l->slots - heap;
}

const char *sgx_policy_check(const struct rakis_policy *policy, const struct image *image)
{
	const struct rakis_layout *l = &policy->layout;
	uint64_t size = l->size, slots = l->slot_count * l->slot_size + manifest_room(policy->manifest_size);

	if (policy->version != RAKIS_POLICY_VERSION)
		return "it is of another version of rakis";
	if (l->base || size < MEMORY_LEAST || size > MEMORY_MOST ||
	    (size & (size - 1)) || l->slot_size != RAKIS_SGX_SLOT_SIZE || !l->slot_count ||
	    l->slot_count > RAKIS_SLOT_COUNT || policy->manifest_size > RAKIS_MANIFEST_MOST ||
	    ((l->heap | l->slots | l->image) & (SGX_PAGE - 1)) || l->heap <= RAKIS_SGX_LOWEST ||
	    l->heap >= l->slots || l->image >= size || l->slots >= l->image ||
	    l->image - l->slots != RAKIS_POLICY_SIZE + slots)
		return "its layout is not valid";
	if (l->image_size != image_size(image) || l->image != size - l->image_size)
		return "it was made for another " IMAGE_SGX;
	if (policy->xfrm & ~machine_xfrm())
		return "it was made for a processor with more vector registers";
	return NULL;
}

/* Zeros, aligned as the driver wants its sources. */
static void *pages_of(uint64_t count)
{
	void *p = aligned_alloc(SGX_PAGE, count * SGX_PAGE);

	if (!p)
		die(EXIT_RAKIS, "out of memory");
	return memset(p, 0, count * SGX_PAGE);
}

static struct sgx_pages *add(struct sgx_plan *plan, uint64_t offset, uint64_t count,
			     uint64_t secinfo)
{
	struct sgx_pages *p = &plan->pages[plan->count++];

	p->offset = offset;
	p->count = count;
	p->secinfo = secinfo;
	return p;
}

static void add_measured(struct sgx_plan *plan, uint64_t offset, uint64_t count,
			 uint64_t secinfo, const void *content)
{
	struct sgx_pages *p = add(plan, offset, count, secinfo);

	p->content = content;
	p->measured = true;
}

static void add_slot(struct sgx_plan *plan, uint64_t at, struct sgx_tcs *tcs, uint64_t entry)
{
	const uint64_t rw = SECINFO_REG | SECINFO_R | SECINFO_W;

	*tcs = (struct sgx_tcs){
		.ossa = at + RAKIS_SLOT_SSA,
		.nssa = RAKIS_NSSA,
		.oentry = entry,
		.ofsbase = at + RAKIS_SLOT_BLOCK,
		.ogsbase = at + RAKIS_SLOT_BLOCK,
		.fslimit = ~0u,
		.gslimit = ~0u,
	};
	add_measured(plan, at + RAKIS_SLOT_TCS, 1, SECINFO_TCS, tcs);
	add(plan, at + RAKIS_SLOT_SSA, pages(RAKIS_SLOT_XSTATE - RAKIS_SLOT_SSA), rw);
	add_measured(plan, at + RAKIS_SLOT_XSTATE, 1, rw, NULL);
	add(plan, at + RAKIS_SLOT_STACK, pages(RAKIS_SLOT_BLOCK - RAKIS_SLOT_STACK), rw);
	add_measured(plan, at + RAKIS_SLOT_BLOCK, pages(RAKIS_SGX_SLOT_SIZE - RAKIS_SLOT_BLOCK), rw,
		     NULL);
}

void sgx_plan_make(struct sgx_plan *plan, const struct rakis_policy *policy, const void *manifest,
		   const struct image *image)
{
	const struct rakis_layout *l = &policy->layout;
	uint64_t room = manifest_room(policy->manifest_size);
	size_t most = 4 + 5 * l->slot_count + IMAGE_SEGMENTS_MOST;
	struct sgx_tcs *tcs = pages_of(l->slot_count);
	struct rakis_policy *page = pages_of(1);
	uint8_t *content = pages_of(pages(l->image_size));
	struct image_segment s;

	plan->pages = calloc(most, sizeof(*plan->pages));
	if (!plan->pages)
		die(EXIT_RAKIS, "out of memory");
	*page = *policy;
	plan->policy = page;
	plan->size = l->size;
	plan->count = 0;
	plan->content[0] = tcs;
	plan->content[1] = content;
	plan->content[2] = room ? pages_of(pages(room)) : NULL;
	image_read(image, content);

	add(plan, RAKIS_SGX_LOWEST, pages(l->heap - RAKIS_SGX_LOWEST),
	    SECINFO_REG | SECINFO_R | SECINFO_W | SECINFO_X);
	add(plan, l->heap, pages(l->slots - l->heap), SECINFO_REG | SECINFO_R | SECINFO_W);
	for (uint64_t i = 0; i < l->slot_count; i++)
		add_slot(plan, l->slots + i * l->slot_size, &tcs[i], l->image + image_entry(image));
	if (room) {
		memcpy(plan->content[2], manifest, policy->manifest_size);
		add_measured(plan, l->image - RAKIS_POLICY_SIZE - room, pages(room), SECINFO_REG | SECINFO_R,
			     plan->content[2]);
	}
	add_measured(plan, l->image - RAKIS_POLICY_SIZE, pages(RAKIS_POLICY_SIZE),
		     SECINFO_REG | SECINFO_R, page);
	for (size_t i = 0; image_segment(image, i, &s); i++)
		add_measured(plan, l->image + s.start, pages(s.end - s.start),
			     SECINFO_REG | (s.read ? SECINFO_R : 0) | (s.write ? SECINFO_W : 0) |
			     (s.exec ? SECINFO_X : 0), content + s.start);
}

void sgx_plan_free(struct sgx_plan *plan)
{
	free(plan->content[0]);
	free(plan->content[1]);
	free(plan->content[2]);
	free((void *)plan->policy);
	free(plan->pages);
}

void sgx_plan_measure(const struct sgx_plan *plan, uint8_t mrenclave[32])
{
	static const uint8_t zeros[SGX_PAGE];
	struct measure *m = measure_create(RAKIS_SSA_FRAME_SIZE / SGX_PAGE, plan->size);

	for (size_t i = 0; i < plan->count; i++) {
		const struct sgx_pages *p = &plan->pages[i];

		if (!p->measured)
			measure_add(m, p->offset, p->count, p->secinfo);
		else for (uint64_t n = 0; n < p->count; n++)
			measure_page(m, p->offset + n * SGX_PAGE, p->secinfo, !p->content ?
				     zeros : (const uint8_t *)p->content + n * SGX_PAGE);
	}
	measure_end(m, mrenclave);
}
