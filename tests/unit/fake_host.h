/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host, played by the test: all trusted rooms up to hostio are the real ones, and below
 * them gate_exit() ends here. Threads of the enclave are pthreads. A range like the
 * enclave's is reserved, its guest part is real memory, and faults of usercopy.S are mended
 * as the gate does.
 */
#ifndef RAKIS_TESTS_FAKE_HOST_H
#define RAKIS_TESTS_FAKE_HOST_H

#include "hostio/hostio.h"
#include "libos/task.h"

#define FAKE_SLOTS	16
#define FAKE_GUEST_SIZE	(8ul << 20)
#define FAKE_HOLE	(4ul << 20)	/* offset of one page of the guest that is not there */

/* What answers a request; FAKE_PASS: the honest host below is to do it. */
#define FAKE_PASS	INT64_MIN
extern s64 (*fake_answer)(const struct rakis_request *rq, u32 slot);
extern u8 *fake_guest;			/* start of the guest's memory */
extern _Atomic u64 fake_requests[256];	/* requests seen, by opcode */

/* Once; the caller becomes thread 0. The shape is that of a cmocka setup function. */
int fake_host_setup(void **state);
/* The calling pthread is the thread of `slot` from now on. */
void fake_host_enter(u32 slot);
struct gate_thread *fake_thread(u32 slot);
/* As the host sleeps for RAKIS_REQ_WAIT: true if a WAKE came, or had come before. */
bool fake_sleep(u32 slot, u64 ns);

/* A stream of numbers that is the same in every run. */
u32 fake_random(u64 *seed);
static inline u32 fake_below(u64 *seed, u32 n)
{
	return fake_random(seed) % n;
}

#endif
