/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest sees of a signal: the frame on its stack, siginfo_t, the alternate stack.
 * The layout is Linux's for x86-64 (asm/ucontext.h, asm/sigcontext.h), since debuggers,
 * unwinders and language runtimes read and change it.
 *
 * The libOS uses no x87, SSE or AVX register, so what is in them is the guest's: XSAVE takes
 * it when a frame is built. It goes through a buffer of the task's own: a fault in the middle
 * would be the libOS's, and what comes back must be checked before XRSTOR sees it.
 */
#include <linux/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "libos/task.h"

#define RED_ZONE	128
#define USER_CS		0x33
#define USER_SS		0x2b

#define FLAG_TF		0x100u
#define FLAG_DF		0x400u
#define FLAG_RF		0x10000u
/* What sigreturn may set: CF PF AF ZF SF DF OF AC. Not TF: the way back would trap. */
#define FLAGS_USER	0x40cd5u

#define XFEATURE_FPSSE	3ull
#define MXCSR_INIT	0x1f80u
#define MXCSR_USUAL	0xffbfu		/* valid bits where the CPU does not say */

struct rt_sigframe {
	u64 pretcode;
	struct ucontext uc;
	siginfo_t info;
};
_Static_assert(sizeof(struct rt_sigframe) == 440, "the kernel's frame");

static u64 xstate_mask;			/* components in a frame */
static u32 xstate_size;
static u32 mxcsr_mask = MXCSR_USUAL;

static u64 same_rip(u64 rip)
{
	return rip;
}

u64 (*sig_original_rip)(u64) = same_rip;
u64 (*sig_resume_rip)(u64) = same_rip;
u64 (*sig_restorer)(void);

/* ---- extended state ---- */

static void xsave(struct _xstate *x)
{
	__asm__ volatile("xsave64 (%0)" :: "r"(x), "a"((u32)xstate_mask),
			 "d"((u32)(xstate_mask >> 32)) : "memory");
}

static void xrstor(const struct _xstate *x)
{
	__asm__ volatile("xrstor64 (%0)" :: "r"(x), "a"((u32)xstate_mask),
			 "d"((u32)(xstate_mask >> 32)) : "memory");
}

void sigframe_init(void)
{
	void *room;
	struct _xstate *x;

	xstate_mask = gate_xstate_mask();
	xstate_size = gate_xstate_size();
	room = kzalloc(xstate_size + 64);
	if (!room)
		panic("no memory for the processor's state");
	x = (struct _xstate *)ALIGN_UP(room, 64);
	xsave(x);
	if (x->fpstate.mxcsr_mask)
		mxcsr_mask = x->fpstate.mxcsr_mask;
	kfree(room);
}

u64 sigframe_min_stack(void)
{
	return 2048 + xstate_size;
}

/* The task's buffer: the state, the second magic number behind it. NULL: no memory. */
static struct _xstate *xstate_room(struct task *t)
{
	if (!t->xstate)
		t->xstate = kzalloc(xstate_size + FP_XSTATE_MAGIC2_SIZE + 64);
	return t->xstate ? (struct _xstate *)ALIGN_UP(t->xstate, 64) : NULL;
}

/* As after FNINIT and with every vector register zero. */
static void xstate_clear(struct _xstate *x)
{
	memset(&x->xstate_hdr, 0, sizeof(x->xstate_hdr));
	x->fpstate.mxcsr = MXCSR_INIT;
	xrstor(x);
}

/* Store the registers at `ufp`; a handler begins with clear ones. */
static int xstate_push(struct task *t, u64 ufp)
{
	struct _xstate *x = xstate_room(t);

	if (!x)
		return -EFAULT;
	memset(&x->xstate_hdr, 0, sizeof(x->xstate_hdr));
	xsave(x);
	/* A handler may write these two without looking at the header. */
	x->xstate_hdr.xfeatures |= XFEATURE_FPSSE;
	x->fpstate.sw_reserved = (struct _fpx_sw_bytes){
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = xstate_size + FP_XSTATE_MAGIC2_SIZE,
		.xfeatures = xstate_mask,
		.xstate_size = xstate_size,
	};
	*(u32 *)((u8 *)x + xstate_size) = FP_XSTATE_MAGIC2;
	if (copy_to_user(ufp, x, xstate_size + FP_XSTATE_MAGIC2_SIZE))
		return -EFAULT;
	xstate_clear(x);
	return 0;
}

/* Is there more at `ufp` than the FXSAVE part, and is it whole? Its size, or 0. */
static u32 xstate_extended(const struct _fpx_sw_bytes *sw, u64 ufp)
{
	u32 magic2;

	if (sw->magic1 != FP_XSTATE_MAGIC1 || sw->xstate_size > xstate_size ||
	    sw->xstate_size < offsetof(struct _xstate, ymmh) ||
	    sw->xstate_size > sw->extended_size ||
	    get_user(magic2, ufp + sw->xstate_size) || magic2 != FP_XSTATE_MAGIC2)
		return 0;
	return sw->xstate_size;
}

