/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP, contents checked: a server that does what it is told in the first byte of a datagram,
 * and a client that tries each call, option and flag against it.
 *
 *	udp			both in one process, over loopback, IPv4 and IPv6
 *	udp server PORT		on both families, until it is told to quit
 *	udp client ADDR PORT FROM	its checks; FROM: its own address
 *	udp quit ADDR PORT
 *
 * It runs natively too, and must pass there first.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LARGEST	65507
#define BURST	20
#define SEGMENT	1000

static int failures;

#define CHECK(cond) do { int e_ = errno; if (!(cond)) {					\
	printf("%s:%d: %s (errno %s)\n", __func__, __LINE__, #cond, strerrorname_np(e_));	\
	failures++; } } while (0)
#define FAILS(call, e) do { errno = 0; long r_ = (call); if (r_ != -1 || errno != (e)) {		\
	printf("%s:%d: %s = %ld, errno %s, not %s\n", __func__, __LINE__, #call, r_,		\
	       strerrorname_np(errno), #e); failures++; } } while (0)
#define MUST(call) ({ long r_ = (call); if (r_ < 0) {						\
	printf("%s:%d: %s: %s\n", __func__, __LINE__, #call, strerrorname_np(errno));		\
	exit(1); } r_; })

typedef struct sockaddr SA;

union addr {
	SA sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* What the server tells of a datagram that asks for it. */
struct report {
	uint32_t length, truncated, ttl, tos, ifindex, has_stamp;
	union addr from;
	uint8_t to[16];
};

enum { ECHO = 'e', REPORT = 'r', BURST_OF = 'b', SEGMENTS = 's', QUIT = 'q' };

static union addr make_addr(const char *text, int port)
{
	union addr a;

	memset(&a, 0, sizeof(a));
	if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1) {
		a.sa.sa_family = AF_INET;
		a.in.sin_port = htons(port);
	} else {
		MUST(inet_pton(AF_INET6, text, &a.in6.sin6_addr) == 1 ? 0 : -1);
		a.sa.sa_family = AF_INET6;
		a.in6.sin6_port = htons(port);
	}
	return a;
}

static socklen_t len_of(const union addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

static void set(int fd, int level, int name, int v)
{
	CHECK(setsockopt(fd, level, name, &v, sizeof(v)) == 0);
}

static void set_timeout(int fd, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
}

static void fill(uint8_t *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (seed = seed * 1103515245 + 12345) >> 16;
}

/* ---- server ---- */

static void note_controls(struct msghdr *m, struct report *r)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
			struct timespec t, now;

			memcpy(&t, CMSG_DATA(c), sizeof(t));
			clock_gettime(CLOCK_REALTIME, &now);
			r->has_stamp = labs(now.tv_sec - t.tv_sec) <= 2;
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
			r->ttl = *(int *)CMSG_DATA(c);
		} else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
			r->tos = *CMSG_DATA(c);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			r->tos = *(int *)CMSG_DATA(c);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo i;

			memcpy(&i, CMSG_DATA(c), sizeof(i));
			r->ifindex = i.ipi6_ifindex;
			memcpy(r->to, &i.ipi6_addr, 16);
		}
	}
}

static void reply_segments(int fd, struct msghdr *m, uint8_t *data, size_t n)
{
	char control[CMSG_SPACE(2)] = { 0 };
	struct iovec v = { data, n };
	struct msghdr out = { .msg_name = m->msg_name, .msg_namelen = m->msg_namelen, .msg_iov = &v,
			      .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&out);
	uint16_t size = SEGMENT;

	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(2);
	memcpy(CMSG_DATA(c), &size, 2);
	CHECK(sendmsg(fd, &out, 0) == (ssize_t)n);
}

