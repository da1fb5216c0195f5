/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exceptions as signals, and what a frame keeps: faults that are mended or jumped out of,
 * x87, SSE and AVX state across handlers. One line for each part; 0 only if all is right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { printf("%s:%d: %s (errno %d)\n", __func__, __LINE__, #x, errno); \
	exit(1); } } while (0)

static sigjmp_buf env;
static volatile siginfo_t seen;
static volatile greg_t trapno, cr2, rip;
static volatile int ran;
static char *page;
static long page_size;

static void on(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = flags | SA_SIGINFO };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static void jump_out(int sig, siginfo_t *info, void *p)
{
	ucontext_t *uc = p;

	(void)sig;
	seen = *info;
	trapno = uc->uc_mcontext.gregs[REG_TRAPNO];
	cr2 = uc->uc_mcontext.gregs[REG_CR2];
	rip = uc->uc_mcontext.gregs[REG_RIP];
	siglongjmp(env, 1);
}

/* Run `code`; the signal it raised is in `seen`. */
#define FAULTS(code) ({ int jumped = sigsetjmp(env, 1); if (!jumped) { code; } jumped; })

/* ---- memory ---- */

static void mend(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)uc;
	ran++;
	CHECK(info->si_addr == page + 5 && info->si_code == SEGV_ACCERR);
	CHECK(mprotect(page, page_size, PROT_READ | PROT_WRITE) == 0);
}

static void skip(int sig, siginfo_t *info, void *p)
{
	ucontext_t *uc = p;

	(void)sig;
	(void)info;
	ran++;
	uc->uc_mcontext.gregs[REG_RIP] = uc->uc_mcontext.gregs[REG_RBX];
}

static void memory(void)
{
	volatile int *volatile bad = (int *)16;
	int after;

	page_size = sysconf(_SC_PAGESIZE);
	page = mmap(NULL, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);

	on(SIGSEGV, jump_out, 0);
	CHECK(FAULTS(*bad = 1));
	CHECK(seen.si_signo == SIGSEGV && seen.si_code == SEGV_MAPERR && seen.si_addr == bad);
	CHECK(trapno == 14 && cr2 == 16);
	CHECK(FAULTS(page[7] = 1));
	CHECK(seen.si_code == SEGV_ACCERR && seen.si_addr == page + 7);
	CHECK(FAULTS(((void (*)(void))page)()));
	CHECK(seen.si_code == SEGV_ACCERR && rip == (greg_t)page);
	CHECK(FAULTS(((void (*)(void))0)()));
	CHECK(seen.si_code == SEGV_MAPERR && rip == 0);
	/* Not canonical: no address is told. */
	CHECK(FAULTS(*(volatile char *)(1ull << 60) = 1));
	CHECK(seen.si_code == SI_KERNEL && seen.si_addr == NULL && trapno == 13);

	on(SIGSEGV, mend, 0);
	page[5] = 42;
	CHECK(ran == 1 && page[5] == 42);

	on(SIGSEGV, skip, 0);
	__asm__ volatile("lea 1f(%%rip), %%rbx\n\t"
			 "movl $0, 8\n"
			 "1: mov $7, %0" : "=r"(after) :: "rbx", "memory");
	CHECK(ran == 2 && after == 7);
	printf("memory\n");
}

static volatile int deep = 1;

static int overflow(volatile char *up)
{
	volatile char frame[4096];

	frame[0] = up ? up[0] : 1;
	return deep ? overflow(frame) + frame[0] : 0;
}

static void stack_overflow(void)
{
	static char alt[1 << 16];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };

	CHECK(sigaltstack(&ss, NULL) == 0);
	on(SIGSEGV, jump_out, SA_ONSTACK);
	CHECK(FAULTS(overflow(NULL)));
	CHECK(seen.si_signo == SIGSEGV);
	ss.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&ss, NULL) == 0);
	printf("stack overflow\n");
}

/* ---- instructions ---- */

