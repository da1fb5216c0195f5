/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate of an enclave (enclave/gate/sgx.S, guest.S) against a hostile host, instruction by
 * instruction. The processor is played by a signal handler: EENTER and ERESUME are ud2 at a known
 * place, EEXIT is the gate's own ENCLU, which traps outside of enclaves, and an asynchronous exit
 * is a single step. Above the gate is a libOS of a few lines; the guest is a page of code that
 * makes one system call and ends its thread with the next.
 */
#include "cmocka_first.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "boundary/sgx.h"
#include "gate/gate.h"

#define FLAG_TF		0x100ull
#define FLAG_DF		0x400ull
#define FLAG_AC		0x40000ull
#define FLAGS_GUEST	(0x8d5ull | FLAG_DF | FLAG_AC)	/* what the guest may have set */
#define PATTERN		0x5ec2e75ec2e75ec2ull		/* the guest's secret */
#define HOSTILE		0xbad0bad0bad0bad0ull
#define ANSWER		0x7777

/* As in sgx.S. */
enum { NOBODY, INSIDE, OUTSIDE };

/* ---- the processor ---- */

static u8 *slot;
static struct gate_thread *block;
static u32 cssa;
static bool inside;
static u64 host_fs;

static struct cpu {
	greg_t r[NGREG];
	u32 mxcsr;
	u16 fcw;
	u64 xmm0[2];
} in, out;			/* at EENTER, at EEXIT */
static u32 out_leaf;		/* how it came out: SGX_EEXIT, or SGX_ERESUME after an AEX */
static struct sgx_exinfo exinfo;
static u32 exception;		/* EXITINFO of the next AEX */

/*
 * Where an AEX is to come: before the instruction `step` of the stretch number `stretch`, each of
 * which begins with an entry. At CSSA 0 and at CSSA 1.
 */
static struct plan {
	bool wanted;
	s64 stretch, step;
	s64 at_stretch, at_step;	/* how far it is */
} plans[RAKIS_NSSA];

static bool stepping(void)
{
	return plans[cssa].wanted && plans[cssa].at_stretch == plans[cssa].stretch;
}

static void begin_stretch(void)
{
	plans[cssa].at_stretch++;
	plans[cssa].at_step = 0;
	inside = true;
}

u64 host_sp;
void enclu(u64 leaf);
extern const char enclu_site[], enclu_back[];
__asm__(
"	.pushsection .text\n"
"enclu:	push	%rbx\n	push	%rbp\n	push	%r12\n	push	%r13\n	push	%r14\n	push	%r15\n"
"	mov	%rsp, host_sp(%rip)\n"
"enclu_site:\n"
"	ud2\n"
"enclu_back:\n"
"	cld\n"
"	pop	%r15\n	pop	%r14\n	pop	%r13\n	pop	%r12\n	pop	%rbp\n	pop	%rbx\n"
"	ret\n"
"	.popsection\n");

static struct sgx_gpr *gpr(u32 frame)
{
	return (struct sgx_gpr *)(slot + RAKIS_SLOT_SSA + frame * RAKIS_SSA_FRAME_SIZE + SGX_GPR);
}

static void set_bases(u64 fs, u64 gs)
{
	__asm__ volatile("wrfsbase %0; wrgsbase %1" :: "r"(fs), "r"(gs));
}

/* x87 and SSE state, in the form that a signal frame and an SSA frame have in common. */
static void load_xstate(ucontext_t *uc, const struct _libc_fpstate *from)
{
	struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;
	size_t n = offsetof(struct _libc_fpstate, __glibc_reserved1);

	memcpy(fp, from, n);
	*(u64 *)((u8 *)fp + 512) |= 3;		/* XSTATE_BV: it is there */
}

static struct _libc_fpstate host_xstate = { .cwd = 0x37f, .mxcsr = 0x1f80 };

void gate_entry(void);

