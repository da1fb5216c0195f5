/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP sockets in a run with a fast path: what udp.c (their life, the claim, poll), udp_rx.c,
 * udp_tx.c and udp_options.c share.
 *
 * Each is a socket of the host, which holds the port and carries what the fast path does not:
 * loopback, other interfaces, fragments, multicast, errors. At first it is nothing else
 * (`plain`). With a claim (once it is bound by the guest, or has sent a little from a port
 * that the host chose) datagrams come to `head` by net/, too; then a multishot poll of the
 * host's socket feeds socket->ready, so that it is asked only when it has something.
 *
 * An option that the fast path does not carry makes the socket `kernel_only`: the claim goes.
 *
 * Order of locks: ctl, (net's locks, ring's reap lock), lock.
 */
#ifndef RAKIS_SOCKETS_UDP_H
#define RAKIS_SOCKETS_UDP_H

#include <linux/eventpoll.h>
#include "hostio/async.h"
#include "libos/wait.h"
#include "net/net.h"
#include "sockets/socket.h"

#define UDP_IN_BITS	(EPOLLIN | EPOLLRDNORM)
#define UDP_OUT_BITS	(EPOLLOUT | EPOLLWRNORM)

/* Control messages that the guest asked for. */
enum udp_want {
	WANT_PKTINFO		= 1 << 0,
	WANT_TTL		= 1 << 1,
	WANT_TOS		= 1 << 2,
	WANT_PKTINFO6		= 1 << 3,
	WANT_HOPLIMIT6		= 1 << 4,
	WANT_TCLASS6		= 1 << 5,
	WANT_FLOWINFO6		= 1 << 6,
	WANT_STAMP_US		= 1 << 7,
	WANT_STAMP_NS		= 1 << 8,
	WANT_STAMP_NEW		= 1 << 9,	/* the generation of either */
	WANT_DROPS		= 1 << 10,
};

struct udp {
	struct socket *sk;
	struct mutex ctl;		/* claim, addresses, options */
	struct net_bind bind;
	bool claimed;
	_Atomic bool bound;		/* to a port of the guest's choice */
	_Atomic bool kernel_only;
	bool tried;			/* a claim of a port that the host chose */

	_Atomic u32 want;		/* enum udp_want */
	_Atomic u16 gso;		/* UDP_SEGMENT */
	_Atomic u8 ttl, hops;		/* 0: as the route says */
	_Atomic u8 tos, tclass;
	_Atomic u16 mtu6;		/* IPV6_MTU; 0: that of the route */
	_Atomic bool may_fragment;	/* IP_MTU_DISCOVER */
	_Atomic bool corked, cork_more;	/* UDP_CORK; MSG_MORE came with the last */
	_Atomic u32 moved;		/* datagrams by the host's socket */

	struct spinlock lock;		/* of the rest */
	struct net_addr local, peer;	/* port 0: none */
	struct datagram *head, **tail;
	u32 queued, rcvbuf;		/* bytes, as Linux counts them */
	u32 drops, kernel_drops;
	u32 row;			/* datagrams in a row that were not the host's */
	u32 empty;			/* looks in a row that found nothing and did not ask the host */
	u32 sends_seen;			/* udp_kernel_sends at the last look at the host */
	bool peeked;			/* the next one is the host's */
	bool catching_up;		/* what came before the claim is, too */
	bool no_receive;		/* SHUT_RD */

	u32 ring;
	struct async poll, room;	/* of the host's socket: what comes; one for room to send */
	bool polling, full;		/* they are in flight */
	bool telling;			/* a completion is at it */
	bool closing, closed;
};

extern const struct socket_ops udp_fast_ops;
/* Datagrams that this process gave to the host: one of its own sockets may have it by now. */
extern _Atomic u32 udp_kernel_sends;

/* What is 16 bytes here, of an address of the guest or the host. False: not of these families,
 * or more than an address and a port. */
bool udp_addr(struct net_addr *out, const struct host_addr *a);
static inline bool udp_is_v4(const u8 ip[16])
{
	u64 high;
	u32 mid;

	__builtin_memcpy(&high, ip, 8);
	__builtin_memcpy(&mid, ip + 8, 4);
	return !high && mid == 0xffff0000;
}

/* ---- udp.c ---- */

void udp_settle(struct udp *u);			/* the claim follows what the host's socket is */
void udp_watch(struct udp *u);			/* `ready` tells what the host's socket has */
bool udp_watch_room(struct udp *u);		/* the host's socket took no more: EPOLLOUT will come */
ssize_t udp_host_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns);

/* ---- udp_rx.c ---- */

bool udp_deliver(struct net_bind *b, struct datagram *d);
ssize_t udp_recv(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns);
void udp_drop_queue(struct udp *u);

/* ---- udp_tx.c ---- */

ssize_t udp_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns);

#endif
