/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a round trip through the emulator takes: measured with an enclave of three pages whose
 * code leaves at once, before there is the real one.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/host.h"
#include "host/sgx/emulator.h"

#define RANGE		(8 * SGX_PAGE)
#define ROUNDS		200

enum { PAGE_OF_TCS, PAGE_OF_SSA, PAGE_OF_CODE };

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The median of some round trips. */
static uint64_t measure(uint64_t half_cost, uint64_t tcs)
{
	struct sgx_enclave_run run = { .tcs = tcs };
	uint64_t took[ROUNDS];

	emulator.half_cost = half_cost;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = rdtsc();

		emulator_enter(0, 0, 0, SGX_EENTER, 0, 0, &run);
		took[i] = rdtsc() - begin;
	}
	qsort(took, ROUNDS, sizeof(took[0]), by_size);
	return took[ROUNDS / 2];
}

uint64_t emulator_measure_cost(uint64_t cost, uint64_t *own, uint64_t *took)
{
	/* mov %rcx, %rbx; mov $SGX_EEXIT, %eax; jmp *0(%rip); .quad emulator_eexit */
	uint8_t code[22] = { 0x48, 0x89, 0xcb, 0xb8, SGX_EEXIT, 0, 0, 0, 0xff, 0x25 };
	uint64_t to = (uint64_t)emulator_eexit, at, outside, half;
	uint8_t flags[RANGE / SGX_PAGE] = { 0 };
	struct emulator_thread *by_gs[RANGE / SGX_PAGE] = { 0 }, self = { 0 };
	struct emulator_tcs tcs = { .nssa = 1 }, *tcs_at[RANGE / SGX_PAGE] = { &tcs };
	void *p = mmap(NULL, 2 * RANGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die(EXIT_RAKIS, "not enough memory for the emulator: %m");
	at = ((uint64_t)p + RANGE - 1) & -RANGE;
	memcpy(code + sizeof(code) - sizeof(to), &to, sizeof(to));
	memcpy((void *)(at + PAGE_OF_CODE * SGX_PAGE), code, sizeof(code));
	flags[PAGE_OF_SSA] = PAGE_ADDED | PAGE_READ | PAGE_WRITE;
	tcs.address = at + PAGE_OF_TCS * SGX_PAGE;
	tcs.ssa = at + PAGE_OF_SSA * SGX_PAGE;
	tcs.entry = at + PAGE_OF_CODE * SGX_PAGE;
	/* It needs no FS; the host's serves. */
	__asm__("mov %%fs:0, %0" : "=r"(self.host_fs));
	tcs.fs = self.host_fs;
	tcs.gs = at;
	emulator = (struct emulator){
		.secs = { .base = at, .size = RANGE, .ssa_frame_size = 1 },
		.pages = flags,
		.tcs_at = tcs_at,
		.initialized = true,
	};
	emulator_by_gs = by_gs - at / SGX_PAGE;
	emulator_self = &self;
	*own = measure(0, tcs.address);
	/* Part of the emulator's own work is before or behind what it charges. */
	outside = measure(cost / 2, tcs.address) - cost / 2 * 2;
	half = cost > outside ? (cost - outside) / 2 : 0;
	*took = measure(half, tcs.address);
	emulator_self = NULL;
	emulator_by_gs = NULL;
	memset(&emulator, 0, sizeof(emulator));
	munmap(p, 2 * RANGE);
	return half;
}
