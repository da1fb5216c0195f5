/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring as the host sees it: set-up, submitting for the enclave, and the thread that
 * watches. Nothing here is needed for safety: without it things are slow, never wrong.
 */
#ifndef RAKIS_HOST_RING_H
#define RAKIS_HOST_RING_H

#include <stdatomic.h>
#include <stdint.h>

#include "boundary/request.h"
#include "boundary/uring.h"

struct thread;
struct io_uring_cqe;

struct host_ring {
	int fd;
	_Atomic uint32_t *sq_head, *sq_tail, *sq_flags, *cq_head, *cq_tail;
	const struct io_uring_cqe *cqes;
	uint32_t cq_mask;
	uint32_t seen_head;		/* of the monitor */
};

extern struct host_ring host_rings[RAKIS_URING_MOST];
extern _Atomic uint32_t host_nrings;	/* those below are set up */

/* ---- ring.c ---- */

/* What `rq->rings` says: submit, and note what ends the request's sleep. */
void rings_begin(struct thread *t, const struct rakis_request *rq);
/* Tell the kernel of what is queued. True if anything was. */
_Bool ring_submit(struct host_ring *r);
/* How many completions are there, if all are quiet ones; -1 if one is a reason to wake up,
 * as any is if `loud`, and none if `busy`. */
int ring_quiet(const struct host_ring *r, uint32_t loud, uint32_t busy);

/* How many that are a reason to wake up are there; *all: of any kind. */
uint32_t ring_reasons(const struct host_ring *r, uint32_t *all);

static inline uint32_t ring_queued(const struct host_ring *r)
{
	return atomic_load_explicit(r->sq_tail, memory_order_acquire) -
	       atomic_load_explicit(r->sq_head, memory_order_relaxed);
}

/* ---- uring.c ---- */

/* Settle host.kick where it is KICK_AUTO. */
void kick_choose(void);
/* Set one up and fill in `out`: 0 or a negative errno. */
int uring_set_up(int number, struct rakis_uring *out);

/* ---- monitor.c ---- */

#define MONITOR_WATCH	200000000ull	/* ns without a move, asked twice, until it is replaced */

extern _Atomic uint64_t monitor_asleep;
extern _Atomic int monitor_pid;		/* 0: there is none */
extern _Bool monitor_used;		/* it has submitted something, which depends on it now */
/* -errno if there can be none. */
int monitor_start(void);
_Bool monitor_is(int pid);
void monitor_wake(void);
/* For whoever sleeps on rings, and now and then: does it do its part? */
void monitor_watch(void);
/* End it: true if it did. */
_Bool monitor_stop(void);

#endif
