/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers that end in a signal: timer_create(2) and setitimer(2). A timer on processor time
 * is a kernel timer that looks how much was used, and comes again when it cannot be
 * reached sooner.
 */
#include <linux/signal.h>
#include <linux/time.h>
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/signal.h"
#include "libos/task.h"
#include "libos/time.h"

#define TIMERS_MAX	4096u
#define CPU_TICK_NS	4000000ull	/* how exact a timer on processor time is */

struct posix_timer {
	struct list node;
	struct ktimer kt;
	int id;
	int clockid;		/* as created */
	int base;		/* clock that `expiry` is on */
	int notify;		/* SIGEV_* */
	u32 tid;		/* SIGEV_THREAD_ID */
	int overrun;		/* of the last signal delivered */
	struct siginfo_min info;
	u64 expiry, interval;	/* expiry 0: not armed */
};

/* What the guest passes: struct sigevent, of which the rest does not matter here. */
struct user_sigevent {
	u64 value;
	int signo, notify, tid;
	int pad[11];
};

static struct spinlock lock;	/* the list, expiry, interval, overrun */
static struct list posix_timers = LIST_INIT(posix_timers);
static u32 ntimers;
static int next_id;
/* One change at a time; the timers' function does not take it. */
static struct mutex change = MUTEX_INIT(change);

static void fire(struct ktimer *kt);

#define ITIMER(sig, clock) {							\
	.kt.fn = fire, .base = (clock), .clockid = (clock), .notify = SIGEV_SIGNAL, \
	.info = { .signo = (sig), .code = SI_KERNEL },				\
}
static struct posix_timer itimers[] = {
	[ITIMER_REAL] = ITIMER(SIGALRM, CLOCK_MONOTONIC),
	[ITIMER_VIRTUAL] = ITIMER(SIGVTALRM, CLOCK_PROCESS_CPUTIME_ID),
	[ITIMER_PROF] = ITIMER(SIGPROF, CLOCK_PROCESS_CPUTIME_ID),
};

static u64 base_now(const struct posix_timer *p)
{
	u64 ns;

	return clock_read(p->base, &ns) ? 0 : ns;
}

static void arm(struct posix_timer *p, u64 expiry)
{
	u64 now = base_now(p), left = expiry > now ? expiry - now : 0;

	/* All tasks together cannot use more in less time. */
	if (p->base == CLOCK_PROCESS_CPUTIME_ID)
		left = max(left / max(process.ntasks, 1u), CPU_TICK_NS);
	ktimer_arm(&p->kt, now_ns() + left);
}

static void notify(const struct posix_timer *p, const struct siginfo_min *info)
{
	struct task *t;

	switch (p->notify) {
	case SIGEV_NONE:
		break;
	case SIGEV_THREAD_ID:
		t = task_find(p->tid);
		if (t) {
			(void)!signal_send_task(t, info);
			task_put(t);
		}
		break;
	default:
		(void)!signal_send_process(info);
	}
}

static void fire(struct ktimer *kt)
{
	struct posix_timer *p = container_of(kt, struct posix_timer, kt);
	struct siginfo_min info = p->info;
	u64 now = base_now(p), missed = 0, expiry;
	bool reached;

	spin_lock(&lock);
	reached = p->expiry && now >= p->expiry;
	if (reached && p->interval) {
		missed = (now - p->expiry) / p->interval;
		p->expiry += (missed + 1) * p->interval;
	} else if (reached) {
		p->expiry = 0;
	}
	expiry = p->expiry;
	spin_unlock(&lock);

	if (reached) {
		info.overrun = min(missed, (u64)INT32_MAX);
		notify(p, &info);
	}
	if (expiry)
		arm(p, expiry);
}

/* What timer_gettime() shows. */
static void get(struct posix_timer *p, struct itimer_ns *val)
{
	u64 now = base_now(p);

	spin_lock(&lock);
	val->interval = p->interval;
	val->value = 0;
	if (p->expiry > now)
		val->value = p->expiry - now;
	else if (p->expiry && (p->notify != SIGEV_NONE || p->interval))
		val->value = 1;		/* its signal is on its way */
	spin_unlock(&lock);
}

