/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals from outside, between the handlers that receive them and the libOS that asks for
 * them. As in the kernel, a standard signal is kept once and a real-time signal as often
 * as it came, in its order. Handlers of several threads put, any thread takes: each record
 * changes hands by compare-and-swap on its state.
 */
#include <signal.h>
#include <stdatomic.h>

#include "boundary/request.h"
#include "host/thread.h"

#define RECORDS 256
#define FIRST_REALTIME 32

enum { FREE, BUSY, FULL };

static struct record {
	_Atomic uint32_t state;
	uint32_t order;
	struct rakis_signal s;
} records[RECORDS];

static _Atomic uint32_t next_order;
static _Atomic int count;

static int claim(struct record *r, uint32_t from)
{
	return atomic_compare_exchange_strong(&r->state, &from, BUSY);
}

/* The first records are those of the standard signals. */
void signal_queue_put(const struct rakis_signal *s)
{
	struct record *r = NULL;

	if (s->signo < FIRST_REALTIME) {
		if (!claim(&records[s->signo], FREE))
			return;
		r = &records[s->signo];
	} else {
		for (int i = FIRST_REALTIME; i < RECORDS && !r; i++)
			if (claim(&records[i], FREE))
				r = &records[i];
		if (!r)
			return;		/* the kernel, too, drops what exceeds RLIMIT_SIGPENDING */
	}
	r->s = *s;
	r->order = atomic_fetch_add(&next_order, 1);
	atomic_fetch_add(&count, 1);
	atomic_store(&r->state, FULL);
}

/* Lowest number first, among equals the oldest. */
static struct record *best(void)
{
	struct record *found = NULL;

	for (struct record *r = records; r < records + RECORDS; r++) {
		if (atomic_load(&r->state) != FULL)
			continue;
		if (!found || r->s.signo < found->s.signo ||
		    (r->s.signo == found->s.signo && (int32_t)(r->order - found->order) < 0))
			found = r;
	}
	return found;
}

int signal_queue_take(struct rakis_signal *s)
{
	while (!signal_queue_is_empty()) {
		struct record *r = best();

		if (!r)
			return 0;	/* being filled: its handler will tell a thread */
		if (!claim(r, FULL))
			continue;
		*s = r->s;
		atomic_fetch_sub(&count, 1);
		atomic_store(&r->state, FREE);
		return 1;
	}
	return 0;
}

int signal_queue_is_empty(void)
{
	return atomic_load(&count) == 0;
}