static void eenter(ucontext_t *uc)
{
	greg_t *r = uc->uc_mcontext.gregs;
	struct _libc_fpstate hostile = { .cwd = in.fcw, .mxcsr = in.mxcsr };

	if (cssa >= RAKIS_NSSA)
		abort();
	gpr(cssa)->ursp = (u64)in.r[REG_RSP];
	gpr(cssa)->urbp = (u64)in.r[REG_RBP];
	for (int i = 0; i <= REG_RSP; i++)
		r[i] = in.r[i];
	r[REG_EFL] = in.r[REG_EFL];
	r[REG_RAX] = cssa;
	r[REG_RBX] = (greg_t)(slot + RAKIS_SLOT_TCS);
	r[REG_RCX] = (greg_t)enclu_back;
	r[REG_RIP] = (greg_t)gate_entry;
	memcpy(&hostile._xmm[0], in.xmm0, 16);
	load_xstate(uc, &hostile);
	set_bases((u64)block, (u64)block);
	begin_stretch();
}

static void to_host(ucontext_t *uc)
{
	greg_t *r = uc->uc_mcontext.gregs;

	r[REG_RIP] = (greg_t)enclu_back;
	r[REG_RSP] = (greg_t)host_sp;
	r[REG_EFL] = 2;
	load_xstate(uc, &host_xstate);
	set_bases(host_fs, 0);
	inside = false;
}

static void eexit(ucontext_t *uc)
{
	struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;

	memcpy(out.r, uc->uc_mcontext.gregs, sizeof(out.r));
	out.mxcsr = fp->mxcsr;
	out.fcw = fp->cwd;
	memcpy(out.xmm0, &fp->_xmm[0], 16);
	out_leaf = SGX_EEXIT;
	to_host(uc);
}

static const int gpr_order[] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_EFL, REG_RIP,
};

static void *xsave_area(u32 frame)
{
	return slot + RAKIS_SLOT_SSA + frame * RAKIS_SSA_FRAME_SIZE;
}

static void aex(ucontext_t *uc)
{
	greg_t *r = uc->uc_mcontext.gregs;
	struct sgx_gpr *g = gpr(cssa);

	for (u32 i = 0; i < ARRAY_SIZE(gpr_order); i++)
		((u64 *)g)[i] = (u64)r[gpr_order[i]];
	g->rflags &= ~FLAG_TF;
	g->exitinfo = exception;
	((struct sgx_exinfo *)g)[-1] = exinfo;
	exception = 0;
	memcpy(xsave_area(cssa), uc->uc_mcontext.fpregs, sizeof(*uc->uc_mcontext.fpregs));
	__asm__ volatile("rdfsbase %0; rdgsbase %1" : "=r"(g->fsbase), "=r"(g->gsbase));
	cssa++;
	out_leaf = SGX_ERESUME;
	to_host(uc);
}

static void eresume(ucontext_t *uc)
{
	greg_t *r = uc->uc_mcontext.gregs;
	struct sgx_gpr *g = gpr(--cssa);

	for (u32 i = 0; i < ARRAY_SIZE(gpr_order); i++)
		r[gpr_order[i]] = (greg_t)((u64 *)g)[i];
	load_xstate(uc, xsave_area(cssa));
	set_bases(g->fsbase, g->gsbase);
	begin_stretch();
}

static void processor(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *r = uc->uc_mcontext.gregs;
	const u8 *code = (const u8 *)r[REG_RIP];

	if (r[REG_RIP] == (greg_t)enclu_site) {
		if (r[REG_RDI] == SGX_EENTER)
			eenter(uc);
		else
			eresume(uc);
	} else if (!inside) {
		signal(sig, SIG_DFL);
		return;
	} else if (sig == SIGTRAP) {
		if (stepping() && plans[cssa].at_step++ == plans[cssa].step) {
			plans[cssa].wanted = false;
			aex(uc);
			return;
		}
	} else if (code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xd7) {
		if (r[REG_RAX] != SGX_EEXIT || r[REG_RBX] != (greg_t)enclu_back)
			abort();
		eexit(uc);
		return;
	} else {
		/* An exception of the code inside; at CSSA 1 it would be the end. */
		if (cssa)
			abort();
		exception = SGX_EXITINFO_VALID | 3 << 8 |
			    (sig == SIGILL ? GATE_CAUSE_UD : GATE_CAUSE_PF);
		exinfo = (struct sgx_exinfo){ (u64)info->si_addr, (u32)r[REG_ERR] };
		aex(uc);
		return;
	}
	if (stepping())
		r[REG_EFL] |= FLAG_TF;
	else
		r[REG_EFL] &= ~(greg_t)FLAG_TF;
}

