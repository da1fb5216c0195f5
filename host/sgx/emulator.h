/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the emulator: how its parts (emulator.c builds enclaves, emulator_run.c and
 * emulator.S perform ENCLU, emulator_aex.c asynchronous exits) share their state. Offsets
 * first: assembly includes this file.
 */
#ifndef RAKIS_HOST_SGX_EMULATOR_H
#define RAKIS_HOST_SGX_EMULATOR_H

/* struct emulator_thread, and the signal stack at whose lower end it lies. */
#define EMULATOR_HOST_FS	0
#define EMULATOR_HOST_GS	8
#define EMULATOR_HOST_SP	16
#define EMULATOR_FRAME		24
#define EMULATOR_PHASE		32
#define EMULATOR_EXIT_SP	40
#define EMULATOR_STACK		131072

/* Where a thread is. */
#define PHASE_OUT	0	/* in the host's code */
#define PHASE_TRY	1	/* at an ENCLU that has had no effect yet; `frame`: its registers */
#define PHASE_IN	2	/* inside, or about to go on there with the registers in `go` */

#define FRAME_SIZE	(22 * 8)	/* struct emulator_frame */

#ifndef __ASSEMBLER__
#include <asm/sgx.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ucontext.h>

#include "host/sgx/arch.h"
#include "boundary/sgx.h"

/* Registers as emulator.S stores and loads them; the end is what IRET takes. */
struct emulator_frame {
	uint64_t fs, gs;
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct emulator_frame) == FRAME_SIZE, "FRAME_SIZE");

struct emulator_thread {
	uint64_t host_fs, host_gs;
	uint64_t host_sp;		/* stack that an exit may use */
	struct emulator_frame *frame;	/* PHASE_TRY */
	uint32_t phase;			/* PHASE_* */
	uint64_t exit_sp;		/* scratch of the exit */
	struct emulator_tcs *tcs;	/* entered last, or being entered */
	uint32_t cssa;			/* what it runs with: PHASE_IN */
	struct emulator_frame go;	/* PHASE_IN */
};
_Static_assert(offsetof(struct emulator_thread, host_sp) == EMULATOR_HOST_SP &&
	       offsetof(struct emulator_thread, frame) == EMULATOR_FRAME &&
	       offsetof(struct emulator_thread, phase) == EMULATOR_PHASE &&
	       offsetof(struct emulator_thread, exit_sp) == EMULATOR_EXIT_SP, "offsets");

/* What the hardware keeps in a TCS page, which nobody else can read or write. */
struct emulator_tcs {
	uint64_t address;
	struct emulator_thread *_Atomic busy;	/* who is inside with it */
	uint32_t cssa, nssa;
	uint64_t ssa, entry, fs, gs;	/* addresses */
	uint64_t aep;
};

struct emulator {
	struct sgx_secs secs;
	bool initialized;
	uint8_t *pages;			/* for each page of the range: PAGE_* */
	struct emulator_tcs **tcs_at;	/* for each page: the TCS that it is, or NULL */
	uint64_t half_cost;		/* of an entry or an exit, in cycles of the TSC */
	uint64_t xsave_size;		/* of the state that XFRM selects */
	uint64_t trampoline;		/* page behind the range by which EEXIT comes */
};

#define PAGE_READ	1
#define PAGE_WRITE	2
#define PAGE_EXEC	4
#define PAGE_TCS	8
#define PAGE_ADDED	16

extern struct emulator emulator;
extern __thread struct emulator_thread *emulator_self;
/* By the number of the page: the thread that entered last with its GS base there. */
extern struct emulator_thread **emulator_by_gs;
/* Signal stacks, one for each slot, EMULATOR_STACK bytes. */
extern uint8_t *emulator_stacks;
extern uint64_t emulator_stacks_size;

static inline bool emulator_has(uint64_t addr)
{
	return addr - emulator.secs.base < emulator.secs.size;
}

static inline uint8_t *ssa_frame(const struct emulator_tcs *tcs, uint32_t cssa)
{
	return (uint8_t *)tcs->ssa + cssa * emulator.secs.ssa_frame_size * SGX_PAGE;
}

static inline struct sgx_gpr *ssa_gpr(uint8_t *ssa)
{
	return (void *)(ssa + emulator.secs.ssa_frame_size * SGX_PAGE - sizeof(struct sgx_gpr));
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* Spend what is left of a transition's price since `begin`. */
static inline void charge(uint64_t begin)
{
	while (rdtsc() - begin < emulator.half_cost)
		;
}

/*
 * What to charge for each of the two transitions so that a round trip takes `cost` cycles; what
 * it takes then, and without any charge. Before there is an enclave.
 */
uint64_t emulator_measure_cost(uint64_t cost, uint64_t *own, uint64_t *took);

/*
 * EREPORT or EGETKEY with these registers; false: they raise #GP. In emulator_keys.c, from the
 * handler of a signal that interrupted the enclave, so that libcrypto may be used.
 */
bool emulator_key_leaf(greg_t *regs);

/* In emulator.S. */
extern const char emulator_aep[], emulator_after[], emulator_fixup[];
extern const char emulator_enclu[], emulator_enclu_saved[];
extern const char emulator_eexit[], emulator_eexit_saved[];

/* Same as the vDSO's. */
int emulator_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function,
		   unsigned long r8, unsigned long r9, struct sgx_enclave_run *run);

#endif
#endif
