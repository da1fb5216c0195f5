/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service Module, UDP: datagrams by the frames of AF_XDP sockets (fastpath/xsk.h). Ethernet
 * without tags; IPv4 without options or fragments (RFC 791), IPv6 without extension headers
 * (RFC 8200); UDP (RFC 768). All else is the kernel's: a socket above has one of its own.
 *
 * The thread that waits for data takes the packets (run to completion): park() looks at the
 * AF_XDP sockets first, and net_reap() does so without sleeping. Any thread may call
 * anything here, unless it says otherwise.
 *
 * Addresses are IPv6; IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). Ports in host order.
 */
#ifndef RAKIS_NET_NET_H
#define RAKIS_NET_NET_H

#include "fastpath/untrusted.h"
#include "hostio/iter.h"
#include "lib/lock.h"
#include "lib/types.h"

struct rakis_boot;

struct net_addr {
	u8 ip[16];
	u16 port;
};

/* A datagram received, checked, in trusted memory. Whoever is given one puts it back. */
struct datagram {
	struct datagram *next;	/* the holder's */
	struct net_addr from, to;
	u8 traffic_class;	/* TOS or traffic class, ECN included */
	u8 hop_limit;
	u16 len;		/* of the payload */
	u32 flow_label;		/* IPv6 */
	u64 stamp;		/* realtime, ns; 0 unless net_stamps() is on */
	u8 *data;

	struct pool *home;	/* private, to the end */
	bool large;
	u64 frame[];		/* as it came; `data` points into it */
};

void datagram_put(struct datagram *d);

/* Clocks of a room above: set ahead of net_init(). */
extern u64 (*net_monotonic)(void), (*net_realtime)(void);

void net_init(const struct rakis_boot *boot);
/* There is a fast path in this run (it may be down at the moment). */
bool net_available(void);
u32 net_ifindex(void);

/* ---- receiving ---- */

/*
 * A local endpoint. The owner fills in the first part and keeps it until net_unbind() has
 * returned. The kernel's socket says which ones may stand side by side; a datagram goes to
 * one with its peer ahead of one with none, to one with its address ahead of one with any, and
 * among equals to the last bound, or the one that its flow falls to if they are shared.
 */
struct net_bind {
	struct net_addr local;	/* ip all zeros: any address */
	struct net_addr peer;	/* port 0: any; otherwise only its datagrams */
	bool v4, v6;		/* which families it takes */
	bool shared;		/* SO_REUSEPORT: each flow goes to one of its equals */
	/*
	 * Takes the datagram and puts it back some time. Called by whoever reaps, with locks
	 * held: must not sleep, leave the enclave or copy to the guest; may take spin locks and
	 * wake (libos/wait.h). False: no room; it is dropped and counted.
	 */
	bool (*deliver)(struct net_bind *b, struct datagram *d);

	struct net_bind *next;	/* private */
};

/* `hostfd`: the kernel's socket, bound to the same. 0, or what the host says. Leaves the
 * enclave. */
int net_bind(struct net_bind *b, int hostfd) __must_check;
/* Afterwards deliver() does not run and will not. Leaves the enclave. */
void net_unbind(struct net_bind *b, int hostfd);
/* Change b->peer of one that is bound. */
void net_set_peer(struct net_bind *b, const struct net_addr *peer);
/* Datagrams carry the time at which they were taken while the count is not 0. */
void net_stamps(int by);

/* Take what has come, without leaving the enclave. True if there was anything. */
bool net_reap(void);
/* The running thread's next park depends on the AF_XDP sockets too: between park_begin() and
 * park(), as async_depend(). */
void net_depend(void);

/* ---- sending ---- */

/*
 * How datagrams reach a destination. Only what the host says counts: no packet received
 * changes it, so that nobody on the network can have replies sent elsewhere.
 */
struct net_path {
	u64 generation, made;
	bool known, fast;
	u8 to[16], from[16], source[16];
	u8 mac_to[6], mac_from[6];
	u32 mtu;
	u8 hop_limit;
};

/*
 * Is `to` reached by the fast path from `from` (all zeros: any)? Fills in how. Known to all
 * sockets for a while; asks the host (an exit) for what is not. False: use the kernel's socket.
 */
bool net_path(struct net_path *p, const u8 to[16], const u8 from[16]) __must_check;

struct net_send {
	struct net_addr from;	/* ip all zeros: the path's source */
	struct net_addr to;	/* that of the path */
	u8 traffic_class;
	u8 hop_limit;		/* 0: the path's */
	bool dont_fragment;	/* IPv4 */
	u32 flow_label;		/* IPv6; 0: one made from the flow, as Linux does */
};

/* The most payload one frame takes on this path. */
u32 net_payload_most(const struct net_path *p, bool v4);

/*
 * One datagram of `len` bytes from `data`, queued for the wire. 0; -EFAULT (nothing is sent);
 * -EMSGSIZE; -EAGAIN: no frame is free now, though the kernel was kicked. May leave the
 * enclave. It reaches the wire when somebody kicks: when some are queued, at a park or any
 * other exit, or when the monitor finds it.
 */
int net_send(const struct net_path *p, const struct net_send *s, struct iter *data, size_t len)
	__must_check;
/* Is a frame free for the running thread? Does not leave the enclave. */
bool net_may_send(void);

#endif
