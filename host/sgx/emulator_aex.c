/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asynchronous exits. The host's kernel interrupts a thread that is inside by a signal; before
 * anyone sees it, the state of the thread is stored into its SSA frame and replaced by the
 * synthetic one, as the processor does it (SDM volume 3D, "Enclave Exiting Events"). For an
 * exception the thread then goes on where the kernel would send it.
 */
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#include "host/host.h"
#include "host/sgx/emulator.h"
#include "host/thread.h"

#define CPUID		"\x0f\xa2"
#define ENCLU		"\x0f\x01\xd7"

#define VECTOR_DB	1
#define VECTOR_BP	3
#define VECTOR_UD	6
#define VECTOR_GP	13
#define VECTOR_PF	14
#define EXIT_HARDWARE	(3u << 8)	/* EXITINFO.EXIT_TYPE */
#define EXIT_SOFTWARE	(6u << 8)
#define FLAGS_ARITHMETIC 0x8d5ull
#define FLAG_TF		0x100ull

#define FPREGS_SIZE	512		/* legacy part of the XSAVE area */
#define FPREGS_SOFTWARE	464		/* the kernel's bytes in it */
#define XSTATE_HEADER	64
#define MXCSR		24
#define MXCSR_CLEAN	0x1f80u

uint8_t *emulator_stacks;
uint64_t emulator_stacks_size;

/* Asynchronous when there is none. */
struct exception {
	bool is;
	uint32_t vector, error;
	uint64_t addr;
};

bool emulator_signal(int sig, siginfo_t *info, ucontext_t *uc, uint64_t fs, uint64_t gs);
void signal_handler(int sig, const siginfo_t *info, ucontext_t *uc, uint64_t block);

static bool is_trampoline(uint64_t rip)
{
	return rip - emulator.trampoline < SGX_PAGE ||
	       (rip >= (uint64_t)emulator_eexit && rip < (uint64_t)emulator_eexit_saved);
}

static void load(greg_t *r, const struct emulator_frame *f)
{
	r[REG_R15] = f->r15; r[REG_R14] = f->r14; r[REG_R13] = f->r13; r[REG_R12] = f->r12;
	r[REG_R11] = f->r11; r[REG_R10] = f->r10; r[REG_R9] = f->r9; r[REG_R8] = f->r8;
	r[REG_RBP] = f->rbp; r[REG_RDI] = f->rdi; r[REG_RSI] = f->rsi; r[REG_RDX] = f->rdx;
	r[REG_RCX] = f->rcx; r[REG_RBX] = f->rbx; r[REG_RAX] = f->rax;
	r[REG_RIP] = f->rip; r[REG_RSP] = f->rsp; r[REG_EFL] = f->rflags;
}

/* An ENCLU that had no effect yet: the thread is before it again. */
static void roll_back(struct emulator_thread *t, greg_t *r)
{
	struct emulator_thread *mine = t;

	if (t->phase == PHASE_TRY) {
		load(r, t->frame);
		if (t->tcs)
			atomic_compare_exchange_strong(&t->tcs->busy, &mine, NULL);
		t->phase = PHASE_OUT;
	} else if (r[REG_RIP] >= (greg_t)emulator_enclu &&
		   r[REG_RIP] < (greg_t)emulator_enclu_saved) {
		r[REG_RSP] = r[REG_RBP] - 8;
	} else {
		return;
	}
	r[REG_RIP] = (greg_t)emulator_aep;
}

static uint32_t exitinfo(const struct exception *e)
{
	switch (e->vector) {
	case VECTOR_BP:
		return e->vector | EXIT_SOFTWARE | SGX_EXITINFO_VALID;
	case VECTOR_GP: case VECTOR_PF:
		if (!(emulator.secs.miscselect & SGX_MISC_EXINFO))
			return 0;
		/* fall through */
	case 0: case VECTOR_DB: case 5: case VECTOR_UD: case 16: case 17: case 19:
		return e->vector | EXIT_HARDWARE | SGX_EXITINFO_VALID;
	}
	return 0;
}

/* The extended state, between the kernel's frame and the SSA's, and the clean one in its place. */
static void save_xstate(uint8_t *ssa, uint8_t *fpregs)
{
	uint64_t xfrm = emulator.secs.attributes.xfrm, mask;
	uint64_t *live = (uint64_t *)(fpregs + FPREGS_SIZE), *saved = (uint64_t *)(ssa + FPREGS_SIZE);

	memcpy(ssa, fpregs, emulator.xsave_size);
	memset(ssa + FPREGS_SOFTWARE, 0, FPREGS_SIZE - FPREGS_SOFTWARE);
	memset(saved, 0, XSTATE_HEADER);
	mask = live[0];
	saved[0] = mask & xfrm;
	live[0] = mask & ~xfrm;
	*(uint32_t *)(fpregs + MXCSR) = MXCSR_CLEAN;
}

