/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that may sleep: data, connections, readiness, parking. Every sleep is one poll
 * that includes the thread's wake descriptor, or a call that a signal ends; a wake-up that
 * comes just before either is not lost (struct thread, call_unless).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/syscall.h>
#include <time.h>

#include "host/executor.h"
#include "host/ring.h"
#include "host/thread.h"
#include "host/xsk.h"

#define STREAM		(~0ull)		/* `off` of what has no position, or its own */
#define NS		1000000000ull
#define FEW_POLLS	16u
#define MANY_POLLS	65536u
#define FEW_EVENTS	256u
#define OTHERS		(1 + RAKIS_URING_MOST + RAKIS_XSK_MOST)	/* descriptors in a poll besides those asked for */
#define BOUND		500000		/* ns */
#define MOMENT		15000		/* ns */
#define PACKETS_WORTH	4		/* packets at a time that are worth one */

/* How long a request may still sleep. */
struct patience {
	struct timespec ts;		/* the kernel counts it down */
	_Bool none, forever;
};

static struct patience patience_of(const struct rakis_request *rq)
{
	return (struct patience){
		.ts = { rq->addr3 / NS, rq->addr3 % NS },
		.none = !(rq->flags & RAKIS_REQ_WAIT) || !rq->addr3,
		.forever = rq->addr3 == UINT64_MAX,
	};
}

static void used_up(struct thread *t)
{
	uint64_t n;

	atomic_store(&t->wake, 0);
	sys(read, t->wake_fd, &n, sizeof(n));
}

/* How a sleep on rings is bounded: whatever is behind the bound is then looked at again. */
struct bound {
	struct timespec ts, *limit;
	uint32_t owed;			/* rings with something queued: a bit each */
	uint32_t heads[RAKIS_URING_MOST];
};

/* Entries that nobody takes by the end of the bound: the monitor is not doing its part. */
static void bound_rings(struct bound *b, const struct thread *t, struct patience *p, _Bool always)
{
	long most = 0;

	b->limit = p->forever ? NULL : &p->ts;
	b->owed = 0;
	for (uint32_t m = t->rings; m; m &= m - 1) {
		int i = __builtin_ctz(m);

		if (!ring_queued(&host_rings[i]))
			continue;
		b->owed |= 1u << i;
		b->heads[i] = atomic_load(host_rings[i].sq_head);
	}
	if (b->owed || always)
		most = BOUND;
	else if (t->rings && monitor_used)
		most = MONITOR_WATCH;
	if (most && (!b->limit || b->limit->tv_sec || b->limit->tv_nsec > most)) {
		b->ts = (struct timespec){ .tv_nsec = most };
		b->limit = &b->ts;
	}
}

/* The time is over: 0, or -EINTR if it was only that of the bound. */
static long bound_over(struct bound *b)
{
	for (uint32_t m = b->owed; m; m &= m - 1) {
		int i = __builtin_ctz(m);

		if (atomic_load(host_rings[i].sq_head) == b->heads[i])
			ring_submit(&host_rings[i]);
	}
	if (monitor_used)
		monitor_watch();
	return b->limit == &b->ts ? -EINTR : 0;
}

/*
 * Completions come in bursts, and each sleep costs an exit: while they do, the first of a burst
 * is followed by more within the time that waking up takes.
 */
static void gather(struct thread *t, struct host_ring *r)
{
	struct timespec moment = { .tv_nsec = MOMENT };
	struct io_uring_getevents_arg arg = { .sigmask_sz = 8, .ts = (uint64_t)&moment };
	uint32_t all, have;

	if (t->batch < 2 || t->loud & t->rings)
		return;
	have = ring_reasons(r, &all);
	if (!have || have >= t->batch || all > r->cq_mask)
		return;
	atomic_store(&t->asleep, ASLEEP_CALL);
	call_unless(&t->wake, SYS_io_uring_enter, r->fd, 0, all + t->batch - have,
		    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (long)&arg, sizeof(arg));
	atomic_store(&t->asleep, AWAKE);
}

/*
 * Sleep in the kernel's io_uring, for completions behind the quiet ones that are there.
 * 0: the time is over, or -EINTR.
 */
