/* SPDX-License-Identifier: Apache-2.0 */
/* What the C side must know of the gate of an enclave: the policy it was measured with. */
#include "boundary/sgx.h"
#include "gate/gate.h"

#define XFEATURE_AVX	(1ull << 2)
#define XFEATURE_AVX512	(7ull << 5)

const bool gate_sealed = true;
const u64 gate_slot_size = RAKIS_SGX_SLOT_SIZE;

/* From the linker. */
extern const char __ehdr_start[];

static const struct rakis_policy *policy(void)
{
	return (const struct rakis_policy *)((u64)__ehdr_start - RAKIS_POLICY_SIZE);
}

const struct rakis_layout *gate_measured_layout(const struct rakis_boot *boot)
{
	return policy()->version == RAKIS_POLICY_VERSION ? &policy()->layout : NULL;
}

u64 gate_xstate_mask(void)
{
	return policy()->xfrm & RAKIS_XFRM_MOST;
}

/* CPUID would be the host's word. Intel's offsets (SDM, volume 1, "XSAVE-managed state"); those
 * of other makes, under the emulator, are smaller. */
u32 gate_xstate_size(void)
{
	u64 mask = gate_xstate_mask();

	return mask & XFEATURE_AVX512 ? 2688 : mask & XFEATURE_AVX ? 832 : 576;
}

/* Where an exit saves all of the state: there is none meanwhile. */
struct gate_vectors *gate_vectors_room(void)
{
	return (void *)gate_self() + RAKIS_SLOT_XSTATE - RAKIS_SLOT_BLOCK;
}
