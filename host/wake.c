/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waking and interrupting threads. Runs while vector registers hold the guest's values, as
 * the executor does. A waker stores `wake`, then reads `asleep`; a sleeper stores `asleep`,
 * then reads `wake`: one of them sees the other.
 */
#include <stddef.h>
#include <sys/syscall.h>

#include "boundary/boot.h"
#include "host/executor.h"
#include "host/host.h"
#include "host/thread.h"

static struct thread threads[RAKIS_SLOT_COUNT];

struct thread *thread_of(uint64_t slot)
{
	return slot < RAKIS_SLOT_COUNT ? &threads[slot] : NULL;
}

static void send(int tid)
{
	sys(tgkill, sys(getpid, 0), tid, SIGNAL_INTERRUPT);
}

void thread_wake(struct thread *t)
{
	uint64_t one = 1;
	int tid;

	atomic_store(&t->wake, 1);
	switch (atomic_load(&t->asleep)) {
	case ASLEEP_POLL:
		sys(write, t->wake_fd, &one, sizeof(one));
		break;
	case ASLEEP_CALL:
		tid = atomic_load(&t->tid);
		if (tid)
			send(tid);
		break;
	}
}

_Atomic uint32_t *thread_pending(struct thread *t)
{
	return host.sgx ? &t->look : (_Atomic uint32_t *)(t->block + GATE_PENDING);
}

void thread_mark(struct thread *t)
{
	atomic_fetch_or(thread_pending(t), GATE_PENDING_HOST);
}

void thread_interrupt(struct thread *t)
{
	int tid = atomic_load(&t->tid);

	if (!t->block)
		return;
	thread_mark(t);
	if (tid)
		send(tid);
	else
		atomic_store(&t->wake, 1);
}

void thread_interrupt_any(void)
{
	for (int i = 0; i < RAKIS_SLOT_COUNT; i++) {
		if (&threads[i] != self && atomic_load(&threads[i].tid)) {
			thread_interrupt(&threads[i]);
			return;
		}
	}
}