static void reply_burst(int fd, struct msghdr *m, uint8_t *data)
{
	struct mmsghdr out[BURST];
	struct iovec v[BURST];

	for (int i = 0; i < BURST; i++) {
		v[i] = (struct iovec){ data + i, 40 + i };
		out[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = m->msg_name, .msg_namelen = m->msg_namelen,
							.msg_iov = &v[i], .msg_iovlen = 1 } };
	}
	CHECK(sendmmsg(fd, out, BURST, 0) == BURST);
}

/* One request; false: to quit. */
static bool serve_one(int fd)
{
	static uint8_t data[LARGEST + 1];
	char control[512];
	struct report r = { 0 };
	union addr from;
	struct iovec v = { data, sizeof(data) };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };
	/* A look first: the datagram stays, and its whole length is told. */
	ssize_t peeked = recv(fd, data, 1, MSG_PEEK | MSG_TRUNC), n = recvmsg(fd, &m, 0);

	CHECK(peeked == n);
	if (n < 1)
		return true;
	CHECK(!(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)));
	switch (data[0]) {
	case ECHO:
		CHECK(sendto(fd, data, n, 0, &from.sa, m.msg_namelen) == n);
		break;
	case REPORT:
		r.length = n;
		r.from = from;
		note_controls(&m, &r);
		CHECK(sendto(fd, &r, sizeof(r), 0, &from.sa, m.msg_namelen) == sizeof(r));
		break;
	case BURST_OF:
		reply_burst(fd, &m, data);
		break;
	case SEGMENTS:
		reply_segments(fd, &m, data, n);
		break;
	case QUIT:
		return false;
	}
	return true;
}

static int server_socket(int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = MUST(socket(AF_INET6, SOCK_DGRAM, 0));

	set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	set(fd, IPPROTO_IP, IP_RECVTTL, 1);
	set(fd, IPPROTO_IP, IP_RECVTOS, 1);
	set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set(fd, SOL_SOCKET, SO_RCVBUF, 1 << 20);
	MUST(bind(fd, (SA *)&any, sizeof(any)));
	return fd;
}

static void *serve(void *arg)
{
	while (serve_one(*(int *)arg))
		;
	return NULL;
}

/* ---- client ---- */

static union addr server;

static int dial(void)
{
	int fd = MUST(socket(server.sa.sa_family, SOCK_DGRAM, 0));

	MUST(connect(fd, &server.sa, len_of(&server)));
	set_timeout(fd, 3000);
	return fd;
}

static void test_sizes(void)
{
	static const int sizes[] = { 1, 2, 17, 18, 19, 63, 64, 511, 512, 1024, 1432, 1451, 1452, 1453, 1471,
				     1472, 1473, 1500, 4096, 9000, 32768, 65000, LARGEST };
	static uint8_t out[LARGEST], in[LARGEST + 1];
	int fd = dial();

	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			fill(out, sizes[i], round * 100 + i);
			out[0] = ECHO;
			CHECK(send(fd, out, sizes[i], 0) == sizes[i]);
			memset(in, 0, sizes[i]);
			CHECK(recv(fd, in, sizeof(in), 0) == sizes[i]);
			CHECK(!memcmp(in, out, sizes[i]));
		}
	FAILS(send(fd, out, LARGEST + 100, 0), EMSGSIZE);
	close(fd);
}

/* Buffers in pieces, and a datagram of no bytes (to a server of our own). */
static void test_pieces(void)
{
	uint8_t out[300], in[400];
	struct iovec vo[3] = { { out, 1 }, { out + 1, 250 }, { out + 251, 49 } };
	struct iovec vi[4] = { { in, 7 }, { in + 7, 0 }, { in + 7, 200 }, { in + 207, 193 } };
	struct msghdr mo = { .msg_iov = vo, .msg_iovlen = 3 }, mi = { .msg_iov = vi, .msg_iovlen = 4 };
	int fd = dial();

	fill(out, sizeof(out), 7);
	out[0] = ECHO;
	CHECK(sendmsg(fd, &mo, 0) == 300);
	CHECK(recvmsg(fd, &mi, 0) == 300 && !mi.msg_flags);
	CHECK(!memcmp(in, out, 300));
	out[0] = ECHO;
	CHECK(writev(fd, vo, 3) == 300);
	CHECK(readv(fd, vi, 4) == 300);
	CHECK(write(fd, out, 200) == 200);
	CHECK(read(fd, in, sizeof(in)) == 200);
	CHECK(send(fd, NULL, 0, 0) == 0);
	FAILS(send(fd, (void *)16, 100, 0), EFAULT);
	close(fd);
}

