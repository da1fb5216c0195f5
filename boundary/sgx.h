/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An enclave as both sides see it: where its parts lie, what is passed at its door, and the
 * policy it is measured with.
 *
 * The range is [0, size), size a power of two. That it begins at 0 gives one measurement for
 * every program, wherever that is linked, and leaves no address below it that a null pointer
 * with an offset could reach. The parts are those of boot.h; the lowest 64 KiB hold no pages,
 * and the page below the image is the policy:
 *
 *	[0, 64 KiB)		no pages
 *	[64 KiB, heap)		the guest's memory	RWX, content not measured
 *	[heap, slots)		the libOS's own heap	RW, content not measured
 *	[slots, manifest)	thread slots		below
 *	[manifest, policy)	struct rakis_manifest	R, measured, whole pages; of boundary/policy.h
 *	[policy, image)		struct rakis_policy	R, measured
 *	[image, size)		the trusted image	as its segments say, measured, with its zeros
 *
 * What is not measured is what the loader put there: the enclave clears it before use.
 *
 * A slot, by offset:
 *
 *	RAKIS_SLOT_TCS		the TCS: OENTRY the image's entry, OSSA and NSSA the frames below,
 *				OFSBASE and OGSBASE the slot's block, FSLIMIT and GSLIMIT ~0, FLAGS 0
 *	RAKIS_SLOT_SSA		RAKIS_NSSA frames of one page		RW, not measured
 *	RAKIS_SLOT_XSTATE	the guest's extended state while outside RW, measured as zeros
 *	(one page)		no page
 *	RAKIS_SLOT_STACK	libOS stack				RW, not measured
 *	RAKIS_SLOT_BLOCK	struct gate_thread and the panic stack	RW, measured as zeros
 *
 * Numbers of the architecture are those of the SDM, volume 3D, chapter "Enclave access control
 * and data structures".
 */
#ifndef RAKIS_BOUNDARY_SGX_H
#define RAKIS_BOUNDARY_SGX_H

/* Plain numbers first: assembly includes this file for them. */
#define RAKIS_SGX_LOWEST	0x10000
#define RAKIS_SGX_SLOT_SIZE	0x14000
#define RAKIS_SLOT_TCS		0x00000
#define RAKIS_SLOT_SSA		0x01000
#define RAKIS_SLOT_XSTATE	0x03000
#define RAKIS_SLOT_STACK	0x05000
#define RAKIS_SLOT_BLOCK	0x13000
#define RAKIS_NSSA		2
#define RAKIS_SSA_FRAME_SIZE	4096	/* SSAFRAMESIZE 1: what XFRM may hold fits with room */

/* x87, SSE, AVX, AVX-512. Not PKRU, which the guest has no use for; not AMX, for its size. */
#define RAKIS_XFRM_MOST		0xe7

/*
 * At the door. In: RDI is the command, RSI its argument, R8 has GATE_PENDING_HOST set if something
 * from outside is pending; the enclave believes none of it further than its own state bears out.
 *
 *	CSSA 0	START		first entry of a slot; RSI: struct rakis_boot, for the first slot
 *		RETURN		from an EXIT_REQUEST; RSI: its answer
 *	CSSA 1	EXCEPTION	the interrupted thread has an exception: EXITINFO must say so, too
 *		INTERRUPT	it is to look at what is pending
 *
 * Out, by EEXIT to where the EENTER's RCX said: RDI is the reason, RSI its argument; RSP and RBP
 * as they came in; x87, SSE and AVX state clean after CSSA 0, untouched after CSSA 1; the other
 * registers hold nothing.
 */
#define RAKIS_ENTER_START	0
#define RAKIS_ENTER_RETURN	1
#define RAKIS_ENTER_EXCEPTION	2
#define RAKIS_ENTER_INTERRUPT	3

#define RAKIS_EXIT_REQUEST	0	/* RSI: struct rakis_request in the arena */
#define RAKIS_EXIT_THREAD	1	/* the slot's thread has ended */
#define RAKIS_EXIT_RESUME	2	/* go on by ERESUME; RSI: RAKIS_LOOK_* */
#define RAKIS_EXIT_REFUSED	3	/* an entry that the slot's state does not allow; nothing changed */

#define RAKIS_LOOK_NOTED	0	/* the libOS was running: it will look before it returns */
#define RAKIS_LOOK_TAKEN	1	/* the thread goes on in the libOS */
#define RAKIS_LOOK_NONE		2	/* EXCEPTION: EXITINFO knows of none */

/* Leaves of ENCLU */
#define SGX_EENTER		2
#define SGX_ERESUME		3
#define SGX_EEXIT		4

/* SSA frame: XSAVE area at its start, and at its end: */
#define SGX_GPR_SIZE		184
#define SGX_EXINFO_SIZE		16
#define SGX_GPR			(RAKIS_SSA_FRAME_SIZE - SGX_GPR_SIZE)
#define SGX_EXINFO		(SGX_GPR - SGX_EXINFO_SIZE)	/* MISCSELECT bit 0 */
#define SGX_EXINFO_MADDR	(SGX_EXINFO + 0)
#define SGX_EXINFO_ERRCD	(SGX_EXINFO + 8)
#define SGX_GPR_RFLAGS		(SGX_GPR + 128)
#define SGX_GPR_RIP		(SGX_GPR + 136)
#define SGX_GPR_URSP		(SGX_GPR + 144)
#define SGX_GPR_URBP		(SGX_GPR + 152)
#define SGX_GPR_EXITINFO	(SGX_GPR + 160)

/* EXITINFO */
#define SGX_EXITINFO_VECTOR	0xff
#define SGX_EXITINFO_VALID	0x80000000

#define SGX_MISC_EXINFO		1	/* MISCSELECT: without it a page fault cannot be believed */

/* struct rakis_policy, for assembly */
#define RAKIS_POLICY_SIZE	4096
#define RAKIS_POLICY_VERSION	1
#define RAKIS_POLICY_XFRM	8

#ifndef __ASSEMBLER__
#include "boundary/boot.h"

/*
 * ELF note of the image for an enclave, name "RAKIS", type RAKIS_NOTE_SGX. `eexit` is
 * the distance from itself to the `enclu; ud2` that leaves, the only one; the image's ELF entry
 * is OENTRY.
 */
struct rakis_sgx_note {
	uint32_t version;	/* RAKIS_BOUNDARY_VERSION */
	int32_t eexit;
};

struct rakis_policy {
	uint64_t version;	/* RAKIS_POLICY_VERSION */
	uint64_t xfrm;		/* SECS.ATTRIBUTES.XFRM, within RAKIS_XFRM_MOST */
	struct rakis_layout layout;
	uint64_t manifest_size;	/* bytes; 0: no manifest, all is the host's */
};

/* What an AEX saves of the general registers, at SGX_GPR in the frame. */
struct sgx_gpr {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rflags, rip, ursp, urbp;
	uint32_t exitinfo, reserved;
	uint64_t fsbase, gsbase;
};
_Static_assert(sizeof(struct sgx_gpr) == SGX_GPR_SIZE, "GPRSGX");

struct sgx_exinfo {
	uint64_t maddr;
	uint32_t errcd, reserved;
};
_Static_assert(sizeof(struct sgx_exinfo) == SGX_EXINFO_SIZE, "EXINFO");

struct sgx_tcs {
	uint64_t state, flags, ossa;
	uint32_t cssa, nssa;
	uint64_t oentry, aep, ofsbase, ogsbase;
	uint32_t fslimit, gslimit;
	uint64_t reserved[503];
};
_Static_assert(sizeof(struct sgx_tcs) == 4096, "TCS");
#endif
#endif
