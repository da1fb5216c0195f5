/* SPDX-License-Identifier: Apache-2.0 */
/* epoll instances, their items, and what the items watch. */
#include <linux/fcntl.h>
#include "fs/anon.h"
#include "fs/epoll.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "libos/task.h"

#define ALWAYS		(EPOLLERR | EPOLLHUP)
#define EXCLUSIVE_OK	(EPOLLIN | EPOLLOUT | ALWAYS | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define HOST_BITS	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM | \
			 EPOLLWRBAND | EPOLLRDHUP)
#define NESTING		5	/* instances in a row */
#define HASH_FIRST	16u
#define WATCHES_FIRST	16u

static const struct file_ops epoll_ops;
static struct spinlock links;		/* all lists of items of one file */
/* Held while an instance becomes an item: the shape of the nesting then stands still. */
static struct mutex nesting = MUTEX_INIT(nesting);

bool is_epoll(const struct file *f)
{
	return f->ops == &epoll_ops;
}

static void epoll_put(struct epoll *ep)
{
	if (atomic_fetch_sub(&ep->refs, 1) != 1)
		return;
	kfree(ep->hash);
	kfree(ep->watches);
	kfree(ep->buffer);
	kfree(ep);
}

/* ---- readiness of an item ---- */

bool epitem_queue(struct epitem *it, u32 events)
{
	struct epoll *ep = it->ep;
	bool wanted;

	spin_lock(&ep->lock);
	wanted = it->events & ~EP_HOW && (!events || events & it->events);
	if (wanted && list_empty(&it->ready_node)) {
		list_append(&ep->ready, &it->ready_node);
		ep->nready++;
	}
	spin_unlock(&ep->lock);
	return wanted;
}

bool epoll_notify(struct epoll *ep)
{
	bool waiting, polled;

	/* Who waits said so under the lock, then looked at the list. */
	spin_lock(&ep->lock);
	waiting = ep->waiting;
	polled = ep->polled;
	spin_unlock(&ep->lock);
	if (waiting)
		wake_up(&ep->queue, EPOLLIN);
	if (polled)
		wake_up(&ep->pollers, EPOLLIN | EPOLLRDNORM);
	return waiting;
}

/* The file of an item became ready. Called under a wait queue's lock. */
static bool item_woken(struct waiter *w, u32 events)
{
	struct epitem *it = container_of(w, struct ep_waiter, w)->item;
	struct epoll *ep = it->ep;
	bool told;

	/* Looking at an inner instance found this out; the look itself will report it. */
	if (*(struct task *volatile *)&ep->looker == current() && ep->looking_at == it)
		return true;
	if (!epitem_queue(it, events))
		return false;
	told = epoll_notify(ep);
	/* An exclusive wake-up that nobody took goes on to the next. */
	return told || !(it->events & EPOLLEXCLUSIVE);
}

/* ---- what the host watches ---- */

int epoll_events(struct epoll *ep)
{
	int fd = ep->events, none = -1;

	if (fd >= 0)
		return fd;
	fd = host_events_create();
	if (fd >= 0 && !atomic_compare_exchange_strong(&ep->events, &none, fd)) {
		host_close(fd);
		fd = none;
	}
	return fd;
}

static u64 watch_token(const struct epoll *ep, int i)
{
	return (u64)ep->watches[i].generation << 32 | (u32)i;
}

/* What a watch must tell to serve all its items. */
static u32 watch_wanted(const struct watch *w)
{
	u32 mask = 0;

	for (struct epitem *it = w->items; it; it = it->watch_next)
		mask |= it->events & HOST_BITS;
	/* A reader must know of the end: then reads do not block, and are never "drained". */
	if (mask & (EPOLLIN | EPOLLRDNORM))
		mask |= EPOLLRDHUP;
	return mask;
}

static int watch_set(struct epoll *ep, int i, u32 mask)
{
	struct watch *w = &ep->watches[i];
	int err = host_events_watch(ep->events, w->fd, mask | ALWAYS | EPOLLET, watch_token(ep, i));

	if (!err)
		w->mask = mask;
	return err;
}

static int watch_alloc(struct epoll *ep)
{
	u32 n = ep->watches_size;
	struct watch *w;
	int i;

	if (ep->free_watch == n) {
		u32 size = n ? 2 * n : WATCHES_FIRST;

		w = krealloc(ep->watches, size * sizeof(*w));
		if (!w)
			return -ENOMEM;
		for (u32 k = n; k < size; k++)
			w[k] = (struct watch){ .fd = k + 1 };
		ep->watches = w;
		ep->watches_size = size;
	}
	i = ep->free_watch;
	w = &ep->watches[i];
	ep->free_watch = w->fd;
	w->generation++;
	return i;
}