static void test_peek_and_trunc(void)
{
	uint8_t out[100] = { ECHO, 1, 2, 3, 4, 5 }, in[100];
	int fd = dial(), n;
	struct iovec v = { in, 10 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	for (int i = 0; i < 3; i++)
		CHECK(send(fd, out, sizeof(out) - i, 0) == (int)sizeof(out) - i);
	CHECK(recv(fd, in, 4, MSG_PEEK) == 4 && !memcmp(in, out, 4));
	CHECK(recv(fd, in, 4, MSG_PEEK | MSG_TRUNC) == 100);
	CHECK(ioctl(fd, FIONREAD, &n) == 0 && n == 100);
	CHECK(recvmsg(fd, &m, 0) == 10 && m.msg_flags == MSG_TRUNC);
	CHECK(recv(fd, in, 3, MSG_TRUNC) == 99);
	CHECK(recv(fd, in, sizeof(in), MSG_WAITALL) == 98);
	FAILS(recv(fd, in, sizeof(in), MSG_DONTWAIT), EAGAIN);
	CHECK(ioctl(fd, FIONREAD, &n) == 0 && n == 0);
	close(fd);
}

static struct report ask(int fd, int flags)
{
	uint8_t out[32] = { REPORT };
	struct report r = { 0 };

	CHECK(send(fd, out, sizeof(out), flags) == sizeof(out));
	CHECK(recv(fd, &r, sizeof(r), 0) == sizeof(r));
	CHECK(r.length == sizeof(out) && r.has_stamp && r.ifindex);
	return r;
}

static void test_options(void)
{
	bool v4 = server.sa.sa_family == AF_INET;
	int fd = dial();
	union addr self;
	socklen_t n = sizeof(self);
	struct report r = { 0 };

	CHECK(getsockname(fd, &self.sa, &n) == 0 && n == len_of(&server));
	for (int i = 0; i < 6; i++)
		r = ask(fd, i == 3 ? MSG_CONFIRM : i == 4 ? MSG_DONTROUTE : 0);
	CHECK(r.from.sa.sa_family == AF_INET6);		/* the server's is a dual socket */
	CHECK(r.from.in6.sin6_port == self.in.sin_port);
	if (v4) {
		CHECK(IN6_IS_ADDR_V4MAPPED(&r.from.in6.sin6_addr));
		CHECK(!memcmp(r.from.in6.sin6_addr.s6_addr + 12, &self.in.sin_addr, 4));
		CHECK(!memcmp(r.to + 12, &server.in.sin_addr, 4));
	} else {
		CHECK(!memcmp(&r.from.in6.sin6_addr, &self.in6.sin6_addr, 16));
		CHECK(!memcmp(r.to, &server.in6.sin6_addr, 16));
	}
	CHECK(r.ttl == 64 && r.tos == 0);
	set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, 0xb9);
	set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, 37);
	r = ask(fd, 0);
	CHECK(r.ttl == 37 && r.tos == 0xb9);
	close(fd);
}

