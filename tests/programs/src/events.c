/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting: pipes, eventfd, timerfd, signalfd, poll, select, epoll. It runs natively too, and
 * must pass there first. One line for each part; exit 0 only if all is right.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int failures;

#define CHECK(cond) do { int e_ = errno; if (!(cond)) {					\
	printf("%s:%d: %s (errno %s)\n", __func__, __LINE__, #cond, strerrorname_np(e_));	\
	failures++; } } while (0)
#define EQUAL(a, b) do { long a_ = (a), b_ = (b); if (a_ != b_) {				\
	printf("%s:%d: %s is %ld, not %ld\n", __func__, __LINE__, #a, a_, b_);			\
	failures++; } } while (0)
#define FAILS(call, e) do { errno = 0; long r_ = (call); if (r_ != -1 || errno != (e)) {	\
	printf("%s:%d: %s = %ld, errno %s, not %s\n", __func__, __LINE__, #call, r_,		\
	       strerrorname_np(errno), #e); failures++; } } while (0)
#define MUST(call) ({ long r_ = (call); if (r_ < 0) {						\
	printf("%s:%d: %s: %s\n", __func__, __LINE__, #call, strerrorname_np(errno));		\
	exit(1); } r_; })

static void *volatile bad_address = (void *)8;
static char zeros[1 << 20];

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

