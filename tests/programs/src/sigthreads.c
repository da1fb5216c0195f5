/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals and threads: who gets a signal, interrupting a thread that computes or waits,
 * cancellation. One line for each part; exits 0 only if all is right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { printf("%s:%d: %s (errno %d)\n", __func__, __LINE__, #x, errno); \
	exit(1); } } while (0)

static _Atomic int ran, last_tid, stop;
static sem_t ready;

static int tid(void)
{
	return syscall(SYS_gettid);
}

static void record(int sig)
{
	(void)sig;
	atomic_store(&last_tid, tid());
	atomic_fetch_add(&ran, 1);
}

static void on(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = record, .sa_flags = flags };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static sigset_t set_of(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	return s;
}

static void mask(int how, int sig)
{
	sigset_t s = set_of(sig);

	CHECK(pthread_sigmask(how, &s, NULL) == 0);
}

static void wait_ran(int n)
{
	for (int i = 0; i < 5000 && atomic_load(&ran) < n; i++)
		usleep(1000);
	CHECK(atomic_load(&ran) == n);
}

static void start(pthread_t *t, void *(*fn)(void *), void *arg)
{
	CHECK(pthread_create(t, NULL, fn, arg) == 0);
	CHECK(sem_wait(&ready) == 0);
}

/* ---- directed ---- */

static void *compute(void *arg)
{
	*(int *)arg = tid();
	sem_post(&ready);
	while (!atomic_load(&stop))
		;
	return NULL;
}

static void directed(void)
{
	int tids[2];
	pthread_t t[2];

	on(SIGUSR1, 0);
	ran = stop = 0;
	for (int i = 0; i < 2; i++)
		start(&t[i], compute, &tids[i]);
	for (int i = 0; i < 10; i++) {
		CHECK(pthread_kill(t[i % 2], SIGUSR1) == 0);
		wait_ran(i + 1);
		CHECK(last_tid == tids[i % 2]);
	}
	CHECK(pthread_kill(t[0], 0) == 0);
	CHECK(syscall(SYS_tgkill, getpid() + 1, tids[0], SIGUSR1) == -1 && errno == ESRCH);
	/* To the process: the first thread, if it can. */
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(ran == 11 && last_tid == getpid());
	mask(SIG_BLOCK, SIGUSR1);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	wait_ran(12);
	CHECK(last_tid == tids[0] || last_tid == tids[1]);
	/* The number of a thread names its process, too. */
	CHECK(kill(tids[1], SIGUSR1) == 0);
	wait_ran(13);
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	CHECK(kill(getpid(), SIGUSR1) == 0 && ran == 13);
	mask(SIG_UNBLOCK, SIGUSR1);
	CHECK(ran == 14 && last_tid == getpid());
	printf("directed\n");
}

/* ---- inherited ---- */

static void *look(void *arg)
{
	sigset_t s, pending;
	stack_t ss;

	(void)arg;
	CHECK(pthread_sigmask(SIG_BLOCK, NULL, &s) == 0 && sigismember(&s, SIGUSR2));
	CHECK(!sigismember(&s, SIGUSR1));
	CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR2));
	CHECK(sigaltstack(NULL, &ss) == 0 && ss.ss_flags == SS_DISABLE);
	return NULL;
}

static void inherited(void)
{
	static char alt[1 << 14];
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	pthread_t t;

	on(SIGUSR2, 0);
	mask(SIG_BLOCK, SIGUSR2);
	pthread_kill(pthread_self(), SIGUSR2);
	CHECK(sigaltstack(&ss, NULL) == 0);
	CHECK(pthread_create(&t, NULL, look, NULL) == 0);
	pthread_join(t, NULL);
	ran = 0;
	mask(SIG_UNBLOCK, SIGUSR2);
	CHECK(ran == 1);
	ss.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&ss, NULL) == 0);
	printf("inherited\n");
}

/* ---- waiting ---- */

static void *waiter(void *arg)
{
	sigset_t s = set_of(SIGTERM);
	int sig;

	sigaddset(&s, SIGHUP);
	sem_post(&ready);
	for (int i = 0; i < 3; i++) {
		CHECK(sigwait(&s, &sig) == 0);
		((int *)arg)[i] = sig;
		sem_post(&ready);
	}
	return NULL;
}

