/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of UDP sockets with a fast path. All are set on the host's socket first. What the
 * fast path carries is noted here; what does not concern it is in `harmless`; with any other
 * the socket is the host's alone from then on. docs/sockets.md has the table.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/udp.h>
#include "lib/string.h"
#include "sockets/udp.h"

#define ANY_GROUP	42 /* MCAST_JOIN_GROUP */ ... 48 /* MCAST_MSFILTER */

/* Of the host's socket alone: what the fast path never carries, and hints. */
static bool is_harmless(int level, int name)
{
	switch (level) {
	case SOL_SOCKET:
		switch (name) {
		case SO_DEBUG:
		case SO_REUSEADDR:
		case SO_REUSEPORT:		/* counts when it is bound */
		case SO_BROADCAST:
		case SO_SNDBUF:
		case SO_SNDBUFFORCE:
		case SO_KEEPALIVE:
		case SO_OOBINLINE:
		case SO_PRIORITY:		/* of the host's queues, which frames do not pass */
		case SO_LINGER:
		case SO_RCVLOWAT:
		case SO_SNDLOWAT:
		case SO_DETACH_FILTER:
		case SO_SELECT_ERR_QUEUE:
		case SO_BUSY_POLL:
		case SO_PREFER_BUSY_POLL:
		case SO_BUSY_POLL_BUDGET:
		case SO_INCOMING_CPU:
		case SO_BUF_LOCK:
		case SO_RESERVE_MEM:
		case SO_TXREHASH:
			return true;
		}
		return false;
	case IPPROTO_IP:
		switch (name) {
		case IP_RECVERR:
		case IP_RECVERR_RFC4884:
		case IP_RECVOPTS:		/* datagrams with options come by the host's socket */
		case IP_RETOPTS:
		case IP_RECVFRAGSIZE:
		case IP_BIND_ADDRESS_NO_PORT:
		case IP_LOCAL_PORT_RANGE:
		case IP_MULTICAST_IF:
		case IP_MULTICAST_TTL:
		case IP_MULTICAST_LOOP:
		case IP_MULTICAST_ALL:
		case IP_ADD_MEMBERSHIP:
		case IP_DROP_MEMBERSHIP:
		case IP_ADD_SOURCE_MEMBERSHIP:
		case IP_DROP_SOURCE_MEMBERSHIP:
		case IP_BLOCK_SOURCE:
		case IP_UNBLOCK_SOURCE:
		case IP_MSFILTER:
		case ANY_GROUP:
			return true;
		}
		return false;
	case SOL_IPV6:
		switch (name) {
		case IPV6_V6ONLY:		/* counts when it is bound */
		case IPV6_RECVERR:
		case IPV6_RECVERR_RFC4884:
		case IPV6_MTU_DISCOVER:		/* what does not fit goes by the host's socket */
		case IPV6_DONTFRAG:
		case IPV6_RECVPATHMTU:
		case IPV6_RECVHOPOPTS:
		case IPV6_RECVDSTOPTS:
		case IPV6_RECVRTHDR:
		case IPV6_RECVFRAGSIZE:
		case IPV6_MULTICAST_IF:
		case IPV6_MULTICAST_HOPS:
		case IPV6_MULTICAST_LOOP:
		case IPV6_MULTICAST_ALL:
		case IPV6_ADD_MEMBERSHIP:
		case IPV6_DROP_MEMBERSHIP:
		case IPV6_JOIN_ANYCAST:
		case IPV6_LEAVE_ANYCAST:
		case ANY_GROUP:
			return true;
		}
		return false;
	case IPPROTO_UDP:
		return name == UDP_GRO;		/* each datagram by itself, which it allows */
	}
	return false;
}

static void want(struct udp *u, u32 bits, bool on)
{
	if (on)
		atomic_fetch_or(&u->want, bits);
	else
		atomic_fetch_and(&u->want, ~bits);
}

static void want_stamps(struct udp *u, u32 bits, bool on)
{
	const u32 all = WANT_STAMP_US | WANT_STAMP_NS | WANT_STAMP_NEW;
	bool before;

	mutex_lock(&u->ctl);
	before = u->want & all;
	want(u, all, false);
	want(u, bits, on);
	mutex_unlock(&u->ctl);
	if (before != on)
		net_stamps(on ? 1 : -1);
}

