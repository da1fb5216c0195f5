/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the ready list to the guest. A readiness that is only a guess is confirmed by the
 * host before it is reported, all guesses of one pass in one request.
 */
#include <linux/eventpoll.h>
#include "fs/epoll.h"
#include "gate/usercopy.h"
#include "hostio/async.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/task.h"
#include "net/net.h"

#define ALWAYS		(EPOLLERR | EPOLLHUP)
/* What no transfer takes back: it is asked for again each time. */
#define LASTING		(ALWAYS | EPOLLRDHUP)
#define POLL_BITS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM | \
			 EPOLLWRBAND | EPOLLRDHUP)
#define UNSURE_MOST	1024

/* One call's reporting. */
struct round {
	struct epoll *ep;
	u64 uevents;		/* 0: only to know whether there is anything */
	int max, n;
	bool absorbed;		/* events of the host were taken */
	bool nothing_more;	/* the host has none that were not reaped */
};

/* ---- the host's events ---- */

static struct host_event *buffer_take(struct epoll *ep)
{
	struct host_event *b = atomic_exchange(&ep->buffer, NULL);

	return b ? b : kmalloc(HOST_EVENTS_MAX * sizeof(*b));
}

static void buffer_put(struct epoll *ep, struct host_event *b)
{
	struct host_event *none = NULL;

	if (b && !atomic_compare_exchange_strong(&ep->buffer, &none, b))
		kfree(b);
}

static void absorb(struct round *r, const struct host_event *events, int n)
{
	for (int i = 0; i < n; i++)
		watch_event(r->ep, events[i].token, events[i].events, r->n && r->uevents);
	r->absorbed |= n > 0;
}

/* Take what is there now; with the mutex. */
static void reap_now(struct round *r)
{
	struct host_event *b = buffer_take(r->ep);

	if (b)
		absorb(r, b, host_events_reap(r->ep->events, b, HOST_EVENTS_MAX, HOST_NOWAIT));
	buffer_put(r->ep, b);
}

/* ---- reporting; with the mutex ---- */

static struct epitem *pop(struct epoll *ep)
{
	struct epitem *it = NULL;

	spin_lock(&ep->lock);
	if (!list_empty(&ep->ready)) {
		it = list_first(&ep->ready, struct epitem, ready_node);
		list_remove(&it->ready_node);
		ep->nready--;
	}
	spin_unlock(&ep->lock);
	return it;
}

/* The events of the item that hold; `unsure`: those of them that are a guess. */
static u32 item_bits(struct epitem *it, u32 *unsure)
{
	struct epoll *ep = it->ep;
	struct file *f = it->file;
	struct poll_table pt = { .keeps_ready = true };
	u32 bits = 0, known;

	*unsure = 0;
	if (is_epoll(f)) {
		ep->looking_at = it;
		ep->looker = current();
		bits = epoll_poll(f, &pt);
		ep->looker = NULL;
	} else if (f->ops->poll) {
		bits = f->ops->poll(f, &pt);
	}
	if (pt.rings & ~ep->rings)
		ep->rings |= pt.rings;
	item_unwatch(it);
	if (f->ready) {
		known = ready_bits(f->ready, unsure);
		*unsure &= known & ~bits & it->events;
		bits |= known;
	}
	return bits & it->events;
}

static int report(struct round *r, struct epitem *it, u32 bits)
{
	struct epoll_event ev = { .events = bits, .data = it->data };
	struct epoll *ep = r->ep;

	if (!r->uevents) {
		epitem_queue(it, 0);
		r->n++;
		return 0;
	}
	if (copy_to_user(r->uevents + r->n * sizeof(ev), &ev, sizeof(ev))) {
		epitem_queue(it, 0);
		return -EFAULT;
	}
	r->n++;
	it->round = ep->round;
	it->reported = bits;
	if (it->events & EPOLLONESHOT) {
		spin_lock(&ep->lock);
		it->events &= EP_HOW;
		spin_unlock(&ep->lock);
	} else if (!(it->events & EPOLLET)) {
		if (bits & LASTING && it->file->ready)
			ready_used(it->file->ready, LASTING);
		epitem_queue(it, 0);
	}
	return 0;
}

