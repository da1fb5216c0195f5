/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket calls over loopback: TCP, UDP, unix, netlink; results, errno, flags, timing.
 * It runs natively too, and must pass there first. Exit 0: all is right; 77: no loopback.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int failures;

#define CHECK(cond) do { int e_ = errno; if (!(cond)) {					\
	printf("%s:%d: %s (errno %s)\n", __func__, __LINE__, #cond, strerrorname_np(e_));	\
	failures++; } } while (0)
/* `call` fails with errno `e`. */
#define FAILS(call, e) do { errno = 0; long r_ = (call); if (r_ != -1 || errno != (e)) {		\
	printf("%s:%d: %s = %ld, errno %s, not %s\n", __func__, __LINE__, #call, r_,		\
	       strerrorname_np(errno), #e); failures++; } } while (0)
#define MUST(call) ({ long r_ = (call); if (r_ < 0) {						\
	printf("%s:%d: %s: %s\n", __func__, __LINE__, #call, strerrorname_np(errno));		\
	exit(1); } r_; })

/* An address that is not there; the compiler does not know. */
static void *volatile bad_address = (void *)8;
#define BAD bad_address

typedef struct sockaddr SA;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void nap(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void set_int(int fd, int level, int name, int v)
{
	MUST(setsockopt(fd, level, name, &v, sizeof(v)));
}

static int get_int(int fd, int level, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, level, name, &v, &n) ? -errno : v;
}

static void set_time(int fd, int name, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	MUST(setsockopt(fd, SOL_SOCKET, name, &tv, sizeof(tv)));
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* Bound to a free loopback port, which *a tells. */
static int bound(int type, struct sockaddr_in *a)
{
	socklen_t n = sizeof(*a);
	int fd = MUST(socket(AF_INET, type, 0));

	*a = loopback(0);
	MUST(bind(fd, (SA *)a, sizeof(*a)));
	MUST(getsockname(fd, (SA *)a, &n));
	return fd;
}

static int listener(struct sockaddr_in *a)
{
	int fd = bound(SOCK_STREAM, a);

	MUST(listen(fd, 8));
	return fd;
}

static void tcp_pair(int sv[2])
{
	struct sockaddr_in a;
	int l = listener(&a);

	sv[0] = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(sv[0], (SA *)&a, sizeof(a)));
	sv[1] = MUST(accept(l, NULL, NULL));
	close(l);
}

static void close2(int sv[2])
{
	close(sv[0]);
	close(sv[1]);
}

static void readable(int fd, int events)
{
	struct pollfd p = { fd, events, 0 };

	CHECK(poll(&p, 1, 5000) == 1);
}

/* ---- what another thread does to a socket after a while ---- */

struct later {
	pthread_t thread, target;
	int fd, ms, sig;
	const char *data;
	struct sockaddr_in *connect_to;
};

static void *later_main(void *arg)
{
	struct later *l = arg;

	nap(l->ms);
	if (l->sig)
		pthread_kill(l->target, l->sig);
	if (l->data)
		MUST(send(l->fd, l->data, strlen(l->data), 0));
	if (l->connect_to) {
		nap(30);
		MUST(connect(l->fd, (SA *)l->connect_to, sizeof(*l->connect_to)));
	}
	return NULL;
}

static void later_start(struct later *l)
{
	l->target = pthread_self();
	pthread_create(&l->thread, NULL, later_main, l);
}

static volatile int signals;

static void on_signal(int sig)
{
	signals++;
}

static void catch(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(sig, &sa, NULL);
}

/* ---- errors ---- */

static void test_bad_descriptors(void)
{
	struct sockaddr_in a = loopback(1);
	socklen_t n = sizeof(a);
	char b[8] = "";
	struct iovec v = { b, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct mmsghdr mm = { .msg_hdr = m };
	int closed = dup(0), file = MUST(open("/dev/null", O_RDWR)), path = MUST(open("/", O_PATH));
	const struct { int fd, err; } bad[] = { { -1, EBADF }, { closed, EBADF }, { path, EBADF },
						{ 1 << 20, EBADF }, { file, ENOTSOCK } };

	close(closed);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = bad[i].fd, e = bad[i].err;

		FAILS(bind(fd, (SA *)&a, n), e);
		FAILS(connect(fd, (SA *)&a, n), e);
		FAILS(listen(fd, 1), e);
		FAILS(accept(fd, NULL, NULL), e);
		FAILS(shutdown(fd, SHUT_RD), e);
		FAILS(getsockname(fd, (SA *)&a, &n), e);
		FAILS(getpeername(fd, (SA *)&a, &n), e);
		FAILS(getsockopt(fd, SOL_SOCKET, SO_TYPE, b, &n), e);
		FAILS(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, b, 4), e);
		FAILS(send(fd, b, 1, 0), e);
		FAILS(recv(fd, b, 1, 0), e);
		FAILS(sendmsg(fd, &m, 0), e);
		FAILS(recvmsg(fd, &m, 0), e);
		FAILS(sendmmsg(fd, &mm, 1, 0), e);
		FAILS(recvmmsg(fd, &mm, 1, 0, NULL), e);
	}
	close(file);
	close(path);
}

