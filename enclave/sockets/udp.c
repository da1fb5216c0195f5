/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a UDP socket with a fast path: its claim, what it shows to poll, its end. */
#include <asm/poll.h>
#include <linux/in.h>
#include <linux/in6.h>
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/time.h"
#include "sockets/udp.h"

/* A socket that only asks once or twice, as resolvers do, is not worth a claim. */
#define CLAIM_AFTER	4
#define CLOSE_NS	(100 * 1000000ull)
#define RELEASE_NS	(50 * 1000000ull)
#define RELEASE_STEP	(1 * 1000000ull)

/* When the last one with a poll by ring was closed. */
static _Atomic u64 closed_at;

enum { SHUT_RD, SHUT_WR, SHUT_RDWR };

static const struct socket_ops udp_plain_ops;

bool udp_addr(struct net_addr *out, const struct host_addr *a)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	u16 family = 0;

	memset(out, 0, sizeof(*out));
	if (a->len >= sizeof(family))
		memcpy(&family, a->data, sizeof(family));
	if (family == AF_INET && a->len >= sizeof(in)) {
		memcpy(&in, a->data, sizeof(in));
		out->port = __builtin_bswap16(in.sin_port);
		if (!in.sin_addr.s_addr)	/* any: of either family */
			return true;
		out->ip[10] = out->ip[11] = 0xff;
		memcpy(out->ip + 12, &in.sin_addr, 4);
		return true;
	}
	if (family == AF_INET6 && a->len >= sizeof(in6)) {
		memcpy(&in6, a->data, sizeof(in6));
		out->port = __builtin_bswap16(in6.sin6_port);
		memcpy(out->ip, &in6.sin6_addr, 16);
		return !in6.sin6_flowinfo && !in6.sin6_scope_id;
	}
	return false;
}

static bool is_any(const u8 ip[16])
{
	static const u8 any[16];

	return !memcmp(ip, any, 16);
}

/* Never by the fast path: loopback, multicast; link-local ones say nothing without a scope. */
static bool is_kernels(const u8 ip[16])
{
	static const u8 loopback[16] = { [15] = 1 };

	if (udp_is_v4(ip))
		return ip[12] == 127 || ip[12] >= 224 || !ip[12];
	return !memcmp(ip, loopback, 16) || ip[0] == 0xff || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80);
}

/* ---- the host's socket ---- */

/* With the lock. Nothing of the socket is used any more. */
static bool is_over(const struct udp *u)
{
	return u->closed && !u->polling && !u->full && !u->telling;
}

static void udp_free(struct udp *u)
{
	kfree(u->sk);
	kfree(u);
}

/* The end of a completion, which may be the last. They run one at a time. */
static void done_telling(struct udp *u)
{
	bool over;

	spin_lock(&u->lock);
	u->telling = false;
	over = is_over(u);
	spin_unlock(&u->lock);
	if (over)
		udp_free(u);
}

static void poll_done(struct async *a, s32 res, bool more, int buf)
{
	struct udp *u = container_of(a, struct udp, poll);
	struct socket *sk = u->sk;
	u32 events = res > 0 ? res : 0;
	bool again;

	if (events & EPOLLIN)
		events |= EPOLLRDNORM;
	spin_lock(&u->lock);
	u->telling = true;
	again = !more && !u->closing && res >= 0;
	u->polling = more || again;
	spin_unlock(&u->lock);
	/* There is room for what a completion submits. If not, who waits next starts it. */
	if (again && async_poll_multishot(u->ring, &u->poll, sk->hostfd, POLLIN | POLLPRI)) {
		spin_lock(&u->lock);
		u->polling = false;
		spin_unlock(&u->lock);
	}
	ready_note(&sk->ready, events);
	wake_up(&sk->ready.queue, events);	/* none: who closes waits for the last one */
	done_telling(u);
}

static void room_done(struct async *a, s32 res, bool more, int buf)
{
	struct udp *u = container_of(a, struct udp, room);

	spin_lock(&u->lock);
	u->telling = true;
	u->full = false;
	spin_unlock(&u->lock);
	wake_up(&u->sk->ready.queue, UDP_OUT_BITS);
	done_telling(u);
}

