/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: by the fast path if the route goes there, the datagram fits one frame, and nothing
 * was asked for that frames of ours do not have; otherwise by the host's socket.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include "lib/errno.h"
#include "lib/string.h"
#include "sockets/udp.h"

/* Flags that change nothing here. */
#define FAST_FLAGS	(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR | MSG_ZEROCOPY | MSG_CMSG_CLOEXEC)
#define SEGMENTS_MOST	64u	/* of one UDP_SEGMENT send, as Linux */
#define PATHS		64u
#define IPV6_UDP_HEADERS 48u

/* ---- where to ---- */

/* Destinations of all sockets; net_path() knows which of them are old. */
static struct net_path paths[PATHS];
static struct spinlock paths_lock;

static u32 hash_of(const u8 to[16], const u8 from[16])
{
	u64 w[4];

	memcpy(w, to, 16);
	memcpy(w + 2, from, 16);
	return (w[0] ^ w[1] ^ w[2] ^ w[3]) * 0x9e3779b97f4a7c15ull >> 32;
}

static bool find_path(struct net_path *p, const u8 to[16], const u8 from[16])
{
	struct net_path *slot = &paths[hash_of(to, from) % PATHS];
	bool fast;
	u64 made;

	spin_lock(&paths_lock);
	*p = *slot;
	spin_unlock(&paths_lock);
	made = p->made;
	fast = net_path(p, to, from);
	if (p->made != made) {
		spin_lock(&paths_lock);
		*slot = *p;
		spin_unlock(&paths_lock);
	}
	return fast;
}

/* ---- what with ---- */

struct sending {
	struct net_send s;
	u32 gso;
};

static int int_of(const struct cmsg *c)
{
	int v;

	memcpy(&v, c + 1, sizeof(v));
	return v;
}

/* One control message. False: the host's socket is to judge. */
static bool take_control(struct sending *x, const struct cmsg *c)
{
	u32 len = c->len - sizeof(*c);
	int v = len >= sizeof(v) ? int_of(c) : -1;
	bool v4 = udp_is_v4(x->s.to.ip), byte = v >= 0 && v <= 255;

	if (c->level == IPPROTO_UDP && c->type == UDP_SEGMENT && len == sizeof(u16)) {
		u16 size;

		memcpy(&size, c + 1, sizeof(size));
		x->gso = size;
		return true;
	}
	if (c->level == IPPROTO_IP && v4) {
		struct in_pktinfo info;

		switch (c->type) {
		case IP_TOS:
			if (len == 1)
				v = *(const u8 *)(c + 1);
			x->s.traffic_class = v;
			return byte || len == 1;
		case IP_TTL:
			x->s.hop_limit = v;
			return byte && v;
		case IP_PKTINFO:
			if (len != sizeof(info))
				return false;
			memcpy(&info, c + 1, sizeof(info));
			if (info.ipi_ifindex && info.ipi_ifindex != (int)net_ifindex())
				return false;
			if (info.ipi_spec_dst.s_addr) {
				memcpy(x->s.from.ip, x->s.to.ip, 12);
				memcpy(x->s.from.ip + 12, &info.ipi_spec_dst, 4);
			}
			return true;
		}
	}
	if (c->level == SOL_IPV6 && !v4) {
		struct in6_pktinfo info;
		static const u8 any[16];

		switch (c->type) {
		case IPV6_TCLASS:
			if (v != -1)
				x->s.traffic_class = v;
			return len == sizeof(v) && (byte || v == -1);
		case IPV6_HOPLIMIT:
			if (v != -1)
				x->s.hop_limit = v;
			return len == sizeof(v) && v && (byte || v == -1);
		case IPV6_PKTINFO:
			if (len != sizeof(info))
				return false;
			memcpy(&info, c + 1, sizeof(info));
			if (info.ipi6_ifindex && info.ipi6_ifindex != (int)net_ifindex())
				return false;
			if (memcmp(&info.ipi6_addr, any, 16))
				memcpy(x->s.from.ip, &info.ipi6_addr, 16);
			return true;
		}
	}
	return false;
}