static void test_bad_arguments(void)
{
	struct sockaddr_in a = loopback(0), b;
	socklen_t n = sizeof(a);
	int sv[2], t = MUST(socket(AF_INET, SOCK_STREAM, 0)), u = bound(SOCK_DGRAM, &b);
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buf[64], big[256];
	struct iovec v = { buf, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1025 };
	int one = 1;

	munmap(page + 4096, 4096);
	FAILS(socket(AF_INET, SOCK_STREAM | 0x100, 0), EINVAL);
	FAILS(socket(AF_INET, 20, 0), EINVAL);
	FAILS(socket(AF_INET, 9, 0), ESOCKTNOSUPPORT);
	FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	FAILS(socket(1000, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(socketpair(AF_INET, SOCK_STREAM, 0, sv), EOPNOTSUPP);
	FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, BAD), EFAULT);
	FAILS(accept4(t, NULL, NULL, 1), EINVAL);
	FAILS(accept(t, NULL, NULL), EINVAL);
	FAILS(accept(u, NULL, NULL), EOPNOTSUPP);
	FAILS(listen(u, 1), EOPNOTSUPP);
	FAILS(bind(t, (SA *)&a, 4), EINVAL);
	FAILS(bind(t, (SA *)&a, -1), EINVAL);
	FAILS(bind(t, (SA *)big, 200), EINVAL);
	FAILS(bind(t, BAD, sizeof(a)), EFAULT);
	FAILS(bind(u, (SA *)&a, sizeof(a)), EINVAL);
	FAILS(connect(t, (SA *)&a, 4), EINVAL);
	FAILS(connect(t, BAD, sizeof(a)), EFAULT);
	a.sin_addr.s_addr = inet_addr("192.0.2.1");
	FAILS(bind(t, (SA *)&a, sizeof(a)), EADDRNOTAVAIL);
	a = b;
	n = bound(SOCK_DGRAM, &b);
	FAILS(bind(MUST(socket(AF_INET, SOCK_DGRAM, 0)), (SA *)&b, sizeof(b)), EADDRINUSE);
	close(n);
	n = sizeof(a);
	FAILS(recv(t, buf, 1, 0), ENOTCONN);
	FAILS(shutdown(t, SHUT_RDWR), ENOTCONN);
	FAILS(shutdown(t, 7), EINVAL);
	FAILS(getpeername(t, (SA *)&a, &n), ENOTCONN);
	FAILS(getsockname(t, (SA *)&a, BAD), EFAULT);
	FAILS(getsockname(t, BAD, &n), EFAULT);
	n = -1;
	FAILS(getsockname(t, (SA *)&a, &n), EINVAL);
	FAILS(send(t, buf, 1, MSG_NOSIGNAL), EPIPE);
	FAILS(send(u, buf, 1, 0), EDESTADDRREQ);
	FAILS(sendto(u, BAD, 1, 0, (SA *)&a, sizeof(a)), EFAULT);
	FAILS(sendto(u, buf, 1, 0, BAD, sizeof(a)), EFAULT);
	FAILS(sendto(u, buf, 1, 0, (SA *)big, 200), EINVAL);
	FAILS(sendto(u, page + 4090, 100, 0, (SA *)&a, sizeof(a)), EFAULT);
	FAILS(sendmsg(u, BAD, 0), EFAULT);
	FAILS(recvmsg(u, BAD, 0), EFAULT);
	FAILS(sendmsg(u, &m, 0), EMSGSIZE);
	FAILS(recvmsg(u, &m, MSG_DONTWAIT), EMSGSIZE);
	m.msg_iovlen = 1;
	m.msg_control = BAD;
	m.msg_controllen = 32;
	FAILS(sendmsg(u, &m, 0), EFAULT);
	m.msg_controllen = 1 << 20;
	FAILS(sendmsg(u, &m, 0), ENOBUFS);
	memset(big, 0, sizeof(big));
	*(size_t *)big = 4;		/* cmsg_len below its head */
	m.msg_control = big;
	m.msg_controllen = 32;
	m.msg_name = &a;
	m.msg_namelen = sizeof(a);
	FAILS(sendmsg(u, &m, 0), EINVAL);
	FAILS(getsockopt(t, SOL_SOCKET, SO_TYPE, &n, BAD), EFAULT);
	n = 4;
	FAILS(getsockopt(t, SOL_SOCKET, SO_TYPE, BAD, &n), EFAULT);
	n = -1;
	FAILS(getsockopt(t, SOL_SOCKET, SO_TYPE, buf, &n), EINVAL);
	n = 4;
	FAILS(getsockopt(t, SOL_SOCKET, 9999, buf, &n), ENOPROTOOPT);
	FAILS(setsockopt(t, SOL_SOCKET, 9999, &one, 4), ENOPROTOOPT);
	FAILS(setsockopt(t, SOL_SOCKET, SO_KEEPALIVE, &one, 1), EINVAL);
	FAILS(setsockopt(t, SOL_SOCKET, SO_KEEPALIVE, &one, -1), EINVAL);
	FAILS(setsockopt(t, SOL_SOCKET, SO_KEEPALIVE, BAD, 4), EFAULT);
	FAILS(setsockopt(t, IPPROTO_TCP, TCP_CONGESTION, "no-such-cc", 10), ENOENT);
	FAILS(lseek(t, 0, SEEK_CUR), ESPIPE);
	FAILS(pread(t, buf, 1, 0), ESPIPE);
	munmap(page, 4096);
	close(t);
	close(u);
}

/* ---- TCP ---- */

