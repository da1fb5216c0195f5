/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioctls of sockets: those whose argument is flat go to the host. SIOCGIFCONF holds a
 * pointer, so its list is made here, from what the host's routing socket says.
 */
#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "sockets/socket.h"

#define IFREQ_SIZE	40u
#define ARPREQ_SIZE	68u
#define NAME_SIZE	16u
#define DUMP_SIZE	16384u

/* struct ifreq with an IPv4 address */
struct ifreq_addr {
	char name[NAME_SIZE];
	u16 family, port;
	u32 addr;
	u8 pad[IFREQ_SIZE - NAME_SIZE - 8];
};

struct ifconf {
	s32 len;
	u32 pad;
	u64 buf;
};

/* One address of the dump as an entry of the list; false: not whole. */
static bool entry(struct ifreq_addr *out, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *ifa = NLMSG_DATA(h);
	const struct rtattr *a = IFA_RTA(ifa);
	int left = h->nlmsg_len - NLMSG_LENGTH(sizeof(*ifa));

	*out = (struct ifreq_addr){ .family = AF_INET };
	for (; left > 0 && RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFA_LOCAL && RTA_PAYLOAD(a) >= 4)
			memcpy(&out->addr, RTA_DATA(a), 4);
		else if (a->rta_type == IFA_LABEL)
			memcpy(out->name, RTA_DATA(a), min((u64)RTA_PAYLOAD(a), NAME_SIZE - 1ull));
	}
	return out->name[0];
}

/* One answer of the dump. 1: there is more, 0: it was the last; *used grows. */
static int list_part(const u8 *buf, int n, u64 uout, int room, int *used)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
	struct ifreq_addr e;

	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
			return 0;
		if (h->nlmsg_type != RTM_NEWADDR ||
		    h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg)) || !entry(&e, h))
			continue;
		if (uout) {
			if (room - *used < (int)IFREQ_SIZE)
				return 0;
			if (copy_to_user(uout + *used, &e, sizeof(e)))
				return -EFAULT;
		}
		*used += IFREQ_SIZE;
	}
	return 1;
}

static int list_addresses(u64 uout, int room, int *used)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg ifa;
	} ask = {
		.h = { .nlmsg_len = sizeof(ask), .nlmsg_type = RTM_GETADDR,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.ifa.ifa_family = AF_INET,
	};
	int fd = host_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	u8 *buf = kmalloc(DUMP_SIZE);
	struct iter it;
	int n = -ENOMEM;

	if (fd < 0 || !buf) {
		n = fd < 0 ? fd : n;
		goto out;
	}
	iter_kernel(&it, &ask, sizeof(ask));
	n = host_send(fd, &it, MSG_DONTWAIT, HOST_NOWAIT);
	while (n > 0) {
		/* The kernel has the answer ready when the request was taken. */
		iter_kernel(&it, buf, DUMP_SIZE);
		n = host_recv(fd, &it, MSG_DONTWAIT, HOST_NOWAIT);
		if (n > 0)
			n = list_part(buf, n, uout, room, used);
	}
out:
	kfree(buf);
	if (fd >= 0)
		host_close(fd);
	return n;
}

static int get_ifconf(u64 uarg)
{
	struct ifconf c;
	int used = 0, err;

	if (get_user(c, uarg))
		return -EFAULT;
	err = list_addresses(c.buf, c.len, &used);
	if (err)
		return err;
	c.len = used;
	return put_user(c, uarg) ? -EFAULT : 0;
}

static u32 argument_size(u32 cmd)
{
	switch (cmd) {
	case FIONREAD:			/* SIOCINQ */
	case TIOCOUTQ:			/* SIOCOUTQ */
	case SIOCATMARK:
	case SIOCOUTQNSD:
		return 4;
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMPNS_OLD:
	case (u32)SIOCGSTAMP_NEW:
	case (u32)SIOCGSTAMPNS_NEW:
		return 16;
	case SIOCGIFNAME:
	case SIOCGIFFLAGS ... SIOCSIFMETRIC:
	case SIOCGIFMTU ... SIOCSIFHWADDR:
	case SIOCGIFHWADDR:
	case SIOCGIFINDEX:
	case SIOCGIFPFLAGS:
	case SIOCGIFTXQLEN:
	case SIOCSIFTXQLEN:
	case SIOCGIFMAP:
	case SIOCADDMULTI:
	case SIOCDELMULTI:
		return IFREQ_SIZE;
	case SIOCGARP:
		return ARPREQ_SIZE;
	default:
		return 0;
	}
}

int socket_ioctl(struct file *f, u32 cmd, u64 uarg)
{
	struct socket *sk = f->priv;
	u32 size = argument_size(cmd);
	u8 arg[ARPREQ_SIZE];
	u32 more = 0;
	int res;

	if (cmd == SIOCGIFCONF)
		return get_ifconf(uarg);
	if (cmd == SIOCETHTOOL)		/* a pointer inside */
		return -EOPNOTSUPP;
	if (!size)
		return -ENOTTY;
	memset(arg, 0, sizeof(arg));
	/* The plain numbers are answers only. */
	if (size > 16 && copy_from_user(arg, uarg, size))
		return -EFAULT;
	if (cmd == SIOCATMARK)
		socket_pin(sk);
	/* What is known here comes on top of what the host holds. */
	if (socket_is_stream(sk) && (cmd == FIONREAD || cmd == SIOCATMARK))
		more = stream_unread(sk);
	else if (socket_is_stream(sk) && (cmd == TIOCOUTQ || cmd == SIOCOUTQNSD))
		more = stream_unsent(sk);
	if (sk->udp && cmd == FIONREAD && udp_unread(sk, &more))
		return put_user(more, uarg) ? -EFAULT : 0;
	if (sk->udp && size == 16)		/* SIOCGSTAMP: of the last datagram that the host saw */
		udp_kernel_only(sk);
	res = host_ioctl(sk->hostfd, cmd, arg, size);
	if (res < 0)
		return res;
	if (more) {
		u32 n;

		__builtin_memcpy(&n, arg, 4);
		n = cmd == SIOCATMARK ? 0 : n + more;
		__builtin_memcpy(arg, &n, 4);
	}
	return copy_to_user(uarg, arg, size) ? -EFAULT : res;
}