/* `change` is held. */
static void set(struct posix_timer *p, bool absolute, const struct itimer_ns *val)
{
	u64 expiry = 0;

	/* After this its function does not run. */
	ktimer_cancel(&p->kt);
	/* A span of time does not follow changes of the wall clock. */
	p->base = p->clockid == CLOCK_REALTIME && !absolute ? CLOCK_MONOTONIC : p->clockid;
	if (val->value)
		expiry = absolute ? val->value : base_now(p) + val->value;
	spin_lock(&lock);
	p->expiry = expiry;
	p->interval = val->interval;
	p->overrun = 0;
	spin_unlock(&lock);
	if (expiry)
		arm(p, expiry);
}

/* ---- timer_create and its family ---- */

static struct posix_timer *find_locked(int id)
{
	struct posix_timer *p;

	list_for_each(p, &posix_timers, node)
		if (p->id == id)
			return p;
	return NULL;
}

/* `change` is held, so that it stays. */
static struct posix_timer *find(int id)
{
	struct posix_timer *p;

	spin_lock(&lock);
	p = find_locked(id);
	spin_unlock(&lock);
	return p;
}

static int check_sigevent(const struct user_sigevent *ev)
{
	struct task *t;

	switch (ev->notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_THREAD_ID:
		t = task_find(ev->tid);
		if (!t)
			return -EINVAL;
		task_put(t);
		break;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		break;
	default:
		return -EINVAL;
	}
	return ev->signo > 0 && ev->signo <= SIGNAL_COUNT ? 0 : -EINVAL;
}

int posix_timer_create(int clockid, u64 usigevent, u64 uid)
{
	struct user_sigevent ev = { .signo = SIGALRM, .notify = SIGEV_SIGNAL };
	struct posix_timer *p;
	int r = clock_can_wait(clockid);

	if (r)
		return r;
	if (usigevent && get_user(ev, usigevent))
		return -EFAULT;
	r = check_sigevent(&ev);
	if (r)
		return r;
	p = kzalloc(sizeof(*p));
	if (!p)
		return -EAGAIN;
	p->kt.fn = fire;
	p->clockid = p->base = clockid;
	p->notify = ev.notify;
	p->tid = ev.tid;

	mutex_lock(&change);
	r = -EAGAIN;
	if (ntimers >= TIMERS_MAX)
		goto out;
	do {
		p->id = next_id;
		next_id = next_id == INT32_MAX ? 0 : next_id + 1;
	} while (find(p->id));
	p->info = (struct siginfo_min){
		.signo = ev.signo, .code = SI_TIMER, .timerid = p->id,
		.value = usigevent ? ev.value : (u64)p->id,
	};
	r = put_user(p->id, uid);
	if (r)
		goto out;
	ntimers++;
	spin_lock(&lock);
	list_append(&posix_timers, &p->node);
	spin_unlock(&lock);
	p = NULL;
out:
	mutex_unlock(&change);
	kfree(p);
	return r;
}

int posix_timer_set(int id, bool absolute, const struct itimer_ns *val, struct itimer_ns *old)
{
	struct posix_timer *p;

	mutex_lock(&change);
	p = find(id);
	if (p) {
		if (old)
			get(p, old);
		set(p, absolute, val);
	}
	mutex_unlock(&change);
	return p ? 0 : -EINVAL;
}

int posix_timer_get(int id, struct itimer_ns *val)
{
	struct posix_timer *p;

	mutex_lock(&change);
	p = find(id);
	if (p)
		get(p, val);
	mutex_unlock(&change);
	return p ? 0 : -EINVAL;
}

int posix_timer_overrun(int id)
{
	struct posix_timer *p;
	int r = -EINVAL;

	spin_lock(&lock);
	p = find_locked(id);
	if (p)
		r = p->overrun;
	spin_unlock(&lock);
	return r;
}

void posix_timer_delivered(int id, int overrun)
{
	struct posix_timer *p;

	spin_lock(&lock);
	p = find_locked(id);
	if (p)
		p->overrun = overrun;
	spin_unlock(&lock);
}

int posix_timer_delete(int id)
{
	struct posix_timer *p;

	mutex_lock(&change);
	p = find(id);
	if (p) {
		ntimers--;
		spin_lock(&lock);
		list_remove(&p->node);
		spin_unlock(&lock);
		ktimer_cancel(&p->kt);
		kfree(p);
	}
	mutex_unlock(&change);
	return p ? 0 : -EINVAL;
}

void itimer_set(int which, const struct itimer_ns *val, struct itimer_ns *old)
{
	mutex_lock(&change);
	if (old)
		get(&itimers[which], old);
	if (val)
		set(&itimers[which], false, val);
	mutex_unlock(&change);
}
