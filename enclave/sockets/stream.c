/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a stream: when a socket becomes one, what it shows to poll, how it ends. */
#include <asm/poll.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "libos/task.h"
#include "libos/time.h"
#include "sockets/stream.h"

#define IN_BITS		(EPOLLIN | EPOLLRDNORM)
#define OUT_BITS	(EPOLLOUT | EPOLLWRNORM)
#define EXIT_NS		(10 * NSEC_PER_SEC)
#define PASS_NS		(NSEC_PER_SEC / 4)

enum { SHUT_RD, SHUT_WR, SHUT_RDWR };

static _Atomic bool talks_to_itself;	/* connects to where it has listened */
_Atomic u32 streams_sending;

static const struct socket_ops listener_ops;
static _Atomic u64 rings_used;		/* a bit each */
static _Atomic u64 listening[65536 / 64];	/* ports on which the process has listened */

static void submit_retry(struct stream *s)
{
	async_kick(s->ring);
	async_reap(s->ring);
}

int stream_error(struct stream *s)
{
	int err = s->error;

	s->error = 0;
	return err;
}

int stream_host_error(struct stream *s)
{
	int err = 0;

	if (host_getsockopt(s->sk->hostfd, SOL_SOCKET, SO_ERROR, &err, sizeof(err)) != sizeof(err))
		err = 0;
	spin_lock(&s->lock);
	s->told &= ~EPOLLERR;
	spin_unlock(&s->lock);
	return err > 0 && err < 4096 ? -err : 0;
}

int stream_wait(struct stream *s, bool (*cond)(struct stream *s, u64 arg), u64 arg, u64 ns)
{
	u64 deadline = ns == HOST_FOREVER ? WAIT_FOREVER : now_ns() + ns;
	struct waiter w;
	int r;

	waiter_init(&w, current());
	waiter_add(&s->sk->ready.queue, &w);
	for (;;) {
		park_begin();
		async_depend(s->ring);
		r = 0;
		if (cond(s, arg) || (async_reap(s->ring) && cond(s, arg)))
			break;
		r = wait_sleep(deadline);
		if (r)
			break;
	}
	waiter_remove(&w);
	return r == -ERESTARTSYS ? -EINTR : r == -ETIMEDOUT ? -EAGAIN : r;
}

bool stream_flush_own(void)
{
	u64 rings = rings_used;

	if (!talks_to_itself)
		return false;
	for (u32 i = 0; rings >> i; i++)
		if (rings >> i & 1)
			async_kick(i);
	for (u32 i = 0; rings >> i; i++)
		if (rings >> i & 1)
			async_reap(i);
	return true;
}

/* ---- which sockets ---- */

/* The port of an address, in the order of the network; 0 if it has none. */
static u32 port_of(const struct host_addr *a)
{
	u16 word[2] = { 0, 0 };

	if (a->len >= 4)
		__builtin_memcpy(word, a->data, 4);
	return word[0] == AF_INET || word[0] == AF_INET6 ? word[1] : 0;
}

static void note_listening(struct socket *sk)
{
	struct host_addr a;
	u32 port;

	if (host_getsockname(sk->hostfd, &a))
		return;
	port = port_of(&a);
	atomic_fetch_or(&listening[port / 64], 1ull << port % 64);
}

void stream_note_connect(const struct host_addr *a)
{
	u32 port = port_of(a);

	if (listening[port / 64] >> port % 64 & 1)
		talks_to_itself = true;
}

bool stream_may_own(int domain, int type, int proto)
{
	return type == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6) &&
	       proto == IPPROTO_TCP && async_available() && async_has_multishot_recv();
}

bool socket_is_stream(struct socket *sk)
{
	return sk->ops == &stream_socket_ops;
}

static bool may_switch(struct socket *sk)
{
	/* What a process sends to itself it may look for at once. */
	return sk->own && !sk->stream && !sk->pinned && (!talks_to_itself || async_prompt());
}

static bool is_connected(struct socket *sk)
{
	struct host_addr a;

	if (!sk->connected && sk->connecting && host_getpeername(sk->hostfd, &a) == 0)
		sk->connected = true;
	return sk->connected;
}

static struct stream *stream_new(struct socket *sk)
{
	struct stream *s = kzalloc(sizeof(*s)), *none = NULL;

