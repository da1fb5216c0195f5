/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "host/net/protocol.h"

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(2 * sizeof(int))];
};

void net_socket_path(struct sockaddr_un *out, const char *iface)
{
	struct stat ns = { 0 };

	stat("/proc/self/ns/net", &ns);
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(out->sun_path, sizeof(out->sun_path), "/run/rakis/net-%llu-%s.sock",
		 (unsigned long long)ns.st_ino, iface);
}

int net_send(int sock, const void *msg, size_t size, const int fds[2], int flags)
{
	struct iovec iov = { (void *)msg, size };
	union control control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int n = !fds || fds[0] < 0 ? 0 : fds[1] < 0 ? 1 : 2;

	if (n) {
		control.align = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	while (sendmsg(sock, &m, flags | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int net_receive(int sock, void *msg, size_t size, int fds[2], int flags)
{
	struct iovec iov = { msg, size };
	union control control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	fds[0] = fds[1] = -1;
	do {
		n = recvmsg(sock, &m, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if (!n)
		return -EPIPE;
	return (size_t)n == size && !(m.msg_flags & MSG_TRUNC) ? 0 : -EPROTO;
}
