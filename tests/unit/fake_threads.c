/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include "fake_threads.h"
#include "gate/usercopy.h"
#include "hostio/async.h"
#include "lib/errno.h"
#include "libos/time.h"

struct fake_thread fake_threads[FAKE_THREADS];
__thread struct gate_thread *unit_gate_self;
struct process process;
void (*lock_yield)(void);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

void fake_enter(int id)
{
	unit_gate_self = &fake_threads[id].gate;
}

int fake_setup(void **state)
{
	memset(fake_threads, 0, sizeof(fake_threads));
	for (int i = 0; i < FAKE_THREADS; i++) {
		struct fake_thread *t = &fake_threads[i];

		t->gate.task = &t->task;
		t->task.gate = &t->gate;
		t->task.tid = FAKE_FIRST_TID + i;
	}
	fake_enter(0);
	return 0;
}

static void *run(void *arg)
{
	struct fake_thread *t = arg;

	fake_enter(t - fake_threads);
	t->run(t - fake_threads);
	return NULL;
}

void fake_start(int id, void (*fn)(int id))
{
	struct fake_thread *t = &fake_threads[id];

	t->run = fn;
	assert(!pthread_create(&t->pthread, NULL, run, t));
}

void fake_join(int id)
{
	assert(!pthread_join(fake_threads[id].pthread, NULL));
}

void fake_signal(int id)
{
	struct fake_thread *t = &fake_threads[id];

	atomic_store(&t->signal, true);
	atomic_fetch_or(&t->gate.pending, GATE_PENDING_WORK);
	park_wake(&t->gate);
}

void fake_wait_parked(int id)
{
	while (!atomic_load(&fake_threads[id].gate.parked))
		sched_yield();
}

/* ---- hostio/park.h ---- */

void park_begin(void)
{
	atomic_store(&gate_self()->notified, 0);
}

void park(u64 ns)
{
	struct gate_thread *t = gate_self();
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	ns = ns > 3600 * NSEC_PER_SEC ? 3600 * NSEC_PER_SEC : ns;
	ns += until.tv_nsec;
	until.tv_sec += ns / NSEC_PER_SEC;
	until.tv_nsec = ns % NSEC_PER_SEC;
	pthread_mutex_lock(&mutex);
	while (!r && !t->notified && !t->pending) {
		atomic_store(&t->parked, 1);
		r = pthread_cond_timedwait(&changed, &mutex, &until);
	}
	atomic_store(&t->parked, 0);
	pthread_mutex_unlock(&mutex);
}

void park_wake(struct gate_thread *t)
{
	pthread_mutex_lock(&mutex);
	t->notified = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

void spin_contended(struct spinlock *l)
{
	while (!spin_trylock(l))
		sched_yield();
}

/* ---- the rooms around ---- */

bool signal_deliverable(void)
{
	return fake_threads[unit_gate_self->task->tid - FAKE_FIRST_TID].signal;
}

void signal_poll_host(void)
{
}

struct task *task_find(u32 tid)
{
	u32 id = tid - FAKE_FIRST_TID;

	return id < FAKE_THREADS && !fake_threads[id].gone ? &fake_threads[id].task : NULL;
}

void task_put(struct task *t)
{
}

/* ---- gate/usercopy.h ---- */

int copy_from_user(void *dst, u64 uaddr, size_t n)
{
	if (uaddr < FAKE_BAD)
		return -EFAULT;
	memcpy(dst, (const void *)uaddr, n);
	return 0;
}

int user_load32(u64 uaddr, u32 *out)
{
	if (uaddr < FAKE_BAD)
		return -EFAULT;
	*out = atomic_load((_Atomic u32 *)uaddr);
	return 0;
}

int user_cmpxchg32(u64 uaddr, u32 old, u32 new, u32 *seen)
{
	if (uaddr < FAKE_BAD)
		return -EFAULT;
	*seen = old;
	atomic_compare_exchange_strong((_Atomic u32 *)uaddr, seen, new);
	return 0;
}

/* ---- hostio/async.h: no rings, unless a test has its own ---- */

__attribute__((weak)) void async_depend(u32 ring)
{
}

__attribute__((weak)) bool async_reap(u32 ring)
{
	return false;
}

__attribute__((weak)) void async_kick(u32 ring)
{
}

/* ---- net/net.h: nor a fast path ---- */

__attribute__((weak)) void net_depend(void)
{
}

__attribute__((weak)) bool net_reap(void)
{
	return false;
}
