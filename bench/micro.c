/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cost of single calls, in nanoseconds: one line each, "name value". An ordinary program,
 * run natively and under RAKIS by bench/bench.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* The best of five batches: what the call costs when nothing else gets in between. */
#define MEASURE(name, n, call) do {						\
	double best = 1e18;							\
	for (int batch = 0; batch < 5; batch++) {				\
		double start = now(), each;					\
		for (int i = 0; i < (n); i++)					\
			call;							\
		each = (now() - start) / (n);					\
		if (each < best)						\
			best = each;						\
	}									\
	printf("%s %.1f\n", name, best);					\
} while (0)

static int ping[2], pong[2];

static void *answer(void *arg)
{
	char c;

	(void)arg;
	while (read(ping[0], &c, 1) == 1)
		if (write(pong[1], &c, 1) != 1)
			break;
	return NULL;
}

int main(void)
{
	struct timespec t;
	char buf[4096];
	pthread_t thread;
	int fd;

	MEASURE("getppid", 1000000, syscall(SYS_getppid));
	MEASURE("clock_gettime", 1000000, clock_gettime(CLOCK_MONOTONIC, &t));
	MEASURE("clock_gettime_realtime", 1000000, clock_gettime(CLOCK_REALTIME, &t));
	fd = open("/bin/sh", O_RDONLY);
	MEASURE("pread_1", 100000, pread(fd, buf, 1, 0));
	MEASURE("pread_4096", 100000, pread(fd, buf, 4096, 0));
	close(fd);
	MEASURE("open_close", 20000, close(open("/etc/passwd", O_RDONLY)));
	if (pipe(ping) || pipe(pong))
		return 1;
	MEASURE("pipe_write_read", 100000, if (write(ping[1], buf, 1) != 1 || read(ping[0], buf, 1) != 1) return 1);
	pthread_create(&thread, NULL, answer, NULL);
	MEASURE("pipe_round_trip", 10000, if (write(ping[1], buf, 1) != 1 || read(pong[0], buf, 1) != 1) return 1);
	close(ping[1]);
	pthread_join(thread, NULL);
	return 0;
}