/* Ask the host about `n` items, and report those that are ready. */
static int confirm(struct round *r, struct epitem *first, u32 n)
{
	struct host_pollfd *fds = kmalloc((n + 1) * sizeof(*fds));
	struct epitem *it, *next;
	int res = -ENOMEM;
	u32 i = 0, bits, unsure;

	if (fds) {
		for (it = first; it; it = it->unsure_next) {
			it->seq = ready_seq(it->file->ready);
			fds[i++] = (struct host_pollfd){ .fd = it->file->ready->hostfd,
							 .events = it->events & POLL_BITS };
		}
		/* And in the same breath: is there anything to reap? */
		fds[i] = (struct host_pollfd){ .fd = r->ep->events, .events = EPOLLIN };
		res = poll_host_now(fds, n + 1);
	}
	for (it = first, i = 0; it; it = next, i++) {
		next = it->unsure_next;
		if (res < 0) {
			epitem_queue(it, 0);
			continue;
		}
		ready_confirm(it->file->ready, it->events & (POLL_BITS | ALWAYS),
			      (u16)fds[i].revents, it->seq);
		bits = item_bits(it, &unsure);
		if (bits) {
			int err = report(r, it, bits);

			res = err ? err : res;
		}
	}
	if (res >= 0)
		r->nothing_more = !fds[n].revents;
	kfree(fds);
	return res < 0 ? res : 0;
}

/* One pass over what is on the ready list now. */
static int report_ready(struct round *r)
{
	struct epoll *ep = r->ep;
	u32 left = *(volatile u32 *)&ep->nready;
	int err = 0;

	while (!err && left && r->n < r->max) {
		struct epitem *unsure = NULL, **last = &unsure, *it;
		int n = 0;

		for (; !err && left && r->n + n < r->max && n < UNSURE_MOST; left--) {
			u32 bits, guess;

			it = pop(ep);
			if (!it) {
				left = 0;
				break;
			}
			/* An item is reported once a call, though it may become ready twice. */
			if (r->uevents && it->round == ep->round) {
				epitem_queue(it, 0);
				continue;
			}
			bits = item_bits(it, &guess);
			if (guess) {
				it->unsure_next = NULL;
				*last = it;
				last = &it->unsure_next;
				n++;
			} else if (bits) {
				err = report(r, it, bits);
			}
		}
		if (n) {
			int e = confirm(r, unsure, n);

			err = err ? err : e;
		}
	}
	return r->n ? 0 : err;
}

/* Take in what was reaped and report; then also what the host has by now, lest files that
 * are always ready keep the others out. */
static int collect(struct round *r, const struct host_event *events, int nevents, bool reaped)
{
	struct epoll *ep = r->ep;
	int err;

	mutex_lock(&ep->mutex);
	ep->round++;
	r->nothing_more = reaped;
	absorb(r, events, nevents);
	err = report_ready(r);
	if (r->n && ep->nwatches && !r->nothing_more) {
		reap_now(r);
		err = report_ready(r);
	}
	mutex_unlock(&ep->mutex);
	return err;
}

/* ---- waiting ---- */

/* What has come by ring puts items on the ready list; and the next sleep is for more of it. */
static void rings_look(struct epoll *ep)
{
	u64 rings = ep->rings;

	if (rings & POLL_NET) {
		rings &= ~POLL_NET;
		net_depend();
		net_reap();
	}
	for (u32 i = 0; rings; i++, rings >>= 1)
		if (rings & 1) {
			async_depend(i);
			async_reap(i);
		}
}

static void rings_kick(struct epoll *ep)
{
	u64 rings = ep->rings & ~POLL_NET;

	for (u32 i = 0; rings; i++, rings >>= 1)
		if (rings & 1)
			async_kick(i);
}

struct sleeper {
	struct waiter w;
	_Atomic bool told;
};

/* Each event is told to one thread, and to one that was not told yet. */
static bool sleeper_woken(struct waiter *w, u32 events)
{
	struct sleeper *s = container_of(w, struct sleeper, w);

	if (s->told)
		return false;
	s->told = true;
	task_wake(w->task);
	return true;
}

