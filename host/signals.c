/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal handlers. In direct mode they play the processor's part at the enclave's door: an
 * exception or an interruption of code inside is written into the thread's block, and the
 * thread goes on at the image's exception entry. What other processes send is queued, and
 * a thread is told to look. All handlers run with every signal blocked.
 */
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "host/host.h"
#include "host/ring.h"
#include "host/sgx/sgx.h"
#include "host/thread.h"

#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2
#endif

__thread struct thread *self;
__thread _Bool poked;

static void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static uint64_t *word(uint64_t block, unsigned int offset)
{
	return (uint64_t *)(block + offset);
}

static bool in_image(uint64_t rip)
{
	return rip - host.layout.image < host.layout.image_size;
}

/* Is this thread on the inner side of the door? `block` 0: it is not in the gate at all. */
static bool is_inside(uint64_t block, uint64_t rip)
{
	return block && (*(volatile uint32_t *)(block + GATE_INSIDE) || in_image(rip));
}

static void raise_inside(uint64_t block, greg_t *regs, uint64_t rip, uint64_t cause,
			 uint64_t addr, uint64_t code)
{
	*word(block, GATE_EXC_RIP) = rip;
	*word(block, GATE_EXC_CAUSE) = cause;
	*word(block, GATE_EXC_ADDR) = addr;
	*word(block, GATE_EXC_CODE) = code;
	regs[REG_RIP] = host.exception_entry;
}

/* The running thread is to look what is pending, at once if it runs the guest's code. */
static void interrupt_here(uint64_t block, greg_t *regs)
{
	uint64_t rip = regs[REG_RIP];

	if (!self) {
		thread_interrupt_any();
		return;
	}
	poked = 1;
	if (host.sgx) {
		if (sgx_interrupted(self, regs))
			return;
	} else {
		thread_mark(self);
		if (!block)
			return;	/* not in the gate yet, or no more: enter() looks at `poked` */
	}
	if (rip >= host.return_start && rip < host.return_end) {
		regs[REG_RIP] = host.return_start;
	} else if (is_inside(block, rip) && !in_image(rip)) {
		raise_inside(block, regs, rip, GATE_CAUSE_INTERRUPT, 0, 0);
	} else {
		/* It may be about to sleep. */
		atomic_store(&self->wake, 1);
		if (rip >= (uint64_t)call_unless_start && rip < (uint64_t)call_unless_end)
			regs[REG_RIP] = (uint64_t)call_unless_cancel;
	}
}

static void from_outside(int sig, const siginfo_t *info)
{
	struct rakis_signal s = {
		.signo = sig,
		.code = (int64_t)info->si_code,
		.pid_uid = (uint32_t)info->si_pid | (uint64_t)info->si_uid << 32,
		.value = sig == SIGCHLD ? (uint64_t)info->si_status :
			 (uint64_t)info->si_value.sival_ptr,
	};

	signal_queue_put(&s);
}

/* A fault in the host's own code: nothing to go on with. */
static void host_fault(int sig, const siginfo_t *info, const greg_t *regs)
{
	extern const char __ehdr_start[];
	char text[200];
	int n;

	n = snprintf(text, sizeof(text),
		     "rakis: internal error: %s at 0x%llx (rakis+0x%llx), address %p, "
		     "please report this\n",
		     sigabbrev_np(sig), regs[REG_RIP],
		     regs[REG_RIP] - (unsigned long long)__ehdr_start, info->si_addr);
	(void)!write(host.log_fd, text, n);
	signal(sig, SIG_DFL);		/* it happens again, for good */
}

static void synchronous(int sig, const siginfo_t *info, uint64_t block, greg_t *regs)
{
	uint64_t rip = regs[REG_RIP], cause = regs[REG_TRAPNO];
	uint64_t addr = (uint64_t)info->si_addr;

	if (host.sgx && sig == SIGTRAP && self && sgx_debug_exception(self, regs))
		return;
	if (!is_inside(block, rip)) {
		host_fault(sig, info, regs);
		return;
	}
	if (cause == GATE_CAUSE_DB && in_image(rip)) {
		/* A guest that single-steps came here with its trap flag. */
		if (rip < host.return_start || rip >= host.return_end)
			regs[REG_EFL] &= ~0x100ll;
		return;
	}
	count(&host.stats->host.faults);
	if (cause == GATE_CAUSE_PF) {
		addr = regs[REG_CR2];
		if (sig == SIGBUS)
			cause = GATE_CAUSE_BUS;
	}
	raise_inside(block, regs, rip, cause, addr, regs[REG_ERR]);
}

