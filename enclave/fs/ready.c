/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the readiness of a host-backed file: ready.h says how it is learned. */
#include <linux/eventpoll.h>
#include "fs/ready.h"

/* After one of these a transfer does not block, whatever the last one met. */
#define ENDED (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

/* The bits that come and go together. */
static u32 kin(u32 bits)
{
	if (bits & EPOLLIN)
		bits |= EPOLLRDNORM;
	if (bits & EPOLLOUT)
		bits |= EPOLLWRNORM | EPOLLWRBAND;
	return bits;
}

void ready_init(struct ready *r, int hostfd)
{
	*r = (struct ready){ .hostfd = hostfd };
	wait_queue_init(&r->queue);
}

void ready_note(struct ready *r, u32 events)
{
	spin_lock(&r->lock);
	r->bits |= events;
	r->unsure &= ~events;
	r->seq++;
	spin_unlock(&r->lock);
}

void ready_event(struct ready *r, u32 events)
{
	ready_note(r, events);
	wake_up(&r->queue, events);
}

u32 ready_bits(struct ready *r, u32 *unsure)
{
	u32 bits;

	spin_lock(&r->lock);
	bits = r->bits;
	*unsure = r->unsure;
	spin_unlock(&r->lock);
	return bits;
}

void ready_drained(struct ready *r, u32 bit, u64 seq)
{
	bit = kin(bit);
	/* Bits that come meanwhile come with an event, and seq moves. */
	if (!(*(volatile u32 *)&r->bits & bit))
		return;
	spin_lock(&r->lock);
	if (r->bits & ENDED) {
		r->unsure |= bit & r->bits;
	} else if (r->seq == seq) {
		r->bits &= ~bit;
		r->unsure &= ~bit;
	}
	spin_unlock(&r->lock);
}

void ready_used(struct ready *r, u32 bit)
{
	bit = kin(bit);
	if (!(*(volatile u32 *)&r->bits & bit))
		return;
	spin_lock(&r->lock);
	r->unsure |= bit & r->bits;
	spin_unlock(&r->lock);
}

void ready_confirm(struct ready *r, u32 asked, u32 got, u64 seq)
{
	spin_lock(&r->lock);
	if (r->seq == seq) {
		r->bits = (r->bits & ~asked) | (got & asked);
		r->unsure &= ~asked;
	}
	spin_unlock(&r->lock);
}

void ready_watch(struct ready *r, bool on)
{
	spin_lock(&r->lock);
	/* Nobody saw the events while nothing was watching; the watch begins with what holds. */
	if (on && !r->watches++ && !r->inside)
		r->bits = r->unsure = 0;
	else if (!on)
		r->watches--;
	spin_unlock(&r->lock);
}

void ready_inside(struct ready *r)
{
	spin_lock(&r->lock);
	r->bits = r->unsure = 0;
	r->inside = true;
	spin_unlock(&r->lock);
}
