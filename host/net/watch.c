/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that keeps struct rakis_net_page up to date: it sleeps on the kernel's news of
 * links, addresses, neighbours and routes, and on the end of the helper.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "host/host.h"
#include "host/net/client.h"

#define GROUPS	(RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |	\
		 RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE)
#define STACK	(128u << 10)

static bool gone;		/* the helper, and so the steering program */

static void bump(void)
{
	atomic_fetch_add_explicit((_Atomic uint64_t *)&net.page->generation, 1, memory_order_release);
}

static void set_up(bool up)
{
	atomic_store_explicit((_Atomic uint64_t *)&net.page->up, up && !gone, memory_order_release);
	bump();
}

static void link_is(const struct link_state *now)
{
	struct link_state before = net.link;

	pthread_mutex_lock(&net.lock);
	net.link = *now;
	pthread_mutex_unlock(&net.lock);
	if (gone)
		return;
	if (now->up != before.up)
		message(now->up ? "%s is up: UDP goes by the fast path" :
			"%s is down: UDP goes by the kernel until it is up", now->name);
	if (now->mtu != before.mtu)
		message("%s: the MTU is now %u", now->name, now->mtu);
	if (now->up != before.up || now->mtu != before.mtu || memcmp(now->mac, before.mac, 6))
		set_up(now->up);
}

static int event(const struct nlmsghdr *msg, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
	struct link_state now;

	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
		/* A bridge speaks of its ports in messages of its own. */
		if (info->ifi_index != net.link.ifindex || info->ifi_family != AF_UNSPEC)
			break;
		link_parse(msg, &now);
		link_is(&now);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (route_neighbour(msg))
			bump();
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		bump();
		break;
	}
	return MNL_CB_OK;
}

/* News were lost: look for oneself. */
static void look_again(void)
{
	struct mnl_socket *nl = netlink_open(0);
	struct link_state now;

	if (nl && !link_get(nl, NULL, net.link.ifindex, &now))
		link_is(&now);
	if (nl)
		mnl_socket_close(nl);
	bump();
}

static void *watch(void *arg)
{
	static char room[NETLINK_ROOM];
	struct mnl_socket *nl = arg;
	struct pollfd fds[2] = {
		{ .fd = mnl_socket_get_fd(nl), .events = POLLIN },
		{ .fd = net.helper, .events = POLLRDHUP },
	};
	ssize_t n;

	prctl(PR_SET_NAME, "rakis-net");
	look_again();
	for (;;) {
		poll(fds, 2, -1);
		if (fds[1].revents) {
			fds[1].fd = -1;
			gone = true;
			set_up(false);
			message("the XDP program on %s is gone: UDP goes by the kernel", net.link.name);
		}
		if (!fds[0].revents)
			continue;
		n = mnl_socket_recvfrom(nl, room, sizeof(room));
		if (n > 0)
			mnl_cb_run(room, n, 0, 0, event, NULL);
		else if (errno == ENOBUFS)
			look_again();
	}
	return NULL;
}

int watch_start(void)
{
	struct mnl_socket *nl = netlink_open(GROUPS);
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int err;

	if (!nl)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	err = pthread_create(&thread, &attr, watch, nl);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}
