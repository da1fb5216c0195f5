/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that set sockets up; those that may sleep are in exec_wait.c. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "host/executor.h"

int64_t exec_socket(struct thread *t, const struct rakis_request *rq)
{
	switch (rq->opcode) {
	case RAKIS_OP_SOCKET:
		return sys(socket, rq->fd, rq->off | SOCK_CLOEXEC, rq->len);
	case RAKIS_OP_SOCKETPAIR:
		return sys(socketpair, rq->fd, rq->off | SOCK_CLOEXEC, rq->len, rq->addr);
	case RAKIS_OP_BIND:
		return sys(bind, rq->fd, rq->addr, rq->off);
	case RAKIS_OP_LISTEN:
		return sys(listen, rq->fd, rq->len);
	case RAKIS_OP_SHUTDOWN:
		return sys(shutdown, rq->fd, rq->len);
	case RAKIS_OP_GETSOCKNAME:
		return sys(getsockname, rq->fd, rq->addr, rq->off);
	case RAKIS_OP_GETPEERNAME:
		return sys(getpeername, rq->fd, rq->addr, rq->off);
	case RAKIS_OP_GETSOCKOPT:
		return sys(getsockopt, rq->fd, (int)rq->len, rq->op_flags, rq->addr, rq->off);
	case RAKIS_OP_SETSOCKOPT:
		return sys(setsockopt, rq->fd, (int)rq->len, rq->op_flags, rq->addr, rq->off);
	}
	return NOT_MINE;
}