static void nonblock(int fd)
{
	MUST(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

static volatile sig_atomic_t handled;

static void handler(int sig)
{
	handled++;
}

static void on(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	MUST(sigaction(sig, &sa, NULL));
}

/* Something happens to a blocked thread after a while. */
struct later {
	pthread_t thread, target;
	int ms, fd, sig;
	const char *data;
	size_t len;
};

static void *do_later(void *arg)
{
	struct later *l = arg;

	nap(l->ms);
	if (l->sig)
		pthread_kill(l->target, l->sig);
	else if (l->len)
		MUST(write(l->fd, l->data, l->len));
	else
		close(l->fd);
	return NULL;
}

static void start(struct later *l)
{
	l->target = pthread_self();
	MUST(-pthread_create(&l->thread, NULL, do_later, l));
}

#define LATER(...) struct later later_ = { __VA_ARGS__ }; start(&later_)
#define JOIN() pthread_join(later_.thread, NULL)

/* Connected pairs: [0] is read from, [1] is written to. */
static int listener(struct sockaddr_in *a)
{
	int fd = MUST(socket(AF_INET, SOCK_STREAM, 0));
	socklen_t n = sizeof(*a);

	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	MUST(bind(fd, (void *)a, n));
	MUST(listen(fd, 16));
	MUST(getsockname(fd, (void *)a, &n));
	return fd;
}

static void make_tcp(int p[2])
{
	struct sockaddr_in a;
	int l = listener(&a), one = 1;

	p[1] = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(p[1], (void *)&a, sizeof(a)));
	p[0] = MUST(accept(l, NULL, NULL));
	setsockopt(p[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	close(l);
}

static void make_pipe(int p[2])
{
	MUST(pipe(p));
}

static void make_unix(int p[2])
{
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
}

static const struct {
	const char *name;
	void (*make)(int p[2]);
} kinds[] = { { "pipe", make_pipe }, { "unix", make_unix }, { "tcp", make_tcp } };

static void close2(int p[2])
{
	close(p[0]);
	close(p[1]);
}

/* ---- pipes ---- */

static int bits(int fd, int events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, 0);

	return n < 0 ? -errno : p.revents;
}

static void pipe_basics(void)
{
	char buf[8192], link[64], path[64];
	struct stat st;
	int p[2], n;

	FAILS(pipe2(p, O_APPEND), EINVAL);
	FAILS(pipe(bad_address), EFAULT);
	MUST(pipe2(p, O_NONBLOCK | O_CLOEXEC));
	EQUAL(fcntl(p[0], F_GETFL), O_NONBLOCK);
	EQUAL(fcntl(p[1], F_GETFL), O_NONBLOCK | O_WRONLY);
	EQUAL(fcntl(p[1], F_GETFD), FD_CLOEXEC);
	MUST(fstat(p[0], &st));
	EQUAL(st.st_mode, S_IFIFO | 0600);
	EQUAL(st.st_size, 0);
	EQUAL(st.st_nlink, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
	n = MUST(readlink(path, link, sizeof(link) - 1));
	link[n] = 0;
	snprintf(buf, sizeof(buf), "pipe:[%lu]", st.st_ino);
	CHECK(!strcmp(link, buf));
	FAILS(read(p[0], buf, 1), EAGAIN);
	FAILS(read(p[1], buf, 1), EBADF);
	FAILS(write(p[0], buf, 1), EBADF);
	FAILS(lseek(p[0], 0, SEEK_SET), ESPIPE);
	FAILS(pread(p[0], buf, 1, 0), ESPIPE);
	FAILS(ftruncate(p[1], 0), EINVAL);
	EQUAL(write(p[1], "", 0), 0);
	EQUAL(read(p[0], buf, 0), 0);
	FAILS(write(p[1], bad_address, 10), EFAULT);
	EQUAL(write(p[1], "hello", 5), 5);
	EQUAL(write(p[1], " world", 6), 6);
	FAILS(read(p[0], bad_address, 4), EFAULT);
	MUST(ioctl(p[0], FIONREAD, &n));
	EQUAL(n, 11);
	MUST(ioctl(p[1], FIONREAD, &n));
	EQUAL(n, 11);
	EQUAL(read(p[0], buf, 3), 3);
	EQUAL(read(p[0], buf, sizeof(buf)), 8);
	CHECK(!memcmp(buf, "lo world", 8));
	EQUAL(fcntl(p[0], F_GETPIPE_SZ), 65536);
	EQUAL(bits(p[0], POLLIN), 0);
	EQUAL(bits(p[1], POLLOUT | POLLWRNORM), POLLOUT | POLLWRNORM);

	/* Full; room comes page by page. */
	for (n = 0; write(p[1], zeros, 4096) == 4096; n++)
		;
	EQUAL(errno, EAGAIN);
	EQUAL(n, 16);
	EQUAL(bits(p[1], POLLOUT), 0);
	EQUAL(read(p[0], buf, 1), 1);
	FAILS(write(p[1], "x", 1), EAGAIN);
	EQUAL(read(p[0], buf, 4094), 4094);
	EQUAL(bits(p[1], POLLOUT), 0);
	EQUAL(read(p[0], buf, 1), 1);
	EQUAL(bits(p[1], POLLOUT), POLLOUT);
	EQUAL(write(p[1], zeros, 10000), 4096);
	FAILS(write(p[1], zeros, 10000), EAGAIN);
	FAILS(fcntl(p[0], F_SETPIPE_SZ, 4096), EBUSY);
	EQUAL(fcntl(p[0], F_SETPIPE_SZ, 100000), 131072);
	EQUAL(bits(p[1], POLLOUT), POLLOUT);
	EQUAL(write(p[1], zeros, 1 << 20), 65536);
	for (n = 0; read(p[0], buf, 1000) > 0; n++)
		;
	EQUAL(n, 132);
	EQUAL(fcntl(p[0], F_SETPIPE_SZ, 1), 4096);
	/* Small writes share a page; one that does not fit takes the next. */
	EQUAL(write(p[1], zeros, 3000), 3000);
	EQUAL(write(p[1], zeros, 1096), 1096);
	FAILS(write(p[1], zeros, 1), EAGAIN);
	EQUAL(read(p[0], buf, 8192), 4096);
	EQUAL(write(p[1], zeros, 3000), 3000);
	FAILS(write(p[1], zeros, 1097), EAGAIN);
	EQUAL(read(p[0], buf, 8192), 3000);

	/* The ends go. */
	EQUAL(write(p[1], "end", 3), 3);
	close(p[1]);
	EQUAL(bits(p[0], POLLIN), POLLIN | POLLHUP);
	EQUAL(read(p[0], buf, 10), 3);
	EQUAL(bits(p[0], POLLIN), POLLHUP);
	EQUAL(read(p[0], buf, 10), 0);
	close(p[0]);
	MUST(pipe(p));
	close(p[0]);
	EQUAL(bits(p[1], POLLOUT), POLLOUT | POLLERR);
	on(SIGPIPE, 0);
	handled = 0;
	FAILS(write(p[1], "x", 1), EPIPE);
	EQUAL(handled, 1);
	signal(SIGPIPE, SIG_IGN);
	FAILS(write(p[1], "x", 1), EPIPE);
	close(p[1]);
}

static void *drain(void *arg)
{
	int fd = (long)arg;
	long total = 0, n;
	char buf[5000];

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		total += n;
	return (void *)total;
}

static void pipe_blocking(void)
{
	pthread_t t;
	void *total;
	char buf[10];
	int p[2];
	long n;

	make_pipe(p);
	{
		LATER(.ms = 30, .fd = p[1], .data = "abc", .len = 3);
		EQUAL(read(p[0], buf, 10), 3);
		JOIN();
	}
	/* A large write goes through in pieces. */
	MUST(-pthread_create(&t, NULL, drain, (void *)(long)p[0]));
	EQUAL(write(p[1], zeros, sizeof(zeros)), sizeof(zeros));
	close(p[1]);
	pthread_join(t, &total);
	EQUAL((long)total, sizeof(zeros));
	close(p[0]);

	/* A signal ends a write that has begun with what went, one that has not with EINTR. */
	make_pipe(p);
	on(SIGUSR1, 0);
	handled = 0;
	{
		LATER(.ms = 30, .sig = SIGUSR1);
		EQUAL(write(p[1], zeros, 100000), 65536);
		JOIN();
	}
	{
		LATER(.ms = 30, .sig = SIGUSR1);
		FAILS(write(p[1], zeros, 1), EINTR);
		JOIN();
	}
	EQUAL(handled, 2);
	n = 0;
	while (n < 65536)
		n += MUST(read(p[0], zeros, 65536));
	memset(zeros, 0, 65536);
	{
		LATER(.ms = 30, .sig = SIGUSR1);
		FAILS(read(p[0], buf, 1), EINTR);
		JOIN();
	}
	on(SIGUSR1, SA_RESTART);
	{
		LATER(.ms = 30, .sig = SIGUSR1);
		struct later data = { .ms = 80, .fd = p[1], .data = "r", .len = 1 };

		start(&data);
		EQUAL(read(p[0], buf, 10), 1);
		JOIN();
		pthread_join(data.thread, NULL);
	}
	/* The last writer goes while a reader waits. */
	{
		LATER(.ms = 30, .fd = p[1]);
		EQUAL(read(p[0], buf, 10), 0);
		JOIN();
	}
	close(p[0]);
}

#define WRITERS 4
#define RECORDS 200
static int shared_pipe[2];

static void *writer(void *arg)
{
	char rec[4096];
	long id = (long)arg;

	memset(rec, 'a' + id, sizeof(rec));
	for (int i = 0; i < RECORDS; i++)
		MUST(write(shared_pipe[1], rec, 1 + (i * 997 + id * 131) % sizeof(rec)));
	return NULL;
}

/* Writes of up to PIPE_BUF bytes do not mix: every run of a letter is a sum of whole records. */
static void pipe_atomic(void)
{
	static char all[WRITERS * RECORDS * 4096];
	size_t want = 0, got = 0, at = 0;
	int next[WRITERS] = { 0 };
	pthread_t t[WRITERS];

	make_pipe(shared_pipe);
	for (long i = 0; i < WRITERS; i++) {
		for (int k = 0; k < RECORDS; k++)
			want += 1 + (k * 997 + i * 131) % 4096;
		MUST(-pthread_create(&t[i], NULL, writer, (void *)i));
	}
	while (got < want)
		got += MUST(read(shared_pipe[0], all + got, 10000));
	for (int i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
	while (at < want) {
		int id = all[at] - 'a', len, same = 0;

		if (id < 0 || id >= WRITERS || next[id] >= RECORDS)
			break;
		len = 1 + (next[id]++ * 997 + id * 131) % 4096;
		while (same < len && at + same < want && all[at + same] == 'a' + id)
			same++;
		if (same < len)
			break;
		at += len;
	}
	EQUAL(at, want);
	close2(shared_pipe);
}

/* ---- eventfd, timerfd, signalfd ---- */

static void eventfds(void)
{
	uint64_t v;
	struct stat st;
	char link[64];
	char path[64];
	int fd, n;

	FAILS(eventfd(0, 0x10), EINVAL);
	fd = MUST(eventfd(3, EFD_NONBLOCK));
	MUST(fstat(fd, &st));
	EQUAL(st.st_mode, 0600);
	EQUAL(st.st_size, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = MUST(readlink(path, link, sizeof(link)));
	CHECK(n == 20 && !memcmp(link, "anon_inode:[eventfd]", 20));
	EQUAL(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	EQUAL(lseek(fd, 0, SEEK_SET), 0);
	FAILS(read(fd, &v, 7), EINVAL);
	FAILS(write(fd, &v, 4), EINVAL);
	EQUAL(bits(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
	EQUAL(read(fd, &v, 8), 8);
	EQUAL(v, 3);
	FAILS(read(fd, &v, 8), EAGAIN);
	EQUAL(bits(fd, POLLIN | POLLOUT), POLLOUT);
	v = ~0ull;
	FAILS(write(fd, &v, 8), EINVAL);
	v = ~0ull - 1;
	EQUAL(write(fd, &v, 8), 8);
	EQUAL(bits(fd, POLLIN | POLLOUT), POLLIN);
	v = 1;
	FAILS(write(fd, &v, 8), EAGAIN);
	v = 0;
	EQUAL(write(fd, &v, 8), 8);
	EQUAL(read(fd, &v, 8), 8);
	CHECK(v == ~0ull - 1);
	FAILS(fcntl(fd, F_GETPIPE_SZ), EBADF);
	FAILS(ioctl(fd, FIONREAD, &n), ENOTTY);
	close(fd);
	fd = MUST(eventfd(2, EFD_SEMAPHORE));
	EQUAL(read(fd, &v, 8), 8);
	EQUAL(v, 1);
	EQUAL(read(fd, &v, 8), 8);
	EQUAL(bits(fd, POLLIN), 0);
	v = 5;
	{
		LATER(.ms = 30, .fd = fd, .data = (char *)&v, .len = 8);
		uint64_t got;

		EQUAL(read(fd, &got, 8), 8);
		EQUAL(got, 1);
		JOIN();
	}
	close(fd);
}

static void timerfds(void)
{
	struct itimerspec its = { .it_value.tv_nsec = 20000000 }, old;
	struct timespec ts;
	uint64_t v;
	double t;
	int fd;

	FAILS(timerfd_create(99, 0), EINVAL);
	FAILS(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	fd = MUST(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	FAILS(timerfd_settime(fd, 8, &its, NULL), EINVAL);
	FAILS(timerfd_settime(0, 0, &its, NULL), EINVAL);
	FAILS(timerfd_settime(-1, 0, &its, NULL), EBADF);
	FAILS(timerfd_settime(fd, 0, bad_address, NULL), EFAULT);
	its.it_value.tv_nsec = 1000000000;
	FAILS(timerfd_settime(fd, 0, &its, NULL), EINVAL);
	FAILS(read(fd, &v, 8), EAGAIN);
	FAILS(read(fd, &v, 4), EINVAL);
	FAILS(write(fd, &v, 8), EINVAL);
	MUST(timerfd_gettime(fd, &old));
	EQUAL(old.it_value.tv_sec + old.it_value.tv_nsec, 0);
	its.it_value.tv_nsec = 20000000;
	t = now();
	MUST(timerfd_settime(fd, 0, &its, &old));
	EQUAL(old.it_value.tv_sec + old.it_value.tv_nsec, 0);
	EQUAL(bits(fd, POLLIN), 0);
	MUST(timerfd_gettime(fd, &old));
	CHECK(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000 && !old.it_interval.tv_nsec);
	EQUAL(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 5000), 1);
	t = now() - t;
	CHECK(t >= 0.0199 && t < 2);
	EQUAL(read(fd, &v, 8), 8);
	EQUAL(v, 1);
	FAILS(read(fd, &v, 8), EAGAIN);
	MUST(timerfd_gettime(fd, &old));
	EQUAL(old.it_value.tv_nsec, 0);

	/* Periods that nobody reads are counted. */
	its = (struct itimerspec){ { 0, 10000000 }, { 0, 10000000 } };
	MUST(timerfd_settime(fd, 0, &its, NULL));
	nap(105);
	EQUAL(read(fd, &v, 8), 8);
	CHECK(v >= 10 && v < 100);
	MUST(timerfd_gettime(fd, &old));
	CHECK(old.it_interval.tv_nsec == 10000000 && old.it_value.tv_nsec <= 10000000);
	fcntl(fd, F_SETFL, 0);
	EQUAL(read(fd, &v, 8), 8);
	CHECK(v >= 1);
	its = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	MUST(timerfd_settime(fd, 0, &its, NULL));
	nap(20);
	EQUAL(bits(fd, POLLIN), 0);
	/* Absolute, past: at once. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	its.it_value = (struct timespec){ ts.tv_sec - 1, ts.tv_nsec };
	MUST(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
	EQUAL(bits(fd, POLLIN), POLLIN);
	EQUAL(read(fd, &v, 8), 8);
	EQUAL(v, 1);
	close(fd);

	fd = MUST(timerfd_create(CLOCK_REALTIME, 0));
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += 30000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	its.it_value = ts;
	t = now();
	MUST(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &its, NULL));
	EQUAL(read(fd, &v, 8), 8);
	t = now() - t;
	CHECK(t > 0.02 && t < 2);
	close(fd);
}

static void signalfds(void)
{
	struct signalfd_siginfo si[3];
	sigset_t set, old;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	MUST(sigprocmask(SIG_BLOCK, &set, &old));
	FAILS(signalfd(-1, &set, 1), EINVAL);
	FAILS(signalfd(0, &set, 0), EINVAL);
	FAILS(signalfd(99, &set, 0), EBADF);
	FAILS(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
	fd = MUST(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
	FAILS(read(fd, si, sizeof(si)), EAGAIN);
	FAILS(read(fd, si, 100), EINVAL);
	EQUAL(bits(fd, POLLIN), 0);
	raise(SIGUSR1);
	EQUAL(bits(fd, POLLIN), POLLIN);
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 42 });
	EQUAL(read(fd, si, sizeof(si)), 2 * sizeof(si[0]));
	EQUAL(si[0].ssi_signo, SIGUSR1);
	EQUAL(si[0].ssi_code, SI_TKILL);
	EQUAL(si[0].ssi_pid, getpid());
	EQUAL(si[0].ssi_uid, getuid());
	EQUAL(si[1].ssi_signo, SIGRTMIN);
	EQUAL(si[1].ssi_code, SI_QUEUE);
	EQUAL(si[1].ssi_int, 42);
	EQUAL(bits(fd, POLLIN), 0);
	/* Another mask on the same descriptor. */
	sigdelset(&set, SIGUSR1);
	EQUAL(signalfd(fd, &set, 0), fd);
	raise(SIGUSR1);
	EQUAL(bits(fd, POLLIN), 0);
	sigaddset(&set, SIGUSR1);
	EQUAL(signalfd(fd, &set, 0), fd);
	EQUAL(read(fd, si, sizeof(si)), sizeof(si[0]));
	/* Blocking, and from another thread. */
	fcntl(fd, F_SETFL, 0);
	{
		LATER(.ms = 30, .sig = SIGUSR1);
		EQUAL(read(fd, si, sizeof(si)), sizeof(si[0]));
		EQUAL(si[0].ssi_signo, SIGUSR1);
		JOIN();
	}
	close(fd);
	MUST(sigprocmask(SIG_SETMASK, &old, NULL));
}

/* ---- poll and select ---- */

static void polls(void)
{
	int p[2], s[2], file = MUST(open("/proc/self/exe", O_RDONLY));
	struct pollfd f[40];
	struct timespec ts;
	struct rlimit lim;
	sigset_t set;
	double t;

	make_pipe(p);
	make_unix(s);
	f[0] = (struct pollfd){ -1, POLLIN, 99 };
	f[1] = (struct pollfd){ 900, POLLIN, 0 };
	f[2] = (struct pollfd){ p[0], POLLIN, 99 };
	f[3] = (struct pollfd){ p[1], POLLOUT, 0 };
	f[4] = (struct pollfd){ file, POLLIN | POLLOUT | POLLPRI, 0 };
	f[5] = (struct pollfd){ s[0], POLLIN | POLLOUT, 0 };
	f[6] = (struct pollfd){ s[0], 0, 0 };
	EQUAL(poll(f, 7, 1000), 4);
	EQUAL(f[0].revents, 0);
	EQUAL(f[1].revents, POLLNVAL);
	EQUAL(f[2].revents, 0);
	EQUAL(f[3].revents, POLLOUT);
	EQUAL(f[4].revents, POLLIN | POLLOUT);
	EQUAL(f[5].revents, POLLOUT);
	EQUAL(f[6].revents, 0);
	FAILS(poll(bad_address, 1, 0), EFAULT);
	getrlimit(RLIMIT_NOFILE, &lim);
	FAILS(poll(f, lim.rlim_cur + 1, 0), EINVAL);
	FAILS(ppoll(f, 1, &(struct timespec){ 0, 1000000000 }, NULL), EINVAL);
	FAILS(ppoll(f, 1, &(struct timespec){ -1, 0 }, NULL), EINVAL);

	/* The time passes, with and without descriptors. */
	t = now();
	EQUAL(poll(NULL, 0, 30), 0);
	CHECK(now() - t >= 0.0299);
	t = now();
	EQUAL(poll(&f[2], 1, 30), 0);
	CHECK(now() - t >= 0.0299);
	t = now();
	f[0] = (struct pollfd){ s[0], POLLIN, 0 };
	EQUAL(poll(f, 1, 30), 0);
	CHECK(now() - t >= 0.0299);
	CHECK(now() - t < 5);
	f[1] = (struct pollfd){ p[0], POLLIN, 0 };
	EQUAL(poll(f, 2, 30), 0);

	/* Woken from inside while asking the host, and the other way round. */
	{
		LATER(.ms = 30, .fd = p[1], .data = "x", .len = 1);
		EQUAL(poll(f, 2, 5000), 1);
		EQUAL(f[1].revents, POLLIN);
		JOIN();
		read(p[0], zeros, 1);
	}
	{
		LATER(.ms = 30, .fd = s[1], .data = "x", .len = 1);
		EQUAL(poll(f, 2, 5000), 1);
		EQUAL(f[0].revents, POLLIN);
		JOIN();
		read(s[0], zeros, 1);
	}
	/* Many of them. */
	for (int i = 0; i < 40; i++)
		f[i] = (struct pollfd){ i % 2 ? p[0] : s[0], POLLIN, 0 };
	{
		LATER(.ms = 30, .fd = p[1], .data = "x", .len = 1);
		EQUAL(poll(f, 40, 5000), 20);
		JOIN();
		EQUAL(f[0].revents, 0);
		EQUAL(f[39].revents, POLLIN);
		read(p[0], zeros, 1);
	}

	/* Signals: poll is not restarted after a handler, and goes on after an ignored one. */
	on(SIGUSR1, SA_RESTART);
	handled = 0;
	{
		LATER(.ms = 30, .sig = SIGUSR1);
		FAILS(poll(f, 2, 5000), EINTR);
		JOIN();
		EQUAL(handled, 1);
	}
	{
		LATER(.ms = 30, .sig = SIGUSR1);
		ts = (struct timespec){ 5, 0 };
		errno = 0;
		EQUAL(syscall(SYS_ppoll, f, 2, &ts, NULL, 8), -1);
		EQUAL(errno, EINTR);
		CHECK(ts.tv_sec == 4);
		JOIN();
	}
	/* ppoll's mask: the signal is blocked outside, and comes within. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	handled = 0;
	raise(SIGUSR1);
	EQUAL(poll(f, 2, 10), 0);
	EQUAL(handled, 0);
	sigdelset(&set, SIGUSR1);
	FAILS(ppoll(f, 2, NULL, &set), EINTR);
	EQUAL(handled, 1);
	sigprocmask(SIG_BLOCK, NULL, &set);
	CHECK(sigismember(&set, SIGUSR1));
	/* What is ready goes before the signal. */
	raise(SIGUSR1);
	sigemptyset(&set);
	f[0] = (struct pollfd){ p[1], POLLOUT, 0 };
	EQUAL(ppoll(f, 1, NULL, &set), 1);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	EQUAL(handled, 2);
	close(file);
	close2(p);
	f[0] = (struct pollfd){ s[0], POLLIN | POLLRDHUP, 0 };
	shutdown(s[1], SHUT_WR);
	EQUAL(poll(f, 1, 1000), 1);
	EQUAL(f[0].revents, POLLIN | POLLRDHUP);
	close(s[1]);
	EQUAL(poll(f, 1, 1000), 1);
	EQUAL(f[0].revents, POLLIN | POLLRDHUP | POLLHUP);
	close(s[0]);
}

static void selects(void)
{
	struct timeval tv = { 0, 30000 };
	struct timespec ts;
	fd_set in, out, ex;
	sigset_t set;
	int p[2], s[2];
	double t;

	make_pipe(p);
	make_unix(s);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&ex);
	FAILS(select(-1, NULL, NULL, NULL, &tv), EINVAL);
	FAILS(select(1, NULL, NULL, NULL, &(struct timeval){ -1, 0 }), EINVAL);
	FAILS(select(1, bad_address, NULL, NULL, &tv), EFAULT);
	FD_SET(60, &in);
	FAILS(select(61, &in, NULL, NULL, &tv), EBADF);
	CHECK(FD_ISSET(60, &in));
	FD_ZERO(&in);
	t = now();
	EQUAL(select(0, NULL, NULL, NULL, &tv), 0);
	CHECK(now() - t >= 0.0299);
	EQUAL(tv.tv_sec + tv.tv_usec, 0);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	FD_SET(s[0], &in);
	FD_SET(s[0], &out);
	FD_SET(s[0], &ex);
	tv = (struct timeval){ 5, 0 };
	EQUAL(select(s[1] + 1, &in, &out, &ex, &tv), 2);
	CHECK(!FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out) && !FD_ISSET(s[0], &in) &&
	      FD_ISSET(s[0], &out) && !FD_ISSET(s[0], &ex));
	EQUAL(tv.tv_sec, 4);
	/* Bits from n on do not matter. */
	FD_ZERO(&in);
	FD_SET(63, &in);
	tv = (struct timeval){ 0, 0 };
	EQUAL(select(10, &in, NULL, NULL, &tv), 0);
	/* Nothing: the sets are cleared; the time is up. */
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	FD_SET(s[0], &in);
	tv = (struct timeval){ 0, 20000 };
	EQUAL(select(s[1] + 1, &in, NULL, NULL, &tv), 0);
	CHECK(!FD_ISSET(p[0], &in) && !FD_ISSET(s[0], &in));
	/* Woken. */
	FD_SET(p[0], &in);
	FD_SET(s[0], &in);
	{
		LATER(.ms = 30, .fd = s[1], .data = "x", .len = 1);
		EQUAL(select(s[1] + 1, &in, NULL, NULL, NULL), 1);
		CHECK(!FD_ISSET(p[0], &in) && FD_ISSET(s[0], &in));
		JOIN();
		read(s[0], zeros, 1);
	}
	/* EINTR leaves the sets and writes the time. */
	on(SIGUSR1, SA_RESTART);
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	tv = (struct timeval){ 5, 0 };
	{
		LATER(.ms = 30, .sig = SIGUSR1);
		FAILS(select(p[0] + 1, &in, NULL, NULL, &tv), EINTR);
		JOIN();
	}
	CHECK(FD_ISSET(p[0], &in));
	EQUAL(tv.tv_sec, 4);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	handled = 0;
	raise(SIGUSR1);
	sigdelset(&set, SIGUSR1);
	ts = (struct timespec){ 5, 0 };
	FAILS(pselect(p[0] + 1, &in, NULL, NULL, &ts, &set), EINTR);
	EQUAL(handled, 1);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* A hang-up is readable, and nothing to who asks for exceptions only. */
	close(p[1]);
	EQUAL(select(p[0] + 1, &in, NULL, NULL, NULL), 1);
	FD_ZERO(&ex);
	FD_SET(p[0], &ex);
	close(s[1]);
	FD_SET(s[0], &ex);
	tv = (struct timeval){ 0, 20000 };
	EQUAL(select(s[0] + 1, NULL, NULL, &ex, &tv), 0);
	close(p[0]);
	close(s[0]);
}

/* ---- epoll ---- */

static struct epoll_event got[16];

static int ctl(int ep, int op, int fd, unsigned int events)
{
	struct epoll_event ev = { .events = events, .data.u64 = fd | 0x123456700000000 };

	return epoll_ctl(ep, op, fd, &ev);
}

static void add(int ep, int fd, unsigned int events)
{
	MUST(ctl(ep, EPOLL_CTL_ADD, fd, events));
}

/* Events of `fd` after one epoll_wait that reports nothing else; 0: none. */
static unsigned int one(int ep, int fd, int ms)
{
	int n = MUST(epoll_wait(ep, got, 16, ms));

	if (n > 1 || (n == 1 && got[0].data.u64 != (fd | 0x123456700000000ull)))
		return 0xdead;
	return n ? got[0].events : 0;
}

static void epoll_errors(void)
{
	int ep, file = MUST(open("/proc/self/exe", O_RDONLY)), p[2];
	struct epoll_event ev = { .events = EPOLLIN };
	char link[64], path[64];
	struct stat st;

	FAILS(epoll_create(0), EINVAL);
	FAILS(epoll_create1(1), EINVAL);
	ep = MUST(epoll_create1(EPOLL_CLOEXEC));
	make_pipe(p);
	MUST(fstat(ep, &st));
	EQUAL(st.st_mode, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ep);
	EQUAL(readlink(path, link, sizeof(link)), 22);
	CHECK(!memcmp(link, "anon_inode:[eventpoll]", 22));
	FAILS(read(ep, link, 8), EINVAL);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, file, &ev), EPERM);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, 900, &ev), EBADF);
	FAILS(epoll_ctl(900, EPOLL_CTL_ADD, p[0], &ev), EBADF);
	FAILS(epoll_ctl(p[1], EPOLL_CTL_ADD, p[0], &ev), EINVAL);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL);
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], bad_address), EFAULT);
	FAILS(epoll_ctl(ep, 77, p[0], &ev), EINVAL);
	FAILS(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev), ENOENT);
	FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
	FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST);
	FAILS(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
	MUST(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	MUST(ctl(ep, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE));
	FAILS(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN), EINVAL);
	FAILS(ctl(ep, EPOLL_CTL_ADD, p[1], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
	FAILS(epoll_wait(ep, got, 0, 0), EINVAL);
	FAILS(syscall(SYS_epoll_wait, ep, got, -1, 0), EINVAL);
	FAILS(epoll_wait(p[0], got, 1, 0), EINVAL);
	FAILS(epoll_wait(900, got, 1, 0), EBADF);
	write(p[1], "x", 1);
	FAILS(epoll_wait(ep, bad_address, 1, 0), EFAULT);
	EQUAL(one(ep, p[0], 0), EPOLLIN);
	close2(p);
	close(file);
	close(ep);
}

static void epoll_modes(int kind)
{
	int p[2], ep = MUST(epoll_create1(0));
	char buf[16];
	double t;

	kinds[kind].make(p);
	nonblock(p[0]);
	nonblock(p[1]);

	/* Level-triggered: as long as there is something. */
	add(ep, p[0], EPOLLIN);
	EQUAL(one(ep, p[0], 0), 0);
	t = now();
	EQUAL(one(ep, p[0], 30), 0);
	CHECK(now() - t >= 0.0299);
	write(p[1], "0123456789", 10);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	EQUAL(one(ep, p[0], 0), EPOLLIN);
	EQUAL(read(p[0], buf, 4), 4);
	EQUAL(one(ep, p[0], 0), EPOLLIN);
	EQUAL(read(p[0], buf, 6), 6);
	EQUAL(one(ep, p[0], 10), 0);
	write(p[1], "abc", 3);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	EQUAL(read(p[0], buf, 16), 3);
	EQUAL(one(ep, p[0], 0), 0);
	{
		LATER(.ms = 30, .fd = p[1], .data = "x", .len = 1);
		EQUAL(one(ep, p[0], 5000), EPOLLIN);
		JOIN();
		read(p[0], buf, 1);
	}

	/* Edge-triggered: each arrival once. */
	write(p[1], "x", 1);
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET));
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	EQUAL(one(ep, p[0], 20), 0);
	write(p[1], "y", 1);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	EQUAL(one(ep, p[0], 20), 0);
	EQUAL(read(p[0], buf, 1), 1);
	EQUAL(one(ep, p[0], 20), 0);
	/* MOD looks again. */
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET));
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	EQUAL(read(p[0], buf, 16), 1);
	/* What was read before the wait is no event. */
	write(p[1], "z", 1);
	EQUAL(bits(p[0], POLLIN), POLLIN);
	EQUAL(read(p[0], buf, 16), 1);
	EQUAL(one(ep, p[0], 20), 0);
	FAILS(read(p[0], buf, 16), EAGAIN);
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET));
	EQUAL(one(ep, p[0], 20), 0);

	/* One shot, re-armed with and without something there. */
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
	write(p[1], "x", 1);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	EQUAL(one(ep, p[0], 10), 0);
	write(p[1], "x", 1);
	EQUAL(one(ep, p[0], 10), 0);
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	EQUAL(read(p[0], buf, 16), 2);
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
	EQUAL(one(ep, p[0], 10), 0);
	write(p[1], "x", 1);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	read(p[0], buf, 16);

	/* No events asked for: only errors and hang-ups would come. */
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], 0));
	write(p[1], "x", 1);
	EQUAL(one(ep, p[0], 10), 0);
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN));
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	read(p[0], buf, 16);
	MUST(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	write(p[1], "x", 1);
	EQUAL(one(ep, p[0], 10), 0);
	add(ep, p[0], EPOLLIN | EPOLLET);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	MUST(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));

	/* Room to write: level-triggered always, then not, then again. */
	add(ep, p[1], EPOLLOUT);
	EQUAL(one(ep, p[1], 1000), EPOLLOUT);
	EQUAL(one(ep, p[1], 0), EPOLLOUT);
	for (int idle = 0; idle < 3; idle++) {
		while (write(p[1], zeros, 4096) > 0)
			idle = 0;
		nap(10);
	}
	EQUAL(one(ep, p[1], 20), 0);
	MUST(ctl(ep, EPOLL_CTL_MOD, p[1], EPOLLOUT | EPOLLET));
	EQUAL(one(ep, p[1], 20), 0);
	for (int idle = 0; idle < 3; idle++) {
		while (read(p[0], zeros, sizeof(zeros)) > 0)
			idle = 0;
		nap(10);
	}
	memset(zeros, 0, sizeof(zeros));
	EQUAL(one(ep, p[1], 1000), EPOLLOUT);
	close2(p);
	close(ep);
}

