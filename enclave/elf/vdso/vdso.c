/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared object that every guest program finds through AT_SYSINFO_EHDR, with the names
 * and versions of Linux's vDSO (vdso(7)). It is guest code: it reads the page in front of
 * it, and where that does not help enters the libOS as a patched system call does.
 */
#include <asm/unistd.h>
#include <linux/time.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/gate_thread.h"
#include "libos/vvar.h"

#define NSEC_PER_SEC	1000000000u
#define EXPORT		__attribute__((visibility("default")))

struct timespec_abi { int64_t sec, nsec; };
struct timeval_abi { int64_t sec, usec; };

extern volatile struct vvar vvar __attribute__((visibility("hidden")));

static long system_call(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	__asm__ volatile("lea	1f(%%rip), %%rcx\n\t"
			 "jmp	*%%gs:%c[entry]\n"
			 "1:"
			 : "+a"(nr)
			 : "D"(a), "S"(b), "d"(c), [entry] "i"(GATE_SYSCALL_ENTRY)
			 : "rcx", "r11", "memory");
	return nr;
}

/* Not before what precedes it. */
static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) :: "memory");
	return low | (uint64_t)high << 32;
}

/* Nanoseconds of the clock whose base is *base; 0: ask the libOS. */
static inline uint64_t read_clock(const volatile uint64_t *base)
{
	uint64_t delta, ns;
	uint32_t seq;

	do {
		/* Acquire, against the writer's release of seq; x86 keeps loads in order. */
		seq = __atomic_load_n(&vvar.seq, __ATOMIC_ACQUIRE);
		if (seq & 1 || vvar.mode != VVAR_TSC)
			return 0;
		delta = read_tsc() - vvar.tsc_base;
		if (delta > vvar.tsc_max)
			return 0;
		ns = *base + (uint64_t)((unsigned __int128)delta * vvar.mult >> VVAR_SHIFT);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__builtin_expect(seq != vvar.seq, 0));
	return ns;
}

EXPORT int __vdso_clock_gettime(int id, struct timespec_abi *ts)
{
	uint64_t ns = 0;

	if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
		ns = read_clock(&vvar.mono_ns);
	else if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ns = read_clock(&vvar.real_ns);
	else if (id == CLOCK_BOOTTIME)
		ns = read_clock(&vvar.boot_ns);
	if (!ns)
		return (int)system_call(__NR_clock_gettime, (uint64_t)id, (uint64_t)ts, 0);
	ts->sec = (int64_t)(ns / NSEC_PER_SEC);
	ts->nsec = (int64_t)(ns % NSEC_PER_SEC);
	return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval_abi *tv, struct timezone *tz)
{
	uint64_t ns = read_clock(&vvar.real_ns);

	if (!ns || tz)
		return (int)system_call(__NR_gettimeofday, (uint64_t)tv, (uint64_t)tz, 0);
	if (tv) {
		tv->sec = (int64_t)(ns / NSEC_PER_SEC);
		tv->usec = (int64_t)(ns % NSEC_PER_SEC / 1000);
	}
	return 0;
}

EXPORT int64_t __vdso_time(int64_t *out)
{
	uint64_t ns = read_clock(&vvar.real_ns);
	int64_t sec;

	if (!ns)
		return system_call(__NR_time, (uint64_t)out, 0, 0);
	sec = (int64_t)(ns / NSEC_PER_SEC);
	if (out)
		*out = sec;
	return sec;
}

EXPORT int __vdso_clock_getres(int id, struct timespec_abi *res)
{
	if (id != CLOCK_MONOTONIC && id != CLOCK_REALTIME && id != CLOCK_BOOTTIME)
		return (int)system_call(__NR_clock_getres, (uint64_t)id, (uint64_t)res, 0);
	if (res)
		*res = (struct timespec_abi){ .nsec = 1 };
	return 0;
}

EXPORT int __vdso_getcpu(uint32_t *cpu, uint32_t *node, void *unused)
{
	uint32_t low, high, aux;

	/* Linux keeps node << 12 | cpu there; a number that cannot be is not believed. */
	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
	if ((aux & 0xfff) >= vvar.cpus)
		return (int)system_call(__NR_getcpu, (uint64_t)cpu, (uint64_t)node, (uint64_t)unused);
	if (cpu)
		*cpu = aux & 0xfff;
	if (node)
		*node = aux >> 12;
	return 0;
}

/* For signal handlers without SA_RESTORER. The image's entry point, so that it is found. */
__asm__(".text\n"
	".globl	vdso_sigreturn\n"
	".hidden	vdso_sigreturn\n"
	".type	vdso_sigreturn, @function\n"
"vdso_sigreturn:\n"
	"mov	$15, %eax\n"
	"lea	1f(%rip), %rcx\n"
	"jmp	*%gs:8\n"
"1:	ud2\n"
	".size	vdso_sigreturn, . - vdso_sigreturn\n");
_Static_assert(__NR_rt_sigreturn == 15 && GATE_SYSCALL_ENTRY == 8, "numbers in the assembly above");
