/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket options. Most are the host socket's. Kept here: timeouts (the host's descriptor
 * never blocks) and what the socket is. Refused: what holds a pointer or a descriptor, and
 * what shares memory with the kernel. docs/sockets.md has the list.
 */
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/tcp.h>
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "libos/time.h"
#include "gate/usercopy.h"
#include "sockets/socket.h"

#define VALUE_MOST	4096

static const struct refused {
	u16 level, name;
	u8 err;
	bool loud;		/* worth a line: a program may rely on it */
} refused[] = {
	{ SOL_SOCKET, SO_ATTACH_FILTER, ENOPROTOOPT, true },	/* and SO_GET_FILTER */
	{ SOL_SOCKET, SO_ATTACH_BPF, ENOPROTOOPT, true },
	{ SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, ENOPROTOOPT, true },
	{ SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, ENOPROTOOPT, true },
	{ SOL_SOCKET, SO_ZEROCOPY, EOPNOTSUPP, true },
	{ SOL_SOCKET, 76 /* SO_PASSPIDFD */, ENOPROTOOPT, true },
	{ SOL_SOCKET, 77 /* SO_PEERPIDFD */, ENOPROTOOPT, true },
	{ IPPROTO_TCP, TCP_REPAIR, EPERM, false },
	{ IPPROTO_TCP, TCP_ULP, ENOENT, false },		/* as without the tls module */
	{ IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, ENOPROTOOPT, false },
	{ IPPROTO_IP, 64 /* IPT_SO_SET_REPLACE */, ENOPROTOOPT, false },
	{ IPPROTO_IP, 65 /* IPT_SO_SET_ADD_COUNTERS */, ENOPROTOOPT, false },
	{ IPPROTO_IP, 96 /* ARPT_SO_SET_REPLACE */, ENOPROTOOPT, false },
	{ IPPROTO_IP, 97 /* ARPT_SO_SET_ADD_COUNTERS */, ENOPROTOOPT, false },
	{ IPPROTO_IP, 128 /* EBT_SO_SET_ENTRIES */, ENOPROTOOPT, false },
	{ SOL_IPV6, 64 /* IP6T_SO_SET_REPLACE */, ENOPROTOOPT, false },
	{ SOL_IPV6, 65 /* IP6T_SO_SET_ADD_COUNTERS */, ENOPROTOOPT, false },
	{ SOL_SCTP, 102 /* SCTP_SOCKOPT_PEELOFF */, EOPNOTSUPP, true },
	{ SOL_SCTP, 122 /* SCTP_SOCKOPT_PEELOFF_FLAGS */, EOPNOTSUPP, true },
	{ SOL_SCTP, 111 /* SCTP_SOCKOPT_CONNECTX3 */, EOPNOTSUPP, true },
	{ SOL_PACKET, 5 /* PACKET_RX_RING */, EINVAL, true },
	{ SOL_PACKET, 13 /* PACKET_TX_RING */, EINVAL, true },
	{ SOL_PACKET, 22 /* PACKET_FANOUT_DATA */, EINVAL, true },
};

static int check_refused(int level, int name)
{
	static _Atomic u32 told;

	for (u32 i = 0; i < ARRAY_SIZE(refused); i++) {
		const struct refused *r = &refused[i];

		if (r->level != level || r->name != name)
			continue;
		if (r->loud && !(atomic_fetch_or(&told, 1u << i) & 1u << i))
			log_warn("socket option %d of level %d is not supported", name, level);
		return -r->err;
	}
	return 0;
}

/* ---- timeouts: two 64-bit words, seconds and microseconds, in both generations ---- */

static _Atomic u64 *timeout_of(struct socket *sk, int name)
{
	if (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW)
		return &sk->rcvtimeo;
	if (name == SO_SNDTIMEO_OLD || name == SO_SNDTIMEO_NEW)
		return &sk->sndtimeo;
	return NULL;
}

static int set_timeout(_Atomic u64 *timeout, u64 uval, int len)
{
	s64 tv[2];

	if (len < (int)sizeof(tv))
		return -EINVAL;
	if (get_user(tv, uval))
		return -EFAULT;
	if (tv[1] < 0 || tv[1] >= 1000000)
		return -EDOM;
	if (tv[0] < 0)
		*timeout = 0;
	else if ((!tv[0] && !tv[1]) || tv[0] >= (s64)(HOST_FOREVER / NSEC_PER_SEC / 4))
		*timeout = HOST_FOREVER;
	else
		*timeout = tv[0] * NSEC_PER_SEC + tv[1] * 1000;
	return 0;
}

static size_t get_timeout(u64 ns, u8 *val)
{
	s64 tv[2] = { 0, 0 };

	if (ns != HOST_FOREVER) {
		tv[0] = ns / NSEC_PER_SEC;
		tv[1] = ns % NSEC_PER_SEC / 1000;
	}
	__builtin_memcpy(val, tv, sizeof(tv));
	return sizeof(tv);
}