	if (!s)
		return NULL;
	s->sk = sk;
	s->ring = async_home_ring();
	s->no_send = sk->no_send;
	s->full = sk->full;
	s->tx_limit = sk->sndbuf ? min(max(sk->sndbuf, 4096u), STREAM_MOST) : STREAM_MOST;
	mutex_init(&s->reader);
	mutex_init(&s->writer);
	if (!atomic_compare_exchange_strong(&sk->stream, &none, s)) {
		kfree(s);
		return NULL;
	}
	atomic_fetch_or(&rings_used, 1ull << s->ring);
	return s;
}

bool stream_switch(struct socket *sk)
{
	struct stream *s;

	if (!may_switch(sk) || sk->listening || sk->rcvlowat > 1 || !is_connected(sk))
		return false;
	s = stream_new(sk);
	if (!s)
		return false;
	/* What epoll has the host watch it lets go when it looks at the item next. */
	ready_inside(&sk->ready);
	atomic_store(&sk->ops, &stream_socket_ops);
	stream_rx_start(s);
	stream_tx_start(s);
	if (sk->pinned)		/* meanwhile */
		stream_rx_by_host(s);
	wake_up_all(&sk->ready.queue, 0);
	return true;
}

void socket_pin(struct socket *sk)
{
	sk->pinned = true;
	if (socket_is_stream(sk))
		stream_rx_by_host(stream_of(sk));
}

/* ---- as a file ---- */

static u32 stream_poll(struct socket *sk, struct poll_table *pt)
{
	struct stream *s = stream_of(sk);
	u32 bits = 0;

	poll_wait(pt, &sk->ready.queue);
	if (pt) {
		pt->rings |= 1ull << s->ring;
		/* Urgent data shows only outside. */
		if (pt->events & EPOLLPRI && !sk->pinned)
			socket_pin(sk);
		if (pt->events & EPOLLPRI && pt->host)
			pt->host(pt, sk->hostfd, EPOLLPRI);
		if (pt->wait || s->rx_late)
			stream_rx_start(s);
	}
	spin_lock(&s->lock);
	if (stream_readable(s))
		bits |= IN_BITS;
	if (stream_writable(s))
		bits |= OUT_BITS;
	if (s->eof)
		bits |= s->no_send ? EPOLLRDHUP | EPOLLHUP : EPOLLRDHUP;
	/* The end is told of when all that comes before it can be read. */
	bits |= s->rx_op == RX_ONE || s->rx_op == RX_MULTI ? s->told & EPOLLERR : s->told;
	if (s->error)
		bits |= EPOLLERR;
	spin_unlock(&s->lock);
	return bits;
}

/* The peer sees the order in which the guest called: data that is queued goes first. */
static int stream_shutdown(struct socket *sk, int how)
{
	struct stream *s = stream_of(sk);
	bool behind, hup;
	int err = 0;

	if ((u32)how > SHUT_RDWR)
		return -EINVAL;
	mutex_lock(&s->writer);
	stream_tx_settle(s);
	spin_lock(&s->lock);
	behind = how != SHUT_RD && s->tx_op == TX_SEND && (!s->no_send || s->shutdown_wanted);
	s->shutdown_wanted |= behind;
	spin_unlock(&s->lock);
	if (!behind || how == SHUT_RDWR)
		err = host_shutdown(sk->hostfd, behind ? SHUT_RD : how);
	spin_lock(&s->lock);
	if (!err) {
		s->eof |= how != SHUT_WR;
		s->no_send |= how != SHUT_RD;
	}
	hup = s->eof && s->no_send;
	stream_tx_note(s);
	spin_unlock(&s->lock);
	mutex_unlock(&s->writer);
	if (!err)
		wake_up(&sk->ready.queue, (how != SHUT_WR ? IN_BITS | EPOLLRDHUP : 0) |
			(how != SHUT_RD ? OUT_BITS : 0) | (hup ? EPOLLHUP : 0));
	return err;
}

int stream_take_error(struct socket *sk)
{
	struct stream *s = stream_of(sk);
	int err;

	if (!socket_is_stream(sk))
		return 0;
	spin_lock(&s->lock);
	err = stream_error(s);
	spin_unlock(&s->lock);
	return err ? err : stream_host_error(s);
}

void stream_settle(struct socket *sk)
{
	if (socket_is_stream(sk))
		stream_tx_settle(stream_of(sk));
}

