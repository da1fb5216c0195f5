/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the program's side share: the connection to the helper, the interface. */
#ifndef RAKIS_HOST_NET_CLIENT_H
#define RAKIS_HOST_NET_CLIENT_H

#include <pthread.h>

#include "boundary/xsk.h"
#include "host/net/netlink.h"
#include "host/net/protocol.h"

struct net {
	pthread_mutex_t lock;		/* of link, and of what route.c remembers */
	struct link_state link;		/* as the watch last saw it; only its thread writes */
	struct rakis_net_page *page;
	int helper;			/* connection; -1: none */
	uint32_t nqueues;
	struct {
		int xsk, umem;
		uint32_t verify;
	} queues[RAKIS_XSK_MOST];
};

extern struct net net;

/* A connection to the helper of an interface, or negative errno. */
int client_connect(const char *iface);
/* One request with its answer over `sock`; fd goes along if it is not -1. The answer's error;
 * -EPIPE: the helper is gone, or does not answer. Descriptors that come are the caller's. */
int client_ask(int sock, uint32_t op, const uint8_t addr[16], int fd, struct net_reply *reply, int fds[2]);

/* ---- xsk.c ---- */

/* Map the rings and frames of queue i: 0 or negative errno. */
int xsk_map(uint32_t i);

/* ---- route.c ---- */

/* How the neighbour is reached has changed; true if the enclave was told otherwise. */
bool route_neighbour(const struct nlmsghdr *msg);
/* What the kernel puts into packets by default; before the root directory changes. */
void route_begin(void);

/* ---- watch.c ---- */

/* The thread that keeps the page up to date. 0 or negative errno. */
int watch_start(void);

#endif