static long sleep_in_ring(struct thread *t, struct patience *p)
{
	struct host_ring *r = &host_rings[__builtin_ctz(t->rings)];
	struct io_uring_getevents_arg arg = { .sigmask_sz = 8 };
	int quiet = ring_quiet(r, t->loud & t->rings, t->busy & t->rings);
	struct bound b;
	long res;

	if (quiet < 0) {
		gather(t, r);
		return -EINTR;
	}
	/* Should somebody take the quiet ones now, more than the next one would be waited for. */
	bound_rings(&b, t, p, quiet);
	arg.ts = (uint64_t)b.limit;
	atomic_store(&t->asleep, ASLEEP_CALL);
	res = call_unless(&t->wake, SYS_io_uring_enter, r->fd, 0, quiet + 1,
			  IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (long)&arg, sizeof(arg));
	atomic_store(&t->asleep, AWAKE);
	if (res >= 0)
		gather(t, r);
	if (atomic_load(&t->wake))
		used_up(t);
	return res == -ETIME ? bound_over(&b) : -EINTR;
}

/*
 * The same for packets, of which the kernel's poll tells the first. A batch is many here: who
 * waits for an answer before it sends more would have to wait for the moment, too.
 */
static void gather_packets(struct thread *t)
{
	struct timespec moment = { .tv_nsec = MOMENT };
	struct pollfd wake = { .fd = t->wake_fd, .events = POLLIN };
	uint32_t have = 0;

	for (uint32_t m = t->xsks; m; m &= m - 1)
		have += xsk_received(&host_xsks[__builtin_ctz(m / RAKIS_XSK_BIT(0))]);
	if (t->batch < PACKETS_WORTH || have >= t->batch)
		return;
	atomic_store(&t->asleep, ASLEEP_POLL);
	call_unless(&t->wake, SYS_ppoll, (long)&wake, 1, (long)&moment, 0, 8, 0);
	atomic_store(&t->asleep, AWAKE);
	if (atomic_load(&t->wake))
		used_up(t);
}

/*
 * Sleep until one of the n descriptors is ready, or the time is over. fds[n] and up are
 * room for OTHERS more. Number of ready ones (0: time over), or -EINTR for a wake-up.
 */
static long sleep_on(struct thread *t, struct pollfd *fds, unsigned int n, struct patience *p)
{
	unsigned int all = n + 1;
	struct bound b;
	long res, ready;

	if (!n && t->rings && !(t->rings & (t->rings - 1)) && !t->xsks)
		return sleep_in_ring(t, p);
	fds[n] = (struct pollfd){ .fd = t->wake_fd, .events = POLLIN };
	for (uint32_t m = t->rings; m; m &= m - 1) {
		struct host_ring *r = &host_rings[__builtin_ctz(m)];

		/* The kernel's poll tells no quiet ones from others. */
		if (t->busy & m & -m)
			continue;
		if (ring_quiet(r, 1, 0))
			return -EINTR;
		fds[all++] = (struct pollfd){ .fd = r->fd, .events = POLLIN };
	}
	/* Polling one has the kernel take what is to be sent, too. */
	for (uint32_t m = t->xsks & ~t->busy; m; m &= m - 1)
		fds[all++] = (struct pollfd){
			.fd = host_xsks[__builtin_ctz(m / RAKIS_XSK_BIT(0))].fd, .events = POLLIN };
	bound_rings(&b, t, p, t->busy & (t->rings | t->xsks));
	atomic_store(&t->asleep, ASLEEP_POLL);
	res = call_unless(&t->wake, SYS_ppoll, (long)fds, all, (long)b.limit, 0, 8, 0);
	atomic_store(&t->asleep, AWAKE);
	if (res == -EINTR || (res > 0 && fds[n].revents))
		used_up(t);
	if (res < 0)
		return res;
	if (!res)
		return bound_over(&b);
	ready = res;
	for (unsigned int i = n; i < all; i++)
		ready -= fds[i].revents != 0;
	if (!ready && !fds[n].revents && t->xsks)
		gather_packets(t);
	return ready ? ready : -EINTR;
}

/* 0 when fd is ready for `events` (or broken), else what ends the request. */
static long wait_fd(struct thread *t, int fd, short events, struct patience *p)
{
	struct pollfd fds[1 + OTHERS] = { { .fd = fd, .events = events } };
	long res;

	if (p->none)
		return -EAGAIN;
	res = sleep_on(t, fds, 1, p);
	if (res == 0)
		return -EAGAIN;
	return res < 0 ? res : 0;
}

/* Sleep a little where no readiness can be waited for: 0, or what ends the request. */
static long doze(struct thread *t, struct patience *p)
{
	struct patience little = { .ts.tv_nsec = 1000000 };
	struct pollfd room[OTHERS];

	if (p->none || (!p->forever && !p->ts.tv_sec && p->ts.tv_nsec < little.ts.tv_nsec))
		return -EAGAIN;
	p->ts.tv_nsec -= little.ts.tv_nsec;
	if (p->ts.tv_nsec < 0) {
		p->ts.tv_nsec += NS;
		p->ts.tv_sec--;
	}
	return sleep_on(t, room, 0, &little);
}

