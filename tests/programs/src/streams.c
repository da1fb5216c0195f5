/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP under stress over loopback, one process that talks to itself: many connections, half
 * closes and resets at random, readers that do not read, large transfers both ways, what a
 * close leaves behind. It runs natively too, and must pass there first.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MANY	2000
#define LARGE	(100l << 20)

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

static struct sockaddr_in address;

static int listener(int backlog)
{
	int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t n = sizeof(address);

	address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	MUST(bind(fd, (SA *)&address, sizeof(address)));
	MUST(listen(fd, backlog));
	MUST(getsockname(fd, (SA *)&address, &n));
	return fd;
}

static int dial(void)
{
	int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));

	MUST(connect(fd, (SA *)&address, sizeof(address)));
	return fd;
}

static void pair(int p[2])
{
	int l = listener(8);

	p[0] = dial();
	p[1] = MUST(accept(l, NULL, NULL));
	close(l);
}

static void nap(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static void hard_close(int fd)
{
	struct linger l = { 1, 0 };

	MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	close(fd);
}

static int wait_for(int fd, int events, int ms)
{
	struct pollfd p = { fd, events, 0 };

	return poll(&p, 1, ms) == 1 ? p.revents : 0;
}

static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	return *x ^= *x << 5;
}

/* ---- many connections: an epoll server in one thread, clients in another ---- */

static void *echo_server(void *arg)
{
	int l = *(int *)arg, ep = MUST(epoll_create1(0)), open = 0, seen = 0;
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = l }, got[64];
	char buf[4096];

	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev));
	while (seen < MANY || open) {
		int n = epoll_wait(ep, got, 64, 20000);

		if (n <= 0) {
			printf("echo_server: %d of %d seen, %d open, nothing comes\n", seen, MANY, open);
			failures++;
			break;
		}
		for (int i = 0; i < n; i++) {
			int fd = got[i].data.fd;
			ssize_t r;

			if (fd == l) {
				while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
					ev = (struct epoll_event){ .events = EPOLLIN, .data.fd = fd };
					MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
					open++;
					seen++;
				}
				continue;
			}
			r = read(fd, buf, sizeof(buf));
			if (r > 0 && send(fd, buf, r, MSG_NOSIGNAL) == r)
				continue;
			if (r < 0 && errno == EAGAIN)
				continue;
			close(fd);
			open--;
		}
	}
	close(ep);
	return NULL;
}

static void test_many(void)
{
	int l = listener(4096), *fd = calloc(MANY, sizeof(int));
	char *state = calloc(MANY, 1), out[64], in[64];
	uint32_t x = 12345, left = MANY;
	pthread_t t;

	fcntl(l, F_SETFL, O_NONBLOCK);
	pthread_create(&t, NULL, echo_server, &l);
	for (int i = 0; i < MANY; i++)
		fd[i] = dial();
	for (int round = 0; left; round++) {
		for (int i = 0; i < MANY; i++) {
			int how = next_random(&x) % 16;

			if (state[i])
				continue;
			snprintf(out, sizeof(out), "%d of %d", i, round);
			CHECK(send(fd[i], out, 20, 0) == 20);
			if (how == 0 || round > 8) {		/* reset, perhaps with the answer unread */
				hard_close(fd[i]);
			} else if (how == 1) {			/* half-close: the answer still comes */
				shutdown(fd[i], SHUT_WR);
				CHECK(recv(fd[i], in, 20, MSG_WAITALL) == 20 && !strcmp(in, out));
				CHECK(recv(fd[i], in, 20, 0) == 0);
				close(fd[i]);
			} else if (how == 2) {
				CHECK(recv(fd[i], in, 20, MSG_WAITALL) == 20 && !strcmp(in, out));
				close(fd[i]);
			} else {
				state[i] = 2;
				continue;
			}
			state[i] = 1;
			left--;
		}
		for (int i = 0; i < MANY; i++) {
			if (state[i] != 2)
				continue;
			snprintf(out, sizeof(out), "%d of %d", i, round);
			CHECK(recv(fd[i], in, 20, MSG_WAITALL) == 20 && !strcmp(in, out));
			state[i] = 0;
		}
	}
	pthread_join(t, NULL);
	close(l);
	free(fd);
	free(state);
}

/* ---- large transfers, both ways at once ---- */

static uint64_t mix(uint64_t sum, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + p[i];
	return sum;
}

