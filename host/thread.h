/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's half of a thread: how it is entered, interrupted, put to sleep and woken.
 */
#ifndef RAKIS_HOST_THREAD_H
#define RAKIS_HOST_THREAD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/gate_thread.h"
#include "boundary/stats.h"

enum asleep {
	AWAKE,
	ASLEEP_POLL,		/* in a poll that includes wake_fd */
	ASLEEP_CALL,		/* in a system call that only a signal ends */
};

/* One per slot; outlives the host threads that use it. */
struct thread {
	uint64_t slot;
	uint64_t block;		/* address of its struct gate_thread; in an enclave not the host's */
	_Atomic int tid;	/* 0: nobody there, or not there yet */
	_Atomic uint32_t look;	/* GATE_PENDING_HOST: to be told at the next entry (SGX) */
	_Atomic int inside;	/* a host thread is at the slot's door, or behind it (SGX) */
	_Atomic int wake;	/* a wake-up came that no sleep has used up */
	_Atomic int asleep;	/* enum asleep */
	int wake_fd;		/* eventfd */
	uint32_t rings;		/* what ends the sleep of the request at hand: a bit each */
	uint32_t xsks;		/* the same, of AF_XDP sockets (RAKIS_XSK_BIT) */
	uint32_t loud;		/* and those on which quiet completions do, too */
	uint32_t batch;		/* and how many completions are worth a moment */
	uint32_t exits;
	uint32_t busy;		/* and those on which the ones that are there do not */
	_Bool guarded;		/* the guard page of its stack is set up */
	void *polls;		/* buffer of exec_wait.c */
	size_t polls_size;
};

/* The one of a slot number; NULL if there is no such slot. */
struct thread *thread_of(uint64_t slot);

/* Bring slot 0 up on the calling thread. Does not return. */
void threads_start(const void *boot) __attribute__((noreturn));
/* A new host thread that enters at `slot`: 0 or a negative errno. */
int thread_spawn(uint64_t slot);

/* End its sleep, or its next one. */
void thread_wake(struct thread *t);
/* The same, and guest code that runs there enters the libOS. */
void thread_interrupt(struct thread *t);
/* Some thread is to look what came from outside. */
void thread_interrupt_any(void);

/* Not 0 if it is to look at what is pending; in an enclave this is the host's own note. */
_Atomic uint32_t *thread_pending(struct thread *t);
/* It is told at the next occasion that something is. */
void thread_mark(struct thread *t);

/* ---- signals.c ---- */

/* Two signals are RAKIS's own; the program never sees them when they come from outside. */
#define SIGNAL_INTERRUPT	RAKIS_STATS_SIGNAL
#define SIGNAL_TIMER		64

extern __thread struct thread *self;	/* NULL outside of threads that enter */
extern __thread _Bool poked;		/* this thread was told to look what came from outside */

void signals_record(uint64_t *ignored, uint64_t *blocked);
void signals_install(void);
void signals_block(void);
void signals_unblock(void);
/* Forward `sig` to the program again, or have the kernel ignore it. */
void signal_forward(int sig, int ignore);
void signal_stop(int sig);
void signal_end(int sig) __attribute__((noreturn));

/* ---- signal_queue.c: between handlers and RAKIS_OP_SIGNAL_TAKE ---- */

struct rakis_signal;
void signal_queue_put(const struct rakis_signal *s);	/* from any handler */
int signal_queue_take(struct rakis_signal *s);		/* 1 if there was one */
int signal_queue_is_empty(void);

/* ---- outside.S ---- */

/*
 * System call `nr`, or -EINTR without it if *stop is not 0 or a signal handler of
 * RAKIS's runs before the kernel takes over: no wake-up is lost in between.
 */
long call_unless(_Atomic int *stop, long nr, long a, long b, long c, long d, long e, long f);
extern const char call_unless_start[], call_unless_end[], call_unless_cancel[];

/* fn(a, b) with a clean floating-point state; the caller's extended state survives. */
int64_t with_fpu(int64_t (*fn)(void *, void *), void *a, void *b);
extern uint64_t xsave_size;	/* of the area with_fpu() needs; set at start */

/* The kernel's entry for every signal. */
void signal_entry(int sig, void *info, void *context);

#endif