static void *lock_it(void *arg)
{
	sem_post(&ready);
	CHECK(pthread_mutex_lock(arg) == 0);
	pthread_mutex_unlock(arg);
	return NULL;
}

static void waiting(void)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	int got[3], want[3] = { SIGTERM, SIGHUP, SIGTERM };
	pthread_t t;

	mask(SIG_BLOCK, SIGTERM);
	mask(SIG_BLOCK, SIGHUP);
	start(&t, waiter, got);
	for (int i = 0; i < 3; i++) {
		CHECK(kill(getpid(), want[i]) == 0);
		CHECK(sem_wait(&ready) == 0);
		CHECK(got[i] == want[i]);
	}
	pthread_join(t, NULL);
	mask(SIG_UNBLOCK, SIGTERM);
	mask(SIG_UNBLOCK, SIGHUP);

	/* A handler runs while its thread waits for a lock, which it gets all the same. */
	on(SIGUSR1, 0);
	ran = 0;
	pthread_mutex_lock(&m);
	start(&t, lock_it, &m);
	for (int i = 0; i < 5; i++) {
		usleep(2000);
		CHECK(pthread_kill(t, SIGUSR1) == 0);
		wait_ran(i + 1);
	}
	pthread_mutex_unlock(&m);
	pthread_join(t, NULL);
	printf("waiting\n");
}

/* ---- cancellation ---- */

static _Atomic int cleaned;

static void clean(void *arg)
{
	atomic_fetch_add(&cleaned, *(int *)arg);
}

static int pipe_fd[2];

static void *read_for_ever(void *arg)
{
	int one = 1, ten = 10;
	char c;

	(void)arg;
	pthread_cleanup_push(clean, &one);
	pthread_cleanup_push(clean, &ten);
	sem_post(&ready);
	if (read(pipe_fd[0], &c, 1) != 1)
		return (void *)1;
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *sleep_for_ever(void *arg)
{
	int hundred = 100;

	(void)arg;
	pthread_cleanup_push(clean, &hundred);
	sem_post(&ready);
	sleep(1000);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *compute_for_ever(void *arg)
{
	int thousand = 1000;

	(void)arg;
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	pthread_cleanup_push(clean, &thousand);
	sem_post(&ready);
	for (;;)
		__asm__ volatile("" ::: "memory");
	pthread_cleanup_pop(0);
	return NULL;
}

static void *wait_for_condition(void *arg)
{
	static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	int n = 10000;

	(void)arg;
	pthread_mutex_lock(&m);
	pthread_cleanup_push(clean, &n);
	sem_post(&ready);
	for (;;)
		pthread_cond_wait(&c, &m);
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancelled(void)
{
	void *(*const fn[])(void *) = {
		read_for_ever, sleep_for_ever, compute_for_ever, wait_for_condition,
	};
	const int sums[] = { 11, 111, 1111, 11111 };
	pthread_t t;
	void *res;

	CHECK(pipe(pipe_fd) == 0);
	for (int i = 0; i < 4; i++) {
		start(&t, fn[i], NULL);
		usleep(20000);
		CHECK(pthread_cancel(t) == 0);
		CHECK(pthread_join(t, &res) == 0 && res == PTHREAD_CANCELED);
		CHECK(cleaned == sums[i]);
	}
	/* One that is cancelled before it waits. */
	for (int i = 0; i < 50; i++) {
		start(&t, read_for_ever, NULL);
		CHECK(pthread_cancel(t) == 0);
		CHECK(pthread_join(t, &res) == 0 && res == PTHREAD_CANCELED);
	}
	CHECK(cleaned == 11111 + 50 * 11);
	printf("cancelled\n");
}

/* ---- many at once ---- */

static void *storm(void *arg)
{
	for (int i = 0; i < 500; i++)
		CHECK(pthread_kill(*(pthread_t *)arg, SIGRTMIN) == 0);
	return NULL;
}

static void storms(void)
{
	pthread_t self = pthread_self(), t[2];
	struct timespec a, b;

	on(SIGRTMIN, SA_RESTART);
	ran = 0;
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&t[i], NULL, storm, &self) == 0);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	wait_ran(1000);
	clock_gettime(CLOCK_MONOTONIC, &b);
	CHECK(b.tv_sec >= a.tv_sec && last_tid == getpid());
	printf("storms\n");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	sem_init(&ready, 0, 0);
	directed();
	inherited();
	waiting();
	cancelled();
	storms();
	return 0;
}