/* The same, but the reader finds out with blocking reads of exactly what is there. */
static void epoll_blocking(int kind)
{
	int p[2], ep = MUST(epoll_create1(0));
	char buf[16];

	kinds[kind].make(p);
	add(ep, p[0], EPOLLIN);
	for (int i = 0; i < 5; i++) {
		write(p[1], "abcdef", 6);
		EQUAL(one(ep, p[0], 1000), EPOLLIN);
		EQUAL(read(p[0], buf, 3), 3);
		EQUAL(one(ep, p[0], 0), EPOLLIN);
		EQUAL(read(p[0], buf, 3), 3);
		EQUAL(one(ep, p[0], 0), 0);
	}
	/* The end: readable for ever. */
	write(p[1], "bye", 3);
	close(p[1]);
	nap(10);
	CHECK(one(ep, p[0], 1000) & EPOLLIN);
	EQUAL(read(p[0], buf, 16), 3);
	for (int i = 0; i < 3; i++) {
		unsigned int e = one(ep, p[0], 1000);

		EQUAL(e, kind == 0 ? EPOLLHUP : kind == 1 ? EPOLLIN | EPOLLHUP : EPOLLIN);
		EQUAL(read(p[0], buf, 16), 0);
	}
	close(p[0]);
	close(ep);
}

