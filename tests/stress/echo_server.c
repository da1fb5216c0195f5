/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An epoll server that sends back what it gets, and reads on from a connection only when all of
 * it was taken. Prints its port.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn {
	int fd;
	char *left;
	size_t at, len;
};

static int epoll;

static void watch(struct conn *c, int how, unsigned int events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (epoll_ctl(epoll, how, c->fd, &e))
		perror("epoll_ctl"), exit(1);
}

static void end(struct conn *c)
{
	close(c->fd);
	free(c->left);
	free(c);
}

static void serve(struct conn *c)
{
	static char chunk[65536];
	char *data = c->left ? c->left + c->at : chunk;
	ssize_t len = c->left ? (ssize_t)(c->len - c->at) : recv(c->fd, chunk, sizeof(chunk), 0), n;

	if (len < 0 && errno == EAGAIN)
		return;
	if (len <= 0) {
		end(c);
		return;
	}
	n = send(c->fd, data, len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		end(c);
		return;
	}
	if (n < 0)
		n = 0;
	if (c->left) {
		c->at += n;
		if (c->at == c->len) {
			free(c->left);
			c->left = NULL;
			watch(c, EPOLL_CTL_MOD, EPOLLIN);
		}
	} else if (n < len) {
		c->left = malloc(len - n);
		c->len = len - n;
		c->at = 0;
		memcpy(c->left, data + n, c->len);
		watch(c, EPOLL_CTL_MOD, EPOLLOUT);
	}
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event events[256];
	struct conn listener = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	struct rlimit files;
	socklen_t len = sizeof(a);

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (bind(listener.fd, (struct sockaddr *)&a, sizeof(a)) || listen(listener.fd, 4096))
		return perror("listen"), 1;
	getsockname(listener.fd, (struct sockaddr *)&a, &len);
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	epoll = epoll_create1(0);
	watch(&listener, EPOLL_CTL_ADD, EPOLLIN);
	for (;;) {
		int n = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			int fd;

			if (c != &listener) {
				serve(c);
				continue;
			}
			while ((fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				c = calloc(1, sizeof(*c));
				c->fd = fd;
				watch(c, EPOLL_CTL_ADD, EPOLLIN);
			}
			if (errno != EAGAIN && errno != ECONNABORTED)
				return perror("accept"), 1;
		}
	}
}
