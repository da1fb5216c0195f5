/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP sockets above a net/, a ring and a host that the test plays: which way a datagram goes,
 * what is asked of the host and when, what comes with a datagram, when a claim is made and
 * given up. The last completion after close must free all: the leak checker looks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include "fake_threads.h"
#include "libos/time.h"
#include "sockets/udp.h"

#define PORT	7000
#define IFINDEX	3

/* ---- net/ ---- */

static struct net_bind *claim;
static struct net_send last_send;
static int sends, frames, stamps, put_back, reaps, claim_error;
static size_t last_len;
static bool route_is_fast;

bool net_available(void) { return true; }
u32 net_ifindex(void) { return IFINDEX; }
void net_depend(void) { }
bool net_reap(void) { reaps++; return false; }
void net_stamps(int by) { stamps += by; }
void net_set_peer(struct net_bind *b, const struct net_addr *peer) { b->peer = *peer; }
u32 net_payload_most(const struct net_path *p, bool v4) { return v4 ? 1472 : 1452; }
void datagram_put(struct datagram *d) { put_back++; free(d); }

int net_bind(struct net_bind *b, int hostfd)
{
	if (!claim_error)
		claim = b;
	return claim_error;
}

void net_unbind(struct net_bind *b, int hostfd)
{
	assert_ptr_equal(b, claim);
	claim = NULL;
}

bool net_path(struct net_path *p, const u8 to[16], const u8 from[16])
{
	p->made++;
	memcpy(p->source, from, 16);
	return route_is_fast;
}

int net_send(const struct net_path *p, const struct net_send *s, struct iter *data, size_t len)
{
	if (!frames)
		return -EAGAIN;
	frames--;
	sends++;
	last_send = *s;
	last_len = len;
	data->left -= len;
	data->skip += len;
	return 0;
}

/* ---- the ring ---- */

static struct async *polls, *rooms;
static bool host_has;

int async_poll_multishot(u32 ring, struct async *a, int fd, u32 events)
{
	polls = a;
	return 0;
}

int async_submit(u32 ring, struct async *a, const struct rakis_request *rq, u32 most)
{
	assert_int_equal(rq->opcode, RAKIS_OP_POLL_ADD);
	rooms = a;
	return 0;
}

int async_cancel(struct async *a)
{
	a->done(a, -ECANCELED, false, -1);
	return 0;
}

bool async_available(void) { return true; }
u32 async_home_ring(void) { return 2; }
void async_kick(u32 ring) { }
bool async_reap(u32 ring) { return false; }
void async_depend(u32 ring) { assert_int_equal(ring, 2); }

/* ---- the host ---- */

static struct sockaddr_in local, peer;
static struct sockaddr_in6 local6;
static int host_sends, host_recvs, host_polls, closed, host_error, rcvbuf = 4096;
static ssize_t host_res;
static u32 host_flags;

static int give(struct host_addr *a, const void *from, u32 len)
{
	a->len = len;
	memcpy(a->data, from, len);
	return 0;
}

int host_getsockname(int fd, struct host_addr *a)
{
	return local6.sin6_family ? give(a, &local6, sizeof(local6)) : give(a, &local, sizeof(local));
}

int host_getpeername(int fd, struct host_addr *a)
{
	return peer.sin_family ? give(a, &peer, sizeof(peer)) : -ENOTCONN;
}

int host_getsockopt(int fd, int level, int name, void *val, size_t n)
{
	*(int *)val = level == SOL_SOCKET && name == SO_RCVBUF ? rcvbuf : 0;
	return n;
}

int host_close(int fd) { closed++; return 0; }

int poll_host_now(struct host_pollfd *fds, u32 n)
{
	host_polls++;
	fds->revents = host_has ? fds->events & EPOLLIN : 0;
	return fds->revents != 0;
}

static ssize_t fake_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	host_sends++;
	host_flags = flags;
	return host_error ? host_error : (ssize_t)m->data->left;
}

static ssize_t fake_recv(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	host_recvs++;
	if (host_res > 0 && m->controllen)
		m->controllen = 0;
	return host_res;
}

static int fake_bind(struct socket *sk, const struct host_addr *a) { return 0; }
static int fake_connect(struct socket *sk, const struct host_addr *a, u64 wait_ns) { return 0; }
static int fake_shutdown(struct socket *sk, int how) { return 0; }

