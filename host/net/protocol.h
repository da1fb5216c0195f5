/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How programs talk to the helper of an interface: over a UNIX socket of type SEQPACKET, one
 * message for a request and one for its answer. The connection is the client: when it ends,
 * its queues and claims are gone. When the helper's end closes, the fast path is gone.
 */
#ifndef RAKIS_HOST_NET_PROTOCOL_H
#define RAKIS_HOST_NET_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

enum net_op {
	NET_QUEUE,	/* a queue for this client; two descriptors come back: AF_XDP socket, UMEM */
	NET_CLAIM,	/* with a bound UDP socket: what is sent to it comes by the queues */
	NET_UNCLAIM,	/* with the same socket */
	NET_PROBE,	/* addr: this neighbour is in use; is it still there? */
	NET_STATUS,	/* a descriptor of text comes back */
	NET_DETACH,	/* root: the helper is to end */
};

struct net_request {
	uint32_t op;
	uint32_t zero;
	uint8_t addr[16];
};

struct net_reply {
	int32_t error;		/* negative errno */
	uint32_t verify;	/* NET_QUEUE: checksums of received packets are finished */
	char text[120];		/* of the error */
};

struct sockaddr_un;
/* The socket of an interface of this network namespace. */
void net_socket_path(struct sockaddr_un *out, const char *iface);

/* A message and up to two descriptors (-1: none); flags MSG_*. 0 or negative errno; receiving
 * less or more than `size` is -EPROTO, the end -EPIPE. Descriptors that are not there are -1. */
int net_send(int sock, const void *msg, size_t size, const int fds[2], int flags);
int net_receive(int sock, void *msg, size_t size, int fds[2], int flags);

#endif
