/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads at an enclave's door: what to do when one comes out, and how one that is inside is
 * told to look at what came from outside. The enclave takes an exception or an interruption on
 * a second entry (CSSA 1), which arranges what the first goes on with by ERESUME.
 */
#include <errno.h>
#include <sched.h>

#include "boundary/sgx.h"
#include "host/executor.h"
#include "host/host.h"
#include "host/sgx/backend.h"
#include "host/sgx/door.h"
#include "host/sgx/sgx.h"
#include "host/thread.h"

struct sgx_enter sgx_enter;
const struct sgx_backend *sgx_backend;

/* This thread's, while it is at the door. */
static __thread struct door *at_door;
static __thread bool second;		/* inside at CSSA 1: there is no third entry */

static uint64_t tcs_of(const struct thread *t)
{
	return host.layout.slots + t->slot * host.layout.slot_size + RAKIS_SLOT_TCS;
}

static void refused(const struct door *d) __attribute__((noreturn));
static void refused(const struct door *d)
{
	const struct sgx_enclave_run *run = d->run;

	if (run->function != SGX_EEXIT)
		die(EXIT_RAKIS, "internal error: the enclave cannot be entered (exception %u, "
		    "address 0x%llx), please report this", run->exception_vector,
		    (unsigned long long)run->exception_addr);
	die(EXIT_RAKIS, "internal error: the enclave refuses an entry, please report this");
}

/* The answer of an entry at CSSA 1: the interrupted thread goes on by ERESUME. */
static void check_resume(struct thread *t, const struct door *d)
{
	if (d->run->function != SGX_EEXIT || d->command != RAKIS_EXIT_RESUME ||
	    d->arg == RAKIS_LOOK_NONE)
		refused(d);
	/* The libOS may be about to sleep. */
	if (d->arg == RAKIS_LOOK_NOTED)
		atomic_store(&t->wake, 1);
}

/* By INTERRUPT all is told that was noted; EXCEPTION tells nothing of it. */
static void second_begin(struct thread *t, struct door *d, uint64_t command)
{
	static _Atomic uint32_t nothing;

	d->function = SGX_EENTER;
	d->command = command;
	d->look = command == RAKIS_ENTER_INTERRUPT ? &t->look : &nothing;
	second = true;
}

static void second_end(struct thread *t, struct door *d)
{
	second = false;
	check_resume(t, d);
	d->function = SGX_ERESUME;
	d->look = &t->look;
}

/* From a signal handler, with all signals blocked; the ERESUME is behind it. */
static void enter_second(struct thread *t, uint64_t command)
{
	struct sgx_enclave_run run = { .tcs = tcs_of(t) };
	struct door d = { .call = sgx_enter.call, .run = &run }, *outer = at_door;

	at_door = &d;
	second_begin(t, &d, command);
	sgx_door(&d);
	second_end(t, &d);
	at_door = outer;
}

/* The slot may be free in the enclave's eyes before the thread that had it is out. */
void sgx_thread_begin(struct thread *t)
{
	while (atomic_exchange(&t->inside, 1))
		sched_yield();
	sgx_backend->thread_start(t);
}

void sgx_thread_end(struct thread *t)
{
	sgx_backend->thread_end(t);
	atomic_store(&t->inside, 0);
}

void sgx_thread(struct thread *t, const void *boot)
{
	struct sgx_enclave_run run = { .tcs = tcs_of(t) };
	struct door d = {
		.command = RAKIS_ENTER_START, .arg = (uint64_t)boot, .function = SGX_EENTER,
		.call = sgx_enter.call, .run = &run, .look = &t->look,
	};

	at_door = &d;
	for (;;) {
		if (sgx_door(&d) == -EINTR) {
			/* Before it goes on, it is told. */
			second_begin(t, &d, RAKIS_ENTER_INTERRUPT);
			continue;
		}
		if (run.function != SGX_EEXIT) {
			if (second || run.function != SGX_ERESUME)
				refused(&d);
			__atomic_fetch_add(&host.stats->host.faults, 1, __ATOMIC_RELAXED);
			second_begin(t, &d, RAKIS_ENTER_EXCEPTION);
			continue;
		}
		if (second) {
			second_end(t, &d);
			continue;
		}
		if (d.command == RAKIS_EXIT_THREAD)
			break;
		if (d.command != RAKIS_EXIT_REQUEST)
			refused(&d);
		d.arg = host_call(RAKIS_EXIT_REQUEST, d.arg, t->slot);
		d.command = RAKIS_ENTER_RETURN;
		d.function = SGX_EENTER;
	}
	at_door = NULL;
}

/* On its way to ENCLU, whose registers are ready? */
static bool is_ahead(uint64_t rip)
{
	return (rip >= (uint64_t)sgx_door_told && rip < (uint64_t)sgx_door_back) ||
	       (rip >= sgx_enter.begin && rip <= sgx_enter.aep);
}

bool sgx_interrupted(struct thread *t, greg_t *regs)
{
	uint64_t rip = regs[REG_RIP];
	bool was_inside = rip == sgx_enter.aep && regs[REG_RAX] == SGX_ERESUME;

	if (was_inside || (is_ahead(rip) && at_door->function == SGX_ERESUME)) {
		/* An interrupted second entry is not told; the thread is before its ERESUME. */
		if (second)
			thread_mark(t);
		else
			enter_second(t, RAKIS_ENTER_INTERRUPT);
		return true;
	}
	if (is_ahead(rip) && !second) {
		regs[REG_R8] = GATE_PENDING_HOST;
		return true;
	}
	thread_mark(t);
	return false;
}

bool sgx_debug_exception(struct thread *t, const greg_t *regs)
{
	if (regs[REG_RIP] != (greg_t)sgx_enter.aep || regs[REG_RAX] != SGX_ERESUME || second)
		return false;
	enter_second(t, RAKIS_ENTER_EXCEPTION);
	return true;
}