static void watch_free(struct epoll *ep, int i)
{
	ep->watches[i].fd = ep->free_watch;
	ep->free_watch = i;
	ep->nwatches--;
}

/* The item depends on the host's `fd`. Another item of the same file may have it watched. */
static int watch_add(struct epitem *it, int fd)
{
	struct epoll *ep = it->ep;
	struct epitem *other;
	struct watch *w;
	int i = -1, err = epoll_events(ep);

	if (err < 0)
		return err;
	spin_lock(&links);
	for (other = it->file->epoll_hook; other; other = other->file_next)
		if (other != it && other->ep == ep && other->watch >= 0)
			i = other->watch;
	spin_unlock(&links);
	if (i >= 0) {
		w = &ep->watches[i];
		it->watch = i;
		it->watch_next = w->items;
		w->items = it;
		return watch_wanted(w) & ~w->mask ? watch_set(ep, i, w->mask | watch_wanted(w)) : 0;
	}
	i = watch_alloc(ep);
	if (i < 0)
		return i;
	w = &ep->watches[i];
	w->fd = fd;
	w->items = it;
	it->watch = i;
	it->watch_next = NULL;
	if (it->file->ready)
		ready_watch(it->file->ready, true);
	/* Threads that sleep inside must go and ask the host from now on. */
	if (!ep->nwatches++)
		wake_up_all(&ep->queue, EPOLLIN);
	return watch_set(ep, i, watch_wanted(w));
}

/* `tell`: the descriptor stays open, so the host must be told. */
static void watch_remove(struct epitem *it, bool tell)
{
	struct epoll *ep = it->ep;
	struct watch *w = &ep->watches[it->watch];
	struct epitem **p = &w->items;

	while (*p != it)
		p = &(*p)->watch_next;
	*p = it->watch_next;
	if (w->items)
		return;
	if (it->file->ready)
		ready_watch(it->file->ready, false);
	if (tell)
		(void)!host_events_watch(ep->events, w->fd, 0, 0);
	watch_free(ep, it->watch);
}

void item_unwatch(struct epitem *it)
{
	if (it->watch >= 0 && it->file->ready && it->file->ready->inside) {
		watch_remove(it, true);
		it->watch = -1;
	}
}

void watch_event(struct epoll *ep, u64 token, u32 events, bool late)
{
	u32 i = token, generation = token >> 32, wanted;
	struct watch *w;

	if (i >= ep->watches_size || generation > ep->watches[i].generation) {
		STAT_INC(host_faults);
		return;
	}
	w = &ep->watches[i];
	/* One that was removed after the host had told of it. */
	if (!w->items || generation != w->generation)
		return;
	events &= w->mask | ALWAYS;
	if (!events)
		return;
	if (w->items->file->ready && !w->items->file->ready->inside)
		ready_note(w->items->file->ready, events);
	for (struct epitem *it = w->items; it; it = it->watch_next)
		if (!late || it->round != ep->round || events & it->events & ~it->reported)
			epitem_queue(it, events);
	/* Asked for earlier and of no use now (room to write, say): do not wake for it again. */
	wanted = watch_wanted(w);
	if (wanted && !(events & (wanted | ALWAYS)))
		(void)!watch_set(ep, i, wanted);
}

/* ---- items ---- */

static u32 hash_of(const struct epoll *ep, int fd)
{
	return (u32)fd & (ep->nhash - 1);
}

static struct epitem *item_find(struct epoll *ep, const struct file *f, int fd)
{
	struct epitem *it = ep->hash[hash_of(ep, fd)];

	while (it && (it->fd != fd || it->file != f))
		it = it->hash_next;
	return it;
}

static void hash_add(struct epoll *ep, struct epitem *it)
{
	struct epitem **head = &ep->hash[hash_of(ep, it->fd)];

	it->hash_next = *head;
	*head = it;
}

/* Room for one more; a table that cannot grow only gets slower. */
static void hash_grow(struct epoll *ep)
{
	struct epitem **old = ep->hash, **new, *it, *next;
	u32 n = ep->nhash;

	if (ep->nitems < n)
		return;
	new = kzalloc(2 * n * sizeof(*new));
	if (!new)
		return;
	ep->hash = new;
	ep->nhash = 2 * n;
	for (u32 i = 0; i < n; i++)
		for (it = old[i]; it; it = next) {
			next = it->hash_next;
			hash_add(ep, it);
		}
	kfree(old);
}