/* Options of one datagram. */
static void test_controls(void)
{
	bool v4 = server.sa.sa_family == AF_INET;
	uint8_t out[32] = { REPORT };
	char control[256] __attribute__((aligned(8))) = { 0 };
	struct iovec v = { out, sizeof(out) };
	struct msghdr m = { .msg_name = &server, .msg_namelen = len_of(&server), .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = 2 * CMSG_SPACE(sizeof(int)) };
	int fd = MUST(socket(server.sa.sa_family, SOCK_DGRAM, 0)), value;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct report r;

	set_timeout(fd, 3000);
	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_TTL : IPV6_HOPLIMIT;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), (value = 99, &value), sizeof(value));
	c = CMSG_NXTHDR(&m, c);
	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_TOS : IPV6_TCLASS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), (value = 1, &value), sizeof(value));
	for (int i = 0; i < 8; i++) {
		CHECK(sendmsg(fd, &m, 0) == sizeof(out));
		CHECK(recv(fd, &r, sizeof(r), 0) == sizeof(r));
		CHECK(r.ttl == 99 && r.tos == 1);
	}
	close(fd);
}

static void test_many_at_once(void)
{
	uint8_t out[100], in[BURST][100];
	struct mmsghdr m[BURST];
	struct iovec v[BURST];
	struct timespec soon = { 3, 0 };
	int fd = dial(), got = 0, n;

	fill(out, sizeof(out), 3);
	out[0] = BURST_OF;
	CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
	memset(m, 0, sizeof(m));
	for (int i = 0; i < BURST; i++) {
		v[i] = (struct iovec){ in[i], 100 };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
	}
	while (got < BURST) {
		n = recvmmsg(fd, m + got, BURST - got, MSG_WAITFORONE, &soon);
		CHECK(n > 0);
		if (n <= 0)
			break;
		got += n;
	}
	for (int i = 0; i < got; i++)
		CHECK((int)m[i].msg_len == 40 + i && !memcmp(in[i], out + i, 40 + i));
	FAILS(recvmmsg(fd, m, BURST, MSG_DONTWAIT, NULL), EAGAIN);
	close(fd);
}

static void test_segments(void)
{
	static uint8_t out[10 * SEGMENT + 123], in[SEGMENT + 1];
	int fd = dial(), value = 0;
	socklen_t len = sizeof(value);

	fill(out, sizeof(out), 9);
	out[0] = SEGMENTS;
	CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
	for (unsigned at = 0; at < sizeof(out);) {
		int n = recv(fd, in, sizeof(in), 0), want = sizeof(out) - at < SEGMENT ? sizeof(out) - at : SEGMENT;

		CHECK(n == want && !memcmp(in, out + at, want));
		if (n != want)
			break;
		at += n;
	}
	/* The same by option, answered one by one. */
	for (int i = 0; i < 10; i++)
		out[i * SEGMENT] = ECHO;
	set(fd, IPPROTO_UDP, UDP_SEGMENT, SEGMENT);
	CHECK(getsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &value, &len) == 0 && value == SEGMENT);
	CHECK(send(fd, out, 10 * SEGMENT, 0) == 10 * SEGMENT);
	for (int i = 0; i < 10; i++)
		CHECK(recv(fd, in, sizeof(in), 0) == SEGMENT && !memcmp(in, out + i * SEGMENT, SEGMENT));
	close(fd);
}

/* Parts put together before they go. */
static void test_cork(void)
{
	uint8_t out[60] = { ECHO }, in[100];
	int fd = dial();

	fill(out + 1, sizeof(out) - 1, 5);
	for (int i = 0; i < 6; i++) {
		CHECK(send(fd, out, 20, MSG_MORE) == 20);
		CHECK(send(fd, out + 20, 40, 0) == 40);
		CHECK(recv(fd, in, sizeof(in), 0) == 60 && !memcmp(in, out, 60));
	}
	set(fd, IPPROTO_UDP, UDP_CORK, 1);
	CHECK(send(fd, out, 20, 0) == 20);
	CHECK(send(fd, out + 20, 40, 0) == 40);
	set(fd, IPPROTO_UDP, UDP_CORK, 0);
	CHECK(recv(fd, in, sizeof(in), 0) == 60 && !memcmp(in, out, 60));
	close(fd);
}