void udp_watch(struct udp *u)
{
	bool start;

	if (*(volatile bool *)&u->polling)
		return;
	spin_lock(&u->lock);
	start = !u->polling && !u->closing;
	u->polling |= start;
	spin_unlock(&u->lock);
	while (start && async_poll_multishot(u->ring, &u->poll, u->sk->hostfd, POLLIN | POLLPRI)) {
		async_kick(u->ring);
		async_reap(u->ring);
	}
}

bool udp_watch_room(struct udp *u)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_POLL_ADD, .fd = u->sk->hostfd, .op_flags = POLLOUT,
	};
	bool start;

	spin_lock(&u->lock);
	start = !u->full && !u->closing;
	u->full |= start;
	spin_unlock(&u->lock);
	if (!start || !async_submit(u->ring, &u->room, &rq, POLLOUT))
		return true;
	spin_lock(&u->lock);
	u->full = false;
	spin_unlock(&u->lock);
	return false;
}

/* ---- the claim ---- */

/* 0: there is one; -ENODATA: it is none that net/ knows of; or what the host answers. */
static int name_of(struct udp *u, int (*fn)(int hostfd, struct host_addr *a), struct net_addr *out)
{
	struct host_addr a;
	int err = fn(u->sk->hostfd, &a);

	if (!err && udp_addr(out, &a))
		return 0;
	memset(out, 0, sizeof(*out));
	return err ? err : -ENODATA;
}

static bool option_is_on(struct udp *u, int level, int name)
{
	int v = 0;

	return host_getsockopt(u->sk->hostfd, level, name, &v, sizeof(v)) == sizeof(v) && v;
}

/* What the claim would be. False: none. */
static bool claim_wanted(struct udp *u, struct net_bind *b)
{
	bool v4, v6;

	*b = (struct net_bind){ .deliver = udp_deliver };
	if (name_of(u, host_getsockname, &b->local) ||
	    name_of(u, host_getpeername, &b->peer) == -ENODATA || u->kernel_only ||
	    !b->local.port || is_kernels(b->local.ip) || is_kernels(b->peer.ip))
		return false;
	v6 = u->sk->domain == AF_INET6;
	v4 = !v6 || !option_is_on(u, SOL_IPV6, IPV6_V6ONLY);
	if (!is_any(b->local.ip)) {
		v4 &= udp_is_v4(b->local.ip);
		v6 &= !udp_is_v4(b->local.ip);
	}
	if (b->peer.port) {
		v4 &= udp_is_v4(b->peer.ip);
		v6 &= !udp_is_v4(b->peer.ip);
	}
	b->v4 = v4;
	b->v6 = v6;
	b->shared = option_is_on(u, SOL_SOCKET, SO_REUSEPORT);
	return v4 || v6;
}

static bool same_addr(const struct net_addr *a, const struct net_addr *b)
{
	return a->port == b->port && !memcmp(a->ip, b->ip, sizeof(a->ip));
}

static u32 receive_limit(struct udp *u)
{
	int v;

	if (host_getsockopt(u->sk->hostfd, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)) != sizeof(v) || v < 0)
		v = 0;
	return v;
}

/* What is in the guest's calls now goes on as before; whoever sleeps looks again. */
static void become_fast(struct udp *u)
{
	struct socket *sk = u->sk;

	u->ring = async_home_ring();
	u->rcvbuf = receive_limit(u);
	ready_inside(&sk->ready);
	/* Not known until the poll tells. */
	ready_note(&sk->ready, UDP_IN_BITS);
	ready_used(&sk->ready, EPOLLIN);
	atomic_store(&sk->ops, &udp_fast_ops);
	udp_watch(u);
	wake_up_all(&sk->ready.queue, 0);
}

/* With ctl. What comes between the end of one claim and the next goes to the host's socket. */
void udp_settle(struct udp *u)
{
	struct net_bind new, *old = &u->bind;
	bool wanted = claim_wanted(u, &new);

	if (u->claimed && (!wanted || !same_addr(&new.local, &old->local) || new.v4 != old->v4 ||
			   new.v6 != old->v6 || new.shared != old->shared)) {
		net_unbind(old, u->sk->hostfd);
		u->claimed = false;
	}
	spin_lock(&u->lock);
	u->local = new.local;
	u->peer = new.peer;
	spin_unlock(&u->lock);
	if (u->claimed) {
		net_set_peer(old, &new.peer);
	} else if (wanted) {
		if (u->sk->ops != &udp_fast_ops)
			become_fast(u);
		*old = new;
		u->claimed = !net_bind(old, u->sk->hostfd);
	}
}

