/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending and receiving: what a call does over one or more tries of the transport, and the
 * transport that is the host's own socket.
 */
#include <asm/poll.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/signal.h"
#include "libos/task.h"
#include "sockets/socket.h"

/* What of the guest's flags concerns the host. The rest is done here, or refused:
 * MSG_ZEROCOPY would send from a buffer that is used again at once. */
#define SEND_LOCAL	(MSG_ZEROCOPY | MSG_SOCK_DEVMEM)
#define RECV_LOCAL	(MSG_WAITALL | MSG_NOSIGNAL | MSG_SOCK_DEVMEM | MSG_WAITFORONE)

/* What one request surely moves: the largest datagram; less of a stream is short. */
#define PIECE		(RAKIS_REQ_MAX_BYTES / 2)
#define DROP_MOST	(128u << 10)
#define PEEK_NS		1000000ull

/* ---- the host's socket ---- */

static ssize_t host_socket_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	u64 asked = m->data->left;
	ssize_t n;

	flags = (flags & ~SEND_LOCAL) | MSG_DONTWAIT | MSG_NOSIGNAL;
	if (sk->type != SOCK_STREAM && m->data->left > PIECE)
		return -EMSGSIZE;
	if (!m->addr && !m->controllen) {
		n = host_send(sk->hostfd, m->data, flags, wait_ns);
		sk->full = n == -EAGAIN || (n >= 0 && (u64)n < min(asked, (u64)PIECE));
		return n;
	}
	return host_sendmsg(sk->hostfd, m, flags, wait_ns);
}

static ssize_t host_socket_recv(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	/* TCP has no source address and no flags to tell. */
	bool plain = !m->addr || (socket_is_tcp(sk) && !(flags & (MSG_ERRQUEUE | MSG_OOB)));
	u64 room = m->data->left;
	ssize_t n;

	flags = (flags & ~RECV_LOCAL) | MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
	if (plain && !m->controllen) {
		if (m->addr)
			m->addr->len = 0;
		m->flags = 0;
		n = host_recv(sk->hostfd, m->data, flags, wait_ns);
	} else {
		n = host_recvmsg(sk->hostfd, m, flags, wait_ns);
	}
	return n > 0 && (u64)n > room && !(flags & MSG_TRUNC) ? -EIO : n;
}

static int host_socket_bind(struct socket *sk, const struct host_addr *a)
{
	return host_bind(sk->hostfd, a);
}

static int host_socket_connect(struct socket *sk, const struct host_addr *a, u64 wait_ns)
{
	return host_connect(sk->hostfd, a, wait_ns);
}

static u32 host_socket_poll(struct socket *sk, struct poll_table *pt)
{
	/* It may become a stream, which wakes through the queue. */
	if (sk->own)
		poll_wait(pt, &sk->ready.queue);
	poll_host(pt, sk->hostfd);
	return 0;
}

static int host_socket_shutdown(struct socket *sk, int how)
{
	return host_shutdown(sk->hostfd, how);
}

static void host_socket_close(struct socket *sk)
{
	host_close(sk->hostfd);
	kfree(sk);
}

const struct socket_ops host_socket_ops = {
	.send = host_socket_send,
	.recv = host_socket_recv,
	.bind = host_socket_bind,
	.connect = host_socket_connect,
	.poll = host_socket_poll,
	.shutdown = host_socket_shutdown,
	.close = host_socket_close,
};

/* ---- send ---- */

static ssize_t send_piece(struct socket *sk, struct host_msg *m, u32 flags, struct socket_wait *w)
{
	ssize_t n;
	u64 seq;

	do {
		seq = ready_seq(&sk->ready);
		n = sk->ops->send(sk, m, flags, wait_left(w));
	} while (wait_again(w, &n));
	if (n == -EAGAIN && sk->own && sk->file->epoll_hook)
		stream_switch(sk);
	if (n == -EAGAIN)
		ready_drained(&sk->ready, EPOLLOUT, seq);
	else if (n < 0)
		ready_used(&sk->ready, EPOLLERR);
	return n;
}

static void broken_pipe(void)
{
	struct siginfo_min info = {
		.signo = SIGPIPE, .code = SI_USER, .pid = process.pid, .uid = process.uid,
	};

	(void)!signal_send_task(current(), &info);
}

ssize_t socket_send(struct socket *sk, struct host_msg *m, u32 flags)
{
	bool stream = sk->type == SOCK_STREAM;
	struct socket_wait w;
	ssize_t n, sent = 0;

	n = socket_take_error(sk);
	if (n)
		return n;
	wait_start(&w, sk, !(flags & MSG_DONTWAIT), sk->sndtimeo);
	if ((flags & MSG_FASTOPEN) && w.block && m->addr) {
		n = socket_connect(sk, m->addr);
		if (n)
			return n;
		m->addr = NULL;
		flags &= ~MSG_FASTOPEN;
	}
	do {
		n = send_piece(sk, m, flags, &w);
		if (n < 0)
			break;
		sent += n;
		m->controllen = 0;	/* goes with the first byte */
	} while (stream && m->data->left && n);
	if (sent) {
		socket_keep_error(sk, n);
		return sent;
	}
	if (n == -EPIPE && stream && !(flags & MSG_NOSIGNAL))
		broken_pipe();
	return n;
}

ssize_t socket_write(struct file *f, struct iter *it, u64 *pos)
{
	struct socket *sk = f->priv;
	struct host_msg m = { .data = it };

	return socket_send(sk, &m, sk->type == SOCK_SEQPACKET ? MSG_EOR : 0);
}

/* ---- receive ---- */

