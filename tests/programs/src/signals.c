/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals of one thread: handlers, flags, queues, masks, waiting, interrupted calls, timers.
 * Prints one line for each part; exits 0 only if all is right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

#define CHECK(x) do { if (!(x)) { printf("%s:%d: %s (errno %d)\n", __func__, __LINE__, #x, errno); \
	exit(1); } } while (0)

static volatile int ran, depth, deepest;
static volatile siginfo_t seen;
static volatile int order[32], values[32];

static void on(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = flags | SA_SIGINFO };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static sigset_t set_of(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	return s;
}

static void block(int sig)
{
	sigset_t s = set_of(sig);

	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
}

static void unblock(int sig)
{
	sigset_t s = set_of(sig);

	CHECK(sigprocmask(SIG_UNBLOCK, &s, NULL) == 0);
}

static int is_blocked(int sig)
{
	sigset_t s;

	CHECK(sigprocmask(SIG_BLOCK, NULL, &s) == 0);
	return sigismember(&s, sig);
}

static void record(int sig, siginfo_t *info, void *uc)
{
	(void)uc;
	if (ran < 32) {
		order[ran] = sig;
		values[ran] = info->si_value.sival_int;
	}
	seen = *info;
	ran++;
}

/* ---- handlers ---- */

static void handlers(void)
{
	struct sigaction sa, bad = { .sa_handler = SIG_IGN };

	on(SIGUSR1, record, 0);
	ran = 0;
	CHECK(raise(SIGUSR1) == 0);
	CHECK(ran == 1 && seen.si_signo == SIGUSR1 && seen.si_code == SI_TKILL);
	CHECK(seen.si_pid == getpid() && seen.si_uid == getuid());
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(ran == 2 && seen.si_code == SI_USER && seen.si_pid == getpid());
	CHECK(kill(0, 0) == 0 && kill(getpid(), 0) == 0);
	CHECK(kill(getpid(), 65) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_tgkill, getpid(), 0, SIGUSR1) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_tgkill, getpid(), 0x3fffffff, SIGUSR1) == -1 && errno == ESRCH);
	CHECK(sigaction(SIGKILL, &bad, NULL) == -1 && errno == EINVAL);
	CHECK(sigaction(SIGSTOP, &bad, NULL) == -1 && errno == EINVAL);
	CHECK(sigaction(SIGKILL, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
	CHECK(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4) == -1 && errno == EINVAL);

	on(SIGUSR1, record, SA_RESETHAND);
	CHECK(sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_flags & SA_RESETHAND);
	raise(SIGUSR1);
	CHECK(ran == 3);
	CHECK(sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
	printf("handlers\n");
}

static void deeper(int sig, siginfo_t *info, void *uc)
{
	(void)info;
	(void)uc;
	ran++;
	if (++depth > deepest)
		deepest = depth;
	if (ran < 3)
		raise(sig);
	depth--;
}

static void nested(void)
{
	on(SIGUSR1, deeper, SA_NODEFER);
	ran = depth = deepest = 0;
	raise(SIGUSR1);
	CHECK(ran == 3 && deepest == 3);
	on(SIGUSR1, deeper, 0);
	ran = deepest = 0;
	raise(SIGUSR1);
	CHECK(ran == 3 && deepest == 1 && !is_blocked(SIGUSR1));
	printf("nested\n");
}

static void look_at_mask(int sig, siginfo_t *info, void *p)
{
	ucontext_t *uc = p;

	(void)info;
	CHECK(is_blocked(sig) && is_blocked(SIGUSR2) && !is_blocked(SIGHUP));
	CHECK(!sigismember(&uc->uc_sigmask, sig));
	/* It takes effect when the handler returns. */
	sigaddset(&uc->uc_sigmask, SIGWINCH);
	raise(SIGUSR2);
	CHECK(ran == 0);
}

static void masks(void)
{
	struct sigaction sa = { .sa_sigaction = look_at_mask, .sa_flags = SA_SIGINFO };
	sigset_t s;

	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGUSR2);
	sigaddset(&sa.sa_mask, SIGKILL);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	on(SIGUSR2, record, 0);
	ran = 0;
	raise(SIGUSR1);
	CHECK(ran == 1 && is_blocked(SIGWINCH));
	unblock(SIGWINCH);

	sigfillset(&s);
	CHECK(sigprocmask(SIG_SETMASK, &s, NULL) == 0);
	CHECK(!is_blocked(SIGKILL) && !is_blocked(SIGSTOP) && is_blocked(SIGTERM));
	raise(SIGUSR2);
	CHECK(sigpending(&s) == 0 && sigismember(&s, SIGUSR2) && !sigismember(&s, SIGUSR1));
	CHECK(ran == 1);
	sigemptyset(&s);
	CHECK(sigprocmask(SIG_SETMASK, &s, NULL) == 0);
	CHECK(ran == 2);
	CHECK(sigprocmask(77, &s, NULL) == -1 && errno == EINVAL);
	CHECK(sigprocmask(77, NULL, NULL) == 0);
	CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void *)8, NULL, 8) == -1 && errno == EFAULT);

	/* Ignoring a signal throws it away, pending or not. */
	block(SIGUSR2);
	raise(SIGUSR2);
	signal(SIGUSR2, SIG_IGN);
	CHECK(sigpending(&s) == 0 && !sigismember(&s, SIGUSR2));
	on(SIGUSR2, record, 0);
	unblock(SIGUSR2);
	CHECK(ran == 2);
	printf("masks\n");
}