static void test_tcp_connect(void)
{
	struct sockaddr_in a, b, c;
	socklen_t n = sizeof(b);
	int l = listener(&a), fd, fds[5], s, err;

	/* names, accept's address and its truncation */
	fd = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(connect(fd, (SA *)&a, sizeof(a)) == 0);
	FAILS(connect(fd, (SA *)&a, sizeof(a)), EISCONN);
	s = MUST(accept4(l, (SA *)&b, &n, SOCK_NONBLOCK));
	CHECK(n == sizeof(b) && (fcntl(s, F_GETFL) & O_NONBLOCK) && fcntl(s, F_GETFD) == 0);
	n = sizeof(c);
	CHECK(getsockname(fd, (SA *)&c, &n) == 0 && c.sin_port == b.sin_port && n == 16);
	n = sizeof(c);
	CHECK(getpeername(fd, (SA *)&c, &n) == 0 && c.sin_port == a.sin_port);
	memset(&c, 0xee, sizeof(c));
	n = 2;
	CHECK(getpeername(fd, (SA *)&c, &n) == 0 && n == 16 && c.sin_family == AF_INET &&
	      c.sin_port == 0xeeee);
	FAILS(read(s, &c, 1), EAGAIN);
	close(fd);
	close(s);

	/* refused, blocking and not */
	fd = bound(SOCK_STREAM, &b);
	s = MUST(socket(AF_INET, SOCK_STREAM, 0));
	FAILS(connect(s, (SA *)&b, sizeof(b)), ECONNREFUSED);
	close(s);
	s = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	err = connect(s, (SA *)&b, sizeof(b));
	CHECK(err == -1 && (errno == EINPROGRESS || errno == ECONNREFUSED));
	if (errno == EINPROGRESS) {
		readable(s, POLLOUT);
		CHECK(get_int(s, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
		CHECK(get_int(s, SOL_SOCKET, SO_ERROR) == 0);
	}
	close(s);
	close(fd);

	/* non-blocking connect that succeeds */
	s = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	CHECK(connect(s, (SA *)&a, sizeof(a)) == 0 || errno == EINPROGRESS);
	readable(s, POLLOUT);
	CHECK(get_int(s, SOL_SOCKET, SO_ERROR) == 0);
	CHECK(connect(s, (SA *)&a, sizeof(a)) == 0 || errno == EISCONN);
	fd = MUST(accept(l, NULL, NULL));
	close(fd);
	close(s);

	/* several wait in the backlog, in order */
	for (int i = 0; i < 5; i++) {
		char id = i;

		fds[i] = MUST(socket(AF_INET, SOCK_STREAM, 0));
		CHECK(connect(fds[i], (SA *)&a, sizeof(a)) == 0);
		CHECK(send(fds[i], &id, 1, 0) == 1);
	}
	for (int i = 0; i < 5; i++) {
		char id = -1;

		s = MUST(accept(l, NULL, NULL));
		CHECK(read(s, &id, 1) == 1 && id == i);
		close(s);
		close(fds[i]);
	}
	fcntl(l, F_SETFL, O_NONBLOCK);
	FAILS(accept(l, NULL, NULL), EAGAIN);
	s = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(s, (SA *)&a, sizeof(a)));
	readable(l, POLLIN);
	FAILS(accept(l, (SA *)&b, BAD), EFAULT);
	close(s);
	close(l);
}

static void test_tcp_data(void)
{
	char buf[256];
	struct iovec v[3] = { { buf, 2 }, { buf + 10, 0 }, { buf + 20, 3 } };
	struct iovec w[2] = { { "hel", 3 }, { "lo", 2 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 3 };
	struct sockaddr_in a;
	socklen_t n = sizeof(a);
	struct linger linger = { 1, 0 };
	struct later later = { .ms = 40, .data = "def" };
	struct stat st;
	int sv[2], urgent[2], mark;

	tcp_pair(sv);
	CHECK(fstat(sv[0], &st) == 0 && S_ISSOCK(st.st_mode));
	CHECK(write(sv[0], "hello", 5) == 5);
	CHECK(recv(sv[1], buf, sizeof(buf), MSG_PEEK) == 5);
	CHECK(ioctl(sv[1], FIONREAD, &mark) == 0 && mark == 5);
	CHECK(readv(sv[1], v, 3) == 5 && !memcmp(buf, "he", 2) && !memcmp(buf + 20, "llo", 3));
	FAILS(recv(sv[1], buf, 1, MSG_DONTWAIT), EAGAIN);
	FAILS(recv(sv[1], buf, 1, MSG_OOB), EINVAL);
	CHECK(read(sv[1], buf, 0) == 0);
	CHECK(writev(sv[0], w, 2) == 5);
	memset(&a, 0xee, sizeof(a));
	CHECK(recvfrom(sv[1], buf, 2, 0, (SA *)&a, &n) == 2 && n == 0);
	m.msg_name = &a;
	m.msg_namelen = sizeof(a);
	CHECK(recvmsg(sv[1], &m, 0) == 3 && m.msg_namelen == 0 && m.msg_flags == 0);

	/* MSG_TRUNC drops without copying */
	memset(buf, 'u', sizeof(buf));
	CHECK(send(sv[0], "0123456789", 10, 0) == 10);
	CHECK(recv(sv[1], buf, 4, MSG_TRUNC) == 4 && buf[0] == 'u');
	CHECK(recv(sv[1], buf, 20, MSG_TRUNC) == 6 && buf[0] == 'u');

	/* WAITALL, alone and with PEEK */
	for (int flags = MSG_WAITALL; flags; flags = flags == MSG_WAITALL ? MSG_WAITALL | MSG_PEEK : 0) {
		later.fd = sv[0];
		CHECK(send(sv[0], "abc", 3, 0) == 3);
		later_start(&later);
		CHECK(recv(sv[1], buf, 6, flags) == 6 && !memcmp(buf, "abcdef", 6));
		pthread_join(later.thread, NULL);
	}
	CHECK(recv(sv[1], buf, 6, 0) == 6);

	/* urgent data, to one who looks for it from the start */
	tcp_pair(urgent);
	CHECK(send(urgent[0], "ab!", 3, MSG_OOB) == 3);
	readable(urgent[1], POLLPRI);
	CHECK(recv(urgent[1], buf, 9, 0) == 2);
	CHECK(ioctl(urgent[1], SIOCATMARK, &mark) == 0 && mark == 1);
	CHECK(recv(urgent[1], buf, 9, MSG_OOB) == 1 && buf[0] == '!');
	close2(urgent);

	/* half-close: the other way still works; WAITALL ends at the end */
	CHECK(send(sv[0], "bye", 3, 0) == 3 && shutdown(sv[0], SHUT_WR) == 0);
	CHECK(recv(sv[1], buf, 100, MSG_WAITALL) == 3);
	CHECK(recv(sv[1], buf, 100, 0) == 0 && recv(sv[1], buf, 100, 0) == 0);
	CHECK(send(sv[1], "ok", 2, 0) == 2 && recv(sv[0], buf, 100, 0) == 2);
	signals = 0;
	catch(SIGPIPE, 0);
	FAILS(send(sv[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK(signals == 0);
	FAILS(send(sv[0], "x", 1, 0), EPIPE);
	CHECK(signals == 1);
	FAILS(write(sv[0], "x", 1), EPIPE);
	CHECK(signals == 2);
	close2(sv);

	/* reset */
	tcp_pair(sv);
	MUST(setsockopt(sv[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	close(sv[0]);
	FAILS(recv(sv[1], buf, 1, 0), ECONNRESET);
	CHECK(recv(sv[1], buf, 1, 0) == 0);
	FAILS(send(sv[1], buf, 1, MSG_NOSIGNAL), EPIPE);
	close(sv[1]);

	/* non-blocking send stops where the buffers are full, and goes on after */
	tcp_pair(sv);
	char *big = calloc(1, 32 << 20);
	long got = 0, sent = send(sv[0], big, 32 << 20, MSG_DONTWAIT);

	CHECK(sent > 0 && sent < 32 << 20);
	nap(20);
	while (send(sv[0], big, 1 << 20, MSG_DONTWAIT) > 0)
		nap(5);
	CHECK(errno == EAGAIN);
	set_time(sv[0], SO_SNDTIMEO, 50);
	double t = now();
	FAILS(send(sv[0], big, 1, 0), EAGAIN);
	CHECK(now() - t > 0.04);
	while ((sent = recv(sv[1], big, 32 << 20, MSG_DONTWAIT)) > 0)
		got += sent;
	CHECK(got > 0);
	readable(sv[0], POLLOUT);
	free(big);
	close2(sv);
}

static void test_timeouts_and_signals(void)
{
	struct sockaddr_in a;
	int l = listener(&a), sv[2];
	struct later later = { .ms = 40, .sig = SIGUSR1 };
	struct timeval tv;
	socklen_t n = sizeof(tv);
	char c;
	double t;

	tcp_pair(sv);
	set_time(sv[0], SO_RCVTIMEO, 60);
	CHECK(getsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, &n) == 0 && n == sizeof(tv) &&
	      tv.tv_sec == 0 && tv.tv_usec == 60000);
	t = now();
	FAILS(recv(sv[0], &c, 1, 0), EAGAIN);
	CHECK(now() - t > 0.05 && now() - t < 2);
	t = now();
	FAILS(recv(sv[0], &c, 1, MSG_DONTWAIT), EAGAIN);
	CHECK(now() - t < 0.05);
	tv = (struct timeval){ 0, 1000000 };
	FAILS(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), EDOM);
	FAILS(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &tv, 4), EINVAL);
	set_time(l, SO_RCVTIMEO, 60);
	t = now();
	FAILS(accept(l, NULL, NULL), EAGAIN);
	CHECK(now() - t > 0.05);

	/* with a timeout a signal always ends the call */
	set_time(sv[0], SO_RCVTIMEO, 5000);
	catch(SIGUSR1, SA_RESTART);
	later_start(&later);
	FAILS(recv(sv[0], &c, 1, 0), EINTR);
	pthread_join(later.thread, NULL);

	/* without: as SA_RESTART says */
	set_time(sv[0], SO_RCVTIMEO, 0);
	set_time(l, SO_RCVTIMEO, 0);
	later.connect_to = &a;
	later.fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
	signals = 0;
	later_start(&later);
	int s = accept(l, NULL, NULL);

	CHECK(s >= 0 && signals == 1);
	close(s);
	pthread_join(later.thread, NULL);
	close(later.fd);
	catch(SIGUSR1, 0);
	later.connect_to = NULL;
	later_start(&later);
	FAILS(accept(l, NULL, NULL), EINTR);
	pthread_join(later.thread, NULL);
	later_start(&later);
	FAILS(recv(sv[0], &c, 1, 0), EINTR);
	pthread_join(later.thread, NULL);
	close2(sv);
	close(l);
}

#define LARGE (8u << 20)

static void *large_main(void *arg)
{
	unsigned char *data = malloc(LARGE);

	for (unsigned i = 0; i < LARGE; i++)
		data[i] = i * 2654435761u >> 13;
	CHECK(send(*(int *)arg, data, LARGE, 0) == LARGE);
	shutdown(*(int *)arg, SHUT_WR);
	free(data);
	return NULL;
}

static void test_large(int sv[2])
{
	static unsigned char buf[100000];
	unsigned at = 0, wrong = 0;
	pthread_t thread;
	ssize_t n;

	pthread_create(&thread, NULL, large_main, &sv[0]);
	while ((n = read(sv[1], buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			wrong += buf[i] != (unsigned char)(at * 2654435761u >> 13);
	pthread_join(thread, NULL);
	CHECK(n == 0 && at == LARGE && wrong == 0);
	close2(sv);
}

/* ---- epoll and poll on sockets ---- */

static void test_readiness(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 7 };
	int sv[2], ep = MUST(epoll_create1(0));
	struct pollfd p;
	char buf[64];

	tcp_pair(sv);
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, sv[1], &ev));
	CHECK(epoll_wait(ep, &ev, 1, 0) == 0);
	MUST(send(sv[0], "abcdef", 6, 0));
	CHECK(epoll_wait(ep, &ev, 1, 2000) == 1 && ev.events == EPOLLIN && ev.data.u32 == 7);
	CHECK(recv(sv[1], buf, 3, 0) == 3);
	CHECK(epoll_wait(ep, &ev, 1, 2000) == 1);
	CHECK(recv(sv[1], buf, 3, 0) == 3);
	CHECK(epoll_wait(ep, &ev, 1, 0) == 0);
	/* data and end arrive together: after a short read there is the end to read */
	MUST(send(sv[0], "abc", 3, 0));
	shutdown(sv[0], SHUT_WR);
	readable(sv[1], POLLRDHUP);
	CHECK(epoll_wait(ep, &ev, 1, 2000) == 1);
	CHECK(recv(sv[1], buf, sizeof(buf), 0) == 3);
	CHECK(epoll_wait(ep, &ev, 1, 2000) == 1 && recv(sv[1], buf, sizeof(buf), 0) == 0);
	/* edge: once per arrival */
	ev.events = EPOLLIN | EPOLLET;
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, sv[0], &ev));
	MUST(epoll_ctl(ep, EPOLL_CTL_DEL, sv[1], NULL));
	MUST(send(sv[1], "x", 1, 0));
	CHECK(epoll_wait(ep, &ev, 1, 2000) == 1);
	CHECK(epoll_wait(ep, &ev, 1, 0) == 0);
	p = (struct pollfd){ sv[0], POLLIN | POLLOUT, 0 };
	CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT));
	close2(sv);
	close(ep);
}

/* ---- UDP ---- */

static void test_udp(void)
{
	struct sockaddr_in a, b, from, none;
	socklen_t n = sizeof(from);
	int ra = bound(SOCK_DGRAM, &a), rb = bound(SOCK_DGRAM, &b), gone = bound(SOCK_DGRAM, &none), u;
	static char big[65536];
	char buf[64];
	struct iovec v = { buf, 4 };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1 };

	close(gone);
	CHECK(sendto(ra, "hello", 5, 0, (SA *)&b, sizeof(b)) == 5);
	CHECK(recvfrom(rb, buf, 64, MSG_PEEK, (SA *)&from, &n) == 5);
	n = sizeof(from);
	CHECK(recvfrom(rb, buf, 64, 0, (SA *)&from, &n) == 5 && n == 16 && from.sin_port == a.sin_port);
	FAILS(recv(rb, buf, 64, MSG_DONTWAIT), EAGAIN);
	FAILS(getpeername(ra, (SA *)&from, &n), ENOTCONN);

	/* truncation */
	MUST(sendto(ra, "0123456789", 10, 0, (SA *)&b, sizeof(b)));
	CHECK(recvmsg(rb, &m, MSG_PEEK | MSG_TRUNC) == 10 && m.msg_flags == MSG_TRUNC);
	CHECK(recvmsg(rb, &m, 0) == 4 && m.msg_flags == MSG_TRUNC && m.msg_namelen == 16);
	MUST(sendto(ra, "0123456789", 10, 0, (SA *)&b, sizeof(b)));
	CHECK(recv(rb, buf, 3, MSG_TRUNC) == 10);

	/* empty, and as large as can be */
	CHECK(sendto(ra, NULL, 0, 0, (SA *)&b, sizeof(b)) == 0);
	CHECK(recv(rb, buf, 64, 0) == 0);
	memset(big, 'b', sizeof(big));
	CHECK(sendto(ra, big, 65507, 0, (SA *)&b, sizeof(b)) == 65507);
	CHECK(recv(rb, big, sizeof(big), 0) == 65507);
	FAILS(sendto(ra, big, 65508, 0, (SA *)&b, sizeof(b)), EMSGSIZE);

	/* connected: filter, write, errors of the past, disconnect */
	CHECK(connect(ra, (SA *)&b, sizeof(b)) == 0 && write(ra, "w", 1) == 1);
	CHECK(read(rb, buf, 64) == 1);
	u = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST(sendto(u, "no", 2, 0, (SA *)&a, sizeof(a)));
	FAILS(recv(ra, buf, 64, MSG_DONTWAIT), EAGAIN);
	MUST(connect(u, (SA *)&none, sizeof(none)));
	MUST(send(u, "x", 1, 0));
	FAILS(send(u, "x", 1, 0), ECONNREFUSED);
	MUST(send(u, "x", 1, 0));
	CHECK(get_int(u, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
	MUST(send(u, "x", 1, 0));
	FAILS(recv(u, buf, 1, 0), ECONNREFUSED);
	from = (struct sockaddr_in){ .sin_family = AF_UNSPEC };
	CHECK(connect(u, (SA *)&from, sizeof(from)) == 0);
	FAILS(send(u, "x", 1, 0), EDESTADDRREQ);
	FAILS(sendto(u, "x", 1, 0, (SA *)&from, 4), EINVAL);

	/* broadcast needs permission */
	from = a;
	from.sin_addr.s_addr = inet_addr("127.255.255.255");
	FAILS(sendto(u, "x", 1, 0, (SA *)&from, sizeof(from)), EACCES);
	set_int(u, SOL_SOCKET, SO_BROADCAST, 1);
	CHECK(sendto(u, "x", 1, 0, (SA *)&from, sizeof(from)) == 1);
	close(u);

	/* two on one port */
	u = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	gone = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	set_int(u, SOL_SOCKET, SO_REUSEPORT, 1);
	MUST(bind(u, (SA *)&none, sizeof(none)));
	FAILS(bind(gone, (SA *)&none, sizeof(none)), EADDRINUSE);
	set_int(gone, SOL_SOCKET, SO_REUSEPORT, 1);
	CHECK(bind(gone, (SA *)&none, sizeof(none)) == 0);
	close(u);
	close(gone);
	close(ra);
	close(rb);
}

static void test_mmsg(void)
{
	struct sockaddr_in a, b;
	int ra = bound(SOCK_DGRAM, &a), rb = bound(SOCK_DGRAM, &b);
	char out[4][4] = { "one", "two", "3", "" }, in[6][8];
	struct sockaddr_in from[6];
	struct iovec vo[4], vi[6];
	struct mmsghdr mo[4], mi[6];
	struct timespec ts = { 0, 50000000 };

	memset(mo, 0, sizeof(mo));
	memset(mi, 0, sizeof(mi));
	for (int i = 0; i < 4; i++) {
		vo[i] = (struct iovec){ out[i], strlen(out[i]) };
		mo[i].msg_hdr = (struct msghdr){ .msg_name = &b, .msg_namelen = sizeof(b),
						 .msg_iov = &vo[i], .msg_iovlen = 1 };
	}
	for (int i = 0; i < 6; i++) {
		vi[i] = (struct iovec){ in[i], 8 };
		mi[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof(b),
						 .msg_iov = &vi[i], .msg_iovlen = 1 };
	}
	CHECK(sendmmsg(ra, mo, 4, 0) == 4 && mo[0].msg_len == 3 && mo[3].msg_len == 0);
	CHECK(recvmmsg(rb, mi, 6, MSG_WAITFORONE, NULL) == 4);
	CHECK(mi[1].msg_len == 3 && !memcmp(in[1], "two", 3) && mi[3].msg_len == 0 &&
	      from[2].sin_port == a.sin_port && mi[2].msg_hdr.msg_namelen == 16);
	FAILS(recvmmsg(rb, mi, 6, MSG_DONTWAIT, NULL), EAGAIN);
	CHECK(sendmmsg(ra, mo, 0, 0) == 0 && recvmmsg(rb, mi, 0, 0, NULL) == 0);
	/* the first failure ends it; alone it is the result */
	mo[2].msg_hdr.msg_namelen = 3;
	CHECK(sendmmsg(ra, mo, 4, 0) == 2);
	FAILS(sendmmsg(ra, mo + 2, 2, 0), EINVAL);
	CHECK(recvmmsg(rb, mi, 2, 0, &ts) == 2 && ts.tv_nsec <= 50000000);
	ts.tv_nsec = 1000000000;
	FAILS(recvmmsg(rb, mi, 2, MSG_DONTWAIT, &ts), EINVAL);
	FAILS(recvmmsg(rb, mi, 2, MSG_DONTWAIT, BAD), EFAULT);
	close(ra);
	close(rb);
}

/* The control message of this level and type, or NULL. */
static void *control_of(struct msghdr *m, int level, int type)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return CMSG_DATA(c);
	return NULL;
}

static void test_udp_control(void)
{
	struct sockaddr_in a, b, none;
	int ra = bound(SOCK_DGRAM, &a), rb = bound(SOCK_DGRAM, &b), tos = 0x2e, u, n;
	char buf[2000], control[512] __attribute__((aligned(8)));
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = CMSG_SPACE(sizeof(int)), .msg_name = &b, .msg_namelen = sizeof(b) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct in_pktinfo *info;
	unsigned char *t;
	int *ttl;

	set_int(rb, IPPROTO_IP, IP_PKTINFO, 1);
	set_int(rb, IPPROTO_IP, IP_RECVTOS, 1);
	set_int(rb, IPPROTO_IP, IP_RECVTTL, 1);
	set_int(rb, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_TOS };
	memcpy(CMSG_DATA(c), &tos, sizeof(tos));
	v.iov_len = 3;
	CHECK(sendmsg(ra, &m, 0) == 3);
	v.iov_len = sizeof(buf);
	m.msg_controllen = sizeof(control);
	m.msg_name = &none;
	CHECK(recvmsg(rb, &m, 0) == 3 && m.msg_flags == 0);
	info = control_of(&m, IPPROTO_IP, IP_PKTINFO);
	CHECK(info && info->ipi_addr.s_addr == htonl(INADDR_LOOPBACK));
	CHECK(info && info->ipi_ifindex == (int)if_nametoindex("lo"));
	t = control_of(&m, IPPROTO_IP, IP_TOS);
	CHECK(t && *t == tos);
	ttl = control_of(&m, IPPROTO_IP, IP_TTL);
	CHECK(ttl && *ttl == 64);
	CHECK(control_of(&m, SOL_SOCKET, SCM_TIMESTAMPNS));
	/* no room for all of it */
	MUST(sendto(ra, "abc", 3, 0, (SA *)&b, sizeof(b)));
	m.msg_controllen = 20;
	CHECK(recvmsg(rb, &m, 0) == 3 && (m.msg_flags & MSG_CTRUNC) && m.msg_controllen <= 20);

	/* one call, several datagrams */
	u = 1000;
	if (setsockopt(ra, IPPROTO_UDP, UDP_SEGMENT, &u, sizeof(u)) == 0) {
		CHECK(sendto(ra, buf, 1900, 0, (SA *)&b, sizeof(b)) == 1900);
		CHECK(recv(rb, buf, sizeof(buf), 0) == 1000);
		CHECK(recv(rb, buf, sizeof(buf), 0) == 900);
	}

	/* the error queue says who refused */
	u = bound(SOCK_DGRAM, &none);
	close(u);
	u = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	set_int(u, IPPROTO_IP, IP_RECVERR, 1);
	MUST(connect(u, (SA *)&none, sizeof(none)));
	m.msg_controllen = sizeof(control);
	FAILS(recvmsg(u, &m, MSG_ERRQUEUE), EAGAIN);
	MUST(send(u, "abc", 3, 0));
	readable(u, 0);
	m.msg_controllen = sizeof(control);
	n = recvmsg(u, &m, MSG_ERRQUEUE);
	struct sock_extended_err *e = control_of(&m, IPPROTO_IP, IP_RECVERR);

	CHECK(n == 3 && (m.msg_flags & MSG_ERRQUEUE) && e && e->ee_errno == ECONNREFUSED);
	close(u);
	close(ra);
	close(rb);
}

static void test_ipv6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT }, b;
	struct sockaddr_in four;
	socklen_t n = sizeof(a);
	char buf[16], control[256] __attribute__((aligned(8)));
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control), .msg_name = &b, .msg_namelen = sizeof(b) };
	int l = socket(AF_INET6, SOCK_STREAM, 0), s, u;

	if (l < 0 || bind(l, (SA *)&a, sizeof(a))) {
		printf("no IPv6 here: skipped\n");
		return;
	}
	MUST(listen(l, 1));
	MUST(getsockname(l, (SA *)&a, &n));
	CHECK(n == 28);
	s = MUST(socket(AF_INET6, SOCK_STREAM, 0));
	CHECK(connect(s, (SA *)&a, sizeof(a)) == 0);
	n = sizeof(b);
	close(MUST(accept(l, (SA *)&b, &n)));
	CHECK(n == 28 && IN6_IS_ADDR_LOOPBACK(&b.sin6_addr));
	close(s);
	close(l);

	u = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	s = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	a.sin6_port = 0;
	MUST(bind(u, (SA *)&a, sizeof(a)));
	n = sizeof(a);
	MUST(getsockname(u, (SA *)&a, &n));
	set_int(u, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	set_int(u, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	MUST(sendto(s, "six", 3, 0, (SA *)&a, sizeof(a)));
	CHECK(recvmsg(u, &m, 0) == 3 && m.msg_namelen == 28);
	struct in6_pktinfo *info = control_of(&m, IPPROTO_IPV6, IPV6_PKTINFO);

	CHECK(info && IN6_IS_ADDR_LOOPBACK(&info->ipi6_addr));
	CHECK(control_of(&m, IPPROTO_IPV6, IPV6_HOPLIMIT));
	close(u);
	close(s);

	/* both families on one socket, unless it is said otherwise */
	for (int only = 0; only < 2; only++) {
		u = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
		set_int(u, IPPROTO_IPV6, IPV6_V6ONLY, only);
		CHECK(get_int(u, IPPROTO_IPV6, IPV6_V6ONLY) == only);
		a = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
		MUST(bind(u, (SA *)&a, sizeof(a)));
		n = sizeof(a);
		MUST(getsockname(u, (SA *)&a, &n));
		four = loopback(ntohs(a.sin6_port));
		s = MUST(socket(AF_INET, SOCK_DGRAM, 0));
		MUST(sendto(s, "four", 4, 0, (SA *)&four, sizeof(four)));
		n = sizeof(b);
		if (only)
			FAILS(recv(u, buf, 16, MSG_DONTWAIT), EAGAIN);
		else
			CHECK(recvfrom(u, buf, 16, 0, (SA *)&b, &n) == 4 && IN6_IS_ADDR_V4MAPPED(&b.sin6_addr));
		close(u);
		close(s);
	}
}

/* ---- unix ---- */

static socklen_t unix_name(struct sockaddr_un *a, const char *name, int abstract)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(a->sun_path + abstract, name, strlen(name));
	return offsetof(struct sockaddr_un, sun_path) + abstract + strlen(name) + !abstract;
}