const struct socket_ops host_socket_ops = {
	.send = fake_send, .recv = fake_recv, .bind = fake_bind, .connect = fake_connect,
	.shutdown = fake_shutdown,
};

/* ---- the rooms around ---- */

void *kzalloc(size_t n) { return calloc(1, n); }
void kfree(void *p) { free(p); }

ssize_t iter_write(struct iter *it, const void *src, size_t n)
{
	memcpy((void *)(it->iov->base + it->skip), src, n);
	it->skip += n;
	it->left -= n;
	return n;
}

void iter_back(struct iter *it, size_t n)
{
	it->skip -= n;
	it->left += n;
}

/* ---- helpers ---- */

static struct file file;
static char got[2000];
static struct host_msg msg;
static struct host_addr from;
static char control[512] __attribute__((aligned(8)));

static struct socket *make(int domain)
{
	struct socket *sk = calloc(1, sizeof(*sk));

	memset(&file, 0, sizeof(file));
	sk->ops = &host_socket_ops;
	sk->file = &file;
	file.priv = sk;
	sk->domain = domain;
	sk->type = SOCK_DGRAM;
	sk->proto = IPPROTO_UDP;
	sk->hostfd = 7;
	ready_init(&sk->ready, 7);
	udp_start(sk);
	assert_non_null(sk->udp);
	claim = NULL;
	polls = rooms = NULL;
	sends = put_back = reaps = claim_error = host_sends = host_recvs = host_polls = host_error = closed = 0;
	frames = 100;
	route_is_fast = true;
	host_res = -EAGAIN;
	host_has = false;
	memset(&local, 0, sizeof(local));
	memset(&peer, 0, sizeof(peer));
	memset(&local6, 0, sizeof(local6));
	return sk;
}

static struct host_addr v4(u32 ip, u16 port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = __builtin_bswap16(port),
				  .sin_addr.s_addr = __builtin_bswap32(ip) };
	struct host_addr a;

	give(&a, &in, sizeof(in));
	return a;
}

static struct socket *bound(void)
{
	struct host_addr a = v4(0, PORT);
	struct socket *sk = make(AF_INET);

	local = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = __builtin_bswap16(PORT) };
	assert_int_equal(sk->ops->bind(sk, &a), 0);
	assert_non_null(claim);
	assert_int_equal(claim->local.port, PORT);
	assert_true(claim->v4 && !claim->v6);
	assert_non_null(polls);
	/* What was there before is not known: the first look asks. */
	assert_int_equal(sk->ops->poll(sk, NULL), EPOLLOUT | EPOLLWRNORM);
	assert_int_equal(host_polls, 1);
	return sk;
}

static bool arrive(const char *s, u8 ttl, u8 tos)
{
	struct datagram *d = calloc(1, sizeof(*d) + strlen(s));

	d->data = (u8 *)(d + 1);
	d->len = strlen(s);
	memcpy(d->data, s, d->len);
	d->hop_limit = ttl;
	d->traffic_class = tos;
	d->stamp = 5 * NSEC_PER_SEC + 6007;
	d->from = (struct net_addr){ { [10] = 0xff, 0xff, 10, 0, 0, 9 }, 999 };
	d->to = (struct net_addr){ { [10] = 0xff, 0xff, 10, 0, 0, 1 }, PORT };
	if (claim->deliver(claim, d))
		return true;
	free(d);
	return false;
}

static ssize_t get(struct socket *sk, size_t n, u32 flags)
{
	static struct iter it;

	it.iov = it.inline_;
	it.inline_[0].base = (u64)got;
	it.skip = 0;
	it.left = n;
	memset(got, 0, sizeof(got));
	msg = (struct host_msg){ .data = &it, .addr = &from, .control = control, .controllen = sizeof(control) };
	return sk->ops->recv(sk, &msg, flags, HOST_NOWAIT);
}

static ssize_t put_control(struct socket *sk, size_t n, u32 flags, struct host_addr *to, u32 controllen)
{
	static struct iter it;

	it.iov = it.inline_;
	it.inline_[0].base = (u64)got;
	it.skip = 0;
	it.left = n;
	msg = (struct host_msg){ .data = &it, .addr = to, .control = control, .controllen = controllen };
	return sk->ops->send(sk, &msg, flags, HOST_NOWAIT);
}