static void note_received(struct socket *sk, u32 flags, ssize_t n, u64 asked, u64 seq)
{
	struct ready *r = &sk->ready;

	if (flags & (MSG_ERRQUEUE | MSG_OOB)) {
		ready_used(r, EPOLLERR | EPOLLPRI);
	} else if (n == -EAGAIN) {
		ready_drained(r, EPOLLIN, seq);
	} else if (n < 0) {
		ready_used(r, EPOLLERR);
	} else if (n > 0 && !(flags & MSG_PEEK)) {
		if (sk->type == SOCK_STREAM && (u64)n < min(asked, (u64)PIECE) && sk->rcvlowat <= 1)
			ready_drained(r, EPOLLIN, seq);
		else
			ready_used(r, EPOLLIN);
	}
}

static ssize_t wait_lowat(struct socket *sk, struct socket_wait *w)
{
	struct host_pollfd p = { .fd = sk->hostfd, .events = POLLIN };
	ssize_t n;

	do
		n = host_poll(&p, 1, wait_left(w));
	while (wait_again(w, &n));
	return n;
}

/*
 * Before a receive of `sk` waits: it becomes a stream, if it is connected by then. Nobody waits
 * in the host's own receive for one that may, since what arrives will be a stream's.
 */
static ssize_t become_stream(struct socket *sk, struct socket_wait *w)
{
	struct host_pollfd p = { .fd = sk->hostfd, .events = POLLOUT };
	ssize_t n = 0;

	while (!stream_switch(sk) && sk->connecting && n <= 0) {
		n = host_poll(&p, 1, wait_left(w));
		if (n < 0 && !wait_again(w, &n))
			return n;
	}
	return 0;
}

static ssize_t recv_piece(struct socket *sk, struct host_msg *m, u32 flags, struct socket_wait *w)
{
	u64 seq, asked = m->data->left;
	ssize_t n;

	if (sk->own && w->block && !sk->stream && !(flags & (MSG_OOB | MSG_ERRQUEUE))) {
		n = become_stream(sk, w);
		if (n < 0)
			return n;
	}
	if (sk->rcvlowat > 1 && !socket_is_stream(sk) && w->block && sk->type == SOCK_STREAM && !(flags & MSG_WAITALL)) {
		n = wait_lowat(sk, w);
		if (n < 0)
			return n;
	}
	do {
		seq = ready_seq(&sk->ready);
		n = sk->ops->recv(sk, m, flags, wait_left(w));
	} while (wait_again(w, &n));
	if (flags & (MSG_OOB | MSG_ERRQUEUE) && !sk->pinned)
		socket_pin(sk);
	if (n == -EAGAIN && sk->own && sk->file->epoll_hook)
		stream_switch(sk);
	note_received(sk, flags, n, asked, seq);
	return n;
}

/*
 * MSG_PEEK | MSG_WAITALL: the host's poll tells of more than nothing, not of more than
 * before, so look every now and then. False: what is there is the answer.
 */
static bool peek_again(struct socket *sk, struct host_msg *m, const struct socket_wait *w,
		       ssize_t n)
{
	struct host_pollfd p = { .fd = sk->hostfd, .events = POLLRDHUP };
	u64 left = wait_left(w);
	ssize_t res;

	if (!left || (socket_is_stream(sk) && !sk->pinned))	/* which has waited for all */
		return false;
	res = host_poll(&p, 1, min(left, (u64)PEEK_NS));
	if (res != -EAGAIN && res != 0 && !wait_again(w, &res))
		return false;
	iter_back(m->data, n);
	return true;
}

static ssize_t recv_all(struct socket *sk, struct host_msg *m, u32 flags, struct socket_wait *w)
{
	u32 room = m->controllen;
	ssize_t n, got = 0;

	for (;;) {
		n = recv_piece(sk, m, flags, w);
		if (n <= 0)
			break;
		if (flags & MSG_PEEK) {
			if (m->data->left && peek_again(sk, m, w, n)) {
				m->controllen = room;
				continue;
			}
			return n;
		}
		got += n;
		/* Descriptors and credentials of unix sockets end a stretch. */
		if (!m->data->left || (sk->domain == AF_UNIX && m->controllen))
			break;
		m->controllen = room;
	}
	if (n < 0)
		m->controllen = 0;
	if (got)
		socket_keep_error(sk, n);
	return got ? got : n;
}

/* TCP with MSG_TRUNC: the bytes are counted and dropped, the guest's buffer is not touched. */
static ssize_t recv_drop(struct socket *sk, struct host_msg *m, u32 flags, struct socket_wait *w)
{
	u64 size = min(m->data->left, (u64)DROP_MOST);
	struct iter it, *data = m->data;
	void *buf = kmalloc(size);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	iter_kernel(&it, buf, size);
	m->data = &it;
	n = recv_piece(sk, m, flags, w);
	m->data = data;
	kfree(buf);
	return n > (ssize_t)size ? -EIO : n;
}

ssize_t socket_recv(struct socket *sk, struct host_msg *m, u32 flags)
{
	struct socket_wait w;
	ssize_t n;

	if (!(flags & MSG_ERRQUEUE)) {
		n = socket_take_error(sk);
		if (n)
			return n;
	}
	wait_start(&w, sk, !(flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)), sk->rcvtimeo);
	if ((flags & MSG_TRUNC) && socket_is_tcp(sk))
		return recv_drop(sk, m, flags, &w);
	if ((flags & MSG_WAITALL) && sk->type == SOCK_STREAM && w.block)
		return recv_all(sk, m, flags, &w);
	return recv_piece(sk, m, flags, &w);
}

ssize_t socket_read(struct file *f, struct iter *it, u64 *pos)
{
	struct host_msg m = { .data = it };

	if (!it->left)
		return 0;
	return socket_recv(f->priv, &m, 0);
}
