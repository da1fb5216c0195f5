/* SPDX-License-Identifier: Apache-2.0 */
/* What the C side must know of the gate of an enclave: the policy it was measured with. */
#include "boundary/sgx.h"
#include "gate/gate.h"
#include "lib/string.h"

#define ENCLU_EGETKEY	1
#define KEY_SEAL	4
#define KEY_POLICY_MRSIGNER 2
#define ATTRIBUTES_INIT_DEBUG 3

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

const void *gate_measured_manifest(u64 *size)
{
	*size = policy()->manifest_size;
	return *size ? (const u8 *)policy() - ALIGN_UP(*size, RAKIS_PAGE_SIZE) : NULL;
}

/* KEYREQUEST (SDM volume 3D, "Key request"). */
struct key_request {
	u16 name, policy, isv_svn, reserved;
	u8 cpu_svn[16];
	u64 attribute_mask[2];
	u8 key_id[32];
	u32 misc_mask;
	u8 reserved2[436];
} __aligned(512);
_Static_assert(sizeof(struct key_request) == 512, "KEYREQUEST");

/*
 * The sealing key of the signer, so that a program that is signed anew still has its files. Of
 * the lowest security version: a later one of the processor must not lose them either. An
 * enclave that may be debugged has another.
 */
bool gate_sealing_key(u8 key[32])
{
	struct key_request request = {
		.name = KEY_SEAL, .policy = KEY_POLICY_MRSIGNER, .attribute_mask = { ATTRIBUTES_INIT_DEBUG },
	};
	u8 out[16] __aligned(16);
	u64 error = ENCLU_EGETKEY;

	__asm__ volatile("enclu" : "+a"(error), "=m"(out) : "b"(&request), "c"(out), "m"(request) : "cc");
	memcpy(key, out, sizeof(out));
	memcpy(key + sizeof(out), out, sizeof(out));
	memset(out, 0, sizeof(out));
	return !error;
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