/* ---- alternate stack ---- */

static char alt[1 << 16] __attribute__((aligned(16)));
static char *volatile sp_seen;
static volatile stack_t ss_seen;
static volatile unsigned long align_seen;

static void where(int sig, siginfo_t *info, void *p)
{
	char here[16] __attribute__((aligned(16)));
	stack_t ss;

	(void)sig;
	(void)info;
	(void)p;
	sp_seen = here;
	align_seen = (unsigned long)__builtin_frame_address(0) & 15;
	sigaltstack(NULL, &ss);
	ss_seen = ss;
	ran++;
}

static void altstack(void)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;

	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
	CHECK(sigaltstack(&ss, NULL) == 0);
	on(SIGUSR1, where, SA_ONSTACK);
	ran = 0;
	raise(SIGUSR1);
	CHECK(ran == 1 && sp_seen > alt && sp_seen < alt + sizeof(alt));
	CHECK(ss_seen.ss_flags == SS_ONSTACK && ss_seen.ss_sp == alt && align_seen == 0);
	on(SIGUSR1, where, 0);
	raise(SIGUSR1);
	CHECK(sp_seen < alt || sp_seen > alt + sizeof(alt));
	CHECK(ss_seen.ss_flags == 0 && align_seen == 0);

	ss.ss_flags = SS_AUTODISARM;
	CHECK(sigaltstack(&ss, NULL) == 0);
	on(SIGUSR1, where, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(sp_seen > alt && sp_seen < alt + sizeof(alt));
	CHECK(ss_seen.ss_flags == SS_DISABLE);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alt &&
	      (unsigned)old.ss_flags == SS_AUTODISARM);

	ss.ss_size = 100;
	CHECK(sigaltstack(&ss, NULL) == -1 && errno == ENOMEM);
	ss.ss_flags = 77;
	CHECK(sigaltstack(&ss, NULL) == -1 && errno == EINVAL);
	ss.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&ss, NULL) == 0);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE && old.ss_size == 0);
	printf("altstack\n");
}

/* ---- queues ---- */

static void queues(void)
{
	const union sigval v[] = { { .sival_int = 10 }, { .sival_int = 11 }, { .sival_int = 12 } };
	int first = SIGRTMIN, second = SIGRTMIN + 1, n;
	sigset_t s, old;

	on(SIGUSR1, record, 0);
	on(first, record, 0);
	on(second, record, 0);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigaddset(&s, first);
	sigaddset(&s, second);
	CHECK(sigprocmask(SIG_BLOCK, &s, &old) == 0);
	ran = 0;
	CHECK(sigqueue(getpid(), second, v[0]) == 0);
	CHECK(sigqueue(getpid(), first, v[0]) == 0);
	CHECK(sigqueue(getpid(), first, v[1]) == 0);
	CHECK(sigqueue(getpid(), SIGUSR1, v[1]) == 0);
	CHECK(sigqueue(getpid(), SIGUSR1, v[2]) == 0);
	CHECK(sigqueue(getpid(), first, v[2]) == 0);
	CHECK(ran == 0);
	unblock(SIGUSR1);
	CHECK(ran == 1 && values[0] == 11 && seen.si_code == SI_QUEUE);
	unblock(first);
	CHECK(ran == 4);
	for (n = 1; n < 4; n++)
		CHECK(order[n] == first && values[n] == 9 + n);
	unblock(second);
	CHECK(ran == 5 && values[4] == 10);

	block(first);
	for (n = 0; n < 100; n++)
		CHECK(sigqueue(getpid(), first, v[0]) == 0);
	ran = 0;
	unblock(first);
	CHECK(ran == 100);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	printf("queues\n");
}

/* ---- waiting ---- */

static pthread_t main_thread;
static int signal_to_send, times_to_send;
static int pipe_out = -1;

