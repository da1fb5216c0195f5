/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/net/netlink.h"

static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

void address_map(uint8_t out[16], int family, const void *addr)
{
	if (family == AF_INET6) {
		memcpy(out, addr, 16);
		return;
	}
	memcpy(out, v4_mapped, 12);
	memcpy(out + 12, addr, 4);
}

int address_unmap(const uint8_t in[16], const void **addr)
{
	bool v4 = !memcmp(in, v4_mapped, 12);

	*addr = v4 ? in + 12 : in;
	return v4 ? AF_INET : AF_INET6;
}

struct mnl_socket *netlink_open(unsigned int groups)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (nl && mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID)) {
		mnl_socket_close(nl);
		nl = NULL;
	}
	return nl;
}

int netlink_ask(struct mnl_socket *nl, struct nlmsghdr *ask, mnl_cb_t each, void *data)
{
	static _Thread_local unsigned int seq;
	static _Thread_local char room[NETLINK_ROOM];
	int n, more;

	ask->nlmsg_flags |= NLM_F_REQUEST | (ask->nlmsg_flags & NLM_F_DUMP ? 0 : NLM_F_ACK);
	ask->nlmsg_seq = ++seq;
	if (mnl_socket_sendto(nl, ask, ask->nlmsg_len) < 0)
		return -errno;
	do {
		do {
			n = mnl_socket_recvfrom(nl, room, sizeof(room));
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		more = mnl_cb_run(room, n, ask->nlmsg_seq, mnl_socket_get_portid(nl), each, data);
	} while (more > 0);
	return more < 0 ? -errno : 0;
}

static int parse_info(const struct nlattr *attr, void *data)
{
	struct link_state *out = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		out->is_virtual = true;
	return MNL_CB_OK;
}

static int parse_attr(const struct nlattr *attr, void *data)
{
	struct link_state *out = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		strncpy(out->name, mnl_attr_get_str(attr), sizeof(out->name) - 1);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(out->mac))
			memcpy(out->mac, mnl_attr_get_payload(attr), sizeof(out->mac));
		break;
	case IFLA_MTU:
		out->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_NUM_RX_QUEUES:
		out->rx_queues = mnl_attr_get_u32(attr);
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, parse_info, out);
		break;
	}
	return MNL_CB_OK;
}

void link_parse(const struct nlmsghdr *msg, struct link_state *out)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);

	memset(out, 0, sizeof(*out));
	out->ifindex = info->ifi_index;
	out->ethernet = info->ifi_type == ARPHRD_ETHER;
	out->up = (info->ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	out->neighbours = !(info->ifi_flags & IFF_NOARP);
	mnl_attr_parse(msg, sizeof(*info), parse_attr, out);
}

static int parse_link(const struct nlmsghdr *msg, void *data)
{
	if (msg->nlmsg_type == RTM_NEWLINK)
		link_parse(msg, data);
	return MNL_CB_OK;
}

int link_get(struct mnl_socket *nl, const char *name, int ifindex, struct link_state *out)
{
	char room[512];
	struct nlmsghdr *ask = mnl_nlmsg_put_header(room);
	struct ifinfomsg *info;

	ask->nlmsg_type = RTM_GETLINK;
	info = mnl_nlmsg_put_extra_header(ask, sizeof(*info));
	info->ifi_index = ifindex;
	if (name) {
		if (!*name || strlen(name) >= IFNAMSIZ)
			return -ENODEV;
		mnl_attr_put_strz(ask, IFLA_IFNAME, name);
	}
	return netlink_ask(nl, ask, parse_link, out);
}