static ssize_t put(struct socket *sk, size_t n, u32 flags, struct host_addr *to)
{
	return put_control(sk, n, flags, to, 0);
}

static void option(struct socket *sk, int level, int name, int v)
{
	udp_option_set(sk, level, name, (u8 *)&v, sizeof(v));
}

static void finish(struct socket *sk)
{
	sk->ops->close(sk);
	assert_null(claim);
	assert_int_equal(closed, 1);
	assert_int_equal(stamps, 0);
}

/* ---- tests ---- */

static void test_receive(void **state)
{
	struct socket *sk = bound();
	struct sockaddr_in in;

	assert_true(arrive("abcdef", 64, 0));
	assert_true(arrive("gh", 64, 0));
	assert_int_equal(sk->ops->poll(sk, NULL) & EPOLLIN, EPOLLIN);
	assert_int_equal(get(sk, 3, MSG_PEEK), 3);
	assert_int_equal(get(sk, 3, MSG_PEEK | MSG_TRUNC), 6);
	assert_int_equal(get(sk, 4, 0), 4);
	assert_string_equal(got, "abcd");
	assert_int_equal(msg.flags, MSG_TRUNC);
	assert_int_equal(msg.controllen, 0);
	memcpy(&in, from.data, sizeof(in));
	assert_int_equal(in.sin_port, __builtin_bswap16(999));
	assert_int_equal(in.sin_addr.s_addr, __builtin_bswap32(0x0a000009));
	assert_int_equal(get(sk, 100, 0), 2);
	assert_int_equal(put_back, 2);
	assert_int_equal(host_recvs, 0);
	arrive("left behind", 64, 0);
	finish(sk);
	assert_int_equal(put_back, 3);
}

/* One empty look costs nothing, the second in a row asks; what the poll tells is asked for. */
static void test_looks(void **state)
{
	struct socket *sk = bound();

	assert_int_equal(get(sk, 10, 0), -EAGAIN);
	assert_int_equal(host_recvs, 0);
	assert_int_equal(get(sk, 10, 0), -EAGAIN);
	assert_int_equal(host_recvs, 1);
	assert_int_equal(get(sk, 10, 0), -EAGAIN);
	assert_int_equal(host_recvs, 1);
	polls->done(polls, EPOLLIN, true, -1);
	assert_true(sk->ops->poll(sk, NULL) & EPOLLIN);
	host_res = 5;
	assert_int_equal(get(sk, 10, 0), 5);
	assert_int_equal(host_recvs, 2);
	/* There may be more, or not. */
	host_polls = 0;
	assert_false(sk->ops->poll(sk, NULL) & EPOLLIN);
	assert_int_equal(host_polls, 1);
	assert_false(sk->ops->poll(sk, NULL) & EPOLLIN);
	assert_int_equal(host_polls, 1);
	/* The datagram that was peeked at is the next. */
	polls->done(polls, EPOLLIN, true, -1);
	assert_int_equal(get(sk, 10, MSG_PEEK), 5);
	arrive("abc", 64, 0);
	assert_int_equal(get(sk, 10, 0), 5);
	assert_int_equal(get(sk, 10, 0), 3);
	/* Neither way waits for ever for the other. */
	polls->done(polls, EPOLLIN, true, -1);
	host_recvs = 0;
	for (int i = 0; i < 50; i++) {
		arrive("x", 64, 0);
		assert_true(get(sk, 10, 0) > 0);
	}
	assert_in_range(host_recvs, 1, 3);
	/* Errors go first. */
	polls->done(polls, EPOLLERR, true, -1);
	host_res = -ECONNREFUSED;
	assert_int_equal(get(sk, 10, 0), -ECONNREFUSED);
	finish(sk);
}

static void test_buffer_limit(void **state)
{
	struct socket *sk = bound();
	struct cmsg c;
	u32 n;
	int in = 0;

	option(sk, SOL_SOCKET, SO_RXQ_OVFL, 1);
	while (arrive("0123456789", 64, 0))
		in++;
	assert_in_range(in, 4, 10);
	assert_false(arrive("0123456789", 64, 0));
	assert_int_equal(get(sk, 100, 0), 10);
	memcpy(&c, control, sizeof(c));
	memcpy(&n, control + sizeof(c), 4);
	assert_int_equal(c.type, SO_RXQ_OVFL);
	assert_int_equal(n, 2);
	assert_true(arrive("0123456789", 64, 0));
	finish(sk);
}

