/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A UDP server that only receives, or sends back, or only sends, one datagram or many at a
 * time. Ends when nothing has come for half a second, or after the time to send; prints how
 * many datagrams there were.
 *
 *	bench-udpserver recv|recvmmsg|echo|echommsg PORT
 *	bench-udpserver send|sendmmsg PORT TO SIZE SECONDS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define MANY	32

static char data[MANY][2048];
static struct sockaddr_in from[MANY];
static struct iovec iov[MANY];
static struct mmsghdr many[MANY];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static unsigned long one_by_one(int fd, int echo)
{
	unsigned long total = 0;

	for (;;) {
		socklen_t n = sizeof(from[0]);
		ssize_t len = echo ? recvfrom(fd, data[0], sizeof(data[0]), 0, (struct sockaddr *)from, &n) :
				     recv(fd, data[0], sizeof(data[0]), 0);

		if (len < 0 && total)
			return total;
		total += len >= 0;
		if (echo && len >= 0)
			sendto(fd, data[0], len, 0, (struct sockaddr *)from, n);
	}
}

static unsigned long many_at_once(int fd, int echo)
{
	unsigned long total = 0;

	for (;;) {
		int n;

		for (int i = 0; i < MANY; i++) {
			iov[i] = (struct iovec){ data[i], sizeof(data[i]) };
			many[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1, .msg_name = &from[i],
							   .msg_namelen = sizeof(from[i]) };
		}
		n = recvmmsg(fd, many, MANY, MSG_WAITFORONE, NULL);
		if (n < 0 && total)
			return total;
		total += n > 0 ? n : 0;
		for (int i = 0; i < n; i++)
			iov[i].iov_len = many[i].msg_len;
		if (echo && n > 0)
			sendmmsg(fd, many, n, 0);
	}
}

static unsigned long sends(int fd, char **argv, int batch)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(20000), .sin_addr.s_addr = inet_addr(argv[3]) };
	double end = now() + atof(argv[5]);
	unsigned long total = 0;

	for (int i = 0; i < MANY; i++) {
		iov[i] = (struct iovec){ data[i], atoi(argv[4]) };
		many[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1, .msg_name = &to,
						   .msg_namelen = sizeof(to) };
	}
	while (now() < end)
		for (int i = 0; i < 2; i++) {
			if (batch) {
				total += sendmmsg(fd, many, MANY, 0);
				continue;
			}
			for (int k = 0; k < MANY; k++)
				total += sendto(fd, data[0], iov[0].iov_len, 0, (struct sockaddr *)&to, sizeof(to)) >= 0;
		}
	return total;
}

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct timeval half = { 0, 500000 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;
	unsigned long total;

	if (argc != 3 && argc != 6)
		errx(2, "usage: %s recv|recvmmsg|echo|echommsg PORT | send|sendmmsg PORT TO SIZE SECONDS", argv[0]);
	any.sin_port = htons(atoi(argv[2]));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &half, sizeof(half));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)))
		err(1, "bind");
	printf("ready\n");
	fflush(stdout);
	if (argc == 6)
		total = sends(fd, argv, !strcmp(argv[1], "sendmmsg"));
	else if (strstr(argv[1], "mmsg"))
		total = many_at_once(fd, *argv[1] == 'e');
	else
		total = one_by_one(fd, *argv[1] == 'e');
	printf("%lu\n", total);
	return 0;
}
