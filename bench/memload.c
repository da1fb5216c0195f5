/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for memcached over UDP (its doc/protocol.txt, "UDP protocol"): a closed loop of
 * SOCKETS x WINDOW requests under way, nine gets to one set, keys taken in turn. Prints
 * requests/s, the median and the 99th percentile of the latency in microseconds, and how many
 * requests had no answer within TIMEOUT and were given up.
 *
 *	bench-memload ADDRESS PORT SECONDS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define SOCKETS	16
#define WINDOW	4
#define KEYS	1000
#define VALUE	1024
#define TIMEOUT	0.2
#define TENTHS	200000		/* the slowest that is told apart: 20 ms */

struct header {
	uint16_t request, number, of, zero;
};

struct flow {
	int fd;
	uint16_t request;			/* the last number used */
	double sent[WINDOW];			/* by number modulo WINDOW; 0: answered */
	uint16_t number[WINDOW];
};

static struct flow flows[SOCKETS];
static char out[WINDOW][VALUE + 128], in[WINDOW][2048], value[VALUE];
static struct iovec out_iov[WINDOW], in_iov[WINDOW];
static struct mmsghdr out_msg[WINDOW], in_msg[WINDOW];
static unsigned long histogram[TENTHS + 1], answers, lost, turn;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static size_t build(char *p, uint16_t request, int set, unsigned long key)
{
	struct header h = { htons(request), 0, htons(1), 0 };
	int n = sizeof(h);

	memcpy(p, &h, sizeof(h));
	if (!set)
		return n + sprintf(p + n, "get key-%06lu\r\n", key);
	n += sprintf(p + n, "set key-%06lu 0 0 %d\r\n", key, VALUE);
	memcpy(p + n, value, VALUE);
	memcpy(p + n + VALUE, "\r\n", 2);
	return n + VALUE + 2;
}

/* A new request into each place of the window that is free. */
static void fill(struct flow *f, double t)
{
	int n = 0;

	for (int i = 0; i < WINDOW; i++) {
		if (f->sent[i])
			continue;
		f->number[i] = ++f->request;
		f->sent[i] = t;
		out_iov[n].iov_len = build(out[n], f->number[i], turn % 10 == 0, turn % KEYS);
		turn++;
		n++;
	}
	if (n && sendmmsg(f->fd, out_msg, n, 0) < 0)
		warn("sendmmsg");
}

static void take(struct flow *f, double t)
{
	int n = recvmmsg(f->fd, in_msg, WINDOW, MSG_DONTWAIT, NULL);

	for (int k = 0; k < n; k++) {
		struct header h;

		memcpy(&h, in[k], sizeof(h));
		for (int i = 0; i < WINDOW; i++) {
			size_t tenths;

			if (!f->sent[i] || f->number[i] != ntohs(h.request))
				continue;
			tenths = (t - f->sent[i]) * 1e7;
			histogram[tenths < TENTHS ? tenths : TENTHS]++;
			f->sent[i] = 0;
			answers++;
		}
	}
}

static void give_up(struct flow *f, double t)
{
	for (int i = 0; i < WINDOW; i++) {
		if (!f->sent[i] || t - f->sent[i] < TIMEOUT)
			continue;
		f->sent[i] = 0;
		lost++;
	}
	fill(f, t);
}

static double percentile(double share)
{
	unsigned long seen = 0;

	for (size_t i = 0; i <= TENTHS; i++) {
		seen += histogram[i];
		if (seen >= share * answers)
			return i / 10.0;
	}
	return TENTHS / 10.0;
}

/* Every key is there before the clock runs; also, that the server answers at all. */
static void store_all(struct flow *f)
{
	for (int tries = 0, key = 0; key < KEYS; tries++) {
		struct timeval wait = { 0, 50000 };
		size_t n = build(out[0], ++f->request, 1, key);

		if (tries > 10 * KEYS)
			errx(1, "the server does not answer");
		setsockopt(f->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		send(f->fd, out[0], n, 0);
		n = recv(f->fd, in[0], sizeof(in[0]), 0);
		if (n == sizeof(struct header) + strlen("STORED\r\n"))
			key++;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int epoll = epoll_create1(0);
	double start, end, look;

	if (argc != 4)
		errx(2, "usage: %s ADDRESS PORT SECONDS", argv[0]);
	to.sin_port = htons(atoi(argv[2]));
	to.sin_addr.s_addr = inet_addr(argv[1]);
	memset(value, 'v', sizeof(value));
	for (int i = 0; i < WINDOW; i++) {
		out_iov[i].iov_base = out[i];
		in_iov[i] = (struct iovec){ in[i], sizeof(in[i]) };
		out_msg[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov[i], .msg_iovlen = 1 };
		in_msg[i].msg_hdr = (struct msghdr){ .msg_iov = &in_iov[i], .msg_iovlen = 1 };
	}
	for (int i = 0; i < SOCKETS; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

		flows[i].fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (flows[i].fd < 0 || connect(flows[i].fd, (struct sockaddr *)&to, sizeof(to)) ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, flows[i].fd, &event))
			err(1, "socket");
	}
	store_all(&flows[0]);
	start = look = now();
	end = start + atof(argv[3]);
	for (int i = 0; i < SOCKETS; i++)
		fill(&flows[i], start);
	for (double t = start; t < end;) {
		struct epoll_event ready[SOCKETS];
		int n = epoll_wait(epoll, ready, SOCKETS, 20);

		t = now();
		for (int i = 0; i < n; i++) {
			take(&flows[ready[i].data.u32], t);
			fill(&flows[ready[i].data.u32], t);
		}
		if (t - look < TIMEOUT / 4)
			continue;
		look = t;
		for (int i = 0; i < SOCKETS; i++)
			give_up(&flows[i], t);
	}
	printf("%.0f %.1f %.1f %lu\n", answers / (now() - start), percentile(0.5), percentile(0.99), lost);
	return 0;
}