/* ---- the libOS ---- */

static struct seen {
	u64 flags, rsp, thread, boot;
	u32 mxcsr;
	u16 fcw;
	u64 xmm0;
	u64 dispatched, returns, interrupts, panics, not_copied;
	u64 cause, rip, addr, code;
	struct regs at_call;
} seen;

static struct guest_result {	/* what the guest code stores at its end */
	u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r12, r13, r14, r15, flags, xmm0;
	u64 fs;
} *result;
static u8 *guest_code;
static bool refuse_start, crash;
static const u8 *copy_from;

void gate_main(struct gate_thread *thread, u64 boot);
void gate_panic(u64 rip, u64 addr, u64 cause);
u64 usercopy_bytes(void *dst, const void *src, u64 n);

static u64 flags_now(void)
{
	u64 f;

	__asm__ volatile("pushfq; pop %0" : "=r"(f));
	return f & ~FLAG_TF;
}

void gate_main(struct gate_thread *thread, u64 boot)
{
	seen.flags = flags_now();
	seen.rsp = (u64)__builtin_frame_address(0);
	seen.thread = (u64)thread;
	seen.boot = boot;
	__asm__ volatile("stmxcsr %0; fnstcw %1; movq %%xmm0, %2"
			 : "=m"(seen.mxcsr), "=m"(seen.fcw), "=m"(seen.xmm0));
	if (refuse_start)
		return;
	thread->state = GATE_RUNNING;
	*gate_regs() = (struct regs){
		.rip = (u64)guest_code, .flags = 2, .rsp = PATTERN & ~15ull, .orig_rax = ~0ull,
		.r15 = 15, .r14 = 14, .r13 = 13, .r12 = 12, .rbp = 5, .rbx = 3, .r10 = 10, .r9 = 9,
		.r8 = 8, .rdx = 2, .rsi = 6, .rdi = (u64)result,
	};
	gate_set_guest_fs(0x1000);
	gate_return();
}

void syscall_dispatch(struct regs *regs)
{
	if (regs->rax != 1)
		gate_thread_end();
	seen.dispatched++;
	seen.at_call = *regs;
	seen.flags |= flags_now();
	if (copy_from) {
		u8 to[16];

		seen.not_copied = usercopy_bytes(to, copy_from, sizeof(to));
	}
	if (crash)
		*(volatile u8 *)(u64)seen.not_copied = 0;
	regs->rax = (u64)gate_exit(GATE_EXIT_REQUEST, 0x1234);
}

void return_work(struct regs *regs)
{
	seen.returns++;
	seen.flags |= flags_now();
	block->pending = 0;
}

void guest_exception(struct regs *regs)
{
	seen.flags |= flags_now();
	if (block->exc_cause == GATE_CAUSE_INTERRUPT) {
		seen.interrupts++;
		return;
	}
	seen.cause = block->exc_cause;
	seen.addr = block->exc_addr;
	seen.code = block->exc_code;
	seen.rip = regs->rip;
	regs->rip += 3;		/* what faults in guest_code */
}

void gate_panic(u64 rip, u64 addr, u64 cause)
{
	seen.panics++;
	seen.rip = rip;
	seen.cause = cause;
	gate_thread_end();
}

/*
 * The guest, copied to a page of its own: it sets what it has, makes a call, stores what it has
 * then, and ends. It uses the red zone's absence of a stack: rsp is a pattern.
 */
extern const char guest_start[], guest_fault[], guest_stop[];
__asm__(
"	.pushsection .rodata\n"
"guest_start:\n"
"	mov	$0x5ec2e75ec2e75ec2, %rax\n"
"	movq	%rax, %xmm0\n"
"	mov	$1, %eax\n"
"	std\n"
"	stc\n"
"	lea	1f(%rip), %rcx\n"
"	jmp	*%gs:8\n"
"1:	mov	%rax, (%rdi)\n"
"	mov	%rbx, 8(%rdi)\n"
"	mov	%rdx, 24(%rdi)\n"
"	mov	%rsi, 32(%rdi)\n"
"	mov	%rdi, 40(%rdi)\n"
"	mov	%rbp, 48(%rdi)\n"
"	mov	%rsp, 56(%rdi)\n"
"	mov	%r8, 64(%rdi)\n"
"	mov	%r9, 72(%rdi)\n"
"	mov	%r10, 80(%rdi)\n"
"	mov	%r12, 88(%rdi)\n"
"	mov	%r13, 96(%rdi)\n"
"	mov	%r14, 104(%rdi)\n"
"	mov	%r15, 112(%rdi)\n"
"	movq	%xmm0, 128(%rdi)\n"
"	rdfsbase %rax\n"
"	mov	%rax, 136(%rdi)\n"
"	lea	1024(%rdi), %rsp\n"
"	pushfq\n"
"	popq	120(%rdi)\n"
"	xor	%ecx, %ecx\n"
"guest_fault:\n"
"	mov	(%rcx), %al\n	nop\n"		/* three bytes */
"	mov	$2, %eax\n"
"	lea	guest_stop(%rip), %rcx\n"
"	jmp	*%gs:8\n"
"guest_stop:\n"
"	.popsection\n");