static void epoll_ends(void)
{
	int p[2], ep = MUST(epoll_create1(0));
	struct linger hard = { 1, 0 };
	char buf[16];

	/* Half closed, then reset. */
	make_tcp(p);
	add(ep, p[0], EPOLLIN | EPOLLRDHUP | EPOLLET);
	EQUAL(one(ep, p[0], 0), 0);
	shutdown(p[1], SHUT_WR);
	EQUAL(one(ep, p[0], 1000), EPOLLIN | EPOLLRDHUP);
	EQUAL(one(ep, p[0], 20), 0);
	EQUAL(read(p[0], buf, 16), 0);
	EQUAL(write(p[0], "x", 1), 1);
	setsockopt(p[1], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(p[1]);
	EQUAL(one(ep, p[0], 1000), EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
	EQUAL(one(ep, p[0], 20), 0);
	close(p[0]);

	make_tcp(p);
	add(ep, p[0], EPOLLIN);
	setsockopt(p[1], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(p[1]);
	EQUAL(one(ep, p[0], 1000), EPOLLIN | EPOLLERR | EPOLLHUP);
	FAILS(read(p[0], buf, 16), ECONNRESET);
	EQUAL(one(ep, p[0], 1000), EPOLLIN | EPOLLHUP);
	EQUAL(read(p[0], buf, 16), 0);
	close(p[0]);

	make_pipe(p);
	add(ep, p[1], EPOLLOUT | EPOLLET);
	EQUAL(one(ep, p[1], 0), EPOLLOUT);
	close(p[0]);
	EQUAL(one(ep, p[1], 1000), EPOLLOUT | EPOLLERR);
	close(p[1]);

	/* A client's life: not connected, refused, connected. */
	{
		struct sockaddr_in a;
		int l = listener(&a), c = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
		int err;
		socklen_t n = sizeof(err);

		add(ep, c, EPOLLIN | EPOLLOUT);
		EQUAL(one(ep, c, 1000), EPOLLOUT | EPOLLHUP);
		connect(c, (void *)&a, sizeof(a));
		EQUAL(one(ep, c, 1000), EPOLLOUT);
		getsockopt(c, SOL_SOCKET, SO_ERROR, &err, &n);
		EQUAL(err, 0);
		close(c);
		close(l);
		c = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
		connect(c, (void *)&a, sizeof(a));
		add(ep, c, EPOLLOUT);
		EQUAL(one(ep, c, 1000), EPOLLOUT | EPOLLERR | EPOLLHUP);
		getsockopt(c, SOL_SOCKET, SO_ERROR, &err, &n);
		EQUAL(err, ECONNREFUSED);
		EQUAL(one(ep, c, 1000), EPOLLOUT | EPOLLHUP);
		close(c);
	}
	close(ep);
}

static void epoll_udp(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int ep = MUST(epoll_create1(0)), rx = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	int tx = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t n = sizeof(a);
	char buf[16];

	MUST(bind(rx, (void *)&a, n));
	MUST(getsockname(rx, (void *)&a, &n));
	MUST(connect(tx, (void *)&a, n));
	add(ep, rx, EPOLLIN);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++)
			EQUAL(send(tx, "datagram", 8, 0), 8);
		/* Blocking receives, one after each wait: none may hang, none may be missed. */
		for (int i = 0; i < 4; i++) {
			EQUAL(one(ep, rx, 1000), EPOLLIN);
			EQUAL(recv(rx, buf, sizeof(buf), 0), 8);
		}
		EQUAL(one(ep, rx, 10), 0);
	}
	MUST(ctl(ep, EPOLL_CTL_MOD, rx, EPOLLIN | EPOLLET));
	send(tx, "1", 1, 0);
	EQUAL(one(ep, rx, 1000), EPOLLIN);
	EQUAL(one(ep, rx, 10), 0);
	send(tx, "2", 1, 0);
	EQUAL(one(ep, rx, 1000), EPOLLIN);
	EQUAL(recv(rx, buf, 16, 0), 1);
	EQUAL(one(ep, rx, 10), 0);
	EQUAL(recv(rx, buf, 16, 0), 1);
	EQUAL(one(ep, rx, 10), 0);
	close(rx);
	close(tx);
	close(ep);
}

static void epoll_listen(void)
{
	struct sockaddr_in a;
	int l = listener(&a), ep = MUST(epoll_create1(0)), c[4];

	add(ep, l, EPOLLIN);
	EQUAL(one(ep, l, 0), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++) {
			c[i] = MUST(socket(AF_INET, SOCK_STREAM, 0));
			MUST(connect(c[i], (void *)&a, sizeof(a)));
		}
		for (int i = 0; i < 4; i++) {
			EQUAL(one(ep, l, 1000), EPOLLIN);
			close(MUST(accept(l, NULL, NULL)));
			close(c[i]);
		}
		EQUAL(one(ep, l, 10), 0);
	}
	close(l);
	close(ep);
}

