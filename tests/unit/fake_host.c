/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_host.h. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "fake_fault.h"
#include "fake_host.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "libos/time.h"

#define ENCLAVE_SIZE	(FAKE_GUEST_SIZE + (64ul << 20))

struct rakis_layout gate_layout;
struct process process;
__thread struct gate_thread *unit_gate_self;
s64 (*fake_answer)(const struct rakis_request *rq, u32 slot);
u8 *fake_guest;
_Atomic u64 fake_requests[256];

static struct gate_thread threads[FAKE_SLOTS];
static struct task tasks[FAKE_SLOTS];
static bool woken[FAKE_SLOTS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

struct gate_thread *fake_thread(u32 slot)
{
	return &threads[slot];
}

void fake_host_enter(u32 slot)
{
	unit_gate_self = &threads[slot];
}

u32 fake_random(u64 *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* ---- memory ---- */

static void *reserve(size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? abort(), NULL : p;
}

static void host_start(void)
{
	struct rakis_boot boot = { .cpus = 2, .arena_size = arena_size_needed() };

	fake_guest = reserve(ENCLAVE_SIZE, PROT_NONE);
	gate_layout = (struct rakis_layout){
		.base = (u64)fake_guest, .size = ENCLAVE_SIZE,
		.heap = (u64)fake_guest + FAKE_GUEST_SIZE, .slots = (u64)fake_guest + ENCLAVE_SIZE,
	};
	if (mprotect(fake_guest, FAKE_GUEST_SIZE, PROT_READ | PROT_WRITE) ||
	    mprotect(fake_guest + FAKE_HOLE, PAGE_SIZE, PROT_NONE))
		abort();
	fake_catch_faults();
	boot.arena = (u64)reserve(boot.arena_size, PROT_READ | PROT_WRITE);
	boot.stats = (u64)reserve(sizeof(struct rakis_stats), PROT_READ | PROT_WRITE);
	untrusted_init(gate_layout.base, gate_layout.size);
	fake_host_enter(0);
	hostio_init(&boot);
}

int fake_host_setup(void **state)
{
	if (!fake_guest)
		host_start();
	fake_answer = NULL;
	memset(threads, 0, sizeof(threads));
	memset(tasks, 0, sizeof(tasks));
	memset(woken, 0, sizeof(woken));
	memset(fake_requests, 0, sizeof(fake_requests));
	process = (struct process){ .pid = 100 };
	list_init(&process.tasks);
	for (u32 i = 0; i < FAKE_SLOTS; i++) {
		threads[i] = (struct gate_thread){
			.self = &threads[i], .slot = i, .task = &tasks[i],
		};
		tasks[i] = (struct task){ .gate = &threads[i], .tid = 100 + i, .refs = 1 };
	}
	stats.enclave.host_faults = 0;
	return 0;
}

void *kmalloc(size_t n)
{
	return malloc(n);
}

void *kzalloc(size_t n)
{
	return calloc(1, n);
}

void *krealloc(void *p, size_t n)
{
	return realloc(p, n);
}

void kfree(void *p)
{
	free(p);
}

char *kstrdup(const char *s)
{
	return strdup(s);
}

char *kasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return s;
}

/* ---- requests ---- */

bool fake_sleep(u32 slot, u64 ns)
{
	struct timespec until;
	bool was;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	ns = min(ns, 3600 * NSEC_PER_SEC) + until.tv_nsec;
	until.tv_sec += ns / NSEC_PER_SEC;
	until.tv_nsec = ns % NSEC_PER_SEC;
	pthread_mutex_lock(&mutex);
	while (!woken[slot] && !r)
		r = pthread_cond_timedwait(&changed, &mutex, &until);
	was = woken[slot];
	woken[slot] = false;
	pthread_mutex_unlock(&mutex);
	return was;
}

static s64 honest(const struct rakis_request *rq, u32 slot)
{
	switch (rq->opcode) {
	case RAKIS_OP_PARK:
		if (!rq->addr3)
			return 0;
		return fake_sleep(slot, rq->addr3) ? -EINTR : -EAGAIN;
	case RAKIS_OP_WAKE:
	case RAKIS_OP_INTERRUPT:
		pthread_mutex_lock(&mutex);
		woken[rq->fd] = true;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mutex);
		return 0;
	case RAKIS_OP_YIELD:
		sched_yield();
		return 0;
	case RAKIS_OP_LOG:
	case RAKIS_OP_CLOSE:
	case RAKIS_OP_SIGNAL_IGNORE:
	case RAKIS_OP_SIGNAL_TAKE:
		return 0;
	default:
		return -EINVAL;
	}
}

s64 gate_exit(u64 reason, u64 arg)
{
	u32 slot = gate_self()->slot;
	struct rakis_request rq;
	s64 res = FAKE_PASS;

	if (reason != GATE_EXIT_REQUEST || arg != uptr_number(arena_request(slot)))
		abort();
	memcpy(&rq, (void *)arg, sizeof(rq));
	atomic_fetch_add_explicit(&fake_requests[rq.opcode], 1, memory_order_relaxed);
	if (fake_answer && rq.opcode != RAKIS_OP_LOG)
		res = fake_answer(&rq, slot);
	return res == FAKE_PASS ? honest(&rq, slot) : res;
}

/* ---- rooms above that are not in every test: a test's own take their place ---- */

#define WEAK __attribute__((weak))

WEAK bool signal_deliverable(void)
{
	return false;
}

WEAK void signal_poll_host(void)
{
}

WEAK int signal_send_task(struct task *t, const struct siginfo_min *info)
{
	return 0;
}

WEAK void task_put(struct task *t)
{
}

WEAK void task_kick(struct task *t)
{
	atomic_fetch_or(&t->gate->pending, GATE_PENDING_WORK);
	park_wake(t->gate);
}