static void test_waiting(void)
{
	uint8_t out[10] = { ECHO }, in[10];
	int fd = dial(), ep = MUST(epoll_create1(0));
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u32 = 5 };
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
	struct timespec t0, t1;
	struct timeval none = { 0, 0 }, some = { 3, 0 };
	fd_set set;

	/* Enough for the port to be claimed. */
	for (int i = 0; i < 8; i++) {
		CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
		CHECK(recv(fd, in, sizeof(in), 0) == sizeof(in));
	}
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	p.events = POLLIN;
	CHECK(poll(&p, 1, 50) == 0);
	CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
	CHECK(poll(&p, 1, 3000) == 1 && p.revents == POLLIN);
	CHECK(recv(fd, in, sizeof(in), 0) == sizeof(in));

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	CHECK(epoll_wait(ep, &ev, 1, 20) == 0);
	for (int i = 0; i < 5; i++) {
		CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
		CHECK(epoll_wait(ep, &ev, 1, 3000) == 1 && ev.events == EPOLLIN && ev.data.u32 == 5);
		CHECK(recv(fd, in, sizeof(in), MSG_DONTWAIT) == sizeof(in));
		FAILS(recv(fd, in, sizeof(in), MSG_DONTWAIT), EAGAIN);
		CHECK(epoll_wait(ep, &ev, 1, 0) == 0);
	}
	ev.events = EPOLLIN;
	MUST(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
	CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
	for (int i = 0; i < 3; i++)
		CHECK(epoll_wait(ep, &ev, 1, 3000) == 1);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	CHECK(select(fd + 1, &set, NULL, NULL, &some) == 1);
	CHECK(recv(fd, in, sizeof(in), 0) == sizeof(in));
	CHECK(select(fd + 1, &set, NULL, NULL, &none) == 0);
	CHECK(epoll_wait(ep, &ev, 1, 0) == 0);

	set_timeout(fd, 100);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	FAILS(recv(fd, in, sizeof(in), 0), EAGAIN);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	CHECK((t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000 >= 99);
	/* Without sleep: the loop of a program that spins. */
	CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
	for (int i = 0; recv(fd, in, sizeof(in), MSG_DONTWAIT) < 0; i++) {
		if (i >= 3000000) {
			CHECK(!"an answer to who spins");
			break;
		}
	}
	/* It has to go out though its sender does nothing more. */
	CHECK(shutdown(fd, SHUT_RDWR) == 0);
	FAILS(send(fd, out, sizeof(out), 0), EPIPE);
	CHECK(recv(fd, in, sizeof(in), 0) == 0);
	p.events = POLLIN | POLLRDHUP;
	CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLHUP && p.revents & POLLRDHUP && p.revents & POLLIN);
	close(ep);
	close(fd);
}