static void read_limit(struct udp *u)
{
	int v;

	if (host_getsockopt(u->sk->hostfd, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)) == sizeof(v) && v > 0)
		u->rcvbuf = v;
}

/* True: the fast path carries it. */
static bool take_socket(struct udp *u, int name, int v)
{
	switch (name) {
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		read_limit(u);
		return true;
	case SO_TIMESTAMP_OLD:
		want_stamps(u, WANT_STAMP_US, v);
		return true;
	case SO_TIMESTAMP_NEW:
		want_stamps(u, WANT_STAMP_US | WANT_STAMP_NEW, v);
		return true;
	case SO_TIMESTAMPNS_OLD:
		want_stamps(u, WANT_STAMP_NS, v);
		return true;
	case SO_TIMESTAMPNS_NEW:
		want_stamps(u, WANT_STAMP_NS | WANT_STAMP_NEW, v);
		return true;
	case SO_RXQ_OVFL:
		want(u, WANT_DROPS, v);
		return true;
	case SO_BINDTODEVICE:
	case SO_BINDTOIFINDEX:
		return host_getsockopt(u->sk->hostfd, SOL_SOCKET, SO_BINDTOIFINDEX, &v, sizeof(v)) ==
		       sizeof(v) && (!v || v == (int)net_ifindex());
	}
	return false;
}

static bool take_ip(struct udp *u, int name, int v)
{
	switch (name) {
	case IP_PKTINFO:
		want(u, WANT_PKTINFO, v);
		return true;
	case IP_RECVTTL:
		want(u, WANT_TTL, v);
		return true;
	case IP_RECVTOS:
		want(u, WANT_TOS, v);
		return true;
	case IP_TOS:
		u->tos = v;
		return true;
	case IP_TTL:
		u->ttl = v == -1 ? 0 : v;
		return true;
	case IP_MTU_DISCOVER:
		u->may_fragment = v == IP_PMTUDISC_DONT || v == IP_PMTUDISC_INTERFACE ||
				  v == IP_PMTUDISC_OMIT;
		return true;
	}
	return false;
}

static bool take_ipv6(struct udp *u, int name, int v)
{
	switch (name) {
	case IPV6_RECVPKTINFO:
		want(u, WANT_PKTINFO6, v);
		return true;
	case IPV6_RECVHOPLIMIT:
		want(u, WANT_HOPLIMIT6, v);
		return true;
	case IPV6_RECVTCLASS:
		want(u, WANT_TCLASS6, v);
		return true;
	case IPV6_FLOWINFO:
		want(u, WANT_FLOWINFO6, v);
		return true;
	case IPV6_MTU:
		u->mtu6 = v;
		return true;
	case IPV6_TCLASS:
		u->tclass = v == -1 ? 0 : v;
		return true;
	case IPV6_UNICAST_HOPS:
		u->hops = v == -1 ? 0 : v;
		return true;
	}
	return false;
}

static bool take_udp(struct udp *u, int name, int v)
{
	switch (name) {
	case UDP_CORK:
		u->corked = v;
		return true;
	case UDP_SEGMENT:
		u->gso = v;
		return true;
	}
	return false;
}

void udp_option_set(struct socket *sk, int level, int name, const u8 *val, int len)
{
	struct udp *u = sk->udp;
	bool carried = false;
	int v = len ? val[0] : 0;	/* some take a byte for a number */

	if (len >= (int)sizeof(v))
		memcpy(&v, val, sizeof(v));
	switch (level) {
	case SOL_SOCKET:
		carried = take_socket(u, name, v);
		break;
	case IPPROTO_IP:
		carried = take_ip(u, name, v);
		break;
	case SOL_IPV6:
		carried = take_ipv6(u, name, v);
		break;
	case IPPROTO_UDP:
		carried = take_udp(u, name, v);
		break;
	}
	if (!carried && !is_harmless(level, name))
		udp_kernel_only(sk);
}
