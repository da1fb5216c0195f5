/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll: what syscalls/poll.c calls, and what epoll.c (instances, items, what they watch)
 * and epoll_wait.c (events on their way to the guest) share.
 *
 * An item is put on its instance's ready list by whoever makes its file ready: by a waiter
 * on the file's queue, or, if the host backs the file, by an event reaped from the
 * instance's events descriptor. It leaves the list when it is looked at, and comes back at
 * once if it is level-triggered and was reported.
 *
 * Locks, outermost first: mutex of an outer instance, of an inner one, a wait queue's lock,
 * `lock`, links. Items come and go under the mutex of their instance, so who holds it may use them.
 */
#ifndef RAKIS_FS_EPOLL_H
#define RAKIS_FS_EPOLL_H

#include <linux/eventpoll.h>
#include "fs/file.h"
#include "fs/poll.h"
#include "hostio/hostio.h"

int epoll_new(u32 flags) __must_check;				/* EPOLL_CLOEXEC; a descriptor */
int epoll_control(struct file *epoll, int op, struct file *target, int fd,
		  const struct epoll_event *ev) __must_check;
bool is_epoll(const struct file *f);
/* Up to `max` struct epoll_event at uevents; 0 after the deadline; -EINTR. */
int epoll_wait(struct file *epoll, u64 uevents, int max, u64 deadline) __must_check;

/* ---- between the two files ---- */

/* What is not an event: how they are told. */
#define EP_HOW	(EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

struct epoll {
	_Atomic u32 refs;		/* its file, and who removes an item from outside */
	struct file *file;
	struct mutex mutex;

	struct spinlock lock;		/* of the next five, and of what items say of `events` */
	struct list ready;		/* epitem.ready_node */
	u32 nready;
	u32 waiting;			/* threads on `queue` */
	bool polled;			/* someone may be on `pollers` */
	struct wait_queue queue;	/* threads in epoll_wait */
	struct wait_queue pollers;	/* who polls the instance itself */

	/* under the mutex */
	struct epitem **hash;
	u32 nhash, nitems;
	u32 round;			/* of reporting: an item is reported once in each */
	struct watch *watches;
	u32 watches_size, free_watch;
	struct epitem *looking_at;	/* by `looker` */
	struct task *looker;

	_Atomic u32 nwatches;
	_Atomic u64 rings;		/* that items depend on: a bit each */
	_Atomic int events;		/* the host's descriptor, -1 until needed */
	struct host_event *_Atomic buffer;	/* of HOST_EVENTS_MAX, while no thread uses it */
};

/* A host descriptor that the instance watches, for the items that depend on it. */
struct watch {
	struct epitem *items;		/* by watch_next; NULL: free, fd is the next free one */
	int fd;
	u32 mask;			/* what was asked for */
	u32 generation;
};

struct ep_waiter {
	struct waiter w;
	struct epitem *item;
};

struct epitem {
	struct list ready_node;		/* empty: not on the list */
	struct epitem *hash_next;	/* same hash of (file, fd) */
	struct epitem *file_next;	/* same file; from file->epoll_hook, under links */
	struct epitem *watch_next;
	struct epitem *unsure_next;	/* epoll_wait.c */
	struct epoll *ep;
	struct file *file;		/* no reference: file_close_hook removes the item */
	int fd;
	int watch;			/* index, or -1 */
	u32 events;			/* as asked, with ERR and HUP; EP_HOW only while disarmed */
	u32 round, reported;		/* when it was last reported, and what */
	u64 data;
	u64 seq;			/* of file->ready, before the host was asked */
	u32 nwaiters;
	struct ep_waiter waiters[3];
};

/* Put an item on the ready list if it waits for one of `events` (0: unknown). */
bool epitem_queue(struct epitem *it, u32 events);
/* Its file is fed by ring by now: the host need not watch it. With the mutex. */
void item_unwatch(struct epitem *it);
/* Tell who waits for the instance. True: a thread was there to be told. */
bool epoll_notify(struct epoll *ep);
/* An event of the host; with the mutex. `late`: items that this round has reported are not
 * told again of what it reported of them. */
void watch_event(struct epoll *ep, u64 token, u32 events, bool late);
/* The instance as a file: its `poll` operation. */
u32 epoll_poll(struct file *f, struct poll_table *pt);
/* The host's descriptor of the instance, made now if need be. */
int epoll_events(struct epoll *ep) __must_check;

#endif
