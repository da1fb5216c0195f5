/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's way in by exception, and its way back out: faults become signals, signals are
 * delivered, interrupted calls are restarted or answered EINTR.
 */
#include <asm/unistd.h>
#include <linux/signal.h>
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "libos/cpuid.h"
#include "libos/mm.h"
#include "libos/task.h"

/* ---- the end ---- */

static const char *const fault_names[] = {
	[SIGILL] = "SIGILL", [SIGTRAP] = "SIGTRAP", [SIGBUS] = "SIGBUS", [SIGFPE] = "SIGFPE",
	[SIGSEGV] = "SIGSEGV",
};

struct place {
	u64 rip, offset;
	char name[80];
};

static void find_place(const struct vma_info *v, void *arg)
{
	struct place *p = arg;

	if (p->rip >= v->start && p->rip < v->end) {
		snprintf(p->name, sizeof(p->name), "%s", v->name ? v->name : "anonymous memory");
		p->offset = p->rip - v->start + v->off;
	}
}

/* A crash of the program: say where, since there is no core file to look at. */
static void report_fault(const struct siginfo_min *info, const struct regs *regs)
{
	struct place p = { .rip = sig_original_rip(regs->rip), .name = "unmapped" };

	if (info->code <= 0 || (u32)info->signo >= ARRAY_SIZE(fault_names) ||
	    !fault_names[info->signo])
		return;
	mm_for_each(find_place, &p);
	log_error("guest killed by %s at address 0x%lx (rip 0x%lx, %s+0x%lx, rsp 0x%lx)",
		  fault_names[info->signo], info->addr, p.rip, p.name,
		  p.offset, regs->rsp);
}

static void default_action(const struct siginfo_min *info, const struct regs *regs)
{
	switch (info->signo) {
	case SIGSTOP: case SIGTSTP: case SIGTTIN: case SIGTTOU:
		(void)!host_stop(info->signo);
		return;
	}
	if (signal_ignored_by_default(info->signo))
		return;
	report_fault(info, regs);
	process_exit(0, info->signo);
}

/* ---- interrupted calls ---- */

/*
 * Back to the system call instruction, with the number in rax. At a patched site the guest's
 * own address of it leads to the stub's place that makes the call.
 */
static void rewind(struct regs *regs, u64 nr)
{
	regs->rip = sig_resume_rip(sig_original_rip(regs->rip) - 2);
	regs->rax = nr;
}

/* `act`: the handler that runs before the guest goes on, or NULL. */
static void settle_call(struct regs *regs, const struct sigact *act)
{
	u64 nr = regs->orig_rax;

	if (nr == ~0ull)
		return;
	switch ((s64)regs->rax) {
	case -ERESTARTSYS:
		if (act && !(act->flags & SA_RESTART))
			regs->rax = -EINTR;
		else
			rewind(regs, nr);
		break;
	case -ERESTARTNOINTR:
		rewind(regs, nr);
		break;
	case -ERESTARTNOHAND:
		if (act)
			regs->rax = -EINTR;
		else
			rewind(regs, nr);
		break;
	case -ERESTART_RESTARTBLOCK:
		if (act)
			regs->rax = -EINTR;
		else
			rewind(regs, __NR_restart_syscall);
		break;
	}
	regs->orig_rax = ~0ull;
}

void return_work(struct regs *regs)
{
	struct siginfo_min info;
	struct sigact act;

	(void)host_pending_work();
	/* Cleared before the queues are looked at: whoever adds a signal sets it afterwards. */
	atomic_fetch_and(&gate_self()->pending, ~GATE_PENDING_WORK);
	if (atomic_load_explicit(&process.exiting, memory_order_relaxed))
		task_exit(0);
	while (signal_next(&info, &act)) {
		if (act.handler == (u64)SIG_IGN)
			continue;
		if (act.handler == (u64)SIG_DFL) {
			default_action(&info, regs);
			continue;
		}
		STAT_INC(signals);
		settle_call(regs, &act);
		if (sigframe_push(regs, &info, &act)) {
			/* No room for the frame: a fault of its own, deadly if that was one. */
			if (info.signo == SIGSEGV)
				(void)!signal_action(SIGSEGV, &(struct sigact){}, NULL);
			log_info("no stack for the handler of signal %d (rsp 0x%lx)", info.signo,
				 regs->rsp);
			signal_force(&(struct siginfo_min){ .signo = SIGSEGV, .code = SI_KERNEL });
		}
	}
	/* No handler ran, or this does nothing. Restoring the mask may bring us back here. */
	settle_call(regs, NULL);
	signal_restore_mask();
}