static void epoll_closing(int kind)
{
	int p[2], q[2], ep = MUST(epoll_create1(0)), d;
	char buf[4];

	kinds[kind].make(p);
	add(ep, p[0], EPOLLIN);
	write(p[1], "x", 1);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	/* Another descriptor of the file keeps the item; the name is still the old one. */
	d = MUST(dup(p[0]));
	close(p[0]);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), EBADF);
	FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, d, NULL), ENOENT);
	/* The old number for something new: two items. */
	make_pipe(q);
	EQUAL(q[0], p[0]);
	add(ep, q[0], EPOLLIN);
	EQUAL(one(ep, q[0], 0), EPOLLIN);
	write(q[1], "x", 1);
	EQUAL(epoll_wait(ep, got, 16, 1000), 2);
	close(d);
	EQUAL(one(ep, q[0], 1000), EPOLLIN);
	close(q[0]);
	EQUAL(one(ep, q[0], 10), 0);
	close(p[1]);
	close(q[1]);

	/* Both descriptors of one file, each with its own item. */
	kinds[kind].make(p);
	d = MUST(dup(p[0]));
	add(ep, p[0], EPOLLIN);
	add(ep, d, EPOLLIN | EPOLLET);
	write(p[1], "x", 1);
	EQUAL(epoll_wait(ep, got, 16, 1000), 2);
	EQUAL(one(ep, p[0], 20), EPOLLIN);
	MUST(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	EQUAL(one(ep, d, 20), 0);
	write(p[1], "x", 1);
	EQUAL(one(ep, d, 1000), EPOLLIN);
	EQUAL(read(d, buf, 4), 2);
	close(d);
	write(p[1], "x", 1);
	EQUAL(one(ep, d, 1000), EPOLLIN);
	close2(p);
	EQUAL(one(ep, d, 20), 0);

	/* Two instances: each has its own edge. */
	kinds[kind].make(p);
	d = MUST(epoll_create1(0));
	add(ep, p[0], EPOLLIN | EPOLLET);
	add(d, p[0], EPOLLIN | EPOLLET);
	write(p[1], "x", 1);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	EQUAL(one(d, p[0], 1000), EPOLLIN);
	EQUAL(one(d, p[0], 10), 0);
	EQUAL(one(ep, p[0], 10), 0);
	close(d);
	write(p[1], "x", 1);
	EQUAL(one(ep, p[0], 1000), EPOLLIN);
	close2(p);
	close(ep);
}

