/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting and waking. Three rules of the plan: busy means no exits, idle means no
 * spinning, nobody waits for a wake-up that was lost.
 *
 * A thread that waits: park_begin(), puts its waiter(s) on queue(s), checks the
 * condition, and if it does not hold calls park(); again from the check. What makes
 * the condition true calls wake_up() afterwards. park() returns at once if a wake-up
 * came since the last park_begin(), so none is lost.
 */
#ifndef RAKIS_LIBOS_WAIT_H
#define RAKIS_LIBOS_WAIT_H

#include "hostio/park.h"
#include "lib/errno.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "lib/types.h"

struct task;

#define WAIT_FOREVER	(~0ull)		/* deadline, ns of the monotonic clock */

struct wait_queue {
	struct spinlock lock;
	struct list waiters;
};

#define WAIT_QUEUE_INIT(name) { SPINLOCK_INIT, LIST_INIT((name).waiters) }

struct waiter {
	struct list node;
	struct wait_queue *queue;	/* NULL: on none */
	struct task *task;		/* woken unless `fn` is set */
	/* Called under the queue's lock with the EPOLL* bits of the wake-up; must not sleep.
	 * True: counted as woken (for exclusive waiters). */
	bool (*fn)(struct waiter *w, u32 events);
	bool exclusive;			/* wake_up() stops after one of these */
};

void wait_queue_init(struct wait_queue *q);
void waiter_init(struct waiter *w, struct task *task);		/* usually the running task */
void waiter_add(struct wait_queue *q, struct waiter *w);	/* exclusive ones last */
void waiter_remove(struct waiter *w);				/* harmless if on none */
void wake_up(struct wait_queue *q, u32 events);			/* all, or up to the first exclusive */
void wake_up_all(struct wait_queue *q, u32 events);

/* Wake one task: ends its park(), or its next one. */
void task_wake(struct task *t);

/* ns until `deadline`: 0 if it has passed, WAIT_FOREVER if it never does. */
u64 deadline_left(u64 deadline);

/*
 * Look at what is pending for the running thread: signals and timers from outside are
 * taken, and a GATE_PENDING_WORK that no signal confirms is dropped, since a thread with
 * anything pending does not sleep. For whoever's park() ended, or request answered -EINTR;
 * then see signal_pending(). No locks held. True if it did something.
 */
bool host_pending_work(void);

/*
 * One round of a wait, after park_begin() and a look at the condition: sleeps until a
 * wake-up and returns 0 (look again), -ERESTARTSYS (a signal is pending), or -ETIMEDOUT.
 */
int wait_sleep(u64 deadline) __must_check;

/*
 * Wait on one queue until `cond`. 0, -ERESTARTSYS (a signal is pending), or -ETIMEDOUT.
 */
#define wait_event(q, deadline, cond) ({					\
	struct waiter w_;							\
	u64 deadline_ = (deadline);						\
	int r_ = 0;								\
	if (!(cond)) {								\
		waiter_init(&w_, gate_task());					\
		waiter_add((q), &w_);						\
		for (;;) {							\
			park_begin();						\
			if (cond)						\
				break;						\
			r_ = wait_sleep(deadline_);				\
			if (r_)							\
				break;						\
		}								\
		waiter_remove(&w_);						\
	}									\
	r_;									\
})

/* Sleeping lock: may be held across host calls. Not recursive; signals do not end the wait. */
struct mutex {
	_Atomic u32 held;		/* 0 free, 1 held, 2 held and waited for */
	struct wait_queue queue;
};

#define MUTEX_INIT(name) { 0, WAIT_QUEUE_INIT((name).queue) }

void mutex_init(struct mutex *m);
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);

static inline void mutex_lock(struct mutex *m)
{
	u32 free = 0;

	/* Acquire: pairs with the release in mutex_unlock(). */
	if (unlikely(!atomic_compare_exchange_strong_explicit(&m->held, &free, 1,
			memory_order_acquire, memory_order_relaxed)))
		mutex_lock_slow(m);
}

static inline void mutex_unlock(struct mutex *m)
{
	if (unlikely(atomic_exchange_explicit(&m->held, 0, memory_order_release) == 2))
		mutex_unlock_slow(m);
}

#endif