/* ---- the calls ---- */

/* What is known here: its length, 0 if it is not. */
static size_t get_own(struct socket *sk, int name, u8 *val)
{
	int v;

	if (timeout_of(sk, name))
		return get_timeout(*timeout_of(sk, name), val);
	switch (name) {
	case SO_TYPE:
		v = sk->type;
		break;
	case SO_DOMAIN:
		v = sk->domain;
		break;
	case SO_PROTOCOL:
		v = sk->proto;
		break;
	case SO_ERROR:
		v = -socket_take_error(sk);
		if (!v && socket_is_stream(sk)) {
			v = -stream_take_error(sk);
			break;
		}
		if (v)
			break;
		/* The end of connecting is often looked for like this. */
		if (sk->own && sk->file->epoll_hook)
			stream_switch(sk);
		/* The host's is taken, so that readiness changes with it. */
		ready_used(&sk->ready, EPOLLERR);
		return 0;
	case SO_RCVLOWAT:
		if (!socket_is_stream(sk))
			return 0;
		v = sk->rcvlowat;
		break;
	default:
		return 0;
	}
	__builtin_memcpy(val, &v, sizeof(v));
	return sizeof(v);
}

int socket_getopt(struct socket *sk, int level, int name, u64 uval, u64 ulen)
{
	u8 small[64], *val = small;
	int n, len, err;

	if (get_user(len, ulen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	err = check_refused(level, name);
	if (err)
		return err;
	len = min(len, VALUE_MOST);
	if (len > (int)sizeof(small)) {
		val = kmalloc(len);
		if (!val)
			return -ENOMEM;
	}
	n = level == SOL_SOCKET ? get_own(sk, name, val) : 0;
	if (n) {
		len = min(n, len);
	} else {
		/* Some options take the beginning of the value as a question. */
		err = -EFAULT;
		if (copy_from_user(val, uval, len))
			goto out;
		err = n = host_getsockopt(sk->hostfd, level, name, val, len);
		if (n < 0)
			goto out;
		len = n;
	}
	err = copy_to_user(uval, val, len) || put_user(len, ulen) ? -EFAULT : 0;
out:
	if (val != small)
		kfree(val);
	return err;
}

/* What the host's socket tells only with its own receive: control messages, error queue, marks. */
static bool needs_host(int level, int name)
{
	switch (level) {
	case SOL_SOCKET:
		return name == SO_TIMESTAMP_OLD || name == SO_TIMESTAMPNS_OLD ||
		       name == SO_TIMESTAMPING_OLD || name == SO_TIMESTAMP_NEW ||
		       name == SO_TIMESTAMPNS_NEW || name == SO_TIMESTAMPING_NEW ||
		       name == SO_OOBINLINE;
	case IPPROTO_IP:
		return name == IP_RECVERR;
	case SOL_IPV6:
		return name == 25 /* IPV6_RECVERR */;
	case IPPROTO_TCP:
		return name == 36 /* TCP_INQ */;
	default:
		return false;
	}
}

static int set_host(struct socket *sk, int level, int name, const u8 *val, int len)
{
	int v[2] = { 0, 0 }, err = 0;

	if (needs_host(level, name))
		socket_pin(sk);
	__builtin_memcpy(v, val, min(len, (int)sizeof(v)));
	/* Options apply to what is sent from now on. */
	stream_settle(sk);
	if (level != SOL_SOCKET || name != SO_RCVLOWAT || !socket_is_stream(sk) || len < 4)
		err = host_setsockopt(sk->hostfd, level, name, val, len);
	if (!err && sk->udp)
		udp_option_set(sk, level, name, val, len);
	if (err || level != SOL_SOCKET)
		return err;
	switch (name) {
	case SO_RCVLOWAT:
		sk->rcvlowat = v[0] < 0 ? INT32_MAX : max(v[0], 1);
		break;
	case SO_LINGER:
		sk->linger = v[0] ? max(v[1], 0) : -1;
		break;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		stream_limit(sk, min(max(v[0], 0), 1 << 20) * 2);
		break;
	}
	return 0;
}

int socket_setopt(struct socket *sk, int level, int name, u64 uval, int len)
{
	u8 small[64], *val = small;
	int err;

	if (len < 0)
		return -EINVAL;
	err = check_refused(level, name);
	if (err)
		return err;
	if (level == SOL_SOCKET && timeout_of(sk, name))
		return set_timeout(timeout_of(sk, name), uval, len);
	if (len > VALUE_MOST)
		return -EINVAL;
	if (len > (int)sizeof(small)) {
		val = kmalloc(len);
		if (!val)
			return -ENOMEM;
	}
	err = -EFAULT;
	if (copy_from_user(val, uval, len))
		goto out;
	err = set_host(sk, level, name, val, len);
out:
	if (val != small)
		kfree(val);
	return err;
}
