/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/if_xdp.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "host/net/allow.h"
#include "host/net/background.h"
#include "host/net/claims.h"
#include "host/net/helper.h"
#include "host/net/netlink.h"
#include "host/net/protocol.h"
#include "host/net/queue.h"
#include "host/net/steer.h"

#define CLIENTS		256
#define LOOK		2000	/* ms between looks whether the program is still attached */
#define PATIENCE	1000	/* ms that one that does not stay waits for its first client */

enum { SIGNALS, EVENTS, LISTENER, OWN_FDS };

struct client {
	struct ucred who;
	uint32_t owner;		/* its number in the steering program's maps */
};

static const struct helper_options *options;
static struct link_state iface;
static bool native, had_client;
static uint32_t nqueues, last_owner;
static struct {
	uint32_t owner;		/* 0: free */
	int xsk;
} queues[STEER_QUEUES];
static struct client clients[CLIENTS];
static struct pollfd fds[OWN_FDS + CLIENTS];
static unsigned int nclients;
static struct mnl_socket *netlink;
static struct sockaddr_un address;

/* To the user's terminal, or in the background to the system's log. */
static void say(const char *fmt, ...)
{
	va_list ap;
	char text[HELPER_TEXT];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (options->foreground)
		message("%s: %s", iface.name, text);
	else
		syslog(LOG_DAEMON | LOG_NOTICE, "%s: %s", iface.name, text);
}

static void finish(const char *why)
{
	if (why)
		say("%s: the XDP program goes", why);
	steer_detach();
	unlink(address.sun_path);
	exit(0);
}

/* ---- clients ---- */

static void drop(unsigned int i)
{
	struct client *c = &clients[i];

	claims_remove_all(c->owner);
	for (uint32_t q = 0; q < nqueues; q++) {
		if (queues[q].owner != c->owner)
			continue;
		steer_queue(q, 0, iface.mac, -1);
		close(queues[q].xsk);
		queues[q].owner = 0;
	}
	close(fds[OWN_FDS + i].fd);
	nclients--;
	clients[i] = clients[nclients];
	fds[OWN_FDS + i] = fds[OWN_FDS + nclients];
}

static void welcome(void)
{
	socklen_t size = sizeof(struct ucred);
	int sock = accept4(fds[LISTENER].fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *c = &clients[nclients];

	if (sock < 0)
		return;
	if (nclients == CLIENTS || getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &c->who, &size)) {
		close(sock);
		return;
	}
	c->owner = ++last_owner;
	fds[OWN_FDS + nclients++] = (struct pollfd){ .fd = sock, .events = POLLIN };
}

static const struct client *owner_of(uint32_t queue)
{
	for (unsigned int i = 0; i < nclients; i++)
		if (clients[i].owner == queues[queue].owner)
			return &clients[i];
	return NULL;
}

static void list_owners(char *out, size_t size)
{
	size_t n = snprintf(out, size, "no queue is free; it has %u, taken by process", nqueues);

	for (uint32_t q = 0; q < nqueues && n < size; q++)
		if (!q || queues[q].owner != queues[q - 1].owner)
			n += snprintf(out + n, size - n, " %d", owner_of(q)->who.pid);
}

static int give_queue(struct client *c, struct net_reply *reply, int give[2])
{
	uint32_t q = 0;
	int err;

	while (q < nqueues && queues[q].owner)
		q++;
	if (q == nqueues) {
		list_owners(reply->text, sizeof(reply->text));
		return -EBUSY;
	}
	err = queue_make(iface.ifindex, q, give);
	if (err == -EBUSY)
		snprintf(reply->text, sizeof(reply->text), "queue %u has another program's AF_XDP socket", q);
	else if (err == -EAFNOSUPPORT)
		snprintf(reply->text, sizeof(reply->text), "this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)");
	else if (err == -ENOBUFS || err == -ENOMEM)
		snprintf(reply->text, sizeof(reply->text), "no memory for frames (RLIMIT_MEMLOCK of the helper?)");
	else if (err)
		snprintf(reply->text, sizeof(reply->text), "queue %u: %s", q, strerror(-err));
	if (err)
		return err;
	err = steer_queue(q, c->owner, iface.mac, give[0]);
	if (err) {
		close(give[0]);
		close(give[1]);
		give[0] = -1;
		return err;
	}
	queues[q].owner = c->owner;
	queues[q].xsk = give[0];
	/* In generic mode, and from virtual links, packets come before checksums are finished. */
	reply->verify = native && !iface.is_virtual;
	return 0;
}

/* As if a packet had been sent: the kernel asks the neighbour whether it is still there. */
static int probe(const uint8_t addr[16])
{
	char room[256];
	struct nlmsghdr *ask = mnl_nlmsg_put_header(room);
	struct ndmsg *nd;
	const void *part;
	int family = address_unmap(addr, &part);

	ask->nlmsg_type = RTM_NEWNEIGH;
	nd = mnl_nlmsg_put_extra_header(ask, sizeof(*nd));
	nd->ndm_family = family;
	nd->ndm_ifindex = iface.ifindex;
	nd->ndm_flags = NTF_USE;
	mnl_attr_put(ask, NDA_DST, family == AF_INET ? 4 : 16, part);
	return netlink_ask(netlink, ask, NULL, NULL);
}