struct flow {
	int fd;
	uint32_t seed;
	uint64_t sum;
	int bad;
};

static void *pump(void *arg)
{
	struct flow *f = arg;
	unsigned char *buf = malloc(300000);
	uint32_t x = f->seed;

	for (long done = 0; done < LARGE;) {
		long n = next_random(&x) % 8 ? next_random(&x) % 3000 + 1 : next_random(&x) % 300000 + 1;

		if (n > LARGE - done)
			n = LARGE - done;
		for (long i = 0; i < n; i += 64)
			buf[i] = next_random(&x);
		f->sum = mix(f->sum, buf, n);
		for (long at = 0; at < n;) {
			long w = send(f->fd, buf + at, n - at, 0);

			if (w <= 0) {
				f->bad = 1;
				return NULL;
			}
			at += w;
		}
		done += n;
	}
	shutdown(f->fd, SHUT_WR);
	free(buf);
	return NULL;
}

static void *drain(void *arg)
{
	struct flow *f = arg;
	unsigned char *buf = malloc(70000);
	uint32_t x = f->seed;
	long n, total = 0;

	for (;;) {
		long want = next_random(&x) % 70000 + 1;

		n = recv(f->fd, buf, want, next_random(&x) % 4 ? 0 : MSG_WAITALL);
		if (n <= 0)
			break;
		f->sum = mix(f->sum, buf, n);
		total += n;
	}
	f->bad = n < 0 || total != LARGE;
	free(buf);
	return NULL;
}

