/* SPDX-License-Identifier: Apache-2.0 */
/* Wait queues, the sleeping lock, and what a thread does between two looks at its condition. */
#include "libos/wait.h"
#include "libos/task.h"
#include "libos/time.h"

void wait_queue_init(struct wait_queue *q)
{
	*q = (struct wait_queue)WAIT_QUEUE_INIT(*q);
}

void waiter_init(struct waiter *w, struct task *task)
{
	*w = (struct waiter){ .task = task };
	list_init(&w->node);
}

void waiter_add(struct wait_queue *q, struct waiter *w)
{
	spin_lock(&q->lock);
	w->queue = q;
	if (w->exclusive)
		list_append(&q->waiters, &w->node);
	else
		list_push(&q->waiters, &w->node);
	spin_unlock(&q->lock);
	/* The waiter is seen before it looks at its condition; pairs with the lock in wake(). */
	atomic_thread_fence(memory_order_seq_cst);
}

void waiter_remove(struct waiter *w)
{
	struct wait_queue *q = w->queue;

	if (!q)
		return;
	spin_lock(&q->lock);
	list_remove(&w->node);
	spin_unlock(&q->lock);
	w->queue = NULL;
}

/* ---- waking ---- */

void task_wake(struct task *t)
{
	wake_thread(t->gate);
}

static void wake(struct wait_queue *q, u32 events, bool all)
{
	struct waiter *w, *tmp;

	wake_begin();
	spin_lock(&q->lock);
	list_for_each_safe(w, tmp, &q->waiters, node) {
		bool exclusive = w->exclusive, woken = true;

		if (w->fn)
			woken = w->fn(w, events);
		else
			task_wake(w->task);
		if (exclusive && woken && !all)
			break;
	}
	spin_unlock(&q->lock);
	wake_end();
}

void wake_up(struct wait_queue *q, u32 events)
{
	wake(q, events, false);
}

void wake_up_all(struct wait_queue *q, u32 events)
{
	wake(q, events, true);
}

/* ---- sleeping ---- */

u64 deadline_left(u64 deadline)
{
	u64 now;

	if (deadline == WAIT_FOREVER)
		return WAIT_FOREVER;
	now = now_ns();
	return deadline > now ? deadline - now : 0;
}

bool host_pending_work(void)
{
	_Atomic u32 *pending = &gate_self()->pending;
	u32 p = atomic_load_explicit(pending, memory_order_relaxed);

	if (likely(!p))
		return false;
	if (p & GATE_PENDING_HOST) {
		/* Cleared first: what comes while we look is seen by another look. */
		atomic_fetch_and(pending, ~GATE_PENDING_HOST);
		signal_poll_host();
		ktimer_run();
	}
	if (p & GATE_PENDING_WORK) {
		/* The sender queues its signal, then sets the bit; here the other way round. */
		atomic_fetch_and(pending, ~GATE_PENDING_WORK);
		if (signal_deliverable())
			atomic_fetch_or(pending, GATE_PENDING_WORK);
	}
	return p & GATE_PENDING_HOST;
}

int wait_sleep(u64 deadline)
{
	u64 left;

	if (unlikely(atomic_load_explicit(&gate_self()->pending, memory_order_acquire))) {
		/* What it did may have ended the wait, and may have used up our wake-up. */
		if (host_pending_work())
			return 0;
		if (signal_deliverable()) {
			/* The result needs return_work(), for the restart. */
			atomic_fetch_or(&gate_self()->pending, GATE_PENDING_WORK);
			return -ERESTARTSYS;
		}
	}
	left = deadline_left(deadline);
	if (!left)
		return -ETIMEDOUT;
	park(left);
	return 0;
}

/* ---- mutex ---- */

void mutex_init(struct mutex *m)
{
	*m = (struct mutex)MUTEX_INIT(*m);
}

void mutex_lock_slow(struct mutex *m)
{
	struct gate_thread *self = gate_self();
	struct waiter w;
	u32 work = 0;

	waiter_init(&w, gate_task());
	w.exclusive = true;
	waiter_add(&m->queue, &w);
	for (;;) {
		park_begin();
		/* 2 even when it was free: others may be waiting, and only unlock wakes them. */
		if (!atomic_exchange_explicit(&m->held, 2, memory_order_acquire))
			break;
		/* The holder may be waiting for a timer that was brought to this thread. */
		if (host_pending_work())
			continue;
		/* A thread with work pending does not sleep; here it must. */
		work |= atomic_fetch_and(&self->pending, ~GATE_PENDING_WORK) & GATE_PENDING_WORK;
		park(WAIT_FOREVER);
	}
	waiter_remove(&w);
	if (work)
		atomic_fetch_or(&self->pending, work);
	/* An outer wait of this thread may have lost its wake-up to this one. */
	atomic_store(&self->notified, 1);
}

void mutex_unlock_slow(struct mutex *m)
{
	wake_up(&m->queue, 0);
}
