/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: a thread that tells the kernel of what the enclave has queued. With the
 * policy `monitor` it is the one that does so, and watches closely while there is work.
 * With `inline` it is there for what a busy thread has queued and no exit took along: it
 * looks once in a while. When nothing is queued for a while it sleeps, until it is woken by
 * RAKIS_OP_KICK: it says that it sleeps, then looks once more; the enclave queues, then looks
 * whether it sleeps.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "host/ring.h"
#include "host/thread.h"

#define US		1000ull
#define MS		(1000 * US)
#define TICK		(1 * MS)	/* inline */
#define TICKS_IDLE	100
#define SPIN		(50 * US)	/* monitor: this long it spins, */
#define DOZE		(50 * US)	/* then it sleeps for so long, */
#define DOZE_LIMIT	(5 * MS)	/* until then; then it sleeps until it is woken */
#define STACK		(64u << 10)

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

static void pause_for(uint64_t ns)
{
	struct timespec ts = { 0, ns };

	nanosleep(&ts, NULL);
}

static bool anything_queued(void)
{
	for (uint32_t i = 0; i < host_nrings; i++)
		if (ring_queued(&host_rings[i]))
			return true;
	return false;
}

static void deep_sleep(void)
{
	atomic_store(&monitor_asleep, 1);
	if (!anything_queued())
		while (atomic_load(&monitor_asleep))
			syscall(SYS_futex, &monitor_asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	atomic_store(&monitor_asleep, 0);
}

/* What was queued a tick ago and is still there. True if the enclave is active. */
static bool look_late(void)
{
	bool active = false;

	for (uint32_t i = 0; i < host_nrings; i++) {
		struct host_ring *r = &host_rings[i];
		uint32_t head = atomic_load(r->sq_head);

		if (ring_queued(r) && head == r->seen_head)
			ring_submit(r);
		active |= head != r->seen_head;
		r->seen_head = head;
	}
	return active;
}

static void watch_late(void)
{
	for (int idle = 0; ; idle++) {
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
		bool any = false;

		for (uint32_t i = 0; i < host_nrings; i++)
			any |= ring_submit(&host_rings[i]);
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

static void *monitor_main(void *arg)
{
	prctl(PR_SET_NAME, "rakis-monitor");
	prctl(PR_SET_TIMERSLACK, 1);
	if (host.kick == KICK_MONITOR)
		watch();
	watch_late();
	return NULL;
}

int monitor_start(void)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	err = pthread_create(&thread, &attr, monitor_main, NULL);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}
