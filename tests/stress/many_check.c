/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many connections to an echo server, all open at once: in each round every one sends, then
 * every one gets its own bytes back. Exits with 77 where so many files are not allowed.
 *
 * Usage: many_check PORT CONNECTIONS ROUNDS
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define MOST	3000

static size_t make(char *data, int connection, int round)
{
	unsigned int x = connection * 2654435761u + round * 40503u + 1;
	size_t len = 1 + (x >> 7) % (x % 10 ? 64 : MOST);

	for (size_t i = 0; i < len; i++) {
		x = x * 1103515245 + 12345;
		data[i] = x >> 16;
	}
	return len;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = 20 };
	struct timespec a, b;
	struct rlimit files;
	char sent[MOST], got[MOST];
	int n = argc > 2 ? atoi(argv[2]) : 0, rounds = argc > 3 ? atoi(argv[3]) : 1, *fd = calloc(n + 1, sizeof(int));

	to.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0);
	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_max < (rlim_t)n + 200) {
		printf("only %lu open files are allowed\n", (unsigned long)files.rlim_max);
		return 77;
	}
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < n; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(fd[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (fd[i] < 0 || connect(fd[i], (struct sockaddr *)&to, sizeof(to)))
			return printf("connection %d: %s\n", i, strerror(errno)), 1;
	}
	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < n; i++) {
			size_t len = make(sent, i, r);

			if (send(fd[i], sent, len, MSG_NOSIGNAL) != (ssize_t)len)
				return printf("send %d, round %d: %s\n", i, r, strerror(errno)), 1;
		}
		/* Not in the order of sending, so that some wait. */
		for (int k = 0; k < n; k++) {
			int i = (int)((k * 7919L) % n);
			size_t len = make(sent, i, r);
			ssize_t m = recv(fd[i], got, len, MSG_WAITALL);

			if (m != (ssize_t)len)
				return printf("connection %d, round %d: %zd of %zu bytes: %s\n", i, r, m, len,
					      m < 0 ? strerror(errno) : "ended"), 1;
			if (memcmp(sent, got, len))
				return printf("connection %d, round %d: other bytes\n", i, r), 1;
		}
	}
	for (int i = 0; i < n; i++)
		shutdown(fd[i], SHUT_WR);
	for (int i = 0; i < n; i++)
		if (recv(fd[i], got, 1, 0))
			return printf("connection %d: no EOF\n", i), 1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%d connections, %d rounds, %.1f s\n", n, rounds,
	       b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9);
	return 0;
}