static int is_ready(int fd, short events)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	struct timespec now = { 0 };

	return sys(ppoll, &pfd, 1, &now, NULL, 8) != 0;
}

/* At once or not at all: pipes, FIFOs and most files know how; -EOPNOTSUPP from those that do not. */
static long stream_now(const struct rakis_request *rq, long nr)
{
	struct iovec v = { (void *)rq->addr, rq->len };

	return system_call(nr == SYS_read ? SYS_preadv2 : SYS_pwritev2, rq->fd, (long)&v, 1, -1, -1,
			   RWF_NOWAIT);
}

/* Descriptors of streams may be blocking ones that other processes share: look first. */
static long stream(struct thread *t, const struct rakis_request *rq, long nr, short events)
{
	struct patience p = patience_of(rq);
	long res = stream_now(rq, nr);

	if (res != -EAGAIN && res != -EOPNOTSUPP)
		return res;
	if (p.none)
		return is_ready(rq->fd, events) ?
			system_call(nr, rq->fd, rq->addr, rq->len, 0, 0, 0) : -EAGAIN;
	do {
		res = wait_fd(t, rq->fd, events, &p);
		if (res)
			return res;
		atomic_store(&t->asleep, ASLEEP_CALL);
		res = call_unless(&t->wake, nr, rq->fd, rq->addr, rq->len, 0, 0, 0);
		atomic_store(&t->asleep, AWAKE);
	} while (res == -EAGAIN);
	if (res == -EINTR)
		used_up(t);
	return res;
}

static long data_call(const struct rakis_request *rq)
{
	switch (rq->opcode) {
	case RAKIS_OP_SEND:
		return sys(sendto, rq->fd, rq->addr, rq->len, rq->op_flags | MSG_DONTWAIT, 0, 0);
	case RAKIS_OP_RECV:
		return sys(recvfrom, rq->fd, rq->addr, rq->len, rq->op_flags | MSG_DONTWAIT, 0, 0);
	case RAKIS_OP_SENDMSG:
		return sys(sendmsg, rq->fd, rq->addr, rq->op_flags | MSG_DONTWAIT);
	case RAKIS_OP_RECVMSG:
		return sys(recvmsg, rq->fd, rq->addr, rq->op_flags | MSG_DONTWAIT);
	default:
		/* An inherited socket may be a blocking one. */
		if (!(sys(fcntl, rq->fd, F_GETFL) & O_NONBLOCK) && !is_ready(rq->fd, POLLIN))
			return -EAGAIN;
		return sys(accept4, rq->fd, rq->addr, rq->off, rq->op_flags | SOCK_CLOEXEC);
	}
}

/* Shut down for receiving: where a stream tells its end, a datagram socket goes on with EAGAIN. */
static int has_ended(const struct rakis_request *rq)
{
	struct pollfd pfd = { .fd = rq->fd, .events = POLLRDHUP };
	struct timespec now = { 0 };
	struct msghdr *m = (struct msghdr *)rq->addr;

	if (sys(ppoll, &pfd, 1, &now, NULL, 8) <= 0 || !(pfd.revents & POLLRDHUP))
		return 0;
	if (rq->opcode == RAKIS_OP_RECVMSG)
		m->msg_namelen = m->msg_controllen = 0;
	return 1;
}

static long socket_data(struct thread *t, const struct rakis_request *rq, short events)
{
	struct patience p = patience_of(rq);
	unsigned int tries = 0;
	long res;

	for (;;) {
		res = data_call(rq);
		if (res != -EAGAIN)
			return res;
		if (tries && (rq->opcode == RAKIS_OP_RECV || rq->opcode == RAKIS_OP_RECVMSG) && has_ended(rq))
			return 0;
		/* A local datagram socket may be writable while its receiver's queue is full. */
		res = tries++ < 2 ? wait_fd(t, rq->fd, events, &p) : doze(t, &p);
		if (res)
			return res;
	}
}

/* A second connect tells how the first ended, and leaves the socket as a blocking one would. */
static long connect_wait(struct thread *t, const struct rakis_request *rq)
{
	struct patience p = patience_of(rq);
	_Bool waited = 0;
	long res, end;

	for (;;) {
		res = sys(connect, rq->fd, rq->addr, rq->off);
		if (res == -EISCONN && waited)
			return 0;
		if (p.none || (res != -EAGAIN && res != -EINPROGRESS && res != -EALREADY))
			return res;
		/* A local listener whose queue is full: nothing tells when it no longer is. */
		end = res == -EAGAIN ? doze(t, &p) : wait_fd(t, rq->fd, POLLOUT, &p);
		if (end)
			return end;
		waited = 1;
	}
}

