/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel timers: a list by expiry, and one timer of the host that is set for the first of
 * them. The host interrupts some thread, which looks here (host_pending_work()). One thread
 * at a time runs what has expired; another one that comes leaves it the work.
 */
#include "hostio/hostio.h"
#include "lib/lock.h"
#include "libos/time.h"
#include "libos/wait.h"

static struct {
	struct spinlock lock;
	struct list list;
	u64 host_expiry;		/* what the host's timer is set for; 0: not */
	bool setting;			/* some thread is setting it */
	bool again;			/* it must be set once more */
	struct gate_thread *runner;	/* runs expired timers */
	struct ktimer *running;
} timers = { .list = LIST_INIT(timers.list) };

static struct ktimer *first(void)
{
	return list_empty(&timers.list) ? NULL : list_first(&timers.list, struct ktimer, node);
}

/*
 * Make the host's timer fit the first of the list. Called with the lock, returns without:
 * the request is made unlocked, and by one thread at a time lest an older one come later.
 */
static void set_host_timer(void)
{
	struct ktimer *t;
	u64 expiry, now;

	if (timers.setting)
		goto out;
	timers.setting = true;
	while ((t = first()) &&
	       (timers.again || !timers.host_expiry || t->expiry < timers.host_expiry)) {
		timers.again = false;
		expiry = t->expiry;
		spin_unlock(&timers.lock);
		now = now_ns();
		(void)!host_timer(expiry > now ? expiry - now : 1);
		spin_lock(&timers.lock);
		timers.host_expiry = expiry;
	}
	timers.setting = false;
out:
	spin_unlock(&timers.lock);
}

static bool disarm(struct ktimer *t)
{
	bool was = t->expiry;

	if (was) {
		list_remove(&t->node);
		t->expiry = 0;
	}
	return was;
}

void ktimer_arm(struct ktimer *t, u64 expiry)
{
	struct list *at;

	spin_lock(&timers.lock);
	disarm(t);
	t->expiry = max(expiry, 1ull);
	/* From the back: most timers are set for later than those that are there. */
	for (at = timers.list.prev; at != &timers.list; at = at->prev)
		if (list_entry(at, struct ktimer, node)->expiry <= t->expiry)
			break;
	list_push(at, &t->node);
	set_host_timer();
}

bool ktimer_cancel(struct ktimer *t)
{
	bool armed;

	spin_lock(&timers.lock);
	armed = disarm(t);
	while (timers.running == t && timers.runner != gate_self()) {
		spin_unlock(&timers.lock);
		host_yield();
		spin_lock(&timers.lock);
		armed |= disarm(t);
	}
	spin_unlock(&timers.lock);
	return armed;
}

void ktimer_run(void)
{
	struct ktimer *t;
	u64 now;

	now = now_ns();
	spin_lock(&timers.lock);
	/*
	 * The host's timer may have fired, and may have done so early (its clock is not quite
	 * ours), so it is set anew in any case.
	 */
	timers.again = true;
	if (timers.runner) {
		spin_unlock(&timers.lock);
		return;
	}
	timers.runner = gate_self();
	while ((t = first()) && t->expiry <= now) {
		disarm(t);
		timers.running = t;
		spin_unlock(&timers.lock);
		t->fn(t);
		now = now_ns();
		spin_lock(&timers.lock);
		timers.running = NULL;
	}
	timers.runner = NULL;
	set_host_timer();
}
