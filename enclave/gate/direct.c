/* SPDX-License-Identifier: Apache-2.0 */
/* What the C side must know of the gate without an enclave: the host is believed. */
#include "gate/gate.h"

#define XFEATURE_PKRU	(1ull << 9)	/* the guest has no protection keys */
#define XFEATURE_AMX	(3ull << 17)	/* huge, and only for those who ask Linux for it */

const bool gate_sealed = false;
const u64 gate_slot_size = RAKIS_SLOT_SIZE;

const struct rakis_layout *gate_measured_layout(const struct rakis_boot *boot)
{
	return &boot->layout;
}

const void *gate_measured_manifest(u64 *size)
{
	return NULL;
}

bool gate_sealing_key(u8 key[32])
{
	return false;
}

u64 gate_xstate_mask(void)
{
	u32 low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low | (u64)high << 32) & ~(XFEATURE_PKRU | XFEATURE_AMX);
}

u32 gate_xstate_size(void)
{
	u64 mask = gate_xstate_mask();
	u32 size = 576, a, b, c, d;

	/* Where a component lies differs between makes of CPUs: leaf 0xd says it. */
	for (u32 i = 2; i < 63; i++) {
		if (!(mask & 1ull << i))
			continue;
		__asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0xd), "c"(i));
		size = max(size, b + a);
	}
	return size;
}

/* Between the thread's block and the panic stack, which begins at the end of the page. */
struct gate_vectors *gate_vectors_room(void)
{
	_Static_assert(ALIGN_UP(sizeof(struct gate_thread), 64) + sizeof(struct gate_vectors) <=
		       RAKIS_PAGE_SIZE - 512, "no room for a panic stack");
	return (void *)gate_self() + ALIGN_UP(sizeof(struct gate_thread), 64);
}
