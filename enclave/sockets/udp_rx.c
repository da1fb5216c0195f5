/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: the queue that net/ fills, then the host's socket if it has something. Looks that
 * find nothing do not leave the enclave, but for the second of two in a row: what the rings
 * would tell may need an entry into the kernel.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/time.h"
#include "sockets/udp.h"

/* What Linux counts of a small datagram above its data, roughly; and the least limit. */
#define OVERHEAD	512u
/* So many datagrams in a row, then the host's socket gets its turn. */
#define ROW_MOST	32u

_Atomic u32 udp_kernel_sends;

bool udp_deliver(struct net_bind *b, struct datagram *d)
{
	struct udp *u = container_of(b, struct udp, bind);
	bool room;

	spin_lock(&u->lock);
	room = u->queued <= u->rcvbuf;
	if (room) {
		d->next = NULL;
		*u->tail = d;
		u->tail = &d->next;
		u->queued += d->len + OVERHEAD;
	} else {
		u->drops++;
	}
	spin_unlock(&u->lock);
	if (room)
		wake_up(&u->sk->ready.queue, UDP_IN_BITS);
	return room;
}

/* With the lock. */
static struct datagram *unqueue(struct udp *u)
{
	struct datagram *d = u->head;

	if (d) {
		u->head = d->next;
		if (!u->head)
			u->tail = &u->head;
		u->queued -= d->len + OVERHEAD;
	}
	return d;
}

void udp_drop_queue(struct udp *u)
{
	struct datagram *d;

	while ((d = unqueue(u)))
		datagram_put(d);
}

bool udp_unread(struct socket *sk, u32 *bytes)
{
	struct udp *u = sk->udp;
	bool here;

	net_reap();
	spin_lock(&u->lock);
	here = u->head && !u->peeked;
	if (here)
		*bytes = u->head->len;
	else
		u->peeked = true;	/* what the host is asked for comes next */
	spin_unlock(&u->lock);
	return here;
}

/* ---- what comes with a datagram ---- */

static void put_addr(struct host_addr *out, const struct udp *u, const struct net_addr *a)
{
	u16 port = __builtin_bswap16(a->port);

	if (u->sk->domain == AF_INET) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = port };

		memcpy(&in.sin_addr, a->ip + 12, 4);
		out->len = sizeof(in);
		memcpy(out->data, &in, sizeof(in));
	} else {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = port };

		memcpy(&in6.sin6_addr, a->ip, 16);
		if (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80)
			in6.sin6_scope_id = net_ifindex();
		out->len = sizeof(in6);
		memcpy(out->data, &in6, sizeof(in6));
	}
}

/* As Linux: what does not fit is cut, and MSG_CTRUNC says so. */
static void put_control(struct host_msg *m, u32 *used, int level, int type, const void *data, u32 len)
{
	struct cmsg c = { .len = sizeof(c) + len, .level = level, .type = type };
	u32 room = m->controllen - *used;
	u8 *at = (u8 *)m->control + *used;

	if (room < c.len)
		m->flags |= MSG_CTRUNC;
	if (room < sizeof(c))
		return;
	c.len = min(c.len, (u64)room);
	memset(at, 0, min(ALIGN_UP(c.len, 8), (u64)room));
	memcpy(at, &c, sizeof(c));
	memcpy(at + sizeof(c), data, c.len - sizeof(c));
	*used += min(ALIGN_UP(c.len, 8), (u64)room);
}

static void put_stamp(struct host_msg *m, u32 *used, u32 want, u64 ns)
{
	bool fine = want & WANT_STAMP_NS, new = want & WANT_STAMP_NEW;
	s64 t[2];

	if (!ns)
		ns = realtime_ns();
	t[0] = ns / NSEC_PER_SEC;
	t[1] = fine ? ns % NSEC_PER_SEC : ns % NSEC_PER_SEC / 1000;
	put_control(m, used, SOL_SOCKET, fine ? (new ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS_OLD) :
		    (new ? SO_TIMESTAMP_NEW : SO_TIMESTAMP_OLD), t, sizeof(t));
}

