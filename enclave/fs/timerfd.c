/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timerfd(2). As on Linux, a periodic timer that has expired is not armed again until
 * someone reads it or asks for its time: the missed periods are counted then.
 */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/time.h>
#include "fs/anon.h"
#include "fs/poll.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/time.h"

#define TFD_TIMER_ABSTIME	1u
#define TFD_TIMER_CANCEL_ON_SET	2u
#define TFD_CLOEXEC		O_CLOEXEC
#define TFD_NONBLOCK		O_NONBLOCK

#define NEVER	(1ull << 63)		/* far enough, and nothing wraps */

struct timerfd {
	struct spinlock lock;
	struct wait_queue queue;
	struct ktimer timer;
	int clock;
	bool armed;
	bool expired;			/* since it was armed; `ticks` has the first period only */
	u64 expiry;			/* monotonic */
	u64 interval;
	u64 ticks;
};

static const struct file_ops timerfd_ops;

/* Notice an expiry; with t->lock held. */
static void look(struct timerfd *t)
{
	if (t->armed && !t->expired && now_ns() >= t->expiry) {
		t->expired = true;
		t->ticks++;
	}
}

static void fire(struct ktimer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	bool expired;

	spin_lock(&t->lock);
	look(t);
	expired = t->expired;
	spin_unlock(&t->lock);
	if (expired)
		wake_up(&t->queue, EPOLLIN);
}

/* Count the periods that passed unseen. True: the timer is to be armed again. */
static bool catch_up(struct timerfd *t)
{
	u64 missed;

	look(t);
	if (!t->expired || !t->interval)
		return false;
	missed = (now_ns() - t->expiry) / t->interval;
	t->ticks += missed;
	t->expiry += (missed + 1) * t->interval;
	t->expired = false;
	return true;
}

/* After the lock was left: the timer, for whatever is now to come. */
static void arm(struct timerfd *t)
{
	u64 expiry;

	for (;;) {
		expiry = *(volatile u64 *)&t->expiry;
		ktimer_arm(&t->timer, expiry);
		/* Another thread may have set another time, and armed before us. */
		if (expiry == *(volatile u64 *)&t->expiry)
			break;
	}
}

static bool take(struct timerfd *t, u64 *ticks)
{
	bool again;

	spin_lock(&t->lock);
	again = catch_up(t);
	*ticks = t->ticks;
	t->ticks = 0;
	spin_unlock(&t->lock);
	if (again)
		arm(t);
	return *ticks;
}

static ssize_t timerfd_read(struct file *f, struct iter *it, u64 *pos)
{
	struct timerfd *t = f->priv;
	u64 ticks;
	int err;

	if (it->left < sizeof(ticks))
		return -EINVAL;
	if (!take(t, &ticks)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event(&t->queue, WAIT_FOREVER, take(t, &ticks));
		if (err)
			return err;
	}
	if (iter_write(it, &ticks, sizeof(ticks)) != sizeof(ticks))
		return -EFAULT;
	return sizeof(ticks);
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;
	u64 ticks;

	poll_wait(pt, &t->queue);
	spin_lock(&t->lock);
	look(t);
	ticks = t->ticks;
	spin_unlock(&t->lock);
	return ticks ? EPOLLIN : 0;
}

static void get_spec(struct timerfd *t, struct itimer_ns *spec)
{
	u64 now = now_ns();

	spec->interval = t->interval;
	spec->value = 0;
	if (t->armed && !t->expired)
		spec->value = t->expiry > now ? t->expiry - now : 1;
}

int timerfd_get(struct file *f, struct itimer_ns *spec)
{
	struct timerfd *t = f->priv;
	bool again;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	spin_lock(&t->lock);
	again = catch_up(t);
	get_spec(t, spec);
	spin_unlock(&t->lock);
	if (again)
		arm(t);
	return 0;
}

/* A time of the timer's clock on the monotonic one. */
static u64 monotonic(const struct timerfd *t, u64 value)
{
	u64 now;

	if (t->clock == CLOCK_MONOTONIC)
		return value;
	now = t->clock == CLOCK_REALTIME ? realtime_ns() : boottime_ns();
	return value > now ? now_ns() + (value - now) : 1;
}

int timerfd_set(struct file *f, u32 flags, const struct itimer_ns *spec, struct itimer_ns *old)
{
	struct timerfd *t = f->priv;
	u64 value = min(spec->value, NEVER), expiry;

	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	if (f->ops != &timerfd_ops)
		return -EINVAL;
	expiry = flags & TFD_TIMER_ABSTIME ? monotonic(t, value) : now_ns() + value;
	spin_lock(&t->lock);
	catch_up(t);
	get_spec(t, old);
	t->armed = value;
	t->expired = false;
	t->ticks = 0;
	t->interval = min(spec->interval, NEVER);
	t->expiry = expiry;
	spin_unlock(&t->lock);
	if (!value)
		ktimer_cancel(&t->timer);
	else
		arm(t);
	return 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	ktimer_cancel(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_ops = {
	.kind = "timerfd",
	.read = timerfd_read,
	.poll = timerfd_poll,
	.stat = anon_stat,
	.lseek = anon_lseek,
	.own_position = true,
	.release = timerfd_release,
};

int timerfd_new(int clock, u32 flags)
{
	struct timerfd *t;

	if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		break;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EPERM;
	default:
		return -EINVAL;
	}
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	wait_queue_init(&t->queue);
	list_init(&t->timer.node);
	t->timer.fn = fire;
	t->clock = clock;
	return anon_fd(&timerfd_ops, flags, t, "anon_inode:[timerfd]");
}