static const struct cmsg *find(int level, int type)
{
	struct cmsg *c;
	int err = 0;

	for (u32 off = 0; (c = cmsg_at(control, msg.controllen, off, &err)); off += ALIGN_UP(c->len, 8))
		if (c->level == level && c->type == type)
			return c;
	return NULL;
}

static void test_controls(void **state)
{
	struct socket *sk = bound();
	struct in_pktinfo info;
	s64 t[2];

	option(sk, IPPROTO_IP, IP_PKTINFO, 1);
	option(sk, IPPROTO_IP, IP_RECVTTL, 1);
	option(sk, IPPROTO_IP, IP_RECVTOS, 1);
	option(sk, SOL_SOCKET, SO_TIMESTAMPNS_OLD, 1);
	assert_int_equal(stamps, 1);
	assert_non_null(claim);
	arrive("abc", 61, 0xb9);
	assert_int_equal(get(sk, 10, 0), 3);
	assert_int_equal(*(int *)(find(IPPROTO_IP, IP_TTL) + 1), 61);
	assert_int_equal(find(IPPROTO_IP, IP_TOS)->len, CMSG_HEAD + 1);
	assert_int_equal(*(u8 *)(find(IPPROTO_IP, IP_TOS) + 1), 0xb9);
	memcpy(&info, find(IPPROTO_IP, IP_PKTINFO) + 1, sizeof(info));
	assert_int_equal(info.ipi_ifindex, IFINDEX);
	assert_int_equal(info.ipi_addr.s_addr, __builtin_bswap32(0x0a000001));
	memcpy(t, find(SOL_SOCKET, SO_TIMESTAMPNS_OLD) + 1, sizeof(t));
	assert_int_equal(t[0], 5);
	assert_int_equal(t[1], 6007);
	/* Back to microseconds, then none. */
	option(sk, SOL_SOCKET, SO_TIMESTAMP_OLD, 1);
	arrive("abc", 61, 0xb9);
	assert_int_equal(get(sk, 10, 0), 3);
	memcpy(t, find(SOL_SOCKET, SO_TIMESTAMP_OLD) + 1, sizeof(t));
	assert_int_equal(t[1], 6);
	assert_null(find(SOL_SOCKET, SO_TIMESTAMPNS_OLD));
	option(sk, SOL_SOCKET, SO_TIMESTAMP_OLD, 0);
	assert_int_equal(stamps, 0);
	finish(sk);
}

/* What does not fit is cut where Linux cuts it. */
static void test_control_room(void **state)
{
	static const struct { u32 room, used; bool cut; } cases[] = {
		{ 0, 0, false }, { 8, 0, true }, { 16, 16, true }, { 19, 19, true }, { 20, 20, false },
		{ 24, 24, false }, { 40, 40, true }, { 41, 41, false }, { 48, 48, false },
	};
	struct socket *sk = bound();

	option(sk, IPPROTO_IP, IP_RECVTTL, 1);
	option(sk, IPPROTO_IP, IP_RECVTOS, 1);
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct host_msg m = { .control = control, .controllen = cases[i].room };
		struct iter it = { .iov = it.inline_, .inline_ = { { (u64)got, 10 } }, .left = 10 };

		m.data = &it;
		arrive("abc", 61, 0xb9);
		assert_int_equal(sk->ops->recv(sk, &m, 0, HOST_NOWAIT), 3);
		assert_int_equal(m.controllen, cases[i].used);
		/* with room for the first only, the second is cut, too */
		assert_int_equal(!!(m.flags & MSG_CTRUNC), cases[i].cut || cases[i].room == 20 ||
				 cases[i].room == 24);
	}
	finish(sk);
}