static int xstate_pop(struct task *t, u64 ufp)
{
	struct _xstate *x = xstate_room(t);
	u64 features = XFEATURE_FPSSE;
	u32 size;

	if (!x)
		return -EFAULT;
	if (!ufp) {
		xstate_clear(x);
		return 0;
	}
	if (copy_from_user(x, ufp, sizeof(x->fpstate)))
		return -EFAULT;
	size = xstate_extended(&x->fpstate.sw_reserved, ufp);
	if (size) {
		if (copy_from_user((u8 *)x + sizeof(x->fpstate), ufp + sizeof(x->fpstate),
				   size - sizeof(x->fpstate)))
			return -EFAULT;
		memset((u8 *)x + size, 0, xstate_size - size);
		features = x->xstate_hdr.xfeatures & x->fpstate.sw_reserved.xfeatures;
	}
	/* Any other bit here makes XRSTOR fault. Components that are left out become clear. */
	x->xstate_hdr = (struct _header){ .xfeatures = features & xstate_mask };
	x->fpstate.mxcsr &= mxcsr_mask;
	xrstor(x);
	return 0;
}

/* ---- alternate stack ---- */

static bool within_altstack(const struct task *t, u64 sp)
{
	return sp > t->altstack_base && sp - t->altstack_base <= t->altstack_size;
}

static bool on_altstack(const struct task *t, u64 sp)
{
	return !(t->altstack_flags & SS_AUTODISARM) && within_altstack(t, sp);
}

