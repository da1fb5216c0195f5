/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor can do, and what it tells about itself. */
#include <cpuid.h>
#include <sys/auxv.h>
#include <time.h>

#include "host/host.h"
#include "host/thread.h"

#define HWCAP2_FSGSBASE		2ul
#define CALIBRATION_NS		1000000ull
#define FEATURE_RDRAND		(1u << 30)	/* leaf 1, ecx */
#define FEATURE_OSXSAVE		(1u << 27)

uint64_t xsave_size;

static struct moment {
	uint64_t tsc, ns;
} begin;

static struct moment now(void)
{
	struct timespec ts;
	struct moment m;
	uint32_t lo, hi;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
	m.tsc = (uint64_t)hi << 32 | lo;
	m.ns = ts.tv_sec * 1000000000ull + ts.tv_nsec;
	return m;
}

void tsc_begin(void)
{
	begin = now();
}

uint64_t tsc_hz(void)
{
	uint32_t a, b, c, d;
	struct moment end;

	/* Invariant TSC: the same rate in all states of the processor. */
	if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & (1u << 8)))
		return 0;
	if (__get_cpuid(0x15, &a, &b, &c, &d) && a && b && c)
		return (uint64_t)c * b / a;
	do
		end = now();
	while (end.ns - begin.ns < CALIBRATION_NS);
	return (__uint128_t)(end.tsc - begin.tsc) * 1000000000 / (end.ns - begin.ns);
}

/* Does subleaf `sub` exist, given its registers and what subleaf 0 said? */
static bool has_subleaf(uint32_t leaf, uint32_t sub, const struct rakis_cpuid *r,
			uint32_t first_eax)
{
	switch (leaf) {
	case 0x4: case 0x8000001d:
		return sub < 16 && (r->eax & 0x1f);
	case 0xb: case 0x1f:
		return sub < 16 && (r->ecx & 0xff00);
	case 0x7: case 0x14: case 0x17: case 0x18: case 0x1d:
		return sub <= first_eax && sub < 32;
	case 0xd:
		return sub < 2 || r->eax;
	case 0xf: case 0x10: case 0x12: case 0x1e:
		return sub < 4 && (r->eax | r->ebx | r->ecx | r->edx);
	}
	return false;
}

static size_t capture_leaf(uint32_t leaf, struct rakis_cpuid *out, size_t max)
{
	/* Components of the extended state are not numbered without gaps. */
	uint32_t last = leaf == 0xd ? 20 : 32, first_eax = 0;
	size_t n = 0;

	for (uint32_t sub = 0; sub < last && n < max; sub++) {
		struct rakis_cpuid r = { .leaf = leaf, .subleaf = sub };

		__cpuid_count(leaf, sub, r.eax, r.ebx, r.ecx, r.edx);
		if (!sub)
			first_eax = r.eax;
		else if (!has_subleaf(leaf, sub, &r, first_eax)) {
			if (leaf == 0xd)
				continue;
			break;
		}
		out[n++] = r;
		/* Most leaves have no subleaves: do not ask (in a virtual machine it is slow). */
		if (!has_subleaf(leaf, 0, &(struct rakis_cpuid){ .eax = 1, .ecx = 0x100 }, 0))
			break;
	}
	return n;
}

size_t cpuid_table(struct rakis_cpuid *out, size_t max)
{
	static const uint32_t starts[] = { 0, 0x80000000 };
	size_t n = 0;

	for (int i = 0; i < 2; i++) {
		uint32_t last = __get_cpuid_max(starts[i], NULL);

		if (last > starts[i] + 0x24)
			last = starts[i] + 0x24;
		for (uint32_t leaf = starts[i]; leaf <= last && last; leaf++)
			n += capture_leaf(leaf, out + n, max - n);
	}
	return n;
}

const char *machine_lacks(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & FEATURE_RDRAND))
		return "RDRAND: a processor of 2012 or later is needed";
	if (!(c & FEATURE_OSXSAVE))
		return "XSAVE: it is switched off in the kernel (noxsave)";
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		return "FSGSBASE: a processor of 2012 or later and Linux 5.9 are needed";
	__cpuid_count(0xd, 0, a, b, c, d);
	xsave_size = b;
	return NULL;
}