static void test_send(void **state)
{
	static const struct { u32 flags; size_t n; bool fast; } cases[] = {
		{ 0, 100, true }, { 0, 0, true }, { 0, 1472, true }, { 0, 1473, false }, { 0, 65507, false },
		{ MSG_DONTWAIT | MSG_NOSIGNAL, 10, true }, { MSG_CONFIRM, 10, false }, { MSG_DONTROUTE, 10, false },
		{ MSG_OOB, 10, false }, { MSG_MORE, 10, false }, { 0, 10, false /* ends it */ }, { 0, 10, true },
	};
	struct host_addr to = v4(0x0a000009, 53), any = v4(0, 53), none = v4(0x0a000009, 0);
	struct socket *sk = bound();

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		sends = host_sends = 0;
		assert_int_equal(put(sk, cases[i].n, cases[i].flags, &to), cases[i].n);
		assert_int_equal(sends, cases[i].fast);
		assert_int_equal(host_sends, !cases[i].fast);
	}
	assert_int_equal(last_send.to.port, 53);
	assert_int_equal(last_send.from.port, PORT);
	assert_true(last_send.dont_fragment);
	option(sk, IPPROTO_IP, IP_TOS, 2);
	option(sk, IPPROTO_IP, IP_TTL, 9);
	option(sk, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	assert_int_equal(put(sk, 1, 0, &to), 1);
	assert_int_equal(last_send.traffic_class, 2);
	assert_int_equal(last_send.hop_limit, 9);
	assert_false(last_send.dont_fragment);
	sends = 0;
	assert_int_equal(put(sk, 1, 0, &any), 1);
	assert_int_equal(put(sk, 1, 0, &none), 1);
	assert_int_equal(put(sk, 1, 0, NULL), 1);	/* not connected */
	route_is_fast = false;
	assert_int_equal(put(sk, 1, 0, &to), 1);
	route_is_fast = true;
	frames = 0;
	assert_int_equal(put(sk, 1, 0, &to), 1);
	frames = 100;
	option(sk, IPPROTO_UDP, UDP_CORK, 1);
	assert_int_equal(put(sk, 1, 0, &to), 1);
	option(sk, IPPROTO_UDP, UDP_CORK, 0);
	assert_int_equal(sends, 0);
	/* No room at the host: EPOLLOUT comes when there is. */
	host_error = -EAGAIN;
	assert_int_equal(put(sk, 5000, 0, &to), -EAGAIN);
	assert_false(sk->ops->poll(sk, NULL) & EPOLLOUT);
	rooms->done(rooms, EPOLLOUT, false, -1);
	assert_true(sk->ops->poll(sk, NULL) & EPOLLOUT);
	finish(sk);
}

static void test_segments(void **state)
{
	static const struct { int size; size_t n; int frames, sends, host; } cases[] = {
		{ 100, 1000, 100, 10, 0 }, { 100, 1001, 100, 11, 0 }, { 1000, 1000, 100, 1, 0 },
		{ 1400, 60000, 100, 43, 0 }, { 100, 6400, 100, 64, 0 }, { 100, 6401, 100, 0, 1 },
		{ 1473, 3000, 100, 0, 1 }, { 100, 1000, 4, 4, 1 }, { 0, 1000, 100, 1, 0 },
	};
	struct host_addr to = v4(0x0a000009, 53);
	struct socket *sk = bound();

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		sends = host_sends = 0;
		frames = cases[i].frames;
		option(sk, IPPROTO_UDP, UDP_SEGMENT, cases[i].size);
		assert_int_equal(put(sk, cases[i].n, 0, &to), cases[i].n);
		assert_int_equal(sends, cases[i].sends);
		assert_int_equal(host_sends, cases[i].host);
	}
	finish(sk);
}