/* ---- exceptions ---- */

/* Which unmasked exception it was: flags and masks have one layout in x87 and MXCSR. */
static int float_code(u64 cause)
{
	u32 mxcsr, raised;
	u16 cwd, swd;

	if (cause == GATE_CAUSE_MF) {
		__asm__ volatile("fnstcw %0" : "=m"(cwd));
		__asm__ volatile("fnstsw %0" : "=m"(swd));
		raised = swd & ~cwd;
	} else {
		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		raised = mxcsr & ~(mxcsr >> 7);
	}
	if (raised & 0x01)
		return FPE_FLTINV;
	if (raised & 0x04)
		return FPE_FLTDIV;
	if (raised & 0x08)
		return FPE_FLTOVF;
	if (raised & 0x12)		/* denormal operand, underflow */
		return FPE_FLTUND;
	if (raised & 0x20)
		return FPE_FLTRES;
	return 0;
}

static void trapped_syscall(struct regs *regs, u64 next)
{
	regs->orig_rax = regs->rax;
	regs->rip = regs->rcx = next;
	regs->r11 = regs->flags;
	syscall_count_trapped();
	syscall_dispatch(regs);
}

/* In an enclave these are invalid: done here instead. */
static bool invalid_inside(struct regs *regs)
{
	u8 op[2];

	if (!gate_sealed || copy_from_user(op, regs->rip, sizeof(op)) || op[0] != 0x0f)
		return false;
	if (op[1] == 0x05) {		/* SYSCALL */
		trapped_syscall(regs, regs->rip + 2);
		return true;
	}
	if (op[1] == 0xa2) {		/* CPUID */
		cpuid_emulate(regs);
		regs->rip += 2;
		return true;
	}
	return false;
}

void guest_exception(struct regs *regs)
{
	/* Copied first: a copy to the guest that faults overwrites them. */
	struct gate_thread *self = gate_self();
	u64 cause = self->exc_cause, addr = self->exc_addr, error = self->exc_code;
	u64 rip = sig_original_rip(regs->rip);
	struct siginfo_min info = { .trapno = (int)cause };

	switch (cause) {
	case GATE_CAUSE_SYSCALL:
		trapped_syscall(regs, addr);
		return;
	case GATE_CAUSE_INTERRUPT:
		return;
	case GATE_CAUSE_PF:
		if (mm_fault(addr, error, &info.signo, &info.code))
			return;
		info.addr = addr;
		info.error_code = error;
		break;
	case GATE_CAUSE_BUS:
		info.signo = SIGBUS;
		info.code = BUS_ADRERR;
		info.addr = addr;
		info.trapno = GATE_CAUSE_PF;
		info.error_code = error;
		break;
	case GATE_CAUSE_DE:
		info.signo = SIGFPE;
		info.code = FPE_INTDIV;
		info.addr = rip;
		break;
	case GATE_CAUSE_MF:
	case GATE_CAUSE_XM:
		info.signo = SIGFPE;
		info.code = float_code(cause);
		info.addr = rip;
		if (!info.code)
			return;
		break;
	case GATE_CAUSE_UD:
		if (invalid_inside(regs))
			return;
		info.signo = SIGILL;
		info.code = ILL_ILLOPN;
		info.addr = rip;
		break;
	case GATE_CAUSE_DB:
		info.signo = SIGTRAP;
		info.code = TRAP_TRACE;
		info.addr = rip;
		break;
	case GATE_CAUSE_BP:
		info.signo = SIGTRAP;
		info.code = SI_KERNEL;
		break;
	case GATE_CAUSE_AC:
		info.signo = SIGBUS;
		info.code = BUS_ADRALN;
		break;
	default:			/* GP and what else there is */
		info.signo = SIGSEGV;
		info.code = SI_KERNEL;
		break;
	}
	signal_force(&info);
}