static void instructions(void)
{
	volatile int zero = 0;
	volatile double fzero = 0, one = 1, result;

	on(SIGFPE, jump_out, 0);
	on(SIGILL, jump_out, 0);
	on(SIGTRAP, jump_out, 0);
	CHECK(FAULTS(zero = 77 / zero));
	CHECK(seen.si_signo == SIGFPE && seen.si_code == FPE_INTDIV);
	CHECK(seen.si_addr == (void *)rip && trapno == 0);
	CHECK(FAULTS(__asm__ volatile("ud2")));
	CHECK(seen.si_signo == SIGILL && seen.si_code == ILL_ILLOPN);
	CHECK(seen.si_addr == (void *)rip && *(uint16_t *)rip == 0x0b0f);
	CHECK(FAULTS(__asm__ volatile("int3")));
	CHECK(seen.si_signo == SIGTRAP && seen.si_code == SI_KERNEL && ((uint8_t *)rip)[-1] == 0xcc);

	/* With its exceptions on, SSE division traps; a handler begins with them off. */
	feenableexcept(FE_DIVBYZERO | FE_INVALID);
	CHECK(FAULTS(result = one / fzero));
	CHECK(seen.si_signo == SIGFPE && seen.si_code == FPE_FLTDIV);
	feclearexcept(FE_ALL_EXCEPT);
	feenableexcept(FE_DIVBYZERO | FE_INVALID);
	CHECK(FAULTS(result = fzero / fzero));
	CHECK(seen.si_signo == SIGFPE && seen.si_code == FPE_FLTINV);
	fesetenv(FE_DFL_ENV);
	/* x87, too. */
	feenableexcept(FE_DIVBYZERO);
	CHECK(FAULTS(__asm__ volatile("fld1; fldz; fdivrp; fwait")));
	CHECK(seen.si_signo == SIGFPE && seen.si_code == FPE_FLTDIV && trapno == 16);
	fesetenv(FE_DFL_ENV);
	(void)result;

	/* Sent by hand it is no fault: no address, the sender's code. */
	on(SIGSEGV, jump_out, SA_NODEFER);
	CHECK(FAULTS(raise(SIGSEGV)));
	CHECK(seen.si_code == SI_TKILL);
	printf("instructions\n");
}

/* ---- extended state ---- */

static void clobber(int sig, siginfo_t *info, void *p)
{
	ucontext_t *uc = p;
	unsigned int mxcsr;
	unsigned short cw, cw0 = 0x37f, all = 0xc7f;

	(void)sig;
	(void)info;
	/* A handler begins with a clean state, and may do to it what it likes. */
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(cw));
	CHECK(mxcsr == 0x1f80 && cw == cw0);
	CHECK(uc->uc_mcontext.fpregs && (uint64_t)uc->uc_mcontext.fpregs % 64 == 0);
	/* The second magic number lies where the first structure says. */
	uint32_t *sw = (uint32_t *)((char *)uc->uc_mcontext.fpregs + 464);
	CHECK(sw[0] == 0x46505853);
	CHECK(*(uint32_t *)((char *)uc->uc_mcontext.fpregs + sw[1] - 4) == 0x46505845);
	mxcsr = 0x7f80;
	__asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
	__asm__ volatile("fninit; fldcw %0; fldz; fldz; fldz" :: "m"(all));
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vpcmpeqd %%xmm3, %%xmm3, %%xmm3; vxorps %%ymm0, %%ymm0, %%ymm0;"
				 "vxorps %%ymm15, %%ymm15, %%ymm15" ::: "memory");
	else
		__asm__ volatile("pcmpeqd %%xmm3, %%xmm3; xorps %%xmm0, %%xmm0" ::: "memory");
	if (__builtin_cpu_supports("avx512f"))
		__asm__ volatile("vpxorq %%zmm31, %%zmm31, %%zmm31; kxorw %%k1, %%k1, %%k1" ::: "memory");
	ran++;
}