static void test_send_controls(void **state)
{
	static const struct { int level, type; u32 len; u64 value; bool fast; } cases[] = {
		{ IPPROTO_IP, IP_TTL, 4, 5, true }, { IPPROTO_IP, IP_TTL, 4, 0, false },
		{ IPPROTO_IP, IP_TTL, 4, 256, false }, { IPPROTO_IP, IP_TOS, 4, 3, true },
		{ IPPROTO_IP, IP_TOS, 1, 3, true }, { IPPROTO_IP, IP_TOS, 4, 300, false },
		{ IPPROTO_IP, IP_TTL, 2, 5, false }, { IPPROTO_IP, IP_RETOPTS, 4, 0, false },
		{ SOL_IPV6, IPV6_HOPLIMIT, 4, 5, false }, { IPPROTO_UDP, UDP_SEGMENT, 2, 100, true },
		{ IPPROTO_UDP, UDP_SEGMENT, 4, 100, false }, { SOL_SOCKET, 61 /* SCM_TXTIME */, 8, 1, false },
	};
	struct host_addr to = v4(0x0a000009, 53);
	struct socket *sk = bound();

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cmsg c = { CMSG_HEAD + cases[i].len, cases[i].level, cases[i].type };

		memcpy(control, &c, sizeof(c));
		memcpy(control + sizeof(c), &cases[i].value, 8);
		sends = host_sends = 0;
		assert_int_equal(put_control(sk, 10, 0, &to, sizeof(c) + 8), 10);
		assert_int_equal(sends, cases[i].fast);
		assert_int_equal(host_sends, !cases[i].fast);
	}
	finish(sk);
}

/* A socket that the guest does not bind is claimed when it is used a while. */
static void test_claims(void **state)
{
	struct host_addr to = v4(0x0a000009, 53);
	struct socket *sk = make(AF_INET);

	local = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = __builtin_bswap16(40000) };
	for (int i = 0; i < 3; i++)
		assert_int_equal(put(sk, 1, 0, &to), 1);
	assert_null(claim);
	assert_null(polls);
	assert_int_equal(put(sk, 1, 0, &to), 1);
	assert_non_null(claim);
	assert_int_equal(host_sends, 4);
	assert_int_equal(put(sk, 1, 0, &to), 1);
	assert_int_equal(sends, 1);
	/* Connected: only what its peer sends. */
	local.sin_addr.s_addr = __builtin_bswap32(0x0a000001);
	peer = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = __builtin_bswap16(53),
				     .sin_addr.s_addr = __builtin_bswap32(0x0a000009) };
	assert_int_equal(sk->ops->connect(sk, &to, HOST_NOWAIT), 0);
	assert_int_equal(claim->peer.port, 53);
	assert_int_equal(claim->local.ip[12], 10);
	assert_int_equal(put(sk, 1, 0, NULL), 1);
	assert_int_equal(sends, 2);
	/* No longer, and no port either. */
	memset(&peer, 0, sizeof(peer));
	memset(&local, 0, sizeof(local));
	local.sin_family = AF_INET;
	assert_int_equal(sk->ops->connect(sk, &to, HOST_NOWAIT), 0);
	assert_null(claim);
	assert_int_equal(put(sk, 1, 0, &to), 1);
	assert_int_equal(sends, 2);
	finish(sk);
}

static void test_no_claim(void **state)
{
	static const u32 addresses[] = { 0x7f000001, 0xe0000001, 0xffffffff };
	struct host_addr a = v4(0, PORT);
	struct socket *sk;

	for (u32 i = 0; i < ARRAY_SIZE(addresses); i++) {
		sk = make(AF_INET);
		local = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = 1,
					      .sin_addr.s_addr = __builtin_bswap32(addresses[i]) };
		assert_int_equal(sk->ops->bind(sk, &a), 0);
		assert_null(claim);
		assert_null(polls);
		finish(sk);
	}
	/* Refused by the host: it goes on without. */
	sk = make(AF_INET);
	claim_error = -EACCES;
	local = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = 1 };
	assert_int_equal(sk->ops->bind(sk, &a), 0);
	assert_false(sk->udp->claimed);
	host_res = 4;
	polls->done(polls, EPOLLIN, true, -1);
	assert_int_equal(get(sk, 10, 0), 4);
	finish(sk);
	/* An option that frames do not carry, before and after. */
	sk = make(AF_INET);
	option(sk, SOL_SOCKET, SO_MARK, 1);
	local = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = 1 };
	assert_int_equal(sk->ops->bind(sk, &a), 0);
	assert_null(claim);
	finish(sk);
	sk = bound();
	option(sk, SOL_SOCKET, SO_BROADCAST, 1);
	assert_non_null(claim);
	arrive("abc", 64, 0);
	option(sk, IPPROTO_IP, IP_TRANSPARENT, 1);
	assert_null(claim);
	assert_int_equal(get(sk, 10, 0), 3);		/* what had come is not lost */
	a = v4(0x0a000009, 53);
	assert_int_equal(put(sk, 1, 0, &a), 1);
	assert_int_equal(sends, 0);
	finish(sk);
}