void udp_kernel_only(struct socket *sk)
{
	struct udp *u = sk->udp;

	mutex_lock(&u->ctl);
	if (!u->kernel_only) {
		u->kernel_only = true;
		if (u->claimed)
			udp_settle(u);
	}
	mutex_unlock(&u->ctl);
}

/* ---- calls ---- */

/*
 * A poll that has ended still holds its socket, and so the port, until whoever submitted it has
 * been through the kernel: a moment after close() has returned.
 */
static int bind_when_released(struct socket *sk, const struct host_addr *a)
{
	int err;

	while ((err = host_socket_ops.bind(sk, a)) == -EADDRINUSE &&
	       now_ns() - atomic_load(&closed_at) < RELEASE_NS) {
		park_begin();
		if (wait_sleep(now_ns() + RELEASE_STEP) == -ERESTARTSYS)
			break;
	}
	return err;
}

static int udp_bind(struct socket *sk, const struct host_addr *a)
{
	struct udp *u = sk->udp;
	struct net_addr to;
	int err;

	mutex_lock(&u->ctl);
	err = bind_when_released(sk, a);
	u->bound |= !err && udp_addr(&to, a) && to.port;
	if (u->bound)
		udp_settle(u);
	mutex_unlock(&u->ctl);
	return err;
}

static int udp_connect(struct socket *sk, const struct host_addr *a, u64 wait_ns)
{
	struct udp *u = sk->udp;
	int err;

	mutex_lock(&u->ctl);
	err = host_socket_ops.connect(sk, a, HOST_NOWAIT);
	u->tried = false;
	if (!err && (u->bound || u->claimed))
		udp_settle(u);
	mutex_unlock(&u->ctl);
	return err;
}

static int udp_shutdown(struct socket *sk, int how)
{
	struct udp *u = sk->udp;
	int err = host_socket_ops.shutdown(sk, how);

	/* One that is not connected is shut down, too, and told that it is not. */
	if (err && err != -ENOTCONN)
		return err;
	if (how != SHUT_RD)
		sk->no_send = true;
	spin_lock(&u->lock);
	u->no_receive |= how != SHUT_WR;
	spin_unlock(&u->lock);
	wake_up_all(&sk->ready.queue, 0);
	return err;
}

/* ---- before there is a claim: as any socket of the host ---- */

/* A datagram went by the host's socket. When it pays, the port that the host chose is claimed. */
static void moved(struct udp *u)
{
	if (u->bound || u->kernel_only || u->tried || ++u->moved < CLAIM_AFTER)
		return;
	mutex_lock(&u->ctl);
	if (!u->tried) {
		u->tried = u->catching_up = true;
		udp_settle(u);
	}
	mutex_unlock(&u->ctl);
}

ssize_t udp_host_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	ssize_t n = host_socket_ops.send(sk, m, flags, wait_ns);

	udp_kernel_sends++;
	if (n >= 0) {
		sk->udp->cork_more = flags & MSG_MORE;
		moved(sk->udp);
	}
	return n;
}

/* Whoever sleeps is woken by the claim. */
static ssize_t plain_recv(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	struct waiter w;
	ssize_t n = -EINTR;

	waiter_init(&w, current());
	if (wait_ns != HOST_NOWAIT) {
		park_begin();
		waiter_add(&sk->ready.queue, &w);
	}
	if (sk->ops == &udp_plain_ops || wait_ns == HOST_NOWAIT)
		n = host_socket_ops.recv(sk, m, flags, wait_ns);
	waiter_remove(&w);
	if (n >= 0)
		moved(sk->udp);
	return n;
}

static u32 plain_poll(struct socket *sk, struct poll_table *pt)
{
	poll_wait(pt, &sk->ready.queue);
	poll_host(pt, sk->hostfd);
	return 0;
}

