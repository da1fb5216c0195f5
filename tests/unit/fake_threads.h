/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks of the libOS played by pthreads: gate_self() is thread-local, park() sleeps on a
 * condition variable, guest memory is the test's own (addresses below FAKE_BAD are good).
 */
#ifndef RAKIS_TESTS_FAKE_THREADS_H
#define RAKIS_TESTS_FAKE_THREADS_H

#include <pthread.h>
#include "libos/task.h"

#define FAKE_THREADS	16
#define FAKE_FIRST_TID	100u
#define FAKE_BAD	0x1000ull	/* addresses below this fault */

struct fake_thread {
	struct gate_thread gate;
	struct task task;
	_Atomic bool signal;	/* signal_deliverable() */
	_Atomic bool gone;	/* task_find() does not see it */
	pthread_t pthread;
	void (*run)(int id);
};

extern struct fake_thread fake_threads[FAKE_THREADS];

/* The calling pthread is thread `id` from now on. */
void fake_enter(int id);
/* All fresh, and the caller is thread 0. */
int fake_setup(void **state);
/* Run `fn(id)` as thread `id`. */
void fake_start(int id, void (*fn)(int id));
void fake_join(int id);
/* A signal arrives for it. */
void fake_signal(int id);
/* Until `id` sleeps in park(). */
void fake_wait_parked(int id);

#endif