static long watch(const struct rakis_request *rq)
{
	struct epoll_event ev = { .events = rq->op_flags | EPOLLET, .data.u64 = rq->off };
	int fd = rq->len;
	long res;

	if (!rq->op_flags) {
		res = sys(epoll_ctl, rq->fd, EPOLL_CTL_DEL, fd, &ev);
		return res == -ENOENT ? 0 : res;
	}
	res = sys(epoll_ctl, rq->fd, EPOLL_CTL_ADD, fd, &ev);
	if (res == -EEXIST)
		res = sys(epoll_ctl, rq->fd, EPOLL_CTL_MOD, fd, &ev);
	return res;
}

static long reap(struct thread *t, const struct rakis_request *rq)
{
	uint32_t max = rq->len < FEW_EVENTS ? rq->len : FEW_EVENTS;
	struct rakis_event *out = arena_at(rq->addr, max * sizeof(*out));
	struct patience p = patience_of(rq);
	struct epoll_event ev[FEW_EVENTS];
	long n;

	if (!out || !max)
		return -EINVAL;
	for (;;) {
		n = sys(epoll_pwait, rq->fd, ev, max, 0, NULL, 8);
		if (n || p.none)
			break;
		n = wait_fd(t, rq->fd, POLLIN, &p);
		if (n)
			return n;
	}
	for (long i = 0; i < n; i++) {
		out[i].token = ev[i].data.u64;
		out[i].events = ev[i].events;
	}
	return n;
}

/* Room for n struct pollfd; it stays with the slot. */
static struct pollfd *poll_room(struct thread *t, uint32_t n)
{
	size_t size = n * sizeof(struct pollfd);
	long p;

	if (t->polls_size < size) {
		size = (size + 65535) & ~65535ul;
		p = sys(mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
		if (p < 0 && p > -4096)
			return NULL;
		if (t->polls)
			sys(munmap, t->polls, t->polls_size);
		t->polls = (void *)p;
		t->polls_size = size;
	}
	return t->polls;
}

static long park(struct thread *t, const struct rakis_request *rq)
{
	struct rakis_pollfd *asked = arena_at(rq->addr, rq->len * sizeof(*asked));
	struct patience p = patience_of(rq);
	struct pollfd few[FEW_POLLS + OTHERS], *fds = few;
	long n;

	if (rq->len > MANY_POLLS || (rq->len && !asked))
		return -EINVAL;
	if (rq->len > FEW_POLLS)
		fds = poll_room(t, rq->len + OTHERS);
	if (!fds)
		return -ENOMEM;
	for (uint32_t i = 0; i < rq->len; i++)
		fds[i] = (struct pollfd){ .fd = asked[i].fd, .events = asked[i].events };
	t->batch = rq->op_flags;
	n = sleep_on(t, fds, rq->len, &p);
	for (uint32_t i = 0; i < rq->len; i++)
		asked[i].revents = n > 0 ? fds[i].revents : 0;
	return n == 0 ? -EAGAIN : n;
}

int64_t exec_wait(struct thread *t, const struct rakis_request *rq)
{
	switch (rq->opcode) {
	case RAKIS_OP_READ:
		if (rq->off != STREAM)
			return sys(pread64, rq->fd, rq->addr, rq->len, rq->off);
		return stream(t, rq, SYS_read, POLLIN);
	case RAKIS_OP_WRITE:
		if (rq->off != STREAM)
			return sys(pwrite64, rq->fd, rq->addr, rq->len, rq->off);
		return stream(t, rq, SYS_write, POLLOUT);
	case RAKIS_OP_SEND:
	case RAKIS_OP_SENDMSG:
		return socket_data(t, rq, POLLOUT);
	case RAKIS_OP_RECV:
	case RAKIS_OP_RECVMSG:
		/* The error queue shows as POLLERR, which every poll reports. */
		return socket_data(t, rq, rq->op_flags & MSG_ERRQUEUE ? 0 : POLLIN);
	case RAKIS_OP_ACCEPT:
		return socket_data(t, rq, POLLIN);
	case RAKIS_OP_CONNECT:
		return connect_wait(t, rq);
	case RAKIS_OP_EVENTS_CREATE:
		return sys(epoll_create1, EPOLL_CLOEXEC);
	case RAKIS_OP_EVENTS_WATCH:
		return watch(rq);
	case RAKIS_OP_EVENTS_REAP:
		return reap(t, rq);
	case RAKIS_OP_PARK:
		return park(t, rq);
	}
	return NOT_MINE;
}
