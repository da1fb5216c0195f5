/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread receives the first of a connection's data, then computes without a system call;
 * another receives the rest meanwhile. The client sends 8 bytes at a time: when it did (CLOCK_MONOTONIC, ns).
 * Prints its port, then the middle and the longest time that they took, in microseconds.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 4096

static int conn;
static volatile int over;
static int64_t took[MOST];

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void *receive(void *arg)
{
	int64_t sent;
	long n = 0;

	while (n < MOST && recv(conn, &sent, sizeof(sent), MSG_WAITALL) == sizeof(sent))
		took[n++] = now() - sent;
	over = 1;
	return (void *)n;
}

static int compare(const void *a, const void *b)
{
	return *(const int64_t *)a < *(const int64_t *)b ? -1 : 1;
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(a);
	struct pollfd p = { .events = POLLIN };
	volatile unsigned long sum = 0;
	pthread_t thread;
	void *n;

	if (bind(s, (void *)&a, len) || listen(s, 1) || getsockname(s, (void *)&a, &len))
		return 1;
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	p.fd = conn = accept(s, NULL, NULL);
	for (int i = 0; i < 3; i++)
		if (recv(conn, took, 8, MSG_WAITALL) != 8)
			return 1;
	poll(&p, 1, 1);
	pthread_create(&thread, NULL, receive, NULL);
	while (!over)
		sum++;
	pthread_join(thread, &n);
	if (!n)
		return 1;
	qsort(took, (long)n, sizeof(took[0]), compare);
	printf("%ld %ld %ld\n", (long)n, took[(long)n / 2] / 1000, took[(long)n - 1] / 1000);
	return 0;
}