/* ---- the host ---- */

static void host_registers(u64 command, u64 argument, u64 flags)
{
	for (int i = 0; i < NGREG; i++)
		in.r[i] = (greg_t)(HOSTILE + (u64)i);
	in.r[REG_RSP] = (greg_t)(block + 1);	/* inside, and of no use as a stack */
	in.r[REG_RDI] = (greg_t)command;
	in.r[REG_RSI] = (greg_t)argument;
	in.r[REG_R8] = (greg_t)flags;
	in.r[REG_EFL] = (greg_t)(FLAG_DF | FLAG_AC | 0x8d5 | 2);
	in.mxcsr = 0x7f80 & ~0x1e80u;		/* exceptions unmasked, another rounding */
	in.fcw = 0;
	in.xmm0[0] = in.xmm0[1] = HOSTILE;
}

/* cmocka has handlers of its own in place when a test begins. */
static void take_signals(void)
{
	static const int signals[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP };
	struct sigaction sa = { .sa_sigaction = processor, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	for (u32 i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &sa, NULL);
}

static void enter(u64 command, u64 argument, u64 flags)
{
	take_signals();
	host_registers(command, argument, flags);
	enclu(SGX_EENTER);
}

static u64 reason(void) { return (u64)out.r[REG_RDI]; }

/* What EEXIT shows: the reason, its argument, what the host had itself, and nothing else. */
static void check_out(u64 why, u64 argument)
{
	static const int scrubbed[] = {
		REG_RCX, REG_RDX, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
	};

	assert_int_equal(out_leaf, SGX_EEXIT);
	assert_int_equal(reason(), why);
	assert_int_equal(out.r[REG_RSI], argument);
	for (u32 i = 0; i < ARRAY_SIZE(scrubbed); i++)
		assert_int_equal(out.r[scrubbed[i]], 0);
	assert_int_equal(out.r[REG_RSP], in.r[REG_RSP]);
	assert_int_equal(out.r[REG_RBP], in.r[REG_RBP]);
	assert_int_equal(out.r[REG_EFL] & (greg_t)(FLAG_DF | FLAG_AC | 0x8d5), 0x44);
}

static void check_clean(void)
{
	assert_int_equal(out.mxcsr, 0x1f80);
	assert_int_equal(out.fcw, 0x37f);
	assert_int_equal(out.xmm0[0] | out.xmm0[1], 0);
}

static int setup(void **state)
{
	static u8 stack[65536];
	extern const char __ehdr_start[];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct rakis_policy *policy;

	if (!slot) {
		slot = mmap(NULL, RAKIS_SGX_SLOT_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		guest_code = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memcpy(guest_code, guest_start, (size_t)(guest_stop - guest_start));
		result = (void *)(guest_code + PAGE_SIZE);
		policy = mmap((void *)((u64)__ehdr_start - RAKIS_POLICY_SIZE), RAKIS_POLICY_SIZE,
			      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
			      MAP_FIXED_NOREPLACE, -1, 0);
		assert_true(policy != MAP_FAILED);
		policy->version = RAKIS_POLICY_VERSION;
		policy->xfrm = 7;
		assert_int_equal(sigaltstack(&ss, NULL), 0);
		__asm__("rdfsbase %0" : "=r"(host_fs));
	}
	memset(slot, 0, RAKIS_SGX_SLOT_SIZE);
	block = (struct gate_thread *)(slot + RAKIS_SLOT_BLOCK);
	memset(&seen, 0, sizeof(seen));
	memset(result, 0, sizeof(*result));
	refuse_start = crash = false;
	copy_from = NULL;
	cssa = 0;
	memset(plans, 0, sizeof(plans));
	exception = 0;
	return 0;
}

/* An entry on frame 1. An AEX that was injected there has frame 2: it can only be resumed. */
static void look(u64 command)
{
	assert_int_equal(cssa, 1);
	enter(command, HOSTILE, HOSTILE);
	if (out_leaf == SGX_ERESUME) {
		assert_int_equal(cssa, RAKIS_NSSA);
		enclu(SGX_ERESUME);
	}
}

/* The guest's exception, which its code makes on purpose, and no other. */
static void look_at_fault(void)
{
	look(RAKIS_ENTER_EXCEPTION);
	check_out(RAKIS_EXIT_RESUME, RAKIS_LOOK_TAKEN);
}

/* Registers, flags and vector registers of the guest came through. */
static void check_result(void)
{
	assert_int_equal(result->rax, ANSWER);
	assert_int_equal(result->rbx, 3);
	assert_int_equal(result->rdx, 2);
	assert_int_equal(result->rsi, 6);
	assert_int_equal(result->rdi, (u64)result);
	assert_int_equal(result->rbp, 5);
	assert_int_equal(result->rsp, PATTERN & ~15ull);
	assert_int_equal(result->r8, 8);
	assert_int_equal(result->r9, 9);
	assert_int_equal(result->r10, 10);
	assert_int_equal(result->r12, 12);
	assert_int_equal(result->r13, 13);
	assert_int_equal(result->r14, 14);
	assert_int_equal(result->r15, 15);
	assert_int_equal(result->flags & ~FLAG_TF & FLAGS_GUEST, FLAG_DF | 1);
	assert_int_equal(result->xmm0, PATTERN);
	assert_int_equal(result->fs, 0x1000);
}

static void check_seen(void)
{
	assert_int_equal(seen.flags & (FLAG_DF | FLAG_AC), 0);
	assert_int_equal(seen.thread, (u64)block);
	assert_int_equal(seen.boot, 0xb007);
	assert_true(seen.rsp > (u64)slot + RAKIS_SLOT_STACK && seen.rsp < (u64)block);
	assert_int_equal(seen.mxcsr, 0x1f80);
	assert_int_equal(seen.fcw, 0x37f);
	assert_int_equal(seen.xmm0, 0);
	assert_int_equal(seen.dispatched, 1);
	assert_int_equal(seen.at_call.rdi, (u64)result);
	assert_int_equal(seen.cause, GATE_CAUSE_PF);
	assert_int_equal(seen.addr, 0);
	assert_int_equal(seen.rip, (u64)guest_code + (u64)(guest_fault - guest_start));
	assert_int_equal(seen.panics, 0);
}

/* A life of the thread; `disturb` is called after each AEX that was injected. */
static void live(void (*disturb)(void))
{
	u64 command = RAKIS_ENTER_START, argument = 0xb007;
	bool resume = false;

	for (;;) {
		if (resume)
			enclu(SGX_ERESUME);
		else
			enter(command, argument, 0);
		resume = out_leaf == SGX_ERESUME;
		if (resume) {
			if (gpr(0)->exitinfo)
				look_at_fault();
			else
				disturb();
			continue;
		}
		check_clean();
		if (reason() == RAKIS_EXIT_THREAD)
			break;
		check_out(RAKIS_EXIT_REQUEST, 0x1234);
		command = RAKIS_ENTER_RETURN;
		argument = ANSWER;
	}
	check_out(RAKIS_EXIT_THREAD, 0);
	assert_int_equal(cssa, 0);
	assert_int_equal(block->state, GATE_FREE);
	assert_int_equal(block->inside, NOBODY);
}

static void nothing(void)
{
}

static void test_life(void **state)
{
	live(nothing);
	check_seen();
	check_result();
	assert_int_equal(seen.returns, 0);
}

/* ---- entries that the state does not allow ---- */

/* The slot is as it was, but for the scratch of the entry and what EENTER itself writes. */
static void check_same(u8 *before)
{
	struct sgx_gpr *g = gpr(cssa);

	memcpy(before + ((u8 *)&g->ursp - slot), &g->ursp, 16);
	memcpy(before + ((u8 *)&block->scratch - slot), &block->scratch, 8);
	assert_memory_equal(before, slot, RAKIS_SGX_SLOT_SIZE);
}

static void expect_refusal(u64 command)
{
	static u8 before[RAKIS_SGX_SLOT_SIZE];

	memcpy(before, slot, RAKIS_SGX_SLOT_SIZE);
	enter(command, HOSTILE, ~0ull);
	check_out(RAKIS_EXIT_REFUSED, 0);
	check_same(before);
}

static void expect_refusals(u64 allowed, u64 also_allowed)
{
	static const u64 commands[] = {
		RAKIS_ENTER_START, RAKIS_ENTER_RETURN, RAKIS_ENTER_EXCEPTION, RAKIS_ENTER_INTERRUPT,
		4, 5, 1ull << 32, 1ull << 32 | 1, ~0ull,
	};

	for (u32 i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i] != allowed && commands[i] != also_allowed)
			expect_refusal(commands[i]);
}

static void test_refusals(void **state)
{
	/* Nobody asked for a thread here. */
	expect_refusals(RAKIS_ENTER_START, RAKIS_ENTER_START);
	refuse_start = true;
	enter(RAKIS_ENTER_START, 0xb007, 0);
	check_out(RAKIS_EXIT_REFUSED, 0);
	check_clean();
	assert_int_equal(block->inside, NOBODY);
	assert_int_equal(block->state, GATE_FREE);
	refuse_start = false;

	/* In a request. */
	enter(RAKIS_ENTER_START, 0xb007, 0);
	check_out(RAKIS_EXIT_REQUEST, 0x1234);
	expect_refusals(RAKIS_ENTER_RETURN, RAKIS_ENTER_RETURN);

	/* Interrupted: by the fault of the guest. */
	enter(RAKIS_ENTER_RETURN, ANSWER, 0);
	assert_int_equal(out_leaf, SGX_ERESUME);
	expect_refusals(RAKIS_ENTER_EXCEPTION, RAKIS_ENTER_INTERRUPT);
	look_at_fault();
	/* Believed once. */
	enter(RAKIS_ENTER_EXCEPTION, HOSTILE, HOSTILE);
	check_out(RAKIS_EXIT_RESUME, RAKIS_LOOK_NONE);
	enclu(SGX_ERESUME);
	check_out(RAKIS_EXIT_THREAD, 0);
	check_result();
	check_seen();

	/* Over. */
	expect_refusals(RAKIS_ENTER_START, RAKIS_ENTER_START);
}

static void test_pending(void **state)
{
	enter(RAKIS_ENTER_START, 0xb007, GATE_PENDING_HOST);
	check_out(RAKIS_EXIT_REQUEST, 0x1234);
	assert_int_equal(seen.returns, 1);
	enter(RAKIS_ENTER_RETURN, ANSWER, GATE_PENDING_HOST);
	look_at_fault();
	assert_int_equal(seen.returns, 2);
	enclu(SGX_ERESUME);
	check_out(RAKIS_EXIT_THREAD, 0);
	check_result();
}

/* ---- an asynchronous exit at every instruction ---- */

static u64 taken, noted;

static void interrupt(void)
{
	u64 before = gpr(0)->rip;

	enter(RAKIS_ENTER_INTERRUPT, HOSTILE, HOSTILE);
	assert_int_equal(reason(), RAKIS_EXIT_RESUME);
	if (out.r[REG_RSI] == RAKIS_LOOK_TAKEN) {
		taken++;
	} else {
		check_out(RAKIS_EXIT_RESUME, RAKIS_LOOK_NOTED);
		assert_int_equal(gpr(0)->rip, before);
		noted++;
	}
	assert_true(block->pending & GATE_PENDING_HOST);
	/* A second look, and one for an exception that is none, change nothing. */
	before = gpr(0)->rip;
	enter(RAKIS_ENTER_EXCEPTION, HOSTILE, HOSTILE);
	check_out(RAKIS_EXIT_RESUME, RAKIS_LOOK_NONE);
	assert_int_equal(gpr(0)->rip, before);
}

static void forge(void)
{
	static u8 before[RAKIS_SGX_SLOT_SIZE];

	memcpy(before, slot, RAKIS_SGX_SLOT_SIZE);
	enter(RAKIS_ENTER_EXCEPTION, HOSTILE, HOSTILE);
	check_out(RAKIS_EXIT_RESUME, RAKIS_LOOK_NONE);
	check_same(before);
}

/* Lives with one AEX each, at every instruction that one without has. */
static void at_every_instruction(void (*disturb)(void), bool looked_at)
{
	u64 lives = 0, reached;

	taken = noted = 0;
	for (s64 stretch = 1; ; stretch++) {
		reached = lives;
		for (s64 step = 0; ; step++) {
			setup(NULL);
			plans[0] = (struct plan){ .wanted = true, .stretch = stretch, .step = step };
			live(disturb);
			check_seen();
			check_result();
			if (plans[0].wanted)
				break;
			lives++;
			if (looked_at)
				assert_true(seen.returns || block->pending);
		}
		if (lives == reached)
			break;
	}
	assert_true(lives > 100);
}

static void test_interrupts(void **state)
{
	at_every_instruction(interrupt, true);
	assert_true(taken > 30 && noted > 50);
}

static void test_forged(void **state)
{
	at_every_instruction(forge, false);
}

/* An AEX in the look itself. */
static void interrupt_look(void)
{
	look(RAKIS_ENTER_INTERRUPT);
	assert_int_equal(reason(), RAKIS_EXIT_RESUME);
}

static void test_looks(void **state)
{
	/* Looks at the gate's first steps, at the guest and at the way back. */
	static const s64 steps[] = { 5, 55, 80 };

	for (u32 i = 0; i < ARRAY_SIZE(steps); i++) {
		s64 k = 0;

		do {
			setup(NULL);
			plans[0] = (struct plan){ .wanted = true, .stretch = 1, .step = steps[i] };
			plans[1] = (struct plan){ .wanted = true, .stretch = 1, .step = k };
			live(interrupt_look);
			assert_false(plans[0].wanted);
			check_seen();
			check_result();
		} while (!plans[1].wanted && ++k < 100);
		assert_in_range(k, 20, 99);
	}
}

/* ---- faults of the image's own ---- */

/* What the host says of a fault counts for nothing: told that it was an interruption, the gate
 * notes that, and the fault comes again. */
static void look_at_image_fault(void)
{
	u64 rip = gpr(0)->rip;

	assert_int_equal(out_leaf, SGX_ERESUME);
	enter(RAKIS_ENTER_INTERRUPT, 0, 0);
	check_out(RAKIS_EXIT_RESUME, RAKIS_LOOK_NOTED);
	enclu(SGX_ERESUME);
	assert_int_equal(out_leaf, SGX_ERESUME);
	assert_int_equal(gpr(0)->rip, rip);
	enter(RAKIS_ENTER_EXCEPTION, 0, 0);
	check_out(RAKIS_EXIT_RESUME, RAKIS_LOOK_TAKEN);
	enclu(SGX_ERESUME);
}

static void test_usercopy(void **state)
{
	u8 *pages = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(munmap(pages + PAGE_SIZE, PAGE_SIZE), 0);
	copy_from = pages + PAGE_SIZE - 5;
	enter(RAKIS_ENTER_START, 0xb007, 0);
	look_at_image_fault();
	check_out(RAKIS_EXIT_REQUEST, 0x1234);
	assert_int_equal(seen.not_copied, 16 - 5);
	assert_int_equal(seen.panics, 0);
	munmap(pages, PAGE_SIZE);
}

static void test_panic(void **state)
{
	crash = true;
	enter(RAKIS_ENTER_START, 0xb007, 0);
	look_at_image_fault();
	check_out(RAKIS_EXIT_THREAD, 0);
	assert_int_equal(seen.panics, 1);
	assert_int_equal(seen.cause, GATE_CAUSE_PF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_life, setup),
		cmocka_unit_test_setup(test_refusals, setup),
		cmocka_unit_test_setup(test_pending, setup),
		cmocka_unit_test_setup(test_interrupts, setup),
		cmocka_unit_test_setup(test_forged, setup),
		cmocka_unit_test_setup(test_looks, setup),
		cmocka_unit_test_setup(test_usercopy, setup),
		cmocka_unit_test_setup(test_panic, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