static void test_unix(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	char name[64], buf[64];
	struct sockaddr_un a, b;
	struct ucred cred;
	struct stat st;
	socklen_t n;
	int sv[2], l, s;

	for (int i = 0; i < 3; i++) {
		MUST(socketpair(AF_UNIX, types[i] | SOCK_CLOEXEC, 0, sv));
		CHECK(fcntl(sv[0], F_GETFD) == FD_CLOEXEC && fcntl(sv[1], F_GETFD) == FD_CLOEXEC);
		CHECK(get_int(sv[0], SOL_SOCKET, SO_TYPE) == types[i]);
		CHECK(send(sv[0], "abc", 3, 0) == 3 && send(sv[0], "def", 3, 0) == 3);
		CHECK(read(sv[1], buf, 64) == (types[i] == SOCK_STREAM ? 6 : 3));
		n = sizeof(b);
		CHECK(getsockname(sv[0], (SA *)&b, &n) == 0 && n == 2);
		n = sizeof(cred);
		CHECK(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 &&
		      cred.pid == getpid() && cred.uid == getuid());
		close(sv[0]);
		if (types[i] == SOCK_DGRAM) {
			CHECK(recv(sv[1], buf, 64, 0) == 3);
			FAILS(send(sv[1], "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
		} else {
			CHECK(recv(sv[1], buf, 64, 0) == (types[i] == SOCK_STREAM ? 0 : 3));
			CHECK(recv(sv[1], buf, 64, 0) == 0);
			FAILS(send(sv[1], "x", 1, MSG_NOSIGNAL), EPIPE);
		}
		close(sv[1]);
	}

	/* names: path, abstract, none, chosen by the kernel */
	umask(027);
	for (int abstract = 0; abstract < 2; abstract++) {
		snprintf(name, sizeof(name), "/tmp/rakis-net-%d", getpid());
		unlink(name);
		n = unix_name(&a, name, abstract);
		l = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
		s = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
		FAILS(connect(s, (SA *)&a, n), abstract ? ECONNREFUSED : ENOENT);
		CHECK(bind(l, (SA *)&a, n) == 0);
		FAILS(connect(s, (SA *)&a, n), ECONNREFUSED);
		if (!abstract)
			CHECK(stat(name, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0750);
		MUST(listen(l, 1));
		CHECK(connect(s, (SA *)&a, n) == 0);
		socklen_t m = sizeof(b);

		CHECK(getpeername(s, (SA *)&b, &m) == 0 && m == n && !memcmp(&a, &b, n));
		m = sizeof(b);
		sv[0] = MUST(accept(l, (SA *)&b, &m));
		CHECK(m == 2);
		CHECK(write(s, "hi", 2) == 2 && read(sv[0], buf, 9) == 2);
		close(sv[0]);
		close(s);
		if (!abstract) {
			s = MUST(socket(AF_UNIX, SOCK_STREAM, 0));
			FAILS(bind(s, (SA *)&a, n), EADDRINUSE);
			close(s);
		}
		close(l);
		unlink(name);
	}
	umask(022);
	l = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
	s = MUST(socket(AF_UNIX, SOCK_DGRAM, 0));
	a.sun_family = AF_UNIX;
	CHECK(bind(l, (SA *)&a, 2) == 0);
	n = sizeof(a);
	CHECK(getsockname(l, (SA *)&a, &n) == 0 && n == 8 && a.sun_path[0] == 0);
	CHECK(sendto(s, "auto", 4, 0, (SA *)&a, n) == 4);
	n = sizeof(b);
	CHECK(recvfrom(l, buf, 64, 0, (SA *)&b, &n) == 4 && n == 0);
	close(l);
	close(s);
}

static void test_unix_control(void)
{
	char control[256] __attribute__((aligned(8))), buf[16] = "", name[] = "/tmp/rakis-net-XXXXXX";
	struct iovec v = { buf, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control };
	struct cmsghdr *c = (void *)control;
	struct ucred cred = { getpid(), getuid(), getgid() }, *got;
	struct stat st, st2;
	int sv[2], pair[2], file = MUST(mkstemp(name)), *fds, old;

	unlink(name);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	MUST(write(file, "passed", 6));

	/* descriptors */
	m.msg_controllen = CMSG_SPACE(2 * sizeof(int));
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(8), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), (int[2]){ file, pair[0] }, 8);
	CHECK(sendmsg(sv[0], &m, 0) == 1);
	m.msg_controllen = sizeof(control);
	CHECK(recvmsg(sv[1], &m, MSG_CMSG_CLOEXEC) == 1 && m.msg_flags == MSG_CMSG_CLOEXEC);
	fds = control_of(&m, SOL_SOCKET, SCM_RIGHTS);
	CHECK(fds && c->cmsg_len == CMSG_LEN(8) && fds[0] != file && fds[1] != pair[0]);
	if (fds) {
		CHECK(fstat(fds[0], &st) == 0 && fstat(file, &st2) == 0 && st.st_ino == st2.st_ino);
		CHECK(pread(fds[0], buf, 16, 0) == 6 && !memcmp(buf, "passed", 6));
		CHECK(fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
		CHECK(write(pair[1], "through", 7) == 7 && read(fds[1], buf, 16) == 7);
		CHECK(get_int(fds[1], SOL_SOCKET, SO_DOMAIN) == AF_UNIX);
		close2(fds);
	}
	/* a bad one; too little room for the answer; no room at all */
	m.msg_controllen = CMSG_SPACE(8);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(8), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), (int[2]){ file, -1 }, 8);
	FAILS(sendmsg(sv[0], &m, 0), EBADF);
	memcpy(CMSG_DATA(c), (int[2]){ file, pair[0] }, 8);
	CHECK(sendmsg(sv[0], &m, 0) == 1 && sendmsg(sv[0], &m, 0) == 1);
	m.msg_controllen = CMSG_LEN(4);
	CHECK(recvmsg(sv[1], &m, 0) == 1 && (m.msg_flags & MSG_CTRUNC) && c->cmsg_len == CMSG_LEN(4));
	fds = control_of(&m, SOL_SOCKET, SCM_RIGHTS);
	if (fds)
		CHECK(close(*fds) == 0);
	CHECK(read(sv[1], buf, 16) == 1);

	/* credentials, asked for and given */
	set_int(sv[1], SOL_SOCKET, SO_PASSCRED, 1);
	m.msg_controllen = CMSG_SPACE(sizeof(cred));
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(cred)), .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_CREDENTIALS };
	memcpy(CMSG_DATA(c), &cred, sizeof(cred));
	CHECK(sendmsg(sv[0], &m, 0) == 1);
	m.msg_controllen = sizeof(control);
	CHECK(recvmsg(sv[1], &m, 0) == 1);
	got = control_of(&m, SOL_SOCKET, SCM_CREDENTIALS);
	CHECK(got && got->pid == getpid() && got->uid == getuid());
	/* none left behind */
	old = dup(0);
	close(old);
	CHECK(old == pair[1] + 1);
	close2(sv);
	close2(pair);
	close(file);
}