/* Of what is only a guess: what holds. */
static void confirm(struct socket *sk, u32 asked)
{
	struct host_pollfd p = { .fd = sk->hostfd, .events = asked };
	u64 seq = ready_seq(&sk->ready);

	if (poll_host_now(&p, 1) >= 0)
		ready_confirm(&sk->ready, asked, (u16)p.revents, seq);
}

static u32 fast_poll(struct socket *sk, struct poll_table *pt)
{
	struct udp *u = sk->udp;
	u32 bits = 0, known, unsure;

	poll_wait(pt, &sk->ready.queue);
	if (pt)
		pt->rings |= POLL_NET | 1ull << u->ring;
	if (pt && pt->wait)
		udp_watch(u);
	spin_lock(&u->lock);
	if (u->head)
		bits |= UDP_IN_BITS;
	if (!u->full)
		bits |= UDP_OUT_BITS;
	if (u->no_receive)
		bits |= UDP_IN_BITS | EPOLLRDHUP | (sk->no_send ? EPOLLHUP : 0);
	spin_unlock(&u->lock);
	if (pt && pt->keeps_ready)
		return bits;		/* and asks by itself */
	known = ready_bits(&sk->ready, &unsure);
	unsure &= known & ~bits & (pt ? pt->events | EPOLLERR : ~0u);
	if (unsure) {
		confirm(sk, unsure);
		known = ready_bits(&sk->ready, &unsure);
	}
	return bits | known;
}

/* ---- beginning and end ---- */

void udp_start(struct socket *sk)
{
	struct udp *u;

	if (sk->type != SOCK_DGRAM || sk->proto != IPPROTO_UDP || !net_available() ||
	    !async_available() || (sk->domain != AF_INET && sk->domain != AF_INET6))
		return;
	u = kzalloc(sizeof(*u));
	if (!u)
		return;			/* without, it does as well */
	u->sk = sk;
	u->tail = &u->head;
	u->poll.done = poll_done;
	u->room.done = room_done;
	mutex_init(&u->ctl);
	sk->udp = u;
	sk->ops = &udp_plain_ops;
}

/*
 * The port must be free when close() returns, and a poll in flight holds the host's socket:
 * wait for its end. Should that take too long, the last completion frees what is left.
 */
static void udp_close(struct socket *sk)
{
	struct udp *u = sk->udp;
	u64 deadline = now_ns() + CLOSE_NS;
	bool polling, room, over;
	struct waiter w;

	if (u->claimed)
		net_unbind(&u->bind, sk->hostfd);
	udp_drop_queue(u);
	if (u->want & (WANT_STAMP_US | WANT_STAMP_NS))
		net_stamps(-1);
	spin_lock(&u->lock);
	u->closing = true;
	polling = u->polling;
	room = u->full;
	spin_unlock(&u->lock);
	if (polling)
		(void)!async_cancel(&u->poll);
	if (room)
		(void)!async_cancel(&u->room);
	waiter_init(&w, current());
	waiter_add(&sk->ready.queue, &w);
	while (*(volatile bool *)&u->polling || *(volatile bool *)&u->full) {
		park_begin();
		async_depend(u->ring);
		async_kick(u->ring);
		if (async_reap(u->ring))
			continue;
		if (!deadline_left(deadline))
			break;
		park(deadline_left(deadline));
	}
	waiter_remove(&w);
	host_close(sk->hostfd);
	if (polling)
		atomic_store(&closed_at, now_ns());
	spin_lock(&u->lock);
	u->closed = true;
	over = is_over(u);
	spin_unlock(&u->lock);
	if (over)
		udp_free(u);
}

static const struct socket_ops udp_plain_ops = {
	.send = udp_host_send,
	.recv = plain_recv,
	.bind = udp_bind,
	.connect = udp_connect,
	.poll = plain_poll,
	.shutdown = udp_shutdown,
	.close = udp_close,
};

const struct socket_ops udp_fast_ops = {
	.send = udp_send,
	.recv = udp_recv,
	.bind = udp_bind,
	.connect = udp_connect,
	.poll = fast_poll,
	.shutdown = udp_shutdown,
	.close = udp_close,
};