static void epoll_nested(int kind)
{
	int p[2], e[6], in = MUST(epoll_create1(0)), out = MUST(epoll_create1(0));
	struct pollfd f = { in, POLLIN, 0 };
	char buf[4];

	kinds[kind].make(p);
	add(in, p[0], EPOLLIN);
	add(out, in, EPOLLIN);
	EQUAL(one(out, in, 10), 0);
	EQUAL(poll(&f, 1, 10), 0);
	write(p[1], "x", 1);
	EQUAL(one(out, in, 1000), EPOLLIN);
	EQUAL(one(out, in, 0), EPOLLIN);
	EQUAL(poll(&f, 1, 1000), 1);
	EQUAL(f.revents, POLLIN);
	EQUAL(one(in, p[0], 0), EPOLLIN);
	EQUAL(one(out, in, 0), EPOLLIN);
	EQUAL(read(p[0], buf, 4), 1);
	EQUAL(one(out, in, 10), 0);
	EQUAL(poll(&f, 1, 10), 0);
	{
		LATER(.ms = 30, .fd = p[1], .data = "x", .len = 1);
		EQUAL(poll(&f, 1, 5000), 1);
		JOIN();
		EQUAL(read(p[0], buf, 4), 1);
	}
	{
		LATER(.ms = 30, .fd = p[1], .data = "x", .len = 1);
		EQUAL(one(out, in, 5000), EPOLLIN);
		JOIN();
		EQUAL(read(p[0], buf, 4), 1);
	}
	MUST(ctl(out, EPOLL_CTL_MOD, in, EPOLLIN | EPOLLET));
	EQUAL(one(out, in, 10), 0);
	write(p[1], "x", 1);
	EQUAL(one(out, in, 1000), EPOLLIN);
	EQUAL(one(out, in, 10), 0);
	close2(p);
	EQUAL(one(in, p[0], 0), 0);
	FAILS(ctl(in, EPOLL_CTL_ADD, out, EPOLLIN), ELOOP);
	close(in);
	EQUAL(one(out, in, 10), 0);
	close(out);

	for (int i = 0; i < 6; i++)
		e[i] = MUST(epoll_create1(0));
	FAILS(ctl(e[0], EPOLL_CTL_ADD, e[1], EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
	for (int i = 0; i < 4; i++)
		add(e[i], e[i + 1], EPOLLIN);
	FAILS(ctl(e[4], EPOLL_CTL_ADD, e[5], EPOLLIN), ELOOP);
	FAILS(ctl(e[4], EPOLL_CTL_ADD, e[0], EPOLLIN), ELOOP);
	kinds[kind].make(p);
	add(e[4], p[0], EPOLLIN);
	write(p[1], "x", 1);
	EQUAL(one(e[0], e[1], 1000), EPOLLIN);
	for (int i = 0; i < 6; i++)
		close(e[i]);
	close2(p);
}

/* ---- threads on one instance ---- */

struct waiter {
	pthread_t thread;
	int ep, ms, n;
};

static void *wait_once(void *arg)
{
	struct waiter *w = arg;
	struct epoll_event ev;

	w->n = epoll_wait(w->ep, &ev, 1, w->ms);
	return NULL;
}

static int run_waiters(int ep, int count, int ms, int fd, int writes)
{
	struct waiter w[4];
	int sum = 0;

	for (int i = 0; i < count; i++) {
		w[i] = (struct waiter){ .ep = ep, .ms = ms };
		MUST(-pthread_create(&w[i].thread, NULL, wait_once, &w[i]));
	}
	nap(50);
	while (writes--) {
		write(fd, "x", 1);
		nap(20);
	}
	for (int i = 0; i < count; i++) {
		pthread_join(w[i].thread, NULL);
		sum += w[i].n;
	}
	return sum;
}

static void epoll_threads(int kind)
{
	int p[2], q[2], e[2], ep = MUST(epoll_create1(0));

	kinds[kind].make(p);
	kinds[kind].make(q);
	/* An edge is reported once, to one of them; each arrival to another. */
	add(ep, p[0], EPOLLIN | EPOLLET);
	EQUAL(run_waiters(ep, 2, 300, p[1], 1), 1);
	EQUAL(run_waiters(ep, 2, 2000, p[1], 2), 2);
	read(p[0], zeros, 16);
	/* A level is for all. */
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN));
	EQUAL(run_waiters(ep, 2, 2000, p[1], 1), 2);
	read(p[0], zeros, 16);
	MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
	EQUAL(run_waiters(ep, 3, 300, p[1], 2), 1);
	read(p[0], zeros, 16);
	MUST(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
	/* Exclusive: at least one instance is woken. */
	for (int i = 0; i < 2; i++) {
		e[i] = MUST(epoll_create1(0));
		add(e[i], q[0], EPOLLIN | EPOLLEXCLUSIVE);
	}
	{
		struct waiter w[2];

		for (int i = 0; i < 2; i++) {
			w[i] = (struct waiter){ .ep = e[i], .ms = 300 };
			MUST(-pthread_create(&w[i].thread, NULL, wait_once, &w[i]));
		}
		nap(50);
		write(q[1], "x", 1);
		for (int i = 0; i < 2; i++)
			pthread_join(w[i].thread, NULL);
		CHECK(w[0].n + w[1].n >= 1);
		CHECK(one(e[0], q[0], 0) + one(e[1], q[0], 0) >= EPOLLIN);
	}
	/* Added, changed while a thread waits. */
	{
		struct waiter w = { .ep = ep, .ms = 5000 };

		MUST(-pthread_create(&w.thread, NULL, wait_once, &w));
		nap(50);
		add(ep, q[0], EPOLLIN);
		pthread_join(w.thread, NULL);
		EQUAL(w.n, 1);
		read(q[0], zeros, 16);
		MUST(-pthread_create(&w.thread, NULL, wait_once, &w));
		nap(50);
		add(ep, p[0], EPOLLIN);
		nap(50);
		write(p[1], "x", 1);
		pthread_join(w.thread, NULL);
		EQUAL(w.n, 1);
		read(p[0], zeros, 16);
		MUST(-pthread_create(&w.thread, NULL, wait_once, &w));
		nap(50);
		MUST(ctl(ep, EPOLL_CTL_MOD, p[0], EPOLLOUT | EPOLLIN));
		write(p[1], "x", 1);
		pthread_join(w.thread, NULL);
		EQUAL(w.n, 1);
	}
	close(e[0]);
	close(e[1]);
	close(ep);
	close2(p);
	close2(q);
}

/* Many threads, many events: none is lost. */
enum { STREAMS = 8, TOKENS = 500 };
static int stress_ep, stress_fds[STREAMS][2];
static atomic_int tokens_left, tokens_sent;

static void *stress_worker(void *arg)
{
	struct epoll_event ev[3];
	char c[4];

	while (tokens_left > 0) {
		int n = epoll_wait(stress_ep, ev, 3, 200);

		for (int i = 0; i < n; i++) {
			int k = ev[i].data.u64 & 0xff, got;

			while ((got = read(stress_fds[k][0], c, sizeof(c))) > 0) {
				tokens_left -= got;
				/* Answered through another stream, until all are used up. */
				for (; got && tokens_sent++ < TOKENS; got--)
					write(stress_fds[(k + 3) % STREAMS][1], "t", 1);
			}
			if (arg) {
				struct epoll_event again = { EPOLLIN | EPOLLONESHOT, { .u64 = k } };

				epoll_ctl(stress_ep, EPOLL_CTL_MOD, stress_fds[k][0], &again);
			}
		}
	}
	return NULL;
}

static void epoll_stress(int kind, int oneshot)
{
	struct epoll_event ev = { .events = oneshot ? EPOLLIN | EPOLLONESHOT : EPOLLIN | EPOLLET };
	double t = now();
	pthread_t w[3];

	stress_ep = MUST(epoll_create1(0));
	tokens_left = TOKENS;
	tokens_sent = STREAMS * 4;
	for (int i = 0; i < STREAMS; i++) {
		kinds[(kind + i) % 3].make(stress_fds[i]);
		nonblock(stress_fds[i][0]);
		ev.data.u64 = i;
		MUST(epoll_ctl(stress_ep, EPOLL_CTL_ADD, stress_fds[i][0], &ev));
	}
	for (int i = 0; i < 3; i++)
		MUST(-pthread_create(&w[i], NULL, stress_worker, (void *)(long)oneshot));
	for (int i = 0; i < STREAMS * 4; i++)
		write(stress_fds[i % STREAMS][1], "t", 1);
	while (tokens_left > 0 && now() - t < 10)
		nap(5);
	CHECK(tokens_left <= 0);
	tokens_left = 0;
	for (int i = 0; i < 3; i++)
		pthread_join(w[i], NULL);
	for (int i = 0; i < STREAMS; i++)
		close2(stress_fds[i]);
	close(stress_ep);
}

static void epoll_many(void)
{
	int ep = MUST(epoll_create1(0)), p[24][2], seen[24] = { 0 };

	/* With room for 4 events all 24 descriptors get their turn, host and own ones alike. */
	for (int i = 0; i < 24; i++) {
		struct epoll_event ev = { EPOLLIN, { .u64 = i } };

		kinds[i % 3].make(p[i]);
		MUST(epoll_ctl(ep, EPOLL_CTL_ADD, p[i][0], &ev));
		write(p[i][1], "x", 1);
	}
	nap(20);
	for (int round = 0; round < 24; round++) {
		int n = MUST(epoll_wait(ep, got, 4, 0));

		for (int i = 0; i < n; i++) {
			seen[got[i].data.u64]++;
			for (int k = 0; k < i; k++)
				CHECK(got[k].data.u64 != got[i].data.u64);
		}
	}
	for (int i = 0; i < 24; i++)
		CHECK(seen[i] >= 2);
	/* Closed in any order while they are ready. */
	for (int i = 0; i < 24; i++)
		close(p[(i * 7) % 24][0]);
	EQUAL(epoll_wait(ep, got, 16, 10), 0);
	for (int i = 0; i < 24; i++)
		close(p[i][1]);
	close(ep);
}

static void epoll_signals(void)
{
	int p[2], ep = MUST(epoll_create1(0));
	struct timespec ts = { 0, 30000000 };
	sigset_t set;
	double t;

	make_unix(p);
	on(SIGUSR1, SA_RESTART);
	for (int i = 0; i < 2; i++) {
		LATER(.ms = 30, .sig = SIGUSR1);
		FAILS(epoll_wait(ep, got, 16, 5000), EINTR);
		JOIN();
		if (!i)
			add(ep, p[0], EPOLLIN);
	}
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	handled = 0;
	raise(SIGUSR1);
	EQUAL(epoll_wait(ep, got, 16, 10), 0);
	EQUAL(handled, 0);
	sigemptyset(&set);
	FAILS(epoll_pwait(ep, got, 16, -1, &set), EINTR);
	EQUAL(handled, 1);
	raise(SIGUSR1);
	write(p[1], "x", 1);
	EQUAL(epoll_pwait(ep, got, 16, -1, &set), 1);
	EQUAL(handled, 1);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	EQUAL(handled, 2);
	FAILS(syscall(SYS_epoll_pwait, ep, got, 16, -1, &set, 4), EINVAL);
	read(p[0], zeros, 1);
	t = now();
	EQUAL(syscall(SYS_epoll_pwait2, ep, got, 16, &ts, NULL, 0), 0);
	CHECK(now() - t >= 0.0299);
	ts.tv_nsec = -1;
	FAILS(syscall(SYS_epoll_pwait2, ep, got, 16, &ts, NULL, 0), EINVAL);
	close2(p);
	close(ep);
}

/* A loop as servers have it: all kinds in one instance. */
static void epoll_mixed(void)
{
	int ep = MUST(epoll_create1(0)), ev = MUST(eventfd(0, 0)), tm, sg, s[2], p[2];
	struct itimerspec its = { { 0, 10000000 }, { 0, 10000000 } };
	int ticks = 0, signals = 0, counts = 0, bytes = 0;
	struct signalfd_siginfo si;
	uint64_t one_ = 1, v;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sg = MUST(signalfd(-1, &set, 0));
	tm = MUST(timerfd_create(CLOCK_MONOTONIC, 0));
	make_tcp(s);
	make_pipe(p);
	add(ep, ev, EPOLLIN);
	add(ep, tm, EPOLLIN);
	add(ep, sg, EPOLLIN);
	add(ep, s[0], EPOLLIN);
	add(ep, p[0], EPOLLIN);
	MUST(timerfd_settime(tm, 0, &its, NULL));
	while (ticks < 5 || signals < 5 || counts < 5 || bytes < 10) {
		int n = epoll_wait(ep, got, 16, 2000);

		if (n <= 0)
			break;
		for (int i = 0; i < n; i++) {
			int fd = got[i].data.u64 & 0xffff;

			if (fd == tm) {
				EQUAL(read(tm, &v, 8), 8);
				ticks++;
				raise(SIGUSR2);
				write(s[1], "t", 1);
			} else if (fd == sg) {
				EQUAL(read(sg, &si, sizeof(si)), sizeof(si));
				signals++;
				write(ev, &one_, 8);
			} else if (fd == ev) {
				EQUAL(read(ev, &v, 8), 8);
				counts += v;
				write(p[1], "p", 1);
			} else {
				bytes += read(fd, zeros, 16);
			}
		}
	}
	CHECK(ticks >= 5 && signals >= 5 && counts >= 5 && bytes >= 10);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	close(ep);
	close(ev);
	close(tm);
	close(sg);
	close2(s);
	close2(p);
}

static void epoll_eventfd(void)
{
	int fd = MUST(eventfd(0, EFD_NONBLOCK)), ep = MUST(epoll_create1(0));
	uint64_t v = 1;

	add(ep, fd, EPOLLIN | EPOLLET);
	EQUAL(one(ep, fd, 0), 0);
	for (int i = 0; i < 3; i++) {
		write(fd, &v, 8);
		EQUAL(one(ep, fd, 0), EPOLLIN);
		EQUAL(one(ep, fd, 0), 0);
	}
	MUST(ctl(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT | EPOLLET));
	EQUAL(one(ep, fd, 0), EPOLLIN | EPOLLOUT);
	read(fd, &v, 8);
	EQUAL(one(ep, fd, 0), EPOLLOUT);
	EQUAL(one(ep, fd, 0), 0);
	close(fd);
	close(ep);
}

static void part(const char *name, const char *kind)
{
	static int before;

	printf("%s%s%s: %s\n", name, *kind ? " " : "", kind, failures == before ? "ok" : "failed");
	fflush(stdout);
	before = failures;
}

#define PART(fn) do { fn(); part(#fn, ""); } while (0)
#define PART_OF_EACH(fn) do { for (int k = 0; k < 3; k++) { fn(k); part(#fn, kinds[k].name); } } while (0)

int main(void)
{
	alarm(100);
	PART(pipe_basics);
	PART(pipe_blocking);
	PART(pipe_atomic);
	PART(eventfds);
	PART(timerfds);
	PART(signalfds);
	PART(polls);
	PART(selects);
	PART(epoll_errors);
	PART_OF_EACH(epoll_modes);
	PART_OF_EACH(epoll_blocking);
	PART(epoll_ends);
	PART(epoll_udp);
	PART(epoll_listen);
	PART_OF_EACH(epoll_closing);
	PART_OF_EACH(epoll_nested);
	PART_OF_EACH(epoll_threads);
	for (int k = 0; k < 3; k++) {
		epoll_stress(k, k % 2);
		part("epoll_stress", kinds[k].name);
	}
	PART(epoll_many);
	PART(epoll_signals);
	PART(epoll_mixed);
	PART(epoll_eventfd);
	return failures != 0;
}
