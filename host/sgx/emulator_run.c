/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EENTER, ERESUME and EEXIT as the SDM's volume 3D has them. This runs with the enclave's
 * vector registers, which pass through: it is compiled without any.
 */
#include <stdatomic.h>

#include "host/sgx/emulator.h"

/* What assembly calls. */
struct emulator_frame *emulator_leaf(struct emulator_thread *t);
struct emulator_frame *emulator_leave(struct emulator_thread *t, struct emulator_frame *f);

#define VECTOR_GP	13
#define FLAG_TF		0x100ull
/* Those that RFLAGS takes from a frame. */
#define FLAGS_LOADED	0x240dd5ull
#define FLAGS_FIXED	2ull
#define CANONICAL_MOST	0x00007fffffffffffull

#define XSTATE_HEADER	512		/* XSTATE_BV, XCOMP_BV, 48 bytes of zeros */
#define MXCSR		24
#define MXCSR_RESERVED	0xffff0000u

__thread struct emulator_thread *emulator_self;

struct emulator_thread **emulator_by_gs;

static struct emulator_tcs *find_tcs(uint64_t addr)
{
	if (!emulator_has(addr) || addr % SGX_PAGE)
		return NULL;
	return emulator.tcs_at[(addr - emulator.secs.base) / SGX_PAGE];
}

static bool frame_is_usable(const uint8_t *ssa)
{
	uint64_t page = ((uint64_t)ssa - emulator.secs.base) / SGX_PAGE;

	for (uint32_t i = 0; i < emulator.secs.ssa_frame_size; i++)
		if (emulator.pages[page + i] != (PAGE_ADDED | PAGE_READ | PAGE_WRITE))
			return false;
	return true;
}

/* #GP at the ENCLU, which the kernel turns into an answer of its function. */
static struct emulator_frame *refuse(struct emulator_thread *t)
{
	struct emulator_frame *f = t->frame;

	t->phase = PHASE_OUT;
	f->rip = (uint64_t)emulator_fixup;
	f->rdi = VECTOR_GP;
	f->rsi = 0;
	f->rdx = 0;
	f->fs = t->host_fs;
	f->gs = t->host_gs;
	return f;
}

static bool claim(struct emulator_thread *t, struct emulator_tcs *tcs)
{
	struct emulator_thread *idle = NULL;

	t->tcs = tcs;
	return atomic_compare_exchange_strong(&tcs->busy, &idle, t);
}

/* All that is written before can be written again. */
static struct emulator_frame *commit(struct emulator_thread *t, uint32_t cssa)
{
	struct emulator_tcs *tcs = t->tcs;
	struct sgx_gpr *gpr = ssa_gpr(ssa_frame(tcs, cssa));

	gpr->ursp = t->frame->rsp;
	gpr->urbp = t->frame->rbp;
	tcs->aep = t->frame->rcx;
	emulator_by_gs[t->go.gs / SGX_PAGE] = t;
	t->cssa = cssa;
	/* A signal handler of this thread is the only one that looks. */
	atomic_signal_fence(memory_order_seq_cst);
	t->phase = PHASE_IN;
	atomic_signal_fence(memory_order_seq_cst);
	tcs->cssa = cssa;
	return &t->go;
}

static struct emulator_frame *eenter(struct emulator_thread *t, struct emulator_tcs *tcs)
{
	if (tcs->cssa >= tcs->nssa || !frame_is_usable(ssa_frame(tcs, tcs->cssa)) ||
	    !claim(t, tcs))
		return refuse(t);
	t->go = *t->frame;
	t->go.rax = tcs->cssa;
	t->go.rcx = (uint64_t)emulator_after;
	t->go.rip = tcs->entry;
	t->go.fs = tcs->fs;
	t->go.gs = tcs->gs;
	/* TF: without DBGOPTIN there is no single step inside. */
	t->go.rflags = (t->go.rflags & FLAGS_LOADED & ~FLAG_TF) | FLAGS_FIXED;
	return commit(t, tcs->cssa);
}

/* Would XRSTOR take this? */
static bool xstate_is_valid(const uint8_t *ssa)
{
	const uint64_t *header = (const uint64_t *)(ssa + XSTATE_HEADER);
	uint64_t rest = header[1];

	for (int i = 2; i < 8; i++)
		rest |= header[i];
	return !rest && !(header[0] & ~emulator.secs.attributes.xfrm) &&
	       !(*(const uint32_t *)(ssa + MXCSR) & MXCSR_RESERVED);
}

static struct emulator_frame *eresume(struct emulator_thread *t, struct emulator_tcs *tcs)
{
	const struct sgx_gpr *gpr;
	const uint8_t *ssa;

	if (!tcs->cssa)
		return refuse(t);
	ssa = ssa_frame(tcs, tcs->cssa - 1);
	gpr = ssa_gpr((uint8_t *)ssa);
	if (!frame_is_usable(ssa) || gpr->rip > CANONICAL_MOST || gpr->fsbase > CANONICAL_MOST ||
	    !emulator_has(gpr->gsbase) || !xstate_is_valid(ssa) || !claim(t, tcs))
		return refuse(t);
	t->go = (struct emulator_frame){
		.rax = gpr->rax, .rcx = gpr->rcx, .rdx = gpr->rdx, .rbx = gpr->rbx,
		.rsp = gpr->rsp, .rbp = gpr->rbp, .rsi = gpr->rsi, .rdi = gpr->rdi,
		.r8 = gpr->r8, .r9 = gpr->r9, .r10 = gpr->r10, .r11 = gpr->r11,
		.r12 = gpr->r12, .r13 = gpr->r13, .r14 = gpr->r14, .r15 = gpr->r15,
		.rflags = (gpr->rflags & FLAGS_LOADED) | FLAGS_FIXED,
		.rip = gpr->rip, .fs = gpr->fsbase, .gs = gpr->gsbase,
		.cs = t->frame->cs, .ss = t->frame->ss,
	};
	__asm__ volatile("xrstor64 (%0)" :: "r"(ssa),
			 "a"((uint32_t)emulator.secs.attributes.xfrm), "d"(0) : "memory");
	return commit(t, tcs->cssa - 1);
}

/* Until PHASE_IN, a signal in here has the thread begin anew at the AEP (emulator_aex.c). */
struct emulator_frame *emulator_leaf(struct emulator_thread *t)
{
	const struct emulator_frame *f = t->frame;
	uint64_t begin = rdtsc();
	struct emulator_tcs *tcs = find_tcs(f->rbx);

	if (!tcs || !emulator.initialized || (f->rax != SGX_EENTER && f->rax != SGX_ERESUME))
		return refuse(t);
	charge(begin);
	return f->rax == SGX_EENTER ? eenter(t, tcs) : eresume(t, tcs);
}

struct emulator_frame *emulator_leave(struct emulator_thread *t, struct emulator_frame *f)
{
	uint64_t begin = rdtsc();

	f->fs = t->host_fs;
	f->gs = t->host_gs;
	f->rcx = t->tcs->aep;
	f->rflags = (f->rflags & FLAGS_LOADED) | FLAGS_FIXED;
	atomic_store(&t->tcs->busy, NULL);
	charge(begin);
	return f;
}