static void test_families(void **state)
{
	struct host_addr a;
	struct socket *sk = make(AF_INET6);
	struct in6_pktinfo info;
	struct sockaddr_in6 in6;

	local6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = __builtin_bswap16(PORT) };
	give(&a, &local6, sizeof(local6));
	assert_int_equal(sk->ops->bind(sk, &a), 0);
	assert_true(claim->v4 && claim->v6);
	option(sk, SOL_IPV6, IPV6_RECVPKTINFO, 1);
	option(sk, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
	option(sk, IPPROTO_IP, IP_RECVTTL, 1);
	arrive("abc", 64, 0);
	assert_int_equal(get(sk, 10, 0), 3);
	memcpy(&in6, from.data, sizeof(in6));
	assert_int_equal(from.len, sizeof(in6));
	assert_int_equal(in6.sin6_addr.s6_addr[11], 0xff);
	assert_null(find(SOL_IPV6, IPV6_HOPLIMIT));
	assert_non_null(find(IPPROTO_IP, IP_TTL));
	memcpy(&info, find(SOL_IPV6, IPV6_PKTINFO) + 1, sizeof(info));
	assert_int_equal(info.ipi6_addr.s6_addr[12], 10);
	/* A mapped address goes out as IPv4; a family that the socket does not have, not at all. */
	give(&a, &in6, sizeof(in6));
	assert_int_equal(put(sk, 1472, 0, &a), 1472);
	assert_int_equal(sends, 1);
	a = v4(0x0a000009, 53);
	assert_int_equal(put(sk, 1, 0, &a), 1);
	/* Another interface's link. */
	in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = 1, .sin6_scope_id = 9,
				     .sin6_addr.s6_addr = { 0xfe, 0x80, [15] = 1 } };
	give(&a, &in6, sizeof(in6));
	assert_int_equal(put(sk, 1, 0, &a), 1);
	assert_int_equal(sends, 1);
	finish(sk);
}

static struct socket *shared;
static _Atomic int received;

static void receiver(int id)
{
	struct iter it = { .iov = it.inline_, .inline_ = { { (u64)got, 10 } }, .left = 10 };
	struct host_msg m = { .data = &it };

	if (shared->ops->recv(shared, &m, 0, HOST_FOREVER) == 3)
		received++;
}

/* Two come at a time: two of those who wait get one each. */
static void test_waiting(void **state)
{
	shared = bound();
	received = 0;
	for (int id = 1; id <= 3; id++)
		fake_start(id, receiver);
	for (int id = 1; id <= 3; id++)
		fake_wait_parked(id);
	arrive("abc", 64, 0);
	arrive("def", 64, 0);
	while (received < 2)
		;
	assert_true(fake_threads[1].gate.parked + fake_threads[2].gate.parked +
		    fake_threads[3].gate.parked >= 1);
	arrive("ghi", 64, 0);
	for (int id = 1; id <= 3; id++)
		fake_join(id);
	assert_int_equal(received, 3);
	finish(shared);
}

/* A completion that comes after close has given up waiting frees the rest. */
static void test_late_end(void **state)
{
	struct socket *sk = bound();
	struct async *a = polls;

	a->done(a, EPOLLIN, false, -1);		/* the multishot ended; again */
	assert_ptr_equal(polls, a);
	assert_true(sk->udp->polling);
	finish(sk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_receive, fake_setup),
		cmocka_unit_test_setup(test_looks, fake_setup),
		cmocka_unit_test_setup(test_buffer_limit, fake_setup),
		cmocka_unit_test_setup(test_controls, fake_setup),
		cmocka_unit_test_setup(test_control_room, fake_setup),
		cmocka_unit_test_setup(test_send, fake_setup),
		cmocka_unit_test_setup(test_segments, fake_setup),
		cmocka_unit_test_setup(test_send_controls, fake_setup),
		cmocka_unit_test_setup(test_claims, fake_setup),
		cmocka_unit_test_setup(test_no_claim, fake_setup),
		cmocka_unit_test_setup(test_families, fake_setup),
		cmocka_unit_test_setup(test_waiting, fake_setup),
		cmocka_unit_test_setup(test_late_end, fake_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