/* Sends from another thread once the main one is likely to wait, then mends the wait. */
static void *sender(void *arg)
{
	(void)arg;
	for (int i = 0; i < times_to_send; i++) {
		usleep(30000);
		pthread_kill(main_thread, signal_to_send);
	}
	if (pipe_out >= 0) {
		usleep(30000);
		CHECK(write(pipe_out, "x", 1) == 1);
	}
	return NULL;
}

static pthread_t send_soon(int sig, int times, int fd)
{
	sigset_t all, old;
	pthread_t t;

	signal_to_send = sig;
	times_to_send = times;
	pipe_out = fd;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	CHECK(pthread_create(&t, NULL, sender, NULL) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return t;
}

static void suspend(void)
{
	sigset_t none;
	pthread_t t;

	sigemptyset(&none);
	on(SIGUSR1, record, SA_RESTART);
	block(SIGUSR1);
	ran = 0;
	raise(SIGUSR1);
	CHECK(ran == 0);
	CHECK(sigsuspend(&none) == -1 && errno == EINTR && ran == 1);
	CHECK(is_blocked(SIGUSR1));
	t = send_soon(SIGUSR1, 1, -1);
	CHECK(sigsuspend(&none) == -1 && errno == EINTR && ran == 2);
	pthread_join(t, NULL);
	unblock(SIGUSR1);
	t = send_soon(SIGUSR1, 1, -1);
	CHECK(pause() == -1 && errno == EINTR && ran == 3);
	pthread_join(t, NULL);
	printf("suspend\n");
}

static void timedwait(void)
{
	struct timespec none = {}, some = { .tv_nsec = 20000000 }, bad = { .tv_nsec = -1 };
	sigset_t s = set_of(SIGUSR1);
	siginfo_t info;
	pthread_t t;
	int fd;

	block(SIGUSR1);
	CHECK(sigtimedwait(&s, &info, &none) == -1 && errno == EAGAIN);
	CHECK(sigtimedwait(&s, &info, &some) == -1 && errno == EAGAIN);
	CHECK(sigtimedwait(&s, &info, &bad) == -1 && errno == EINVAL);
	raise(SIGUSR1);
	CHECK(sigtimedwait(&s, &info, &none) == SIGUSR1 && info.si_pid == getpid());
	CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 5 }) == 0);
	CHECK(sigwaitinfo(&s, &info) == SIGUSR1 && info.si_value.sival_int == 5);
	t = send_soon(SIGUSR1, 1, -1);
	CHECK(sigwaitinfo(&s, &info) == SIGUSR1);
	pthread_join(t, NULL);
	/* Another signal interrupts it, SA_RESTART or not. */
	on(SIGUSR2, record, SA_RESTART);
	ran = 0;
	t = send_soon(SIGUSR2, 1, -1);
	CHECK(sigwaitinfo(&s, &info) == -1 && errno == EINTR && ran == 1);
	pthread_join(t, NULL);

	fd = signalfd(-1, &s, SFD_NONBLOCK);
	CHECK(fd >= 0);
	struct signalfd_siginfo si;
	CHECK(read(fd, &si, sizeof(si)) == -1 && errno == EAGAIN);
	kill(getpid(), SIGUSR1);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	CHECK(read(fd, &si, sizeof(si)) == sizeof(si));
	CHECK(si.ssi_signo == SIGUSR1 && si.ssi_pid == (unsigned)getpid());
	CHECK(poll(&p, 1, 0) == 0);
	close(fd);
	unblock(SIGUSR1);
	printf("timedwait\n");
}

