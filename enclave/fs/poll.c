/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wait of select and poll. Files of the libOS's own are looked at and waited for
 * inside; for all others the host is asked in one request, which is also where the thread
 * sleeps if there are any.
 */
#include <linux/eventpoll.h>
#include "fs/file.h"
#include "fs/poll.h"
#include "hostio/async.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/task.h"
#include "net/net.h"

#define ALWAYS	(EPOLLERR | EPOLLHUP)
/* What a file without a poll operation is: regular files, directories. */
#define DEFAULT	(EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM)

#define FEW	16u
#define BLOCK	64u

struct waiter_block {
	struct waiter_block *next;
	u32 n;
	struct waiter w[BLOCK];
};

struct poller {
	struct poll_table pt;
	struct poll_item *item;		/* being looked at */
	u32 nitems;
	int err;
	u32 nwaiters;			/* in few[] */
	struct waiter few[FEW];
	struct waiter_block *more;
	u32 nhost;
	struct host_pollfd *host;
	struct host_pollfd few_host[FEW];
};

static void add_waiter(struct poll_table *pt, struct wait_queue *q)
{
	struct poller *p = container_of(pt, struct poller, pt);
	struct waiter *w;

	if (p->nwaiters < FEW) {
		w = &p->few[p->nwaiters++];
	} else {
		struct waiter_block *b = p->more;

		if (!b || b->n == BLOCK) {
			b = kmalloc(sizeof(*b));
			if (!b) {
				p->err = -ENOMEM;
				return;
			}
			b->next = p->more;
			b->n = 0;
			p->more = b;
		}
		w = &b->w[b->n++];
	}
	waiter_init(w, current());
	waiter_add(q, w);
}

static void add_host(struct poll_table *pt, int hostfd, u32 events)
{
	struct poller *p = container_of(pt, struct poller, pt);

	if (p->nhost == FEW && p->host == p->few_host) {
		p->host = kmalloc(p->nitems * sizeof(*p->host));
		if (!p->host) {
			p->host = p->few_host;
			p->err = -ENOMEM;
			return;
		}
		for (u32 i = 0; i < FEW; i++)
			p->host[i] = p->few_host[i];
	}
	if (p->item->host >= 0 || p->item->mute)
		return;
	p->item->host = p->nhost;
	p->item->look = events & POLL_LOOK;
	p->host[p->nhost++] = (struct host_pollfd){
		.fd = hostfd, .events = events & ~ALWAYS & 0x7fff,
	};
}

static u32 look(struct poll_item *i, struct poll_table *pt)
{
	u32 bits = i->file->ops->poll ? i->file->ops->poll(i->file, pt) : DEFAULT;

	return bits & i->events;
}

/* Look at every file; waiters are put up only until one is ready. */
static u32 look_all(struct poller *p, struct poll_item *items, bool first)
{
	u32 ready = 0;

	p->nhost = 0;
	p->pt.rings = 0;
	for (u32 k = 0; k < p->nitems; k++) {
		struct poll_item *i = &items[k];

		if (i->file) {
			i->host = -1;
			p->item = i;
			p->pt.events = i->events;
			p->pt.wait = first && !ready ? add_waiter : NULL;
			i->revents = look(i, &p->pt);
		}
		ready += i->revents != 0;
	}
	return ready;
}

/* Take over what the host said. */
static u32 host_results(struct poller *p, struct poll_item *items)
{
	u32 ready = 0;

	for (u32 k = 0; k < p->nitems; k++) {
		struct poll_item *i = &items[k];

		if (i->file && i->host >= 0) {
			u32 got = (u16)p->host[i->host].revents;

			if (i->look)
				i->revents |= got ? look(i, NULL) : 0;
			else
				i->revents |= got & i->events;
			/* It hung up, and select does not care: the host can tell no more of it. */
			i->mute = got && !i->look && !(got & i->events);
		}
		ready += i->revents != 0;
	}
	return ready;
}

int poll_host_now(struct host_pollfd *fds, u32 n)
{
	int r, tries = 4;

	/* A wake-up for this thread may come in between; it is noted inside, and is for later. */
	do
		r = host_poll(fds, n, HOST_NOWAIT);
	while (r == -EINTR && --tries);
	if (r >= 0)
		return r;
	for (u32 i = 0; i < n; i++)
		fds[i].revents = 0;
	return r == -EAGAIN || r == -EINTR ? 0 : r;
}

/* What has come by ring; the next sleep is for more. `kick`: it belongs to what was sent
 * before. True: look again. */
static bool rings_look(u64 rings, bool kick)
{
	bool any = false;

	if (rings & POLL_NET) {
		rings &= ~POLL_NET;
		net_depend();
		any = net_reap();
	}
	for (u32 i = 0; rings; i++, rings >>= 1)
		if (rings & 1) {
			async_depend(i);
			if (kick)
				async_kick(i);
			any |= async_reap(i);
		}
	return any;
}

static void drop_waiters(struct poller *p)
{
	for (u32 i = 0; i < p->nwaiters; i++)
		waiter_remove(&p->few[i]);
	p->nwaiters = 0;
	while (p->more) {
		struct waiter_block *b = p->more;

		for (u32 i = 0; i < b->n; i++)
			waiter_remove(&b->w[i]);
		p->more = b->next;
		kfree(b);
	}
}

static int wait_for_one(struct poller *p, struct poll_item *items, u64 deadline)
{
	for (bool first = true;; first = false) {
		bool signal;
		u64 left;
		int ready, r;

again:
		park_begin();
		ready = look_all(p, items, first);
		if (p->err)
			return p->err;
		if (rings_look(p->pt.rings, !ready && !deadline)) {
			if (!ready)
				continue;
			/* Who always finds something ready must see the rest, too. */
			ready = look_all(p, items, false);
			if (!ready) {
				/* It is gone again, and files behind it have no waiter yet. */
				drop_waiters(p);
				first = true;
				goto again;
			}
		}
		signal = signal_pending();
		left = ready || signal ? HOST_NOWAIT : deadline_left(deadline);
		if (p->nhost) {
			r = left ? host_poll(p->host, p->nhost, left) :
				   poll_host_now(p->host, p->nhost);
			if (r < 0 && r != -EINTR && r != -EAGAIN)
				return r;
			if (r > 0)
				ready = host_results(p, items);
		}
		if (ready)
			return ready;
		if (signal)
			return -ERESTARTNOHAND;
		if (!left)
			return 0;
		if (!p->nhost)
			park(left);
	}
}

int poll_files(struct poll_item *items, u32 n, u64 deadline)
{
	struct poller p;
	int r;

	p.pt = (struct poll_table){ .host = add_host };
	p.nitems = n;
	p.err = 0;
	p.nwaiters = 0;
	p.more = NULL;
	p.host = p.few_host;
	r = wait_for_one(&p, items, deadline);
	drop_waiters(&p);
	if (p.host != p.few_host)
		kfree(p.host);
	return r;
}