/* With the mutex. */
static void item_remove(struct epitem *it, bool file_stays)
{
	struct epoll *ep = it->ep;
	struct epitem **p;

	for (u32 i = 0; i < it->nwaiters; i++)
		waiter_remove(&it->waiters[i].w);
	spin_lock(&links);
	for (p = &it->file->epoll_hook; *p != it; p = &(*p)->file_next)
		;
	*p = it->file_next;
	spin_unlock(&links);
	if (it->watch >= 0)
		watch_remove(it, file_stays);
	spin_lock(&ep->lock);
	if (!list_empty(&it->ready_node)) {
		list_remove(&it->ready_node);
		ep->nready--;
	}
	spin_unlock(&ep->lock);
	for (p = &ep->hash[hash_of(ep, it->fd)]; *p != it; p = &(*p)->hash_next)
		;
	*p = it->hash_next;
	ep->nitems--;
	kfree(it);
}

/* The file is going: out of all instances. It is still whole, but nobody can find it. */
static void forget_file(struct file *f)
{
	struct epitem *it;
	struct epoll *ep;

	for (;;) {
		spin_lock(&links);
		it = f->epoll_hook;
		ep = it ? it->ep : NULL;
		if (ep)
			atomic_fetch_add(&ep->refs, 1);
		spin_unlock(&links);
		if (!ep)
			break;
		mutex_lock(&ep->mutex);
		/* Its instance may have been quicker. */
		spin_lock(&links);
		for (it = f->epoll_hook; it && it->ep != ep; it = it->file_next)
			;
		spin_unlock(&links);
		if (it)
			item_remove(it, false);
		mutex_unlock(&ep->mutex);
		epoll_put(ep);
	}
}

/* The poll table of ADD: takes the file's queues and host descriptor for an item. */
struct adder {
	struct poll_table pt;
	struct epitem *it;
	int err;
};

static void add_waiter(struct poll_table *pt, struct wait_queue *q)
{
	struct adder *a = container_of(pt, struct adder, pt);
	struct epitem *it = a->it;
	struct ep_waiter *w;

	/* Once for file->ready, and once by the file itself. */
	if (it->nwaiters && it->waiters[it->nwaiters - 1].w.queue == q)
		return;
	if (it->nwaiters == ARRAY_SIZE(it->waiters)) {
		a->err = -ENOMEM;
		return;
	}
	w = &it->waiters[it->nwaiters++];
	waiter_init(&w->w, NULL);
	w->w.fn = item_woken;
	w->w.exclusive = it->events & EPOLLEXCLUSIVE;
	w->item = it;
	waiter_add(q, &w->w);
}

static void add_host(struct poll_table *pt, int hostfd, u32 events)
{
	struct adder *a = container_of(pt, struct adder, pt);

	if (a->it->watch < 0 && !a->err)
		a->err = watch_add(a->it, hostfd);
}

/* Threads that sleep inside must look at these, too, from now on. */
static void add_rings(struct epoll *ep, const struct poll_table *pt)
{
	if (pt->rings & ~ep->rings) {
		ep->rings |= pt->rings;
		wake_up_all(&ep->queue, EPOLLIN);
	}
}

static int item_add(struct epoll *ep, struct file *f, int fd, const struct epoll_event *ev)
{
	struct epitem *it = kzalloc(sizeof(*it));
	struct adder a = {
		.pt = { .wait = add_waiter, .host = add_host, .keeps_ready = true }, .it = it,
	};
	u32 bits = 0, unsure;

	if (!it)
		return -ENOMEM;
	hash_grow(ep);
	list_init(&it->ready_node);
	it->ep = ep;
	it->file = f;
	it->fd = fd;
	it->watch = -1;
	it->events = ev->events | ALWAYS;
	it->data = ev->data;
	hash_add(ep, it);
	ep->nitems++;
	spin_lock(&links);
	it->file_next = f->epoll_hook;
	f->epoll_hook = it;
	spin_unlock(&links);

	a.pt.events = it->events;
	if (f->ops->poll)
		bits = f->ops->poll(f, &a.pt);
	if (f->ready) {
		poll_wait(&a.pt, &f->ready->queue);
		if (!f->ready->inside)
			poll_host(&a.pt, f->ready->hostfd);
	}
	add_rings(ep, &a.pt);
	/* A new watch begins with an event; a shared one has had it. */
	if (f->ready && (it->watch_next || f->ready->inside))
		bits |= ready_bits(f->ready, &unsure);
	if (a.err) {
		item_remove(it, true);
		return a.err;
	}
	if (bits & it->events && epitem_queue(it, bits))
		epoll_notify(ep);
	return 0;
}

static int item_change(struct epitem *it, const struct epoll_event *ev)
{
	struct epoll *ep = it->ep;
	struct file *f = it->file;
	u32 bits = 0, unsure;
	int err;

	spin_lock(&ep->lock);
	it->events = ev->events | ALWAYS;
	it->data = ev->data;
	spin_unlock(&ep->lock);
	if (it->watch >= 0) {
		struct watch *w = &ep->watches[it->watch];
		u32 wanted = watch_wanted(w);

		/* The host then tells what holds of the new ones. */
		if (wanted & ~w->mask) {
			err = watch_set(ep, it->watch, w->mask | wanted);
			if (err)
				return err;
		}
	}
	if (f->ops->poll)
		bits = f->ops->poll(f, NULL);
	if (f->ready)
		bits |= ready_bits(f->ready, &unsure);
	if (bits & it->events && epitem_queue(it, bits))
		epoll_notify(ep);
	return 0;
}