static void test_large(void)
{
	struct flow f[4] = { { .seed = 1 }, { .seed = 2 }, { .seed = 3 }, { .seed = 4 } };
	pthread_t t[4];
	int p[2];

	pair(p);
	for (int i = 0; i < 4; i++) {
		f[i].fd = p[i == 1 || i == 2];
		pthread_create(&t[i], NULL, i < 2 ? pump : drain, &f[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	/* 0 and 1 send; 2 reads what 0 sent, 3 what 1 did */
	CHECK(!f[0].bad && !f[1].bad && !f[2].bad && !f[3].bad);
	CHECK(f[0].sum == f[2].sum && f[1].sum == f[3].sum);
	close(p[0]);
	close(p[1]);
}

/* ---- who does not read stops nobody else ---- */

static void test_deaf(void)
{
	enum { DEAF = 100 };
	int deaf[DEAF][2], p[2], flag = 1;
	char *big = calloc(1, 1 << 20), b[16];
	double start;
	struct timespec ts;

	for (int i = 0; i < DEAF; i++) {
		long n = 0, w;

		pair(deaf[i]);
		fcntl(deaf[i][0], F_SETFL, O_NONBLOCK);
		while ((w = send(deaf[i][0], big, 100000, 0)) > 0 && n < 32 << 20)
			n += w;
		CHECK(w == -1 && errno == EAGAIN);
		CHECK(wait_for(deaf[i][0], POLLOUT, 0) == 0);
		/* and the other side waits for something, and does not get to it */
		CHECK(wait_for(deaf[i][1], POLLIN, 1000) == POLLIN);
	}
	pair(p);
	MUST(setsockopt(p[0], IPPROTO_TCP, TCP_NODELAY, &flag, sizeof(flag)));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	start = ts.tv_sec + ts.tv_nsec / 1e9;
	for (int i = 0; i < 1000; i++) {
		CHECK(send(p[0], "ping", 4, 0) == 4);
		CHECK(recv(p[1], b, 16, 0) == 4);
		CHECK(send(p[1], "pong!", 5, 0) == 5);
		CHECK(recv(p[0], b, 16, 0) == 5);
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	CHECK(ts.tv_sec + ts.tv_nsec / 1e9 - start < 10);
	/* room again after it has read */
	for (long n = 0; wait_for(deaf[0][0], POLLOUT, 0) == 0 && n < 64 << 20;)
		n += MUST(recv(deaf[0][1], big, 1 << 20, 0));
	CHECK(send(deaf[0][0], big, 10, 0) == 10);
	for (int i = 0; i < DEAF; i++) {
		close(deaf[i][0]);
		close(deaf[i][1]);
	}
	close(p[0]);
	close(p[1]);
	free(big);
}

/* ---- ends ---- */

static void test_close_with_data(void)
{
	enum { SIZE = 3 << 20 };
	char *big = malloc(SIZE), *back = malloc(SIZE);
	int p[2], n;

	for (int i = 0; i < SIZE; i++)
		big[i] = i * 7 + (i >> 9);
	for (int round = 0; round < 4; round++) {
		long sent = 0, w;

		pair(p);
		fcntl(p[0], F_SETFL, O_NONBLOCK);
		wait_for(p[0], POLLIN, 0);
		for (long piece = round & 1 ? 700 : 50000; sent < SIZE; sent += w) {
			w = send(p[0], big + sent, piece < SIZE - sent ? piece : SIZE - sent, 0);
			if (w < 0)
				break;
		}
		CHECK(sent > 0);
		if (round & 2)
			shutdown(p[0], SHUT_WR);
		close(p[0]);
		nap(10);
		for (long got = 0;; got += n) {
			n = recv(p[1], back + got, SIZE - got, 0);
			if (n <= 0) {
				CHECK(n == 0 && got == sent && !memcmp(big, back, got));
				break;
			}
		}
		close(p[1]);
	}
	free(big);
	free(back);
}

static volatile int signals;

static void on_pipe(int sig)
{
	signals++;
}

static void test_errors(void)
{
	struct linger patient = { 1, 5 };
	char b[64];
	int p[2], v;
	socklen_t n = sizeof(v);

	/* a reset by the peer; the reader has waited for it or not */
	for (int waits = 0; waits < 3; waits++) {
		pair(p);
		if (waits == 1)
			FAILS(recv(p[1], b, 1, MSG_DONTWAIT), EAGAIN);
		if (waits == 2)
			CHECK(wait_for(p[1], POLLIN, 10) == 0);
		hard_close(p[0]);
		CHECK(wait_for(p[1], POLLIN, 1000) == (POLLIN | POLLERR | POLLHUP));
		if (waits) {
			FAILS(recv(p[1], b, 1, 0), ECONNRESET);
		} else {
			CHECK(getsockopt(p[1], SOL_SOCKET, SO_ERROR, &v, &n) == 0 && v == ECONNRESET);
			CHECK(getsockopt(p[1], SOL_SOCKET, SO_ERROR, &v, &n) == 0 && v == 0);
		}
		CHECK(recv(p[1], b, 1, 0) == 0);
		FAILS(send(p[1], b, 1, MSG_NOSIGNAL), EPIPE);
		CHECK(wait_for(p[1], POLLIN | POLLOUT, 0) == (POLLIN | POLLOUT | POLLHUP));
		close(p[1]);
	}
	/* data first, then the reset */
	pair(p);
	CHECK(wait_for(p[1], POLLIN, 10) == 0);
	CHECK(send(p[0], "last", 4, 0) == 4);
	CHECK(wait_for(p[1], POLLIN, 1000) == POLLIN);
	CHECK(send(p[1], "never read", 10, 0) == 10);
	CHECK(wait_for(p[0], POLLIN, 1000) == POLLIN);
	close(p[0]);				/* with data unread: a reset */
	nap(20);
	CHECK(recv(p[1], b, 64, 0) == 4);
	FAILS(recv(p[1], b, 64, 0), ECONNRESET);
	CHECK(recv(p[1], b, 64, 0) == 0);
	close(p[1]);

	/* sending to one who has closed */
	signals = 0;
	signal(SIGPIPE, on_pipe);
	pair(p);
	CHECK(wait_for(p[1], POLLIN, 10) == 0);
	close(p[0]);
	CHECK(wait_for(p[1], POLLIN | POLLRDHUP, 1000) == (POLLIN | POLLRDHUP));
	CHECK(recv(p[1], b, 1, 0) == 0);
	CHECK(send(p[1], "x", 1, 0) == 1);
	nap(20);
	FAILS(send(p[1], "x", 1, 0), EPIPE);
	CHECK(signals == 1);
	FAILS(send(p[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK(signals == 1);
	close(p[1]);
	signal(SIGPIPE, SIG_IGN);

	/* what is said before a shutdown comes before it */
	for (int i = 0; i < 50; i++) {
		pair(p);
		CHECK(wait_for(p[0], POLLIN, 0) == 0);
		CHECK(send(p[0], "abc", 3, 0) == 3 && send(p[0], "def", 3, 0) == 3);
		CHECK(shutdown(p[0], SHUT_WR) == 0);
		FAILS(send(p[0], "x", 1, MSG_NOSIGNAL), EPIPE);
		CHECK(recv(p[1], b, 64, MSG_WAITALL) == 6 && !memcmp(b, "abcdef", 6));
		CHECK(send(p[1], "ghi", 3, 0) == 3);
		CHECK(recv(p[0], b, 64, 0) == 3);
		CHECK(shutdown(p[0], SHUT_RD) == 0);
		CHECK(recv(p[0], b, 64, 0) == 0);
		close(p[0]);
		close(p[1]);
	}
	/* a patient close */
	pair(p);
	MUST(setsockopt(p[0], SOL_SOCKET, SO_LINGER, &patient, sizeof(patient)));
	CHECK(wait_for(p[0], POLLIN, 0) == 0);
	CHECK(send(p[0], "bye", 3, 0) == 3);
	close(p[0]);
	CHECK(recv(p[1], b, 64, MSG_DONTWAIT) == 3);
	CHECK(recv(p[1], b, 64, 0) == 0);
	close(p[1]);
}

/* ---- flags ---- */

static void *trickle(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 10; i++) {
		nap(3);
		MUST(send(fd, "0123456789", 10, 0));
	}
	return NULL;
}

static void test_flags(void)
{
	struct timeval tv = { 0, 50000 };
	char b[256], c[256];
	struct iovec v[3] = { { c, 7 }, { c + 7, 1 }, { c + 8, 92 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 3 };
	pthread_t t;
	int p[2], n, on = 1;

	pair(p);
	for (int i = 0; i < 3; i++) {
		pthread_create(&t, NULL, trickle, &p[0]);
		memset(c, 0, sizeof(c));
		CHECK(recv(p[1], b, 100, MSG_WAITALL | MSG_PEEK) == 100);
		CHECK(recv(p[1], c, 35, MSG_PEEK) == 35 && !memcmp(b, c, 35));
		CHECK(recv(p[1], c, 13, 0) == 13 && !memcmp(b, c, 13));
		CHECK(ioctl(p[1], FIONREAD, &n) == 0 && n == 87);
		CHECK(recv(p[1], c, 3, MSG_TRUNC) == 3);
		if (i == 1)
			CHECK(recv(p[1], c, 200, 0) == 84 && !memcmp(b + 16, c, 84));
		else
			CHECK(recvmsg(p[1], &m, 0) == 84 && !memcmp(b + 16, c, 84));
		FAILS(recv(p[1], c, 1, MSG_DONTWAIT), EAGAIN);
		pthread_join(t, NULL);
	}
	MUST(setsockopt(p[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	FAILS(recv(p[1], b, 10, 0), EAGAIN);
	CHECK(send(p[0], "abc", 3, 0) == 3);
	CHECK(recv(p[1], b, 10, MSG_WAITALL) == 3);
	n = 8;
	MUST(setsockopt(p[1], SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n)));
	CHECK(send(p[0], "abc", 3, 0) == 3);
	CHECK(wait_for(p[1], POLLIN, 30) == 0);
	CHECK(send(p[0], "defgh", 5, 0) == 5);
	CHECK(wait_for(p[1], POLLIN, 1000) == POLLIN);
	CHECK(recv(p[1], b, 10, 0) == 8);
	n = 1;
	MUST(setsockopt(p[1], SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n)));

	/* corked: all at once when it is let go */
	MUST(setsockopt(p[0], IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
	for (int i = 0; i < 10; i++)
		CHECK(send(p[0], "0123456789", 10, 0) == 10);
	CHECK(send(p[0], "more", 4, MSG_MORE) == 4);
	FAILS(recv(p[1], b, 10, MSG_DONTWAIT), EAGAIN);
	on = 0;
	MUST(setsockopt(p[0], IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
	CHECK(recv(p[1], b, 104, MSG_WAITALL) == 104 && !memcmp(b + 90, "0123456789more", 14));
	close(p[0]);
	close(p[1]);
}

/* A connection that has been waited for and read from. */
static void used_pair(int p[2])
{
	struct pollfd in = { .events = POLLIN };
	char b[8];

	pair(p);
	in.fd = p[1];
	for (int i = 0; i < 3; i++) {
		CHECK(poll(&in, 1, 2) == 0);
		CHECK(send(p[0], "used", 4, 0) == 4 && poll(&in, 1, 2000) == 1);
		CHECK(recv(p[1], b, 8, 0) == 4);
	}
	FAILS(recv(p[1], b, 8, MSG_DONTWAIT), EAGAIN);
}

/* Receive up to n bytes when they come; what the control message of this kind says, or NULL. */
static void *control(int fd, long n, long want, int level, int type)
{
	static char c[256] __attribute__((aligned(8))), b[64];
	struct pollfd in = { .fd = fd, .events = POLLIN };
	struct iovec v = { b, n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };

	CHECK(poll(&in, 1, 2000) == 1);
	CHECK(recvmsg(fd, &m, 0) == want);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_level == level && h->cmsg_type == type)
			return CMSG_DATA(h);
	return NULL;
}

/* What is asked for only after a connection was used for a while. */
static void test_late_wishes(void)
{
	struct pollfd pri = { .events = POLLPRI };
	int p[2], s[2], on = 1, mark, *got;
	union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr h; } c;
	struct iovec v = { "f", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };
	struct timespec *t;
	char b[16];

	used_pair(p);
	MUST(setsockopt(p[1], SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)));
	nap(50);		/* the kernel takes its time to begin */
	CHECK(send(p[0], "timed", 5, 0) == 5);
	t = control(p[1], 16, 5, SOL_SOCKET, SCM_TIMESTAMPNS);
	CHECK(t && labs(t->tv_sec - time(NULL)) < 5);
	MUST(setsockopt(p[1], IPPROTO_TCP, TCP_INQ, &on, sizeof(on)));
	CHECK(send(p[0], "counted", 7, 0) == 7);
	got = control(p[1], 4, 4, IPPROTO_TCP, TCP_CM_INQ);
	CHECK(got && *got == 3);
	CHECK(recv(p[1], b, 16, 0) == 3);
	/* and it ends as always */
	CHECK(shutdown(p[0], SHUT_WR) == 0 && recv(p[1], b, 16, 0) == 0);
	close(p[0]);
	close(p[1]);

	/* urgent data: beside, then in line */
	used_pair(p);
	CHECK(ioctl(p[1], SIOCATMARK, &mark) == 0 && mark == 0);
	CHECK(send(p[0], "ab!", 3, MSG_OOB) == 3);
	pri.fd = p[1];
	CHECK(poll(&pri, 1, 2000) == 1 && pri.revents == POLLPRI);
	CHECK(recv(p[1], b, 16, 0) == 2 && ioctl(p[1], SIOCATMARK, &mark) == 0 && mark == 1);
	CHECK(recv(p[1], b, 16, MSG_OOB) == 1 && b[0] == '!');
	close(p[0]);
	close(p[1]);
	used_pair(p);
	pri.fd = p[1];
	MUST(setsockopt(p[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	CHECK(send(p[0], "cd?", 3, MSG_OOB) == 3 && poll(&pri, 1, 2000) == 1);
	CHECK(recv(p[1], b, 16, 0) == 2 && recv(p[1], b, 16, 0) == 1 && b[0] == '?');
	close(p[0]);
	close(p[1]);

	/* another holder */
	used_pair(p);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	c.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&c.h), &p[1], sizeof(int));
	CHECK(sendmsg(s[0], &m, 0) == 1);
	got = control(s[1], 1, 1, SOL_SOCKET, SCM_RIGHTS);
	CHECK(got && *got != p[1]);
	CHECK(send(p[0], "to", 2, 0) == 2 && got && recv(*got, b, 16, 0) == 2);
	CHECK(got && send(*got, "fro", 3, 0) == 3 && recv(p[0], b, 16, 0) == 3);
	CHECK(close(p[1]) == 0);
	CHECK(send(p[0], "still", 5, 0) == 5 && got && recv(*got, b, 16, 0) == 5);
	if (got)
		close(*got);
	CHECK(recv(p[0], b, 16, 0) == 0);
	close(p[0]);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	struct rlimit limit = { 2 * MANY + 100, 2 * MANY + 100 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		getrlimit(RLIMIT_NOFILE, &limit);
		if (limit.rlim_cur < 2 * MANY + 50) {
			printf("too few descriptors: skipped\n");
			return 77;
		}
	}
	alarm(100);
	test_flags();
	test_late_wishes();
	test_errors();
	test_close_with_data();
	test_deaf();
	test_large();
	test_many();
	printf(failures ? "%d checks failed\n" : "ok\n", failures);
	return failures != 0;
}
