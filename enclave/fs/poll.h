/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One wait over many files: what select, poll and epoll pass to file_ops.poll. A file of
 * the libOS's own puts a waiter on its queue with poll_wait() and returns its bits. A
 * host-backed file calls poll_host() and returns 0 for what only the host knows: the
 * caller asks the host for all of them in one request.
 */
#ifndef RAKIS_FS_POLL_H
#define RAKIS_FS_POLL_H

#include "libos/wait.h"
#include "lib/types.h"

struct file;

#define POLL_LOOK	(1u << 31)
#define POLL_NET	(1ull << 63)	/* among rings: datagrams come by net/ */

struct poll_table {
	/* Register on `q` for this file; NULL table entries: only look. */
	void (*wait)(struct poll_table *pt, struct wait_queue *q);
	/* Ask the host for `hostfd` (POLL* bits in `events`), once per file. With POLL_LOOK its
	 * answer only means that ops->poll() is to be asked again. */
	void (*host)(struct poll_table *pt, int hostfd, u32 events);
	u32 events;		/* what the caller is interested in */
	u64 rings;		/* added to by files whose events come by ring: a bit each; POLL_NET */
	bool keeps_ready;	/* the caller looks at file->ready as well (epoll) */
};

static inline void poll_wait(struct poll_table *pt, struct wait_queue *q)
{
	if (pt && pt->wait)
		pt->wait(pt, q);
}

static inline void poll_host(struct poll_table *pt, int hostfd)
{
	if (pt && pt->host)
		pt->host(pt, hostfd, pt->events);
}

/* One file of a select or poll. */
struct poll_item {
	struct file *file;	/* NULL: `revents` stands as it is (POLLNVAL, or 0) */
	u32 events, revents;	/* EPOLL* bits, which are POLL*'s; HUP and ERR count if asked for */
	s32 host;		/* poll.c's; 0 at first, like the next two */
	bool look, mute;
};

/*
 * Wait until a file has one of its events: how many have, 0 after `deadline` (0: do not
 * wait), -ERESTARTNOHAND if a signal is pending and none has.
 */
int poll_files(struct poll_item *items, u32 n, u64 deadline) __must_check;

/* Ask the host without waiting: number of ready ones, or a negative errno; `revents` are set. */
struct host_pollfd;
int poll_host_now(struct host_pollfd *fds, u32 n) __must_check;

#endif
