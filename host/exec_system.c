/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about threads, memory, time and signals that need no more than system calls. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "host/executor.h"
#include "host/host.h"
#include "host/thread.h"

#define NS		1000000000ull
#define NO_TIMER	(~0ull)

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* Through the vDSO, which uses no vector register. */
static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS + ts.tv_nsec;
}

static long clocks(const struct rakis_request *rq)
{
	struct rakis_clock *out = arena_at(rq->addr, sizeof(*out));

	if (!out)
		return -EINVAL;
	out->tsc_before = rdtsc();
	out->monotonic_ns = now(CLOCK_MONOTONIC);
	out->realtime_ns = now(CLOCK_REALTIME);
	out->tsc_after = rdtsc();
	out->boottime_ns = now(CLOCK_BOOTTIME);
	out->process_cpu_ns = now(CLOCK_PROCESS_CPUTIME_ID);
	out->thread_cpu_ns = now(CLOCK_THREAD_CPUTIME_ID);
	return 0;
}

/* One timer for all; its signal goes to any thread, whose handler has it look. */
static long set_timer(uint64_t ns)
{
	static _Atomic int timer = -1;
	struct itimerspec when = { 0 };
	int id = atomic_load(&timer);

	if (id < 0) {
		struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGNAL_TIMER };
		int none = -1;
		long res;

		if (ns == NO_TIMER)
			return 0;
		res = sys(timer_create, CLOCK_MONOTONIC, &ev, &id);
		if (res)
			return res;
		if (!atomic_compare_exchange_strong(&timer, &none, id)) {
			sys(timer_delete, id);
			id = none;
		}
	}
	if (ns != NO_TIMER) {
		when.it_value.tv_sec = ns / NS;
		when.it_value.tv_nsec = ns % NS;
		if (!ns)
			when.it_value.tv_nsec = 1;
	}
	return sys(timer_settime, id, 0, &when, NULL);
}

static bool in_range(uint64_t addr, uint64_t len, uint64_t end)
{
	return addr >= host.layout.base && addr <= end && len <= end - addr;
}

static long protect(const struct rakis_request *rq)
{
	static const int prot[8] = {
		PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE, PROT_EXEC,
		PROT_READ | PROT_EXEC, PROT_WRITE | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC,
	};

	if (!in_range(rq->addr, rq->off, host.layout.heap) || rq->op_flags > 7)
		return -EINVAL;
	return sys(mprotect, rq->addr, rq->off, prot[rq->op_flags]);
}

/* Data appears in pages that the program's threads cannot touch yet. */
static long install(const struct rakis_request *rq)
{
	long n;

	if (!in_range(rq->addr, rq->len, host.layout.heap) ||
	    !in_range(rq->off, rq->len, host.layout.slots))
		return -EINVAL;
	n = sys(pwrite64, host.mem_fd, rq->off, rq->len, rq->addr);
	return n == (long)rq->len ? 0 : -EINVAL;
}

static long discard(const struct rakis_request *rq)
{
	if (!in_range(rq->addr, rq->off, host.layout.slots))
		return -EINVAL;
	return sys(madvise, rq->addr, rq->off, MADV_DONTNEED);
}

static long affinity(const struct rakis_request *rq)
{
	struct thread *t = thread_of(rq->fd);
	int tid;

	if (!t || !t->block)
		return -ESRCH;
	/* A thread that was spawned just now says its number as the first thing. */
	for (int i = 0; !(tid = atomic_load(&t->tid)) && i < 1000; i++)
		sys(sched_yield, 0);
	if (!tid)
		return -ESRCH;
	return rq->op_flags ? sys(sched_setaffinity, tid, rq->len, rq->addr) :
		sys(sched_getaffinity, tid, rq->len, rq->addr);
}

/*
 * RAKIS itself uses as many descriptors as the hard limit allows, so the soft limit that
 * the program sees is kept here.
 */
static long limit(const struct rakis_request *rq)
{
	uint64_t *lim = arena_at(rq->addr, 16), raised[2];
	long res;

	if (!lim)
		return -EINVAL;
	if (rq->fd != RLIMIT_NOFILE)
		return rq->op_flags ? sys(prlimit64, 0, rq->fd, lim, NULL) :
			sys(prlimit64, 0, rq->fd, NULL, lim);
	if (!rq->op_flags) {
		lim[0] = host.nofile[0];
		lim[1] = host.nofile[1];
		return 0;
	}
	if (lim[0] > lim[1])
		return -EINVAL;
	raised[0] = raised[1] = lim[1];
	res = sys(prlimit64, 0, RLIMIT_NOFILE, raised, NULL);
	if (!res) {
		host.nofile[0] = lim[0];
		host.nofile[1] = lim[1];
	}
	return res;
}

/* Somebody looks at the counters, and the enclave has not shown the latest. */
static _Bool stats_are_wanted(void)
{
	return __atomic_load_n(&host.stats->wanted, __ATOMIC_RELAXED) !=
	       __atomic_load_n(&host.stats->shown, __ATOMIC_RELAXED);
}

int64_t exec_system(struct thread *t, const struct rakis_request *rq)
{
	struct rakis_signal *s;
	struct thread *other;

	switch (rq->opcode) {
	case RAKIS_OP_WAKE:
	case RAKIS_OP_INTERRUPT:
		other = thread_of(rq->fd);
		if (other && rq->opcode == RAKIS_OP_WAKE)
			thread_wake(other);
		else if (other)
			thread_interrupt(other);
		return 0;
	case RAKIS_OP_YIELD:
		return sys(sched_yield, 0);
	case RAKIS_OP_MEM_PROTECT:
		return protect(rq);
	case RAKIS_OP_MEM_INSTALL:
		return install(rq);
	case RAKIS_OP_MEM_DISCARD:
		return discard(rq);
	case RAKIS_OP_CLOCK:
		return clocks(rq);
	case RAKIS_OP_TIMER:
		return set_timer(rq->off);
	case RAKIS_OP_SIGNAL_TAKE:
		s = arena_at(rq->addr, sizeof(*s));
		if (!s)
			return -EINVAL;
		return signal_queue_take(s) ? 1 : stats_are_wanted() ? 2 : 0;
	case RAKIS_OP_KILL:
		return sys(kill, rq->fd, rq->len);
	case RAKIS_OP_AFFINITY:
		return affinity(rq);
	case RAKIS_OP_RLIMIT:
		return limit(rq);
	case RAKIS_OP_RUSAGE:
		return sys(getrusage, rq->fd, rq->addr);
	case RAKIS_OP_SYSINFO:
		return sys(sysinfo, rq->addr);
	}
	return NOT_MINE;
}