static int altstack_set(struct task *t, const stack_t *ss, u64 sp)
{
	u32 mode = (u32)ss->ss_flags & ~SS_AUTODISARM;
	bool off = mode == SS_DISABLE;

	if (on_altstack(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (!off && ss->ss_size < MINSIGSTKSZ)
		return -ENOMEM;
	t->altstack_base = off ? 0 : (u64)ss->ss_sp;
	t->altstack_size = off ? 0 : ss->ss_size;
	t->altstack_flags = ss->ss_flags;
	return 0;
}

int signal_altstack(u64 uss, u64 uold, u64 rsp)
{
	struct task *t = current();
	stack_t new = {}, old = {
		.ss_sp = (void *)t->altstack_base,
		.ss_size = t->altstack_size,
		.ss_flags = (!t->altstack_size ? SS_DISABLE : on_altstack(t, rsp) ? SS_ONSTACK : 0) |
			    (t->altstack_flags & SS_AUTODISARM),
	};
	int r;

	if (uss) {
		if (get_user(new, uss))
			return -EFAULT;
		r = altstack_set(t, &new, rsp);
		if (r)
			return r;
	}
	return uold && put_user(old, uold) ? -EFAULT : 0;
}

/* ---- siginfo_t ---- */

/* Reports of the processor: si_addr instead of a sender. */
static bool has_address(int signo, int code)
{
	switch (signo) {
	case SIGSEGV: case SIGBUS: case SIGILL: case SIGFPE: case SIGTRAP:
		return code > 0 && code != SI_KERNEL;
	default:
		return false;
	}
}

static void siginfo_fill(siginfo_t *si, const struct siginfo_min *info)
{
	si->si_signo = info->signo;
	si->si_code = info->code;
	if (has_address(info->signo, info->code)) {
		si->si_addr = (void *)info->addr;
		return;
	}
	if (info->code == SI_TIMER) {
		si->si_tid = info->timerid;
		si->si_overrun = info->overrun;
	} else {
		si->si_pid = info->pid;
		si->si_uid = info->uid;
	}
	si->si_ptr = (void *)info->value;
}

int siginfo_to_user(u64 uaddr, const struct siginfo_min *info)
{
	siginfo_t si = {};

	siginfo_fill(&si, info);
	return put_user(si, uaddr);
}

int siginfo_from_user(struct siginfo_min *info, u64 uaddr, int signo)
{
	siginfo_t si;

	if (get_user(si, uaddr))
		return -EFAULT;
	*info = (struct siginfo_min){ .signo = signo, .code = si.si_code };
	if (has_address(signo, si.si_code)) {
		info->addr = (u64)si.si_addr;
		return 0;
	}
	if (si.si_code == SI_TIMER) {
		info->timerid = si.si_tid;
		info->overrun = si.si_overrun;
	} else {
		info->pid = si.si_pid;
		info->uid = si.si_uid;
	}
	info->value = (u64)si.si_ptr;
	return 0;
}

/* ---- the frame ---- */

/* A jump to a non-canonical address would fault in the gate, not in the guest. */
static bool can_jump(u64 rip)
{
	return !(rip >> 47);
}

static void save_regs(struct sigcontext *sc, const struct regs *r)
{
	sc->r8 = r->r8;
	sc->r9 = r->r9;
	sc->r10 = r->r10;
	sc->r11 = r->r11;
	sc->r12 = r->r12;
	sc->r13 = r->r13;
	sc->r14 = r->r14;
	sc->r15 = r->r15;
	sc->rdi = r->rdi;
	sc->rsi = r->rsi;
	sc->rbp = r->rbp;
	sc->rbx = r->rbx;
	sc->rdx = r->rdx;
	sc->rax = r->rax;
	sc->rcx = r->rcx;
	sc->rsp = r->rsp;
	sc->rip = sig_original_rip(r->rip);
	sc->eflags = r->flags;
	sc->cs = USER_CS;
	sc->ss = USER_SS;
}

static void restore_regs(struct regs *r, const struct sigcontext *sc)
{
	r->r8 = sc->r8;
	r->r9 = sc->r9;
	r->r10 = sc->r10;
	r->r11 = sc->r11;
	r->r12 = sc->r12;
	r->r13 = sc->r13;
	r->r14 = sc->r14;
	r->r15 = sc->r15;
	r->rdi = sc->rdi;
	r->rsi = sc->rsi;
	r->rbp = sc->rbp;
	r->rbx = sc->rbx;
	r->rdx = sc->rdx;
	r->rax = sc->rax;
	r->rcx = sc->rcx;
	r->rsp = sc->rsp;
	r->rip = sig_resume_rip(sc->rip);
	r->flags = (r->flags & ~(u64)(FLAGS_USER | FLAG_TF)) | (sc->eflags & FLAGS_USER);
}

int sigframe_push(struct regs *regs, const struct siginfo_min *info, const struct sigact *act)
{
	struct task *t = current();
	struct rt_sigframe f = {};
	u64 sp = regs->rsp - RED_ZONE, ufp;
	bool nested = on_altstack(t, sp);
	bool enter = act->flags & SA_ONSTACK && t->altstack_size && !nested;

	if (enter)
		sp = t->altstack_base + t->altstack_size;
	ufp = (sp - xstate_size - FP_XSTATE_MAGIC2_SIZE) & ~63ull;
	/* As after a call: 8 below a multiple of 16. */
	sp = ((ufp - sizeof(f)) & ~15ull) - 8;
	/* An alternate stack that is too small: die here rather than overwrite what is below. */
	if ((nested || enter) && !within_altstack(t, sp))
		return -EFAULT;
	if (!can_jump(act->handler))
		return -EFAULT;

	if (act->flags & SA_RESTORER)
		f.pretcode = act->restorer;
	else if (sig_restorer)
		f.pretcode = sig_restorer();
	f.uc.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	f.uc.uc_stack.ss_sp = (void *)t->altstack_base;
	f.uc.uc_stack.ss_flags = t->altstack_flags;
	f.uc.uc_stack.ss_size = t->altstack_size;
	f.uc.uc_sigmask = t->restore_blocked ? t->saved_blocked : t->blocked;
	save_regs(&f.uc.uc_mcontext, regs);
	f.uc.uc_mcontext.trapno = info->trapno;
	f.uc.uc_mcontext.err = info->error_code;
	f.uc.uc_mcontext.cr2 = info->addr;
	f.uc.uc_mcontext.oldmask = f.uc.uc_sigmask;
	f.uc.uc_mcontext.fpstate = (struct _fpstate *)ufp;
	siginfo_fill(&f.info, info);

	if (copy_to_user(sp, &f, sizeof(f)) || xstate_push(t, ufp))
		return -EFAULT;

	regs->rdi = info->signo;
	regs->rsi = sp + offsetof(struct rt_sigframe, info);
	regs->rdx = sp + offsetof(struct rt_sigframe, uc);
	regs->rax = 0;
	regs->rip = act->handler;
	regs->rsp = sp;
	regs->flags &= ~(u64)(FLAG_DF | FLAG_TF | FLAG_RF);

	if (t->altstack_flags & SS_AUTODISARM) {
		t->altstack_base = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	}
	t->restore_blocked = false;
	signal_set_blocked(t->blocked | act->mask |
			   (act->flags & SA_NODEFER ? 0 : SIGMASK(info->signo)));
	return 0;
}

int sigframe_pop(struct regs *regs)
{
	struct task *t = current();
	struct ucontext uc;
	u64 frame = regs->rsp - 8;	/* the handler's return took pretcode */

	regs->orig_rax = ~0ull;		/* no call to restart */
	t->restart = NULL;
	if (get_user(uc, frame + offsetof(struct rt_sigframe, uc)) || !can_jump(uc.uc_mcontext.rip))
		return -EFAULT;
	signal_set_blocked(uc.uc_sigmask);
	restore_regs(regs, &uc.uc_mcontext);
	if (xstate_pop(t, (u64)uc.uc_mcontext.fpstate))
		return -EFAULT;
	/* Linux, too, leaves the stack as it is if the frame's does not do. */
	(void)!altstack_set(t, &uc.uc_stack, regs->rsp);
	return 0;
}