/* Put patterns into registers, let `sys` happen, and see whether they are there again. */
static void state_over(long nr, long a, long b, const char *name)
{
	static uint8_t in[64] __attribute__((aligned(64))), out[4][64] __attribute__((aligned(64)));
	unsigned int mxcsr = 0x3f80, mxcsr_after;	/* rounding down */
	unsigned short cw = 0x77f, cw_after;
	long double pi_in = 3.14159265358979323846L, pi_out = 0;
	int avx = __builtin_cpu_supports("avx"), avx512 = __builtin_cpu_supports("avx512f");
	long ret = nr, k = 0x5a5a, k_after = k;

	for (int i = 0; i < 64; i++)
		in[i] = i * 3 + 1;
	__asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
	__asm__ volatile("fninit; fldcw %0" :: "m"(cw));
	if (avx512)
		__asm__ volatile("fldt (%4)\n\t"
				 "kmovw %k1, %%k1\n\t"
				 "vmovdqa64 (%2), %%zmm0\n\t"
				 "vmovdqa64 (%2), %%zmm3\n\t"
				 "vmovdqa64 (%2), %%zmm15\n\t"
				 "vmovdqa64 (%2), %%zmm31\n\t"
				 "syscall\n\t"
				 "vmovdqa64 %%zmm0, 0(%3)\n\t"
				 "vmovdqa64 %%zmm3, 64(%3)\n\t"
				 "vmovdqa64 %%zmm15, 128(%3)\n\t"
				 "vmovdqa64 %%zmm31, 192(%3)\n\t"
				 "kmovw %%k1, %k1\n\t"
				 "fstpt (%5)"
				 : "+a"(ret), "+b"(k_after)
				 : "r"(in), "r"(out), "r"(&pi_in), "r"(&pi_out), "D"(a), "S"(b)
				 : "rcx", "r11", "memory", "xmm0", "xmm3", "xmm15");
	else if (avx)
		__asm__ volatile("fldt (%4)\n\t"
				 "vmovdqa (%2), %%ymm0\n\t"
				 "vmovdqa (%2), %%ymm3\n\t"
				 "vmovdqa (%2), %%ymm15\n\t"
				 "syscall\n\t"
				 "vmovdqa %%ymm0, 0(%3)\n\t"
				 "vmovdqa %%ymm3, 64(%3)\n\t"
				 "vmovdqa %%ymm15, 128(%3)\n\t"
				 "fstpt (%5)"
				 : "+a"(ret), "+b"(k_after)
				 : "r"(in), "r"(out), "r"(&pi_in), "r"(&pi_out), "D"(a), "S"(b)
				 : "rcx", "r11", "memory", "xmm0", "xmm3", "xmm15");
	else
		__asm__ volatile("fldt (%4)\n\t"
				 "movdqa (%2), %%xmm0\n\t"
				 "movdqa (%2), %%xmm3\n\t"
				 "movdqa (%2), %%xmm15\n\t"
				 "syscall\n\t"
				 "movdqa %%xmm0, 0(%3)\n\t"
				 "movdqa %%xmm3, 64(%3)\n\t"
				 "movdqa %%xmm15, 128(%3)\n\t"
				 "fstpt (%5)"
				 : "+a"(ret), "+b"(k_after)
				 : "r"(in), "r"(out), "r"(&pi_in), "r"(&pi_out), "D"(a), "S"(b)
				 : "rcx", "r11", "memory", "xmm0", "xmm3", "xmm15");
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr_after));
	__asm__ volatile("fnstcw %0" : "=m"(cw_after));
	fesetenv(FE_DFL_ENV);
	size_t width = avx512 ? 64 : avx ? 32 : 16;
	for (int i = 0; i < (avx512 ? 4 : 3); i++)
		CHECK(memcmp(out[i], in, width) == 0);
	CHECK(mxcsr_after == mxcsr && cw_after == cw && k_after == k);
	CHECK(memcmp(&pi_in, &pi_out, 10) == 0);
	CHECK(ret == 0 || ret == -EINTR);
	printf("state over %s\n", name);
}

static void change_state(int sig, siginfo_t *info, void *p)
{
	ucontext_t *uc = p;

	(void)sig;
	(void)info;
	memset(uc->uc_mcontext.fpregs->_xmm[5].element, 0x11, 16);
	uc->uc_mcontext.fpregs->mxcsr = 0x5f80;
	ran++;
}

static void state(void)
{
	struct itimerval soon = { .it_value.tv_usec = 20000 };
	long ret, pid = getpid(), low;
	unsigned int mxcsr;

	ran = 0;
	on(SIGUSR1, clobber, 0);
	on(SIGALRM, clobber, 0);
	state_over(SYS_kill, pid, SIGUSR1, "kill");
	state_over(SYS_kill, pid, 0, "a call");
	CHECK(ran == 1);
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	state_over(SYS_pause, 0, 0, "pause");
	CHECK(ran == 2);

	/* What the handler writes into the frame is there when it has returned. */
	on(SIGUSR1, change_state, 0);
	__asm__ volatile("pxor %%xmm5, %%xmm5\n\t"
			 "syscall\n\t"
			 "movq %%xmm5, %1"
			 : "=a"(ret), "=r"(low) : "0"((long)SYS_kill), "D"(pid), "S"((long)SIGUSR1)
			 : "rcx", "r11", "memory", "xmm5");
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	fesetenv(FE_DFL_ENV);
	CHECK(ret == 0 && low == 0x1111111111111111 && mxcsr == 0x5f80);
	printf("state\n");
}

/* Interrupted in the middle of computing, many times: the result must not change. */
static void tick(int sig, siginfo_t *info, void *uc)
{
	static volatile double junk = 1;

	(void)sig;
	(void)info;
	(void)uc;
	junk = junk * 1.5 / 1.25;
	ran++;
}

static double work(void)
{
	double sum = 0, x = 1;

	for (int i = 1; i < 2000000; i++) {
		x = x * 1.0000001 + 1.0 / i;
		sum += x;
	}
	return sum;
}

static void ticks(void)
{
	struct itimerval every = { .it_interval.tv_usec = 1000, .it_value.tv_usec = 1000 };
	double want = work();

	on(SIGALRM, tick, SA_RESTART);
	ran = 0;
	CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
	for (int i = 0; i < 10 || ran < 10; i++)
		CHECK(work() == want);
	every = (struct itimerval){};
	CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
	printf("ticks\n");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	memory();
	stack_overflow();
	instructions();
	state();
	ticks();
	return 0;
}