/* ---- instances in instances ---- */

/* Instances in a row from `ep` downwards; more than NESTING if one is `top`. */
static int depth_below(struct epoll *ep, const struct epoll *top, int depth)
{
	int most = depth;

	if (ep == top || depth > NESTING)
		return NESTING + 1;
	mutex_lock(&ep->mutex);
	for (u32 i = 0; i < ep->nhash; i++)
		for (struct epitem *it = ep->hash[i]; it; it = it->hash_next)
			if (is_epoll(it->file)) {
				int d = depth_below(it->file->priv, top, depth + 1);

				most = max(most, d);
			}
	mutex_unlock(&ep->mutex);
	return most;
}

/* Instances in a row from `ep` upwards; with links. */
static int depth_above(const struct epoll *ep, int depth)
{
	int most = depth;

	for (struct epitem *it = ep->file->epoll_hook; it && depth <= NESTING; it = it->file_next) {
		int d = depth_above(it->ep, depth + 1);

		most = max(most, d);
	}
	return most;
}

static int nesting_check(struct epoll *ep, struct epoll *inner)
{
	int below = depth_below(inner, ep, 1), above;

	spin_lock(&links);
	above = depth_above(ep, 1);
	spin_unlock(&links);
	return above + below > NESTING ? -ELOOP : 0;
}

int epoll_control(struct file *epoll, int op, struct file *target, int fd,
		  const struct epoll_event *ev)
{
	bool nests = op == EPOLL_CTL_ADD && is_epoll(target);
	struct epoll *ep = epoll->priv;
	struct epitem *it;
	int err = 0;

	if (!target->ops->poll && !target->ready)
		return -EPERM;
	if (epoll == target || !is_epoll(epoll))
		return -EINVAL;
	if (op != EPOLL_CTL_DEL && ev->events & EPOLLEXCLUSIVE &&
	    (op == EPOLL_CTL_MOD || is_epoll(target) || ev->events & ~EXCLUSIVE_OK))
		return -EINVAL;
	if (nests) {
		mutex_lock(&nesting);
		err = nesting_check(ep, target->priv);
		if (err)
			goto out;
	}
	mutex_lock(&ep->mutex);
	it = item_find(ep, target, fd);
	switch (op) {
	case EPOLL_CTL_ADD:
		err = it ? -EEXIST : item_add(ep, target, fd, ev);
		break;
	case EPOLL_CTL_DEL:
		err = it ? 0 : -ENOENT;
		if (it)
			item_remove(it, true);
		break;
	case EPOLL_CTL_MOD:
		if (!it)
			err = -ENOENT;
		else
			err = it->events & EPOLLEXCLUSIVE ? -EINVAL : item_change(it, ev);
		break;
	default:
		err = -EINVAL;
	}
	mutex_unlock(&ep->mutex);
out:
	if (nests)
		mutex_unlock(&nesting);
	return err;
}

/* ---- the instance as a file ---- */

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->priv;

	mutex_lock(&ep->mutex);
	for (u32 i = 0; i < ep->nhash; i++)
		while (ep->hash[i])
			item_remove(ep->hash[i], false);
	mutex_unlock(&ep->mutex);
	if (ep->events >= 0)
		host_close(ep->events);
	epoll_put(ep);
}

static const struct file_ops epoll_ops = {
	.kind = "epoll",
	.poll = epoll_poll,
	.stat = anon_stat,
	.lseek = anon_lseek,
	.own_position = true,
	.release = epoll_release,
};

int epoll_new(u32 flags)
{
	struct epoll *ep;
	struct file *f;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	ep = kzalloc(sizeof(*ep));
	if (!ep)
		return -ENOMEM;
	ep->hash = kzalloc(HASH_FIRST * sizeof(*ep->hash));
	if (!ep->hash)
		goto fail;
	ep->nhash = HASH_FIRST;
	ep->refs = 1;
	ep->events = -1;
	mutex_init(&ep->mutex);
	list_init(&ep->ready);
	wait_queue_init(&ep->queue);
	wait_queue_init(&ep->pollers);
	f = anon_file(&epoll_ops, O_RDWR, ep, "anon_inode:[eventpoll]");
	if (!f)
		goto fail;
	ep->file = f;
	file_close_hook = forget_file;
	return fd_install_or_put(f, flags & EPOLL_CLOEXEC);
fail:
	kfree(ep->hash);
	kfree(ep);
	return -ENOMEM;
}