static void exit_enclave(struct emulator_thread *t, ucontext_t *uc, uint64_t fs, uint64_t gs,
			 const struct exception *e)
{
	greg_t *r = uc->uc_mcontext.gregs;
	struct emulator_tcs *tcs = t->tcs;
	uint8_t *ssa = ssa_frame(tcs, t->cssa);
	struct sgx_gpr *gpr = ssa_gpr(ssa);
	struct sgx_exinfo *ex = (struct sgx_exinfo *)gpr - 1;
	uint64_t ursp = gpr->ursp, urbp = gpr->urbp, aep = tcs->aep;

	*gpr = (struct sgx_gpr){
		.rax = r[REG_RAX], .rcx = r[REG_RCX], .rdx = r[REG_RDX], .rbx = r[REG_RBX],
		.rsp = r[REG_RSP], .rbp = r[REG_RBP], .rsi = r[REG_RSI], .rdi = r[REG_RDI],
		.r8 = r[REG_R8], .r9 = r[REG_R9], .r10 = r[REG_R10], .r11 = r[REG_R11],
		.r12 = r[REG_R12], .r13 = r[REG_R13], .r14 = r[REG_R14], .r15 = r[REG_R15],
		.rflags = r[REG_EFL], .rip = r[REG_RIP], .ursp = ursp, .urbp = urbp,
		.exitinfo = e->is ? exitinfo(e) : 0, .fsbase = fs, .gsbase = gs,
	};
	if (emulator.secs.miscselect & SGX_MISC_EXINFO && e->is &&
	    (e->vector == VECTOR_PF || e->vector == VECTOR_GP))
		*ex = (struct sgx_exinfo){ .maddr = e->addr, .errcd = e->error };
	save_xstate(ssa, (uint8_t *)uc->uc_mcontext.fpregs);
	tcs->cssa = t->cssa + 1;
	t->phase = PHASE_OUT;

	load(r, &(struct emulator_frame){
		.rax = SGX_ERESUME, .rbx = tcs->address, .rcx = aep, .rip = aep, .rsp = ursp,
		.rbp = urbp, .rflags = r[REG_EFL] & ~FLAGS_ARITHMETIC & ~FLAG_TF,
	});
	if (e->is && e->vector != VECTOR_DB && e->vector != VECTOR_BP) {
		r[REG_RIP] = (greg_t)emulator_fixup;
		r[REG_RDI] = e->vector;
		r[REG_RSI] = e->error;
		r[REG_RDX] = e->addr;
	}
	atomic_store(&tcs->busy, NULL);
}

/* An instruction that lies across two pages is not looked at: the second may not be there. */
static bool is_code(uint64_t rip, const char *bytes)
{
	size_t n = strlen(bytes);

	return rip % SGX_PAGE <= SGX_PAGE - n && !memcmp((const void *)rip, bytes, n);
}

/* What the processor would have raised inside, where it is not what the kernel tells. */
static struct exception classify(int sig, const siginfo_t *info, const greg_t *r)
{
	struct exception e = {
		.is = info->si_code > 0 && (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE ||
					    sig == SIGILL || sig == SIGTRAP || sig == SIGSYS),
		.vector = r[REG_TRAPNO],
		.error = r[REG_ERR],
	};

	if (!e.is)
		return e;
	if (e.vector == VECTOR_PF)
		e.addr = r[REG_CR2];
	/* CPUID faulting raises #GP; SYSCALL and INT do not fault at all outside of enclaves. */
	if (sig == SIGSYS || (e.vector == VECTOR_GP && is_code(r[REG_RIP], CPUID)))
		e = (struct exception){ .is = true, .vector = VECTOR_UD };
	return e;
}

/* Outside of enclaves ENCLU is an invalid instruction, or a protection fault. */
static bool is_enclu(struct exception *e, const greg_t *r)
{
	if ((e->vector != VECTOR_UD && e->vector != VECTOR_GP) || !is_code(r[REG_RIP], ENCLU))
		return false;
	/* What a leaf raises that is not to be had or has bad operands. */
	*e = (struct exception){ .is = true, .vector = VECTOR_GP };
	return true;
}

/* From emulator_signal_entry. True: the thread was inside, FS and GS are the host's now. */
bool emulator_signal(int sig, siginfo_t *info, ucontext_t *uc, uint64_t fs, uint64_t gs)
{
	struct emulator_thread *t = emulator_self;
	greg_t *r = uc->uc_mcontext.gregs;
	struct exception e = { 0 };
	bool inside = false, kernel_told = false;
	uint64_t rip;

	if (sig == SIGSYS && info->si_code > 0)
		r[REG_RIP] -= 2;		/* the kernel is past the instruction */
	rip = r[REG_RIP];
	if (t->phase == PHASE_IN && !is_trampoline(rip)) {
		inside = true;
		if (emulator_has(rip)) {
			e = classify(sig, info, r);
			if (e.is && is_enclu(&e, r) && emulator_key_leaf(r)) {
				r[REG_RIP] += strlen(ENCLU);
				return false;
			}
		} else {
			load(r, &t->go);
			fs = t->go.fs;
			gs = t->go.gs;
			t->tcs->cssa = t->cssa;
		}
		exit_enclave(t, uc, fs, gs, &e);
		charge(rdtsc());
		kernel_told = e.is && e.vector != VECTOR_DB && e.vector != VECTOR_BP;
	} else {
		roll_back(t, r);
	}
	if (!kernel_told)
		signal_handler(sig, info, uc, 0);
	return inside;
}
