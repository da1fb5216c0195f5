/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUID inside an enclave: the instruction is invalid there (SDM volume 3D, "Illegal
 * instructions"), and what the host reports cannot be verified. Features that the processor
 * lacks only stop the guest; but from leaf 0xd programs size the buffers that XSAVE writes, so
 * that leaf is made here, and what an enclave does not have is taken out of the others.
 */
#include "fastpath/untrusted.h"
#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/string.h"
#include "libos/cpuid.h"

enum {
	ENTRIES_MOST = 256,

	LEGACY_SIZE = 576,		/* of the XSAVE area: x87, SSE, header */
	XFEATURE_AVX = 2, XFEATURE_AVX512 = 5,
	XSAVE_FLAVOURS = 7,		/* leaf 0xd, 1: XSAVEOPT, XSAVEC, XGETBV of 1; not XSAVES */
};

static struct rakis_cpuid table[ENTRIES_MOST];
static u32 entries;

/* Bytes of each component (SDM volume 1, "XSAVE-managed state"). */
static const u16 component_size[] = { [2] = 256, [5] = 64, [6] = 512, [7] = 1024 };

static void no_xstate_components(struct rakis_cpuid *r, u32 components)
{
	r->eax &= components;
	r->ebx = r->ecx = r->edx = 0;
}

static void fix_xstate(struct rakis_cpuid *r)
{
	u64 mask = gate_xstate_mask();
	u32 size = gate_xstate_size();

	if (r->subleaf == 0) {
		*r = (struct rakis_cpuid){
			.leaf = r->leaf, .eax = (u32)mask, .ebx = size, .ecx = size,
			.edx = (u32)(mask >> 32),
		};
	} else if (r->subleaf == 1) {
		no_xstate_components(r, XSAVE_FLAVOURS);
		r->ebx = size;
	} else if (r->subleaf < ARRAY_SIZE(component_size) && mask >> r->subleaf & 1) {
		r->eax = component_size[r->subleaf];
		r->ecx = r->edx = 0;
		if (r->ebx < LEGACY_SIZE || r->ebx > size - r->eax)
			panic("the host's CPUID leaf 0xd is not valid");
	} else {
		no_xstate_components(r, 0);
	}
}

/* Bits to keep in eax, ebx, ecx, edx of a leaf's first subleaf; all subleaves of one with none
 * are cleared. */
static const struct {
	u32 leaf, keep[4];
	u32 needs;			/* a component: without it, only `without` of those */
	u32 without[4];
} features[] = {
	/* not MONITOR, VMX, SMX; without AVX not FMA, AVX, F16C */
	{ 0x1, { ~0u, ~0u, ~(1u << 3 | 1u << 5 | 1u << 6), ~0u },
	  XFEATURE_AVX, { ~0u, ~0u, ~(1u << 12 | 1u << 28 | 1u << 29), ~0u } },
	/* not SGX, HLE, RTM, MPX; PKU, OSPKE, WAITPKG, SGX_LC; AMX. Without AVX-512 not its parts */
	{ 0x7, { ~0u, ~(1u << 2 | 1u << 4 | 1u << 11 | 1u << 14),
		 ~(1u << 3 | 1u << 4 | 1u << 5 | 1u << 30), ~(1u << 22 | 1u << 24 | 1u << 25) },
	  XFEATURE_AVX512, { ~0u, ~(1u << 16 | 1u << 17 | 1u << 21 | 0xfcu << 24),
			     ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14),
			     ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 23) } },
	{ 0x12 }, { 0x14 }, { 0x1d }, { 0x1e },		/* SGX, processor trace, AMX */
};

static void fix_features(struct rakis_cpuid *r)
{
	u32 *reg[] = { &r->eax, &r->ebx, &r->ecx, &r->edx };

	for (u32 i = 0; i < ARRAY_SIZE(features); i++) {
		bool have = gate_xstate_mask() >> features[i].needs & 1;

		if (features[i].leaf != r->leaf || (r->subleaf && features[i].keep[0]))
			continue;
		for (u32 j = 0; j < 4; j++)
			*reg[j] &= features[i].keep[j] & (have ? ~0u : features[i].without[j]);
	}
}

/* In all other leaves ecx does not matter. */
static bool has_subleaves(u32 leaf)
{
	switch (leaf) {
	case 0x4: case 0x7: case 0xb: case 0xd: case 0xf: case 0x10: case 0x12: case 0x14:
	case 0x17: case 0x18: case 0x1d: case 0x1e: case 0x1f: case 0x8000001d:
		return true;
	}
	return false;
}

/* What is not there is 0. */
static const struct rakis_cpuid *find(u32 leaf, u32 subleaf)
{
	static const struct rakis_cpuid none;

	if (!has_subleaves(leaf))
		subleaf = 0;
	for (u32 i = 0; i < entries; i++)
		if (table[i].leaf == leaf && table[i].subleaf == subleaf)
			return &table[i];
	return &none;
}

void cpuid_init(const struct rakis_boot *boot)
{
	struct uptr p;

	if (boot->ncpuid > ENTRIES_MOST ||
	    !uptr_check(boot->cpuid, boot->ncpuid * sizeof(*table), &p))
		panic("the host's CPUID table is not valid");
	entries = (u32)boot->ncpuid;
	untrusted_read(table, p, entries * sizeof(*table));
	for (u32 i = 0; i < entries; i++) {
		if (table[i].leaf == 0xd)
			fix_xstate(&table[i]);
		else
			fix_features(&table[i]);
	}
	crypto_init((u32[]){ find(1, 0)->edx, find(1, 0)->ecx, find(7, 0)->ebx, find(7, 0)->ecx });
}

void cpuid_emulate(struct regs *regs)
{
	const struct rakis_cpuid *r = find((u32)regs->rax, (u32)regs->rcx);

	regs->rax = r->eax;
	regs->rbx = r->ebx;
	regs->rcx = r->ecx;
	regs->rdx = r->edx;
}