static void print_queue(FILE *f, uint32_t q)
{
	const struct client *c = owner_of(q);
	struct xdp_statistics st = { 0 };
	struct xdp_options xo = { 0 };
	socklen_t size = sizeof(st), xo_size = sizeof(xo);
	struct passwd *user;

	if (!queues[q].owner) {
		fprintf(f, "queue %u: free\n", q);
		return;
	}
	user = getpwuid(c->who.uid);
	getsockopt(queues[q].xsk, SOL_XDP, XDP_STATISTICS, &st, &size);
	getsockopt(queues[q].xsk, SOL_XDP, XDP_OPTIONS, &xo, &xo_size);
	fprintf(f, "queue %u: process %d of %s, %s; dropped: %llu no frame, %llu ring full, %llu too long; "
		"bad descriptors: %llu\n", q, c->who.pid, user ? user->pw_name : "?",
		xo.flags & XDP_OPTIONS_ZEROCOPY ? "zero-copy" : "copied",
		(unsigned long long)st.rx_fill_ring_empty_descs, (unsigned long long)st.rx_ring_full,
		(unsigned long long)st.rx_dropped,
		(unsigned long long)(st.rx_invalid_descs + st.tx_invalid_descs));
}

static int status(int give[2])
{
	static const char *const names[] = {
#define STEER_COUNTER(name, text) text,
		STEER_COUNTERS(STEER_COUNTER)
#undef STEER_COUNTER
	};
	uint64_t counters[STEER_COUNTERS_END];
	int fd = memfd_create("rakis-status", MFD_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(dup(fd), "w");

	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	fprintf(f, "%s: %s XDP, %s, MTU %u, helper is process %d\n", iface.name,
		native ? "native" : "generic", iface.up ? "up" : "down", iface.mtu, getpid());
	for (uint32_t q = 0; q < nqueues; q++)
		print_queue(f, q);
	for (unsigned int i = 0; i < nclients; i++)
		claims_print(f, clients[i].owner, clients[i].who.pid);
	steer_counters(counters);
	fprintf(f, "packets:\n");
	for (int i = 0; i < STEER_COUNTERS_END; i++)
		fprintf(f, "  %-48s %12llu\n", names[i], (unsigned long long)counters[i]);
	fclose(f);
	give[0] = fd;
	return 0;
}

static int claim(struct client *c, int sock, struct net_reply *reply)
{
	uint16_t port;
	int err = claims_add(c->owner, c->who.uid, sock, &port);

	if (err == -EACCES)
		snprintf(reply->text, sizeof(reply->text), "port %u is not allowed to user %u "
			 "(rakis net attach --allow)", port, c->who.uid);
	else if (err)
		snprintf(reply->text, sizeof(reply->text), "%s", err == -ENOBUFS ? "too many claims" :
			 "no bound UDP socket of the interface's network namespace");
	return err;
}

static int perform(struct client *c, const struct net_request *rq, int *taken, struct net_reply *reply,
		   int give[2])
{
	int sock = *taken;

	if (!allow_user(c->who.uid)) {
		snprintf(reply->text, sizeof(reply->text), "not allowed to user %u (rakis net attach --allow)",
			 c->who.uid);
		return -EACCES;
	}
	switch (rq->op) {
	case NET_QUEUE:
		return give_queue(c, reply, give);
	case NET_CLAIM:
		*taken = -1;
		return claim(c, sock, reply);
	case NET_UNCLAIM:
		return claims_remove(c->owner, sock);
	case NET_PROBE:
		return probe(rq->addr);
	case NET_STATUS:
		return status(give);
	case NET_DETACH:
		if (!c->who.uid || c->who.uid == geteuid())
			return 0;
		snprintf(reply->text, sizeof(reply->text), "only root may do that");
		return -EPERM;
	}
	return -EINVAL;
}

/* False: the connection is over. */
static bool serve(unsigned int i)
{
	struct net_request rq;
	struct net_reply reply = { 0 };
	int sock = fds[OWN_FDS + i].fd, taken[2], give[2] = { -1, -1 };
	bool ok;

	if (net_receive(sock, &rq, sizeof(rq), taken, MSG_DONTWAIT)) {
		for (int k = 0; k < 2; k++)
			if (taken[k] >= 0)
				close(taken[k]);
		return false;
	}
	reply.error = perform(&clients[i], &rq, &taken[0], &reply, give);
	ok = !net_send(sock, &reply, sizeof(reply), give, MSG_DONTWAIT);
	/* An AF_XDP socket stays open here, for its statistics; all else was the client's. */
	if (rq.op != NET_QUEUE && give[0] >= 0)
		close(give[0]);
	if (give[1] >= 0)
		close(give[1]);
	for (int k = 0; k < 2; k++)
		if (taken[k] >= 0)
			close(taken[k]);
	if (rq.op == NET_DETACH && !reply.error)
		finish("rakis net detach");
	had_client |= rq.op == NET_QUEUE;
	return ok;
}

/* ---- the interface ---- */

static void link_changed(void)
{
	struct link_state now;

	if (link_get(netlink, NULL, iface.ifindex, &now))
		finish("the interface is gone");
	if (memcmp(now.mac, iface.mac, sizeof(now.mac)))
		for (uint32_t q = 0; q < nqueues; q++)
			if (queues[q].owner)
				steer_queue(q, queues[q].owner, now.mac, queues[q].xsk);
	iface = now;
}

static void events(void)
{
	char room[NETLINK_ROOM];
	ssize_t n;

	/* What it was is asked for again: more may have come than was kept. */
	do {
		n = recv(fds[EVENTS].fd, room, sizeof(room), MSG_DONTWAIT);
	} while (n > 0 || (n < 0 && errno == ENOBUFS));
	link_changed();
	claims_set_addresses(netlink, iface.ifindex);
}

/* ---- life ---- */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static void loop(void) __attribute__((noreturn));
static void loop(void)
{
	uint64_t born = now_ms();

	for (;;) {
		bool idle = !nclients && options->stay;

		poll(fds, OWN_FDS + nclients, idle ? -1 : LOOK);
		if (fds[SIGNALS].revents)
			finish(NULL);
		if (fds[EVENTS].revents)
			events();
		if (!steer_is_attached())
			finish("somebody has removed the XDP program");
		for (unsigned int i = nclients; i-- > 0;)
			if (fds[OWN_FDS + i].revents && !serve(i))
				drop(i);
		if (fds[LISTENER].revents)
			welcome();
		if (!options->stay && !nclients && (had_client || now_ms() - born > PATIENCE))
			finish(NULL);
	}
}

static int fail(char text[HELPER_TEXT], int err, const char *what)
{
	snprintf(text, HELPER_TEXT, "%s: %s", options->iface, what);
	return err;
}

static int listen_at(char text[HELPER_TEXT])
{
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	net_socket_path(&address, options->iface);
	mkdir("/run/rakis", 0755);
	/* The interface is this process's own now: a socket that is there is of one that died. */
	unlink(address.sun_path);
	if (sock < 0 || bind(sock, (struct sockaddr *)&address, sizeof(address)) ||
	    chmod(address.sun_path, 0666) || listen(sock, 16)) {
		snprintf(text, HELPER_TEXT, "%s: %s: %m", options->iface, address.sun_path);
		return -errno;
	}
	fds[LISTENER] = (struct pollfd){ .fd = sock, .events = POLLIN };
	return 0;
}

static int open_events(void)
{
	struct mnl_socket *nl = netlink_open(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
	sigset_t set;

	if (!nl)
		return -errno;
	fds[EVENTS] = (struct pollfd){ .fd = mnl_socket_get_fd(nl), .events = POLLIN };
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
	fds[SIGNALS] = (struct pollfd){ .fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN };
	return fds[SIGNALS].fd < 0 ? -errno : 0;
}

/* 0 and perhaps a note, or what is wrong. */
static int set_up(char text[HELPER_TEXT])
{
	struct rlimit files = { 65536, 65536 };
	const char *why = NULL;
	int err;

	setrlimit(RLIMIT_NOFILE, &files);
	netlink = netlink_open(0);
	if (!netlink)
		return fail(text, -errno, "no netlink socket");
	err = link_get(netlink, options->iface, 0, &iface);
	if (err)
		return fail(text, err, err == -ENODEV ? "no such interface; ip link shows those that there are" :
			    "the kernel tells nothing of it");
	if (!iface.ethernet)
		return fail(text, -EINVAL, "not an Ethernet interface");
	err = open_events();
	if (err)
		return fail(text, err, strerror(-err));
	err = steer_load(&why);
	if (!err)
		err = steer_attach(iface.ifindex, &native, &why);
	if (err)
		return fail(text, err, why);
	err = listen_at(text);
	if (err)
		return err;
	nqueues = queue_count(options->iface, iface.rx_queues);
	claims_set_addresses(netlink, iface.ifindex);
	if (!native)
		snprintf(text, HELPER_TEXT, "%s: the driver has no native XDP, or none with MTU %u: "
			 "generic mode, which is slower", options->iface, iface.mtu);
	else if (options->stay)
		snprintf(text, HELPER_TEXT, "%s: native XDP, %u queue%s%s", options->iface, nqueues,
			 nqueues == 1 ? "" : "s", iface.up ? "" : "; the interface is down");
	return 0;
}

int helper_start(const struct helper_options *opt, char text[HELPER_TEXT])
{
	int err;

	options = opt;
	text[0] = 0;
	if (!opt->foreground)
		return background_start(set_up, loop, text);
	err = set_up(text);
	if (err)
		return err;
	if (*text)
		message("%s", text);
	loop();
}