/* A system call instruction in the guest; it is two bytes long and the kernel is past it. */
static void trapped(const siginfo_t *info, uint64_t block, greg_t *regs)
{
	uint64_t next = regs[REG_RIP];

	if (info->si_code != SYS_USER_DISPATCH || !is_inside(block, next)) {
		host_fault(SIGSYS, info, regs);
		return;
	}
	count(&host.stats->host.traps);
	if (info->si_arch == AUDIT_ARCH_X86_64)
		raise_inside(block, regs, next - 2, GATE_CAUSE_SYSCALL, next, 0);
	else
		raise_inside(block, regs, next - 2, GATE_CAUSE_GP, 0, 0);	/* int 0x80 */
}

/* From signal_entry, with the host's FS base. */
void signal_handler(int sig, const siginfo_t *info, ucontext_t *uc, uint64_t block);
void signal_handler(int sig, const siginfo_t *info, ucontext_t *uc, uint64_t block)
{
	greg_t *regs = uc->uc_mcontext.gregs;
	int saved = errno;

	switch (sig) {
	case SIGSYS:
		if (info->si_code > 0) {
			trapped(info, block, regs);
			goto out;
		}
		break;
	case SIGSEGV: case SIGBUS: case SIGFPE: case SIGILL: case SIGTRAP:
		if (info->si_code > 0) {
			synchronous(sig, info, block, regs);
			goto out;
		}
		break;
	}
	if (sig == SIGCHLD && info->si_code > 0 && monitor_is(info->si_pid))
		goto out;
	count(&host.stats->host.interrupts);
	if (sig != SIGNAL_INTERRUPT && sig != SIGNAL_TIMER)
		from_outside(sig, info);
	interrupt_here(block, regs);
out:
	errno = saved;
}

static void install(int sig)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sa.sa_sigaction = (void (*)(int, siginfo_t *, void *))
		(host.sgx == SGX_EMULATE ? emulator_signal_entry : signal_entry);
	sigfillset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

static bool is_exception(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL ||
	       sig == SIGTRAP || sig == SIGSYS;
}

void signals_record(uint64_t *ignored, uint64_t *blocked)
{
	struct sigaction sa;
	sigset_t set;

	*ignored = 0;
	*blocked = 0;
	sigprocmask(SIG_SETMASK, NULL, &set);
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		if (!sigaction(sig, NULL, &sa) && sa.sa_handler == SIG_IGN)
			*ignored |= 1ull << (sig - 1);
		if (sigismember(&set, sig) == 1)
			*blocked |= 1ull << (sig - 1);
	}
}

/* Errors of a broken pipe are answers here; the libOS makes the guest's SIGPIPE of them. */
void signals_install(void)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		struct sigaction sa;

		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		if (sig == SIGPIPE)
			signal(sig, SIG_IGN);
		else if (is_exception(sig) || sig >= SIGNAL_INTERRUPT ||
			 (!sigaction(sig, NULL, &sa) && sa.sa_handler != SIG_IGN))
			install(sig);
	}
}

void signals_block(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
}

void signals_unblock(void)
{
	sigset_t none;

	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

void signal_forward(int sig, int ignore)
{
	if (sig < 1 || sig >= SIGNAL_INTERRUPT || is_exception(sig) || sig == SIGPIPE ||
	    sig == SIGKILL || sig == SIGSTOP)
		return;
	if (ignore)
		signal(sig, SIG_IGN);
	else
		install(sig);
}

/*
 * Stop as the terminal's owner expects it: by that signal's default action, in this thread
 * (raise), so that it has taken place when the call returns.
 */
void signal_stop(int sig)
{
	if (sig != SIGSTOP && sig != SIGTSTP && sig != SIGTTIN && sig != SIGTTOU)
		return;
	if (sig != SIGSTOP)
		signal(sig, SIG_DFL);
	raise(sig);
	if (sig != SIGSTOP)
		install(sig);
}

void signal_end(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + sig);
}
