/* SPDX-License-Identifier: Apache-2.0 */
/* What this half asks the kernel about interfaces and addresses, by rtnetlink(7) with libmnl. */
#ifndef RAKIS_HOST_NET_NETLINK_H
#define RAKIS_HOST_NET_NETLINK_H

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <stdbool.h>
#include <stdint.h>

#define NETLINK_ROOM	32768	/* bytes that any message fits into */

struct link_state {
	int ifindex;
	char name[IFNAMSIZ];
	bool ethernet;
	bool up;		/* by its administrator, and there is a carrier */
	bool neighbours;	/* it resolves addresses (ARP, NDP) */
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t rx_queues;	/* of which some may be unused */
	bool is_virtual;	/* veth, tun, ...: no hardware computes checksums */
};

/* A socket of its own, subscribed to a mask of RTMGRP_*. NULL: errno says why. */
struct mnl_socket *netlink_open(unsigned int groups);
/*
 * Send `ask` and give each message of the answer to `each`. The kernel's error as negative
 * errno, or 0.
 */
int netlink_ask(struct mnl_socket *nl, struct nlmsghdr *ask, mnl_cb_t each, void *data);

/* By name, or by number where name is NULL. 0, -ENODEV, or another error. */
int link_get(struct mnl_socket *nl, const char *name, int ifindex, struct link_state *out);
/* Of an RTM_NEWLINK message. */
void link_parse(const struct nlmsghdr *msg, struct link_state *out);

/* IPv4 as ::ffff:a.b.c.d. */
void address_map(uint8_t out[16], int family, const void *addr);
/* The other way: family, and *addr points into `in`. */
int address_unmap(const uint8_t in[16], const void **addr);

#endif
