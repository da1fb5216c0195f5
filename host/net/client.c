/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "host/net/client.h"
#include "host/net/helper.h"
#include "host/net/net.h"

#define TRIES		20
#define ANSWER		5		/* seconds in which the helper has to answer */

struct net net = { .lock = PTHREAD_MUTEX_INITIALIZER, .helper = -1 };

int client_connect(const char *iface)
{
	struct timeval patience = { .tv_sec = ANSWER };
	struct sockaddr_un address;
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err;

	if (sock < 0)
		return -errno;
	net_socket_path(&address, iface);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!connect(sock, (struct sockaddr *)&address, sizeof(address)))
		return sock;
	err = -errno;
	close(sock);
	return err;
}

int client_ask(int sock, uint32_t op, const uint8_t addr[16], int fd, struct net_reply *reply, int fds[2])
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
	struct net_request rq = { .op = op };
	int err, give[2] = { fd, -1 };

	fds[0] = fds[1] = -1;
	memset(reply, 0, sizeof(*reply));
	if (addr)
		memcpy(rq.addr, addr, sizeof(rq.addr));
	pthread_mutex_lock(&turn);
	err = net_send(sock, &rq, sizeof(rq), give, 0);
	if (!err)
		err = net_receive(sock, reply, sizeof(*reply), fds, 0);
	/* An answer that comes late would be taken for the next one's. */
	if (err)
		shutdown(sock, SHUT_RDWR);
	pthread_mutex_unlock(&turn);
	reply->text[sizeof(reply->text) - 1] = 0;
	return err ? -EPIPE : reply->error;
}

static const char *user_name(void)
{
	struct passwd *user = getpwuid(geteuid());

	return user ? user->pw_name : "USER";
}

/* Connect, starting a helper if there is none: the connection. */
static int get_helper(const char *iface)
{
	static struct helper_options opt = { .stay = false };
	struct timespec moment = { .tv_nsec = 50000000 };
	char text[HELPER_TEXT];
	int sock, err;

	opt.iface = iface;
	for (int i = 0; ; i++) {
		sock = client_connect(iface);
		if (sock >= 0)
			return sock;
		if (sock != -ENOENT && sock != -ECONNREFUSED)
			die(EXIT_RAKIS, "--net %s: no connection to its helper: %s", iface, strerror(-sock));
		err = helper_start(&opt, text);
		if (!err && *text)
			message("%s", text);
		if (err == -EPERM)
			die(EXIT_RAKIS, "--net %s; or have root run: rakis net attach %s --allow %s", text, iface,
			    user_name());
		/* Another run may be starting one just now. */
		if (err && (err != -EBUSY || i == TRIES))
			die(EXIT_RAKIS, "--net %s", text);
		nanosleep(&moment, NULL);
	}
}

static int get_queue(uint32_t i, struct net_reply *reply)
{
	int fds[2], err = client_ask(net.helper, NET_QUEUE, NULL, -1, reply, fds);

	if (err)
		return err;
	net.queues[i].xsk = own_fd(fds[0]);
	net.queues[i].umem = own_fd(fds[1]);
	net.queues[i].verify = reply->verify;
	return xsk_map(i);
}

uint32_t net_open(const char *iface, uint32_t queues)
{
	uint32_t most = queues ? queues : RAKIS_XSK_MOST;
	struct mnl_socket *nl = netlink_open(0);
	struct net_reply reply = { 0 };
	int err = 0;

	for (int i = 0; i < TRIES; i++) {
		net.helper = own_fd(get_helper(iface));
		err = get_queue(0, &reply);
		/* It may be just at its end. */
		if (err != -EPIPE)
			break;
		close(net.helper);
	}
	while (!err && ++net.nqueues < most)
		err = get_queue(net.nqueues, &reply);
	if (err && (!net.nqueues || queues))
		die(EXIT_RAKIS, "--net %s: %s", iface, *reply.text ? reply.text : strerror(-err));
	net.page = mmap(NULL, RAKIS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (net.page == MAP_FAILED || !nl || link_get(nl, iface, 0, &net.link))
		die(EXIT_RAKIS, "--net %s: %m", iface);
	mnl_socket_close(nl);
	route_begin();
	net.page->ifindex = net.link.ifindex;
	net.page->up = net.link.up;
	net.page->generation = 1;
	if (!net.link.up)
		message("%s is down: UDP goes by the kernel until it is up", iface);
	return net.nqueues;
}

uint64_t net_page(void)
{
	return (uint64_t)net.page;
}

int net_claim(int sock, uint32_t on)
{
	static char said[sizeof(((struct net_reply *)0)->text)];
	struct net_reply reply;
	int fds[2], err = client_ask(net.helper, on ? NET_CLAIM : NET_UNCLAIM, NULL, sock, &reply, fds);

	/* Without the helper there are no claims: the watch has said so. */
	if (err && on && reply.error && strcmp(said, reply.text)) {
		strcpy(said, reply.text);
		message("%s: %s: it goes by the kernel", net.link.name, reply.text);
	}
	return err;
}
