/* SPDX-License-Identifier: Apache-2.0 */
/* Through the door once, in assembly: an enclave's registers are not those of C. */
#ifndef RAKIS_HOST_SGX_DOOR_H
#define RAKIS_HOST_SGX_DOOR_H

#define DOOR_COMMAND	0
#define DOOR_ARG	8
#define DOOR_FUNCTION	16
#define DOOR_CALL	24
#define DOOR_RUN	32
#define DOOR_LOOK	40

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct door {
	uint64_t command;	/* RAKIS_ENTER_*; afterwards RAKIS_EXIT_* */
	uint64_t arg;
	uint64_t function;	/* SGX_EENTER or SGX_ERESUME */
	vdso_sgx_enter_enclave_t call;
	struct sgx_enclave_run *run;
	_Atomic uint32_t *look;	/* cleared when the enclave is told, by register r8 */
};
_Static_assert(offsetof(struct door, look) == DOOR_LOOK, "offsets");

/*
 * 0: out again by EEXIT or an exception, run->function tells. -EINTR: not entered, because an
 * ERESUME tells the enclave nothing and *look was set.
 */
int sgx_door(struct door *door);

/* From the first on, r8 is what the enclave will be told; at the second, it was. */
extern const char sgx_door_told[], sgx_door_back[];
#endif
#endif