/* ---- interrupted calls ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void restarts(void)
{
	struct timespec want = { .tv_nsec = 150000000 }, left = {};
	struct pollfd p = { .events = POLLIN };
	sigset_t none;
	pthread_t t;
	double start;
	int fd[2];
	char c;

	CHECK(pipe(fd) == 0);
	ran = 0;
	on(SIGUSR1, record, 0);
	t = send_soon(SIGUSR1, 1, -1);
	CHECK(read(fd[0], &c, 1) == -1 && errno == EINTR && ran == 1);
	pthread_join(t, NULL);

	on(SIGUSR1, record, SA_RESTART);
	t = send_soon(SIGUSR1, 3, fd[1]);
	CHECK(read(fd[0], &c, 1) == 1 && c == 'x' && ran == 4);
	pthread_join(t, NULL);

	/* Signals that run no handler are not noticed. */
	signal(SIGUSR2, SIG_IGN);
	t = send_soon(SIGUSR2, 2, fd[1]);
	CHECK(read(fd[0], &c, 1) == 1);
	pthread_join(t, NULL);
	t = send_soon(SIGWINCH, 2, fd[1]);
	p.fd = fd[0];
	CHECK(poll(&p, 1, -1) == 1);
	pthread_join(t, NULL);
	CHECK(read(fd[0], &c, 1) == 1);

	/* poll and nanosleep are not restarted. */
	t = send_soon(SIGUSR1, 1, -1);
	CHECK(poll(&p, 1, 2000) == -1 && errno == EINTR && ran == 5);
	pthread_join(t, NULL);
	t = send_soon(SIGUSR1, 1, -1);
	CHECK(nanosleep(&want, &left) == -1 && errno == EINTR && ran == 6);
	CHECK(left.tv_sec == 0 && left.tv_nsec > 0 && left.tv_nsec < 150000000);
	pthread_join(t, NULL);
	/* But with an ignored signal it sleeps on to its end. */
	start = now();
	t = send_soon(SIGUSR2, 2, -1);
	CHECK(nanosleep(&want, &left) == 0);
	CHECK(now() - start >= 0.15);
	pthread_join(t, NULL);

	/* ppoll's mask holds while it waits, and the handler's frame shows the old one. */
	block(SIGUSR1);
	sigemptyset(&none);
	t = send_soon(SIGUSR1, 1, -1);
	CHECK(ppoll(&p, 1, NULL, &none) == -1 && errno == EINTR && ran == 7 && is_blocked(SIGUSR1));
	pthread_join(t, NULL);
	unblock(SIGUSR1);
	close(fd[0]);
	close(fd[1]);
	printf("restarts\n");
}

/* ---- frames ---- */

static volatile greg_t rip_seen;

static void change_registers(int sig, siginfo_t *info, void *p)
{
	ucontext_t *uc = p;

	(void)sig;
	(void)info;
	rip_seen = uc->uc_mcontext.gregs[REG_RIP];
	uc->uc_mcontext.gregs[REG_R12] += 5;
	ran++;
}

static void frames(void)
{
	register long r12 __asm__("r12") = 37;
	long pid = getpid(), ret;
	sigset_t s = set_of(SIGUSR1);
	static sigjmp_buf env;

	on(SIGUSR1, change_registers, 0);
	ran = 0;
	/* The frame is as if the call had ended; other registers, red zone included, stay. */
	__asm__ volatile("movq $0x1234, -64(%%rsp)\n\t"
			 "syscall\n\t"
			 "cmpq $0x1234, -64(%%rsp)\n\t"
			 "je 1f\n\t"
			 "mov $-1, %%rax\n"
			 "1:"
			 : "=a"(ret), "+r"(r12)
			 : "a"((long)SYS_kill), "D"(pid), "S"((long)SIGUSR1)
			 : "rcx", "r11", "memory", "cc");
	CHECK(ret == 0 && r12 == 42 && ran == 1);
	CHECK(rip_seen != 0);

	on(SIGUSR1, record, 0);
	if (!sigsetjmp(env, 1)) {
		CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
		siglongjmp(env, 1);
	}
	CHECK(!is_blocked(SIGUSR1));
	printf("frames\n");
}

/* ---- timers ---- */

static void timers(void)
{
	struct itimerval tick = { .it_interval.tv_usec = 5000, .it_value.tv_usec = 5000 };
	struct itimerspec once = { .it_value.tv_nsec = 5000000 };
	struct sigevent ev = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 77,
	};
	volatile unsigned long spins = 0;
	timer_t timer;

	on(SIGALRM, record, SA_RESTART);
	ran = 0;
	CHECK(setitimer(ITIMER_REAL, &tick, NULL) == 0);
	while (ran < 5)
		spins++;
	tick = (struct itimerval){};
	CHECK(setitimer(ITIMER_REAL, &tick, NULL) == 0);
	CHECK(seen.si_signo == SIGALRM && seen.si_code == SI_KERNEL);

	on(SIGRTMIN + 2, record, 0);
	ran = 0;
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	CHECK(timer_settime(timer, 0, &once, NULL) == 0);
	while (ran < 1)
		spins++;
	CHECK(seen.si_code == SI_TIMER && seen.si_value.sival_int == 77 && seen.si_overrun == 0);
	CHECK(timer_delete(timer) == 0);

	/* alarm() ends a sleep. */
	ran = 0;
	CHECK(alarm(1) == 0);
	CHECK(pause() == -1 && errno == EINTR && ran == 1);
	printf("timers\n");
}

int main(void)
{
	main_thread = pthread_self();
	setvbuf(stdout, NULL, _IOLBF, 0);
	handlers();
	nested();
	masks();
	altstack();
	queues();
	suspend();
	timedwait();
	restarts();
	frames();
	timers();
	return 0;
}