static bool take_controls(struct sending *x, const struct host_msg *m)
{
	struct cmsg *c;
	int err = 0;

	for (u32 off = 0; (c = cmsg_at(m->control, m->controllen, off, &err)); off += ALIGN_UP(c->len, 8))
		if (!take_control(x, c))
			return false;
	return !err;
}

/* The message as it would go by the fast path. False: it does not. */
static bool prepare(struct udp *u, struct sending *x, const struct host_msg *m)
{
	static const u8 any[16];
	bool v4;

	spin_lock(&u->lock);
	x->s = (struct net_send){ .from = u->local, .to = u->peer };
	spin_unlock(&u->lock);
	if (m->addr && !udp_addr(&x->s.to, m->addr))
		return false;
	/* An address of the other family is an error, or says more than it seems to. */
	if (m->addr && (m->addr->data[0] == AF_INET) != (u->sk->domain == AF_INET))
		return false;
	v4 = udp_is_v4(x->s.to.ip);
	if (!x->s.to.port || !x->s.from.port || !memcmp(x->s.to.ip, any, 16) ||
	    (memcmp(x->s.from.ip, any, 16) && udp_is_v4(x->s.from.ip) != v4))
		return false;
	x->s.traffic_class = v4 ? u->tos : u->tclass;
	x->s.hop_limit = v4 ? u->ttl : u->hops;
	x->s.dont_fragment = !u->may_fragment;
	x->gso = u->gso;
	return !m->controllen || take_controls(x, m);
}

/* ---- the call ---- */

/* All of it, or what there were frames for. */
static ssize_t send_fast(struct sending *x, const struct net_path *p, struct iter *data)
{
	size_t left = data->left;
	ssize_t sent = 0;

	do {
		size_t n = x->gso ? min(left, (size_t)x->gso) : left;
		int err = net_send(p, &x->s, data, n);

		if (err) {
			iter_back(data, left - data->left);
			return sent ? sent : err;
		}
		sent += n;
		left -= n;
	} while (left);
	return sent;
}

/* Larger ones are for the host to send in fragments, or to refuse. */
static u32 payload_most(struct udp *u, const struct net_path *p, bool v4)
{
	u32 most = net_payload_most(p, v4), mtu = u->mtu6;

	return v4 || !mtu ? most : min(most, mtu - IPV6_UDP_HEADERS);
}

static bool may_be_fast(struct udp *u, const struct host_msg *m, u32 flags)
{
	return !(flags & ~FAST_FLAGS) && !u->kernel_only && !u->corked && !u->cork_more &&
	       !u->sk->no_send && m->data->left <= 65535;
}

static ssize_t send_host(struct udp *u, struct host_msg *m, u32 flags, u64 wait_ns)
{
	ssize_t n = udp_host_send(u->sk, m, flags, wait_ns);

	if (n == -EAGAIN && wait_ns == HOST_NOWAIT)
		udp_watch_room(u);
	return n;
}

ssize_t udp_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	u32 unsure, told = ready_bits(&sk->ready, &unsure), most;
	struct udp *u = sk->udp;
	struct net_path p;
	struct sending x;
	ssize_t n, rest;

	/* An error that waits comes first; the host's socket gives it. */
	if ((told & ~unsure & EPOLLERR) || !may_be_fast(u, m, flags) || !prepare(u, &x, m) ||
	    !find_path(&p, x.s.to.ip, x.s.from.ip))
		return send_host(u, m, flags, wait_ns);
	most = payload_most(u, &p, udp_is_v4(x.s.to.ip));
	if (x.gso && x.gso >= m->data->left)
		x.gso = 0;
	if ((x.gso ? x.gso : m->data->left) > most ||
	    (x.gso && (u64)x.gso * SEGMENTS_MOST < m->data->left))
		return send_host(u, m, flags, wait_ns);
	memcpy(x.s.from.ip, p.source, 16);
	n = send_fast(&x, &p, m->data);
	if (n == -EAGAIN)
		return send_host(u, m, flags, wait_ns);
	if (n < 0 || !m->data->left)
		return n;
	rest = send_host(u, m, flags, wait_ns);
	return rest < 0 ? n : n + rest;
}