static void start_waiting(struct epoll *ep, struct sleeper *s)
{
	waiter_init(&s->w, current());
	s->w.fn = sleeper_woken;
	s->w.exclusive = true;
	waiter_add(&ep->queue, &s->w);
	spin_lock(&ep->lock);
	ep->waiting++;
	spin_unlock(&ep->lock);
}

static void stop_waiting(struct epoll *ep, struct sleeper *s)
{
	spin_lock(&ep->lock);
	ep->waiting--;
	spin_unlock(&ep->lock);
	waiter_remove(&s->w);
}

/* Something is left on the ready list: others may want it. Those who poll the instance know
 * of it, unless it came with events that were reaped before they could see them. */
static void pass_on(const struct round *r)
{
	struct epoll *ep = r->ep;

	if (list_empty(&ep->ready))
		return;
	if (ep->waiting)
		wake_up(&ep->queue, EPOLLIN);
	if (ep->polled && r->absorbed)
		wake_up(&ep->pollers, EPOLLIN | EPOLLRDNORM);
}

int epoll_wait(struct file *epoll, u64 uevents, int max, u64 deadline)
{
	struct epoll *ep = epoll->priv;
	struct round r = { .ep = ep, .uevents = uevents, .max = max };
	struct sleeper s = { .told = false };
	struct host_event *buffer = NULL;
	bool waiting = false, reaped = false;
	bool kicked = false;
	int n = 0, err = 0;
	u64 left;

	for (;;) {
		park_begin();
		s.told = false;
		rings_look(ep);
		if (n > 0 || !list_empty(&ep->ready)) {
			err = collect(&r, buffer, n, reaped);
			if (err || r.n)
				break;
		}
		n = 0;
		left = deadline_left(deadline);
		if ((!left || signal_pending()) && ep->rings && !kicked) {
			/* A look at what is there now; to it belongs what was sent before. */
			kicked = true;
			rings_kick(ep);
			continue;
		}
		if (!left && (reaped || !ep->nwatches))
			break;
		if (left && signal_pending()) {
			/* Events go before signals; the host may have some. */
			if (reaped || !ep->nwatches) {
				err = -EINTR;
				break;
			}
			left = HOST_NOWAIT;
		}
		if (left && !waiting) {
			start_waiting(ep, &s);
			waiting = true;
			if (!list_empty(&ep->ready))
				continue;
		}
		if (!ep->nwatches) {
			park(left);
			continue;
		}
		if (ep->rings && left) {
			/* Asleep on both, which is not what a wait for events can. */
			struct host_pollfd p = { .fd = ep->events, .events = EPOLLIN };

			n = host_poll(&p, 1, left);
			if (n == -EINTR || n == -EAGAIN) {
				n = 0;
				continue;
			}
			left = HOST_NOWAIT;
		}
		if (!buffer)
			buffer = buffer_take(ep);
		n = buffer ? host_events_reap(ep->events, buffer, HOST_EVENTS_MAX, left) : -ENOMEM;
		if (n < 0 && n != -EINTR && n != -EAGAIN) {
			err = n;
			break;
		}
		reaped = n != -EINTR;
	}
	buffer_put(ep, buffer);
	if (waiting)
		stop_waiting(ep, &s);
	if (r.n || s.told)
		pass_on(&r);
	return r.n ? r.n : err;
}

u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->priv;
	struct round r = { .ep = ep, .max = 1 };
	int fd;

	if (pt && pt->wait) {
		spin_lock(&ep->lock);
		ep->polled = true;
		spin_unlock(&ep->lock);
		poll_wait(pt, &ep->pollers);
	}
	if (pt && pt->host) {
		fd = epoll_events(ep);
		if (fd >= 0)
			pt->host(pt, fd, EPOLLIN | POLL_LOOK);
	}
	if (pt)
		pt->rings |= ep->rings;
	rings_look(ep);
	mutex_lock(&ep->mutex);
	if (ep->nwatches)
		reap_now(&r);
	(void)!report_ready(&r);
	mutex_unlock(&ep->mutex);
	if (r.absorbed)
		pass_on(&r);
	return r.n ? EPOLLIN | EPOLLRDNORM : 0;
}