/* ---- options ---- */

static void test_options(void)
{
	static const struct { int type, level, name, value; } table[] = {
		{ SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR, 1 },
		{ SOCK_STREAM, SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ SOCK_STREAM, SOL_SOCKET, SO_OOBINLINE, 1 },
		{ SOCK_STREAM, SOL_SOCKET, SO_RCVLOWAT, 5 },
		{ SOCK_STREAM, SOL_SOCKET, SO_PRIORITY, 3 },
		{ SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOCK_STREAM, IPPROTO_TCP, TCP_CORK, 1 },
		{ SOCK_STREAM, IPPROTO_TCP, TCP_KEEPIDLE, 33 },
		{ SOCK_STREAM, IPPROTO_TCP, TCP_KEEPINTVL, 22 },
		{ SOCK_STREAM, IPPROTO_TCP, TCP_KEEPCNT, 4 },
		{ SOCK_STREAM, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000 },
		{ SOCK_STREAM, IPPROTO_TCP, TCP_MAXSEG, 1000 },
		{ SOCK_STREAM, IPPROTO_IP, IP_TOS, 0x10 },
		{ SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 1 },
		{ SOCK_DGRAM, SOL_SOCKET, SO_REUSEPORT, 1 },
		{ SOCK_DGRAM, SOL_SOCKET, SO_TIMESTAMP, 1 },
		{ SOCK_DGRAM, IPPROTO_IP, IP_TTL, 9 },
		{ SOCK_DGRAM, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO },
		{ SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_TTL, 7 },
		{ SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_LOOP, 0 },
		{ SOCK_DGRAM, IPPROTO_UDP, UDP_CORK, 0 },
	};
	char cc[16] = "", pad[4] = { 7, 7, 7, 7 };
	struct tcp_info info;
	struct linger linger = { 1, 5 };
	struct ip_mreqn mreq = { .imr_multiaddr.s_addr = inet_addr("239.1.2.3"),
				 .imr_address.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n;
	int sv[2], u = MUST(socket(AF_INET, SOCK_DGRAM, 0)), v;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int fd = MUST(socket(AF_INET, table[i].type, 0));

		v = table[i].value;
		if (setsockopt(fd, table[i].level, table[i].name, &v, sizeof(v)) ||
		    get_int(fd, table[i].level, table[i].name) != v) {
			printf("option %d of level %d\n", table[i].name, table[i].level);
			failures++;
		}
		close(fd);
	}
	tcp_pair(sv);
	CHECK(get_int(sv[0], SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
	CHECK(get_int(sv[0], SOL_SOCKET, SO_DOMAIN) == AF_INET);
	CHECK(get_int(sv[0], SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
	CHECK(get_int(u, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDP);
	CHECK(get_int(sv[0], SOL_SOCKET, SO_ACCEPTCONN) == 0);
	set_int(sv[0], SOL_SOCKET, SO_RCVBUF, 20000);
	CHECK(get_int(sv[0], SOL_SOCKET, SO_RCVBUF) == 40000);
	n = 2;
	CHECK(getsockopt(sv[0], SOL_SOCKET, SO_TYPE, pad, &n) == 0 && n == 2 && pad[0] == 1 && pad[2] == 7);
	n = sizeof(cc);
	CHECK(getsockopt(sv[0], IPPROTO_TCP, TCP_CONGESTION, cc, &n) == 0 && n == 16 && cc[0]);
	CHECK(setsockopt(sv[0], IPPROTO_TCP, TCP_CONGESTION, cc, strlen(cc)) == 0);
	n = sizeof(info);
	memset(&info, 0, n);
	CHECK(getsockopt(sv[0], IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && n >= 104 &&
	      info.tcpi_state == TCP_ESTABLISHED && info.tcpi_snd_mss);
	CHECK(setsockopt(sv[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	n = sizeof(linger);
	linger.l_linger = 0;
	CHECK(getsockopt(sv[0], SOL_SOCKET, SO_LINGER, &linger, &n) == 0 && n == 8 && linger.l_linger == 5);
	CHECK(setsockopt(u, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) == 0);
	FAILS(setsockopt(u, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), EADDRINUSE);
	CHECK(setsockopt(u, IPPROTO_IP, IP_DROP_MEMBERSHIP, &mreq, sizeof(mreq)) == 0);
	/* a blocking receive waits for the low mark */
	struct later later = { .ms = 40, .data = "defgh", .fd = sv[1] };
	char buf[16];

	set_int(sv[0], SOL_SOCKET, SO_RCVLOWAT, 5);
	MUST(send(sv[1], "abc", 3, 0));
	later_start(&later);
	CHECK(recv(sv[0], buf, 16, 0) == 8);
	pthread_join(later.thread, NULL);
	close2(sv);
	close(u);
}

/* ---- who and where we are ---- */

static void test_names(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_INET }, *ai = NULL;
	struct ifaddrs *ifa = NULL, *i;
	struct ifreq r[32], *lo = NULL;
	struct ifconf c = { .ifc_len = sizeof(r), .ifc_req = r };
	int u = MUST(socket(AF_INET, SOCK_DGRAM, 0)), found = 0;

	CHECK(getaddrinfo("localhost", "80", &hints, &ai) == 0);
	CHECK(ai && ((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	if (ai)
		freeaddrinfo(ai);
	CHECK(getifaddrs(&ifa) == 0);
	for (i = ifa; i; i = i->ifa_next)
		found |= i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !strcmp(i->ifa_name, "lo") &&
			((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	CHECK(found);
	freeifaddrs(ifa);

	CHECK(ioctl(u, SIOCGIFCONF, &c) == 0 && c.ifc_len > 0 && c.ifc_len % sizeof(r[0]) == 0);
	for (unsigned k = 0; k < c.ifc_len / sizeof(r[0]); k++)
		if (!strcmp(r[k].ifr_name, "lo"))
			lo = &r[k];
	CHECK(lo && ((struct sockaddr_in *)&lo->ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	c.ifc_req = NULL;
	CHECK(ioctl(u, SIOCGIFCONF, &c) == 0 && c.ifc_len > 0);
	strcpy(r[0].ifr_name, "lo");
	CHECK(ioctl(u, SIOCGIFFLAGS, r) == 0 && (r->ifr_flags & IFF_LOOPBACK));
	CHECK(ioctl(u, SIOCGIFMTU, r) == 0 && r->ifr_mtu > 1000);
	CHECK(ioctl(u, SIOCGIFINDEX, r) == 0 && r->ifr_ifindex == (int)if_nametoindex("lo"));
	memset(r->ifr_name, 0, sizeof(r->ifr_name));
	CHECK(ioctl(u, SIOCGIFNAME, r) == 0 && !strcmp(r->ifr_name, "lo"));
	strcpy(r[0].ifr_name, "none0");
	FAILS(ioctl(u, SIOCGIFMTU, r), ENODEV);
	FAILS(ioctl(u, TCGETS, r), ENOTTY);
	FAILS(ioctl(u, SIOCGIFMTU, BAD), EFAULT);
	close(u);
}

int main(void)
{
	struct sockaddr_in a = loopback(0);
	int sv[2], fd = socket(AF_INET, SOCK_DGRAM, 0);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (fd < 0 || bind(fd, (SA *)&a, sizeof(a))) {
		printf("no loopback here: skipped\n");
		return 77;
	}
	close(fd);
	signal(SIGPIPE, SIG_IGN);
	alarm(60);
	test_bad_descriptors();
	test_bad_arguments();
	test_tcp_connect();
	test_tcp_data();
	test_timeouts_and_signals();
	tcp_pair(sv);
	test_large(sv);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	test_large(sv);
	test_readiness();
	test_udp();
	test_mmsg();
	test_udp_control();
	test_ipv6();
	test_unix();
	test_unix_control();
	test_options();
	test_names();
	printf(failures ? "%d checks failed\n" : "ok\n", failures);
	return failures != 0;
}