static void put_controls(struct udp *u, struct host_msg *m, const struct datagram *d)
{
	u32 used = 0, want = u->want;
	bool v4 = udp_is_v4(d->to.ip);
	int ttl = d->hop_limit, class = d->traffic_class;

	if (want & (WANT_STAMP_US | WANT_STAMP_NS))
		put_stamp(m, &used, want, d->stamp);
	if (want & WANT_DROPS) {
		u32 drops = u->drops + u->kernel_drops;

		put_control(m, &used, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof(drops));
	}
	if (want & WANT_PKTINFO6) {
		struct in6_pktinfo info = { .ipi6_ifindex = net_ifindex() };

		memcpy(&info.ipi6_addr, d->to.ip, 16);
		put_control(m, &used, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
	if (v4) {
		if (want & WANT_PKTINFO) {
			struct in_pktinfo info = { .ipi_ifindex = net_ifindex() };

			memcpy(&info.ipi_spec_dst, d->to.ip + 12, 4);
			info.ipi_addr = info.ipi_spec_dst;
			put_control(m, &used, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
		}
		if (want & WANT_TTL)
			put_control(m, &used, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
		if (want & WANT_TOS)
			put_control(m, &used, IPPROTO_IP, IP_TOS, &d->traffic_class, 1);
	} else {
		u32 flow = __builtin_bswap32((u32)class << 20 | (d->flow_label & 0xfffff));

		if (want & WANT_HOPLIMIT6)
			put_control(m, &used, SOL_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
		if (want & WANT_TCLASS6)
			put_control(m, &used, SOL_IPV6, IPV6_TCLASS, &class, sizeof(class));
		if (want & WANT_FLOWINFO6 && flow)
			put_control(m, &used, SOL_IPV6, IPV6_FLOWINFO, &flow, sizeof(flow));
	}
	m->controllen = used;
}

/* ---- one try ---- */

/* Of a datagram that nobody else has: into the guest's buffers. */
static ssize_t give(struct udp *u, struct datagram *d, struct host_msg *m, u32 flags)
{
	size_t n = min((u64)d->len, m->data->left);

	if (n && iter_write(m->data, d->data, n) != (ssize_t)n)
		return -EFAULT;
	m->flags = n < d->len ? MSG_TRUNC : 0;
	if (m->addr)
		put_addr(m->addr, u, &d->from);
	if (m->controllen && u->want)
		put_controls(u, m, d);
	else
		m->controllen = 0;
	return flags & MSG_TRUNC ? d->len : n;
}

static void put_back(struct udp *u, struct datagram *d)
{
	spin_lock(&u->lock);
	d->next = u->head;
	if (!u->head)
		u->tail = &d->next;
	u->head = d;
	u->queued += d->len + OVERHEAD;
	spin_unlock(&u->lock);
	/* Another reader may have found nothing meanwhile. */
	wake_up(&u->sk->ready.queue, 0);
}

static ssize_t take_here(struct udp *u, struct host_msg *m, u32 flags)
{
	struct datagram *d;
	ssize_t n;

	spin_lock(&u->lock);
	d = unqueue(u);
	if (d) {
		u->row++;
		u->empty = 0;
	}
	spin_unlock(&u->lock);
	if (!d)
		return -EAGAIN;
	n = give(u, d, m, flags);
	/* A reader that came in between found the next one, as it might have a moment later. */
	if (flags & MSG_PEEK)
		put_back(u, d);
	else
		datagram_put(d);
	return n;
}

/* SO_RXQ_OVFL counts what was dropped on either way. */
static void add_drops(struct udp *u, struct host_msg *m)
{
	struct cmsg *c;
	int err = 0;

	for (u32 off = 0; (c = cmsg_at(m->control, m->controllen, off, &err)); off += ALIGN_UP(c->len, 8)) {
		u32 n;

		if (c->level != SOL_SOCKET || c->type != SO_RXQ_OVFL || c->len < sizeof(*c) + sizeof(n))
			continue;
		memcpy(&n, c + 1, sizeof(n));
		u->kernel_drops = n;
		n += u->drops;
		memcpy(c + 1, &n, sizeof(n));
	}
}

static ssize_t take_host(struct udp *u, struct host_msg *m, u32 flags, u64 wait_ns)
{
	struct ready *r = &u->sk->ready;
	u64 seq = ready_seq(r);
	ssize_t n;

	u->sends_seen = udp_kernel_sends;
	n = host_socket_ops.recv(u->sk, m, flags, wait_ns);
	spin_lock(&u->lock);
	u->row = u->empty = 0;
	if (n >= 0 || n == -EAGAIN)
		u->peeked = n >= 0 && flags & MSG_PEEK;
	u->catching_up &= n != -EAGAIN;
	spin_unlock(&u->lock);
	if (n == -EAGAIN) {
		ready_drained(r, EPOLLIN, seq);
		ready_used(r, EPOLLERR);
	} else if (n >= 0) {
		ready_used(r, EPOLLIN);
		if (u->want & WANT_DROPS)
			add_drops(u, m);
	}
	return n;
}

/* Whatever there is. `ask`: the host, too, though nothing says that it has something. */
static ssize_t take(struct udp *u, struct host_msg *m, u32 flags, bool ask)
{
	u32 unsure, told = ready_bits(&u->sk->ready, &unsure);
	bool at_host = told & EPOLLIN;
	ssize_t n = -EAGAIN;

	/* Errors go before data, and what came before the claim before what came after it. */
	if (u->peeked || u->catching_up || (told & ~unsure & EPOLLERR) || (at_host && u->row >= ROW_MOST)) {
		n = take_host(u, m, flags, HOST_NOWAIT);
		at_host = ask = false;
	}
	if (n == -EAGAIN)
		n = take_here(u, m, flags);
	if (n == -EAGAIN && (at_host || ask))
		n = take_host(u, m, flags, HOST_NOWAIT);
	return n;
}

/* ---- the call ---- */

/* `sleeps`: the caller enters the kernel next, and looks again. */
static ssize_t recv_now(struct udp *u, struct host_msg *m, u32 flags, bool sleeps)
{
	ssize_t n = u->head ? take(u, m, flags, false) : -EAGAIN;
	bool ask;

	if (n != -EAGAIN)
		return n;
	net_reap();
	async_reap(u->ring);
	spin_lock(&u->lock);
	ask = (u->empty && !sleeps) || !u->polling || u->sends_seen != udp_kernel_sends;
	u->empty++;
	spin_unlock(&u->lock);
	return take(u, m, flags, ask);
}

static ssize_t recv_wait(struct udp *u, struct host_msg *m, u32 flags, u64 wait_ns)
{
	u64 deadline = wait_ns == HOST_FOREVER ? WAIT_FOREVER : now_ns() + wait_ns;
	struct wait_queue *q = &u->sk->ready.queue;
	struct waiter w;
	ssize_t n;

	udp_watch(u);
	waiter_init(&w, current());
	w.exclusive = true;
	waiter_add(q, &w);
	for (;;) {
		park_begin();
		net_depend();
		async_depend(u->ring);
		n = recv_now(u, m, flags, true);
		if (n != -EAGAIN)
			break;
		if (u->no_receive) {
			n = m->controllen = m->flags = 0;
			if (m->addr)
				m->addr->len = 0;
			break;
		}
		n = wait_sleep(deadline);
		if (n) {
			n = n == -ERESTARTSYS ? -EINTR : -EAGAIN;
			break;
		}
	}
	waiter_remove(&w);
	/* Only one is woken for several that come together. */
	if (u->head)
		wake_up(q, UDP_IN_BITS);
	return n;
}

ssize_t udp_recv(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	struct udp *u = sk->udp;
	ssize_t n;

	if (flags & (MSG_ERRQUEUE | MSG_OOB))
		return host_socket_ops.recv(sk, m, flags, wait_ns);
	if (wait_ns == HOST_NOWAIT)
		return recv_now(u, m, flags, false);
	n = u->head ? take(u, m, flags, false) : -EAGAIN;
	return n == -EAGAIN ? recv_wait(u, m, flags, wait_ns) : n;
}