static void test_connecting(void)
{
	union addr none = server, self, peer;
	uint8_t out[10] = { ECHO }, in[10];
	int fd = MUST(socket(server.sa.sa_family, SOCK_DGRAM, 0)), err, gone;
	socklen_t n = sizeof(self), m = sizeof(err);
	struct pollfd p = { .events = POLLIN };

	set_timeout(fd, 3000);
	FAILS(send(fd, out, sizeof(out), 0), EDESTADDRREQ);
	FAILS(getpeername(fd, &peer.sa, &n), ENOTCONN);
	for (int i = 0; i < 6; i++) {
		CHECK(sendto(fd, out, sizeof(out), 0, &server.sa, len_of(&server)) == sizeof(out));
		n = sizeof(peer);
		CHECK(recvfrom(fd, in, sizeof(in), 0, &peer.sa, &n) == sizeof(in) && n == len_of(&server));
		CHECK(!memcmp(&peer, &server, n));
	}
	n = sizeof(self);
	CHECK(getsockname(fd, &self.sa, &n) == 0 && self.in.sin_port);
	CHECK(connect(fd, &server.sa, len_of(&server)) == 0);
	n = sizeof(peer);
	CHECK(getpeername(fd, &peer.sa, &n) == 0 && !memcmp(&peer, &server, n));
	CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
	CHECK(recv(fd, in, sizeof(in), 0) == sizeof(in));
	peer = (union addr){ .sa.sa_family = AF_UNSPEC };
	CHECK(connect(fd, &peer.sa, sizeof(peer)) == 0);
	FAILS(send(fd, out, sizeof(out), 0), EDESTADDRREQ);
	for (int i = 0; i < 6; i++) {
		CHECK(sendto(fd, out, sizeof(out), 0, &server.sa, len_of(&server)) == sizeof(out));
		CHECK(recv(fd, in, sizeof(in), 0) == sizeof(in));
	}
	close(fd);

	/* Nobody is there: told on the next call, once; by poll, by SO_ERROR. */
	none.in.sin_port = htons(1);
	gone = MUST(socket(none.sa.sa_family, SOCK_DGRAM, 0));
	set_timeout(gone, 3000);
	MUST(connect(gone, &none.sa, len_of(&none)));
	for (int i = 0; i < 8; i++) {
		CHECK(send(gone, out, sizeof(out), 0) == sizeof(out));
		FAILS(recv(gone, in, sizeof(in), 0), ECONNREFUSED);
	}
	p.fd = gone;
	CHECK(send(gone, out, sizeof(out), 0) == sizeof(out));
	CHECK(poll(&p, 1, 3000) == 1 && p.revents & POLLERR);
	CHECK(getsockopt(gone, SOL_SOCKET, SO_ERROR, &err, &m) == 0 && err == ECONNREFUSED);
	CHECK(getsockopt(gone, SOL_SOCKET, SO_ERROR, &err, &m) == 0 && err == 0);
	CHECK(poll(&p, 1, 0) == 0);
	/* And in words. */
	set(gone, none.sa.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
	    none.sa.sa_family == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1);
	CHECK(send(gone, out, sizeof(out), 0) == sizeof(out));
	CHECK(poll(&p, 1, 3000) == 1 && p.revents & POLLERR);
	FAILS(recv(gone, in, sizeof(in), 0), ECONNREFUSED);
	CHECK(recv(gone, in, sizeof(in), MSG_ERRQUEUE) == sizeof(out) && in[0] == ECHO);
	FAILS(recv(gone, in, sizeof(in), MSG_ERRQUEUE), EAGAIN);
	CHECK(poll(&p, 1, 0) == 0);
	close(gone);
}

