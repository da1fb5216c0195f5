/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What builds an enclave and enters it: the kernel's driver on a machine with SGX, or the
 * emulator. There is one enclave in a process. Each function ends the process with a line
 * that says why if it cannot do its part.
 */
#ifndef RAKIS_HOST_SGX_BACKEND_H
#define RAKIS_HOST_SGX_BACKEND_H

#include <asm/sgx.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/sgx/arch.h"
#include "host/sgx/plan.h"

struct thread;

struct sgx_backend {
	/* In this order, once: */
	void (*create)(const struct sgx_secs *secs);
	void (*add)(const struct sgx_pages *pages);	/* content is page-aligned or NULL */
	void (*init)(const struct sgx_sigstruct *sig);
	/* Let the process use [addr, addr + size) of the range so: PROT_*. */
	void (*map)(uint64_t addr, uint64_t size, int prot);
	/* The calling thread is about to enter, or will not again. */
	void (*thread_start)(struct thread *t);
	void (*thread_end)(struct thread *t);
};

extern const struct sgx_backend sgx_device, sgx_emulator;
extern const struct sgx_backend *sgx_backend;	/* this run's */

/*
 * How an enclave is entered: __vdso_sgx_enter_enclave() and the emulator's. From its begin up
 * to its ENCLU, which is also where an interrupted thread is found, the registers that are
 * passed to the enclave are in place.
 */
struct sgx_enter {
	vdso_sgx_enter_enclave_t call;
	uint64_t begin;			/* its first instruction */
	uint64_t aep;			/* its ENCLU, the only one */
};

extern struct sgx_enter sgx_enter;

/* Cycles that the emulator charges for a round trip; before create(). */
extern uint64_t emulator_cost;

#endif