void stream_limit(struct socket *sk, u32 bytes)
{
	struct stream *s = stream_of(sk);

	sk->sndbuf = bytes;
	if (!socket_is_stream(sk))
		return;
	spin_lock(&s->lock);
	s->tx_limit = min(max(bytes, 4096u), STREAM_MOST);
	stream_tx_note(s);
	spin_unlock(&s->lock);
}

u32 stream_unread(struct socket *sk)
{
	struct stream *s = stream_of(sk);

	stream_rx_start(s);
	async_kick(s->ring);
	while (async_reap(s->ring))
		;
	return s->queued;
}

u32 stream_unsent(struct socket *sk)
{
	stream_tx_settle(stream_of(sk));
	return stream_of(sk)->tx_queued;
}

/* ---- the end ---- */

void stream_free(struct stream *s)
{
	kfree(s->sk);
	kfree(s);
}

static bool drained(struct stream *s, u64 arg)
{
	return s->tx_op == TX_IDLE;
}

/* SO_LINGER: the close waits until the peer has all; first until the host has. False: time is
 * over, and the rest goes on without. */
static bool linger(struct stream *s, u64 ns)
{
	int err = stream_wait(s, drained, 0, ns);

	spin_lock(&s->lock);
	if (err)
		s->hold = false;
	stream_tx_note(s);
	spin_unlock(&s->lock);
	if (!err)
		(void)!host_close(s->sk->hostfd);
	return !err;
}

/* Nobody else can call any more; completions go on until the last. */
static void stream_close(struct socket *sk)
{
	struct stream *s = stream_of(sk);
	bool cancel_rx, cancel_tx, cancel_end, over, unread = s->queued;
	enum tx_op next = TX_IDLE;

	stream_rx_drop(s);
	if (unread && sk->linger) {
		/* As Linux: who closes with data unread resets the connection. */
		int reset[2] = { 1, 0 };

		(void)!host_setsockopt(sk->hostfd, SOL_SOCKET, SO_LINGER, reset, sizeof(reset));
	}
	spin_lock(&s->lock);
	s->closing = s->pinned = true;
	s->abort = !sk->linger;
	s->hold = sk->linger > 0 && !unread;
	s->full = false;
	cancel_rx = s->rx_op && !s->rx_stop;
	s->rx_stop = true;
	cancel_end = s->end_on;
	cancel_tx = s->tx_op == TX_ROOM || (s->tx_op == TX_SEND && s->abort);
	if (s->tx_op == TX_IDLE)
		next = stream_tx_next(s);
	else
		stream_tx_note(s);
	spin_unlock(&s->lock);
	while (cancel_rx && async_cancel(&s->rx))
		submit_retry(s);
	while (cancel_end && async_cancel(&s->end))
		submit_retry(s);
	while (cancel_tx && async_cancel(&s->tx))
		submit_retry(s);
	if (next != TX_IDLE)
		stream_tx_submit(s, next);
	next = TX_IDLE;
	if (s->hold)
		linger(s, sk->linger * NSEC_PER_SEC);
	spin_lock(&s->lock);
	s->pinned = false;
	if (s->tx_op == TX_IDLE) {	/* no completion will come that goes on */
		next = s->tx_op = TX_CLOSE;
		stream_tx_note(s);
	}
	over = stream_is_over(s);
	spin_unlock(&s->lock);
	if (next != TX_IDLE)
		stream_tx_submit(s, next);
	if (over)
		stream_free(s);
}

static bool is_busy(void)
{
	return streams_sending;
}

void stream_exit(void)
{
	if (streams_sending)
		async_drain(is_busy, EXIT_NS);
}

/* Nothing is in here that its other holders could miss. */
static bool passable(struct stream *s, u64 arg)
{
	return !s->queued && s->rx_op != RX_ONE && s->rx_op != RX_MULTI &&
	       (s->tx_op == TX_IDLE || s->tx_op == TX_ROOM);
}

int socket_pass(struct file *f)
{
	static _Atomic bool told;
	struct socket *sk = f->priv;

	if (!is_socket(f))
		return 0;
	if (sk->udp)
		udp_kernel_only(sk);
	socket_pin(sk);
	if (!socket_is_stream(sk) || !stream_wait(stream_of(sk), passable, 0, PASS_NS))
		return 0;
	if (!atomic_exchange(&told, true))
		log_warn("a TCP socket with data unread or unsent cannot be passed over a socket "
			 "(SCM_RIGHTS): EINVAL");
	return -EINVAL;
}