/* Two sockets of one port: one takes what its peer sends, the other the rest. */
static void test_one_peer(const char *from)
{
	union addr self = make_addr(from, 0);
	int any = MUST(socket(self.sa.sa_family, SOCK_DGRAM, 0)), one, other;
	uint8_t out[10] = { ECHO, 1, 2 }, in[100];
	socklen_t n = sizeof(self);

	set(any, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(bind(any, &self.sa, len_of(&self)));
	MUST(getsockname(any, &self.sa, &n));
	one = MUST(socket(self.sa.sa_family, SOCK_DGRAM, 0));
	set(one, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(bind(one, &self.sa, len_of(&self)));
	MUST(connect(one, &server.sa, len_of(&server)));
	set_timeout(any, 3000);
	set_timeout(one, 3000);
	for (int i = 0; i < 10; i++) {
		CHECK(sendto(any, out, sizeof(out), 0, &server.sa, len_of(&server)) == sizeof(out));
		CHECK(recv(one, in, sizeof(in), 0) == sizeof(out));
		FAILS(recv(any, in, sizeof(in), MSG_DONTWAIT), EAGAIN);
	}
	/* From elsewhere: from ourselves. */
	other = MUST(socket(self.sa.sa_family, SOCK_DGRAM, 0));
	CHECK(sendto(other, out, 5, 0, &self.sa, len_of(&self)) == 5);
	CHECK(recv(any, in, sizeof(in), 0) == 5);
	FAILS(recv(one, in, sizeof(in), MSG_DONTWAIT), EAGAIN);
	/* The port is free again at once. */
	close(any);
	close(one);
	any = MUST(socket(self.sa.sa_family, SOCK_DGRAM, 0));
	CHECK(bind(any, &self.sa, len_of(&self)) == 0);
	close(any);
	close(other);
}

/* More than the buffer takes: the rest is dropped, and counted. */
static void test_overflow(void)
{
	uint8_t out[900] = { ECHO }, in[1000];
	char control[64];
	struct iovec v = { in, sizeof(in) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int fd = dial(), got = 0;
	uint32_t drops = 0;

	set(fd, SOL_SOCKET, SO_RCVBUF, 8192);
	set(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
	for (int round = 0; round < 5; round++)
		for (int i = 0; i < 100; i++)
			CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
	usleep(200000);
	while (recv(fd, in, sizeof(in), MSG_DONTWAIT) > 0)
		got++;
	CHECK(got > 0 && got < 400);
	CHECK(send(fd, out, sizeof(out), 0) == sizeof(out));
	m.msg_control = control;
	m.msg_controllen = sizeof(control);
	CHECK(recvmsg(fd, &m, 0) == sizeof(out));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL)
			memcpy(&drops, CMSG_DATA(c), 4);
	CHECK(drops > 0 && drops <= 500u - got);
	close(fd);
}

static atomic_int echoed;

static void *readers(void *arg)
{
	uint8_t in[100];
	int fd = *(int *)arg;

	while (recv(fd, in, sizeof(in), 0) == 10)
		echoed++;
	return NULL;
}

/* Several threads wait in one receive. */
static void test_threads(void)
{
	uint8_t out[10] = { ECHO };
	pthread_t t[4];
	int fd = dial(), sent = 0;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, readers, &fd);
	echoed = 0;
	for (int i = 0; i < 200; i++) {
		sent += send(fd, out, sizeof(out), 0) == sizeof(out);
		while (echoed < sent - 20)
			usleep(100);
	}
	for (int i = 0; i < 1000 && echoed < sent; i++)
		usleep(2000);
	CHECK(sent == 200 && echoed == 200);
	shutdown(fd, SHUT_RD);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	close(fd);
}

static void run_client(const char *addr, int port, const char *from)
{
	server = make_addr(addr, port);
	test_sizes();
	test_pieces();
	test_peek_and_trunc();
	test_options();
	test_controls();
	test_many_at_once();
	test_segments();
	test_cork();
	test_waiting();
	test_connecting();
	test_one_peer(from);
	test_overflow();
	test_threads();
}

static void quit(const char *addr, int port)
{
	uint8_t out = QUIT;
	int fd;

	server = make_addr(addr, port);
	fd = dial();
	CHECK(send(fd, &out, 1, 0) == 1);
	close(fd);
}

int main(int argc, char **argv)
{
	int port = argc > 2 ? atoi(argv[argc > 3 ? 3 : 2]) : 0, fd;
	socklen_t n = sizeof(server);
	pthread_t thread;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "server")) {
		fd = server_socket(port);
		printf("ready\n");
		serve(&fd);
	} else if (argc == 5 && !strcmp(argv[1], "client")) {
		run_client(argv[2], port, argv[4]);
	} else if (argc == 4 && !strcmp(argv[1], "quit")) {
		quit(argv[2], port);
	} else {
		fd = server_socket(0);
		MUST(getsockname(fd, &server.sa, &n));
		port = ntohs(server.in6.sin6_port);
		pthread_create(&thread, NULL, serve, &fd);
		run_client("127.0.0.1", port, "127.0.0.1");
		run_client("::1", port, "::1");
		quit("127.0.0.1", port);
		pthread_join(thread, NULL);
	}
	return failures != 0;
}
