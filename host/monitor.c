/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor tells the kernel of what the enclave has queued. With the policy `monitor` it
 * is the one that does so, and watches closely while there is work. With `inline` it is there
 * for what a busy thread has queued and no exit took along: it looks once in a while. When
 * nothing is queued for a while it sleeps, until it is woken by RAKIS_OP_KICK: it says that
 * it sleeps, then looks once more; the enclave queues, then looks whether it sleeps.
 *
 * The kernel completes a request in the context of who submitted it. A monitor that does not
 * run (stopped, starved) therefore holds back all that it has submitted, and nobody else can
 * even cancel that, but its end does. So it is not a thread but a process that shares memory
 * and descriptors, which can be ended alone: whoever sleeps on rings looks now and then
 * whether it still lives and moves, and replaces it otherwise. The enclave then meets requests
 * that were cancelled, and submits them again.
 *
 * It runs on the TLS of whoever made it: no C library here (host/meson.build).
 */
#include <errno.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "host/executor.h"
#include "host/host.h"
#include "host/ring.h"
#include "host/xsk.h"

#define US		1000ull
#define MS		(1000 * US)
#define TICK		(1 * MS)	/* inline */
#define TICKS_IDLE	100
#define SPIN		(50 * US)	/* monitor: this long it spins, */
#define DOZE		(50 * US)	/* then it sleeps for so long, */
#define DOZE_LIMIT	(5 * MS)	/* until then; then it sleeps until it is woken */
#define STACK		(64u << 10)
#define END_TRIES	100		/* of 100 us, until it has ended */

_Atomic uint64_t monitor_asleep = 1;
_Atomic int monitor_pid;		/* the kernel clears it at its end */
_Bool monitor_used;

static _Atomic uint64_t beat;		/* moves while it does */
static char *stack;
static int made, maker;			/* the last one, and this process */

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

static void pause_for(uint64_t ns)
{
	struct timespec ts = { 0, ns };

	sys(nanosleep, &ts, NULL);
}

void monitor_wake(void)
{
	if (atomic_exchange(&monitor_asleep, 0))
		sys(futex, &monitor_asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- its own work ---- */

static _Bool anything_queued(void)
{
	for (uint32_t i = 0; i < host_nrings; i++)
		if (ring_queued(&host_rings[i]))
			return 1;
	for (uint32_t i = 0; i < host_nxsks; i++)
		if (xsk_queued(&host_xsks[i]))
			return 1;
	return 0;
}

static void deep_sleep(void)
{
	atomic_store(&monitor_asleep, 1);
	if (!anything_queued())
		while (atomic_load(&monitor_asleep))
			sys(futex, &monitor_asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	atomic_store(&monitor_asleep, 0);
}

static _Bool submit(struct host_ring *r)
{
	_Bool any = ring_submit(r);

	if (any)
		monitor_used = 1;
	return any;
}

/* What was queued a tick ago and is still there. True if the enclave is active. */
static _Bool look_late(void)
{
	_Bool active = 0;

	for (uint32_t i = 0; i < host_nrings; i++) {
		struct host_ring *r = &host_rings[i];
		uint32_t head = atomic_load(r->sq_head);

		if (ring_queued(r) && head == r->seen_head)
			submit(r);
		active |= head != r->seen_head;
		r->seen_head = head;
	}
	for (uint32_t i = 0; i < host_nxsks; i++) {
		struct host_xsk *x = &host_xsks[i];
		uint32_t consumer = atomic_load(x->tx_consumer);

		if (xsk_queued(x) && consumer == x->seen)
			xsk_kick(x);
		active |= consumer != x->seen;
		x->seen = consumer;
	}
	return active;
}

static void watch_late(void)
{
	for (int idle = 0; ; idle++) {
		atomic_fetch_add(&beat, 1);
		if (look_late())
			idle = 0;
		if (idle >= TICKS_IDLE) {
			deep_sleep();
			idle = 0;
		}
		pause_for(TICK);
	}
}

static void watch(void)
{
	uint64_t last = now(), idle;

	for (;;) {
		_Bool any = 0;

		atomic_fetch_add(&beat, 1);
		for (uint32_t i = 0; i < host_nrings; i++)
			any |= submit(&host_rings[i]);
		for (uint32_t i = 0; i < host_nxsks; i++)
			any |= xsk_queued(&host_xsks[i]) && xsk_kick(&host_xsks[i]);
		idle = now() - last;
		if (any)
			last += idle;
		else if (idle < SPIN)
			__builtin_ia32_pause();
		else if (idle < DOZE_LIMIT)
			pause_for(DOZE);
		else {
			deep_sleep();
			last = now();
		}
	}
}

static void monitor_main(void)
{
	sys(prctl, PR_SET_NAME, "rakis-monitor");
	sys(prctl, PR_SET_TIMERSLACK, 1);
	/* Should all others be killed. */
	sys(prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (sys(getppid, 0) != maker)
		sys(exit_group, 0);
	if (host.kick == KICK_MONITOR)
		watch();
	watch_late();
}

/* ---- its beginning and end ---- */

static long clone_monitor(void)
{
	const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_PARENT_SETTID |
				    CLONE_CHILD_CLEARTID;
	register long child_tid __asm__("r10") = (long)&monitor_pid;
	register long tls __asm__("r8") = 0;
	long res;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%%rbx\n"
			 "1:"
			 : "=a"(res)
			 : "a"(SYS_clone), "D"(flags), "S"(stack + STACK), "d"(&monitor_pid),
			   "r"(child_tid), "r"(tls), "b"(monitor_main)
			 : "rcx", "r11", "memory");
	return res;
}

int monitor_start(void)
{
	uint64_t all = ~0ull, old;
	long res;

	maker = sys(getpid, 0);
	if (!stack) {
		res = sys(mmap, NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (res < 0 && res > -4096)
			return res;
		stack = (char *)res;
	}
	sys(rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	res = clone_monitor();
	sys(rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
	if (res < 0)
		return res;
	made = res;
	return 0;
}

_Bool monitor_is(int pid)
{
	return pid == made;
}

/* Until it is gone it has the program's descriptors open. True if its stack is free. */
_Bool monitor_stop(void)
{
	if (!made)
		return 1;
	if (monitor_pid)
		sys(kill, made, SIGKILL);
	/* Somebody may trace it, who is then told first. */
	for (int i = 0; sys(wait4, made, NULL, __WALL | WNOHANG, NULL) == 0 && i < END_TRIES; i++)
		pause_for(100 * US);
	return !monitor_pid;
}

void monitor_watch(void)
{
	static _Atomic int at_it;
	static uint64_t seen, since;
	static _Bool woken;
	uint64_t t;
	int alive;

	if (!stack || atomic_exchange(&at_it, 1))
		return;
	t = now();
	alive = monitor_pid;
	if (alive && (seen != beat || !since)) {
		seen = beat;
		since = t;
		woken = 0;
	} else if (alive && t - since >= MONITOR_WATCH && !woken) {
		/* It may be asleep. */
		monitor_wake();
		since = t;
		woken = 1;
	} else if (!alive || t - since >= MONITOR_WATCH) {
		/* Without one, each request that is queued is told of (`asleep` in struct rakis_uring). */
		monitor_asleep = 1;
		if (monitor_stop() && !monitor_start())
			monitor_asleep = 0;
		since = 0;
	}
	atomic_store(&at_it, 0);
}