/* ---- listening ---- */

static void accept_done(struct async *a, s32 res, bool more, int buf)
{
	struct stream *s = container_of(a, struct stream, rx);
	u32 events = res > 0 ? res & (IN_BITS | EPOLLERR | EPOLLHUP) : 0;
	bool over, again;

	spin_lock(&s->lock);
	if (!more)
		s->rx_op = RX_IDLE;
	again = !more && !s->closing && (res > 0 || res == -ECANCELED);
	if (again)
		s->rx_op = RX_POLL;
	over = stream_is_over(s);
	/* With the lock, as in rx_submit(). */
	if (again && async_poll_multishot(s->ring, &s->rx, s->sk->hostfd, POLLIN)) {
		s->rx_op = RX_IDLE;		/* whoever looks tries again */
		events |= IN_BITS;
	}
	spin_unlock(&s->lock);
	if (over) {
		stream_free(s);
		return;
	}
	if (events && !s->closing) {
		/* Whoever it announces may have been accepted meanwhile: a guess. */
		ready_note(&s->sk->ready, events);
		ready_used(&s->sk->ready, EPOLLIN);
		wake_up(&s->sk->ready.queue, events);
	}
}

static void listener_arm(struct stream *s)
{
	spin_lock(&s->lock);
	if (s->rx_op) {
		spin_unlock(&s->lock);
		return;
	}
	s->rx_op = RX_POLL;
	spin_unlock(&s->lock);
	while (async_poll_multishot(s->ring, &s->rx, s->sk->hostfd, POLLIN))
		submit_retry(s);
}

/* A multishot poll feeds `ready`, so that epoll needs no events of the host. */
static bool listener_start(struct socket *sk)
{
	struct stream *s;

	if (!may_switch(sk) || !sk->listening)
		return false;
	s = stream_new(sk);
	if (!s)
		return false;
	ready_inside(&sk->ready);
	s->listening = true;
	s->rx.done = accept_done;
	atomic_store(&sk->ops, &listener_ops);
	listener_arm(s);
	wake_up_all(&sk->ready.queue, 0);
	return true;
}

static u32 listener_poll(struct socket *sk, struct poll_table *pt)
{
	struct stream *s = stream_of(sk);

	if (pt)
		pt->rings |= 1ull << s->ring;
	if (pt && !s->rx_op)
		listener_arm(s);
	if (!pt || !pt->keeps_ready)
		poll_host(pt, sk->hostfd);
	return 0;
}

void stream_listening(struct socket *sk)
{
	sk->listening = true;
	if (sk->own)
		note_listening(sk);
}

bool stream_waited_for(struct socket *sk, struct poll_table *pt)
{
	/* What is urgent a ring's receive would run over. */
	if (pt->events & EPOLLPRI)
		sk->pinned = true;
	if (sk->listening)
		return pt->keeps_ready && listener_start(sk);
	return stream_switch(sk);
}

/* ---- the tables ---- */

static ssize_t listener_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	return host_socket_ops.send(sk, m, flags, wait_ns);
}

static ssize_t listener_recv(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	return host_socket_ops.recv(sk, m, flags, wait_ns);
}

static int any_bind(struct socket *sk, const struct host_addr *a)
{
	return host_socket_ops.bind(sk, a);
}

static int any_connect(struct socket *sk, const struct host_addr *a, u64 wait_ns)
{
	return host_socket_ops.connect(sk, a, HOST_NOWAIT);
}

static int listener_shutdown(struct socket *sk, int how)
{
	return host_socket_ops.shutdown(sk, how);
}

static const struct socket_ops listener_ops = {
	.send = listener_send,
	.recv = listener_recv,
	.bind = any_bind,
	.connect = any_connect,
	.poll = listener_poll,
	.shutdown = listener_shutdown,
	.close = stream_close,
};

const struct socket_ops stream_socket_ops = {
	.send = stream_send,
	.recv = stream_recv,
	.bind = any_bind,
	.connect = any_connect,
	.poll = stream_poll,
	.shutdown = stream_shutdown,
	.close = stream_close,
};
