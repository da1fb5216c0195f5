/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/net/allow.h"
#include "host/net/claims.h"
#include "host/net/netlink.h"
#include "host/net/steer.h"

#define ADDRESSES	256
#define MOST		8192		/* claims */

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

struct claim {
	struct claim *next;
	uint32_t owner;
	int sock;
	ino_t inode;		/* of the socket */
	uint8_t addr[16];
	uint16_t port;		/* network order */
	bool any;		/* of the families: */
	bool v4, v6;
};

static struct claim *claims;
static unsigned int nclaims;
static uint8_t addresses[ADDRESSES][16];
static unsigned int naddresses;

static bool wants(const struct claim *c, const uint8_t addr[16])
{
	const void *part;

	if (!c->any)
		return !memcmp(c->addr, addr, 16);
	return address_unmap(addr, &part) == AF_INET ? c->v4 : c->v6;
}

static void key_of(struct steer_claim *out, const struct claim *c, const uint8_t addr[16])
{
	memset(out, 0, sizeof(*out));
	memcpy(out->addr, addr, 16);
	out->owner = c->owner;
	out->port = c->port;
}

static int enter(const struct claim *c)
{
	struct steer_claim key;
	int err = 0;

	for (unsigned int i = 0; i < naddresses && !err; i++) {
		if (!wants(c, addresses[i]))
			continue;
		key_of(&key, c, addresses[i]);
		err = steer_claim(&key);
	}
	return err;
}

static bool wanted(const struct steer_claim *key)
{
	for (const struct claim *c = claims; c; c = c->next)
		if (c->owner == key->owner && c->port == key->port && wants(c, (const uint8_t *)key->addr))
			return true;
	return false;
}

/* `c` is not in the list any more. */
static void leave(const struct claim *c)
{
	struct steer_claim key;

	for (unsigned int i = 0; i < naddresses; i++) {
		if (!wants(c, addresses[i]))
			continue;
		key_of(&key, c, addresses[i]);
		if (!wanted(&key))
			steer_unclaim(&key);
	}
}

static int parse_address(const struct nlmsghdr *msg, void *data)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr, *local = NULL;
	uint32_t flags = info->ifa_flags;

	if ((int)info->ifa_index != *(int *)data || naddresses == ADDRESSES)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, msg, sizeof(*info)) {
		/* IFA_ADDRESS is the other end's where there is an IFA_LOCAL. */
		if (mnl_attr_get_type(attr) == IFA_LOCAL || (mnl_attr_get_type(attr) == IFA_ADDRESS && !local))
			local = attr;
		else if (mnl_attr_get_type(attr) == IFA_FLAGS)
			flags = mnl_attr_get_u32(attr);
	}
	if (local && !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
		address_map(addresses[naddresses++], info->ifa_family, mnl_attr_get_payload(local));
	return MNL_CB_OK;
}

static bool have_address(const uint8_t addr[16])
{
	for (unsigned int i = 0; i < naddresses; i++)
		if (!memcmp(addresses[i], addr, 16))
			return true;
	return false;
}

int claims_set_addresses(struct mnl_socket *nl, int ifindex)
{
	struct steer_claim key, next;
	char room[256];
	struct nlmsghdr *ask = mnl_nlmsg_put_header(room);
	bool more;
	int err;

	ask->nlmsg_type = RTM_GETADDR;
	ask->nlmsg_flags = NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(ask, sizeof(struct ifaddrmsg));
	naddresses = 0;
	err = netlink_ask(nl, ask, parse_address, &ifindex);

	more = steer_next_claim(NULL, &next);
	while (more) {
		key = next;
		more = steer_next_claim(&key, &next);
		if (!have_address((uint8_t *)key.addr))
			steer_unclaim(&key);
	}
	for (const struct claim *c = claims; c; c = c->next)
		enter(c);
	return err;
}

static int option(int sock, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(sock, level, name, &value, &size) ? -1 : value;
}

static bool in_this_namespace(int sock)
{
	int own = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t theirs = 0, ours = 1;
	socklen_t size = sizeof(ours);
	bool same = !getsockopt(sock, SOL_SOCKET, SO_NETNS_COOKIE, &theirs, &size) &&
		    !getsockopt(own, SOL_SOCKET, SO_NETNS_COOKIE, &ours, &size) && theirs == ours;

	close(own);
	return same;
}

/* What the kernel says of the socket: who holds it has that address and port. */
static int look(struct claim *c)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in6 *in6 = (void *)&ss;
	struct sockaddr_in *in = (void *)&ss;
	socklen_t size = sizeof(ss);
	struct stat st;
	const void *part;

	if (option(c->sock, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_UDP || !in_this_namespace(c->sock) ||
	    getsockname(c->sock, (struct sockaddr *)&ss, &size) || fstat(c->sock, &st))
		return -EINVAL;
	c->inode = st.st_ino;
	if (ss.ss_family == AF_INET) {
		c->port = in->sin_port;
		c->any = in->sin_addr.s_addr == INADDR_ANY;
		c->v4 = true;
		address_map(c->addr, AF_INET, &in->sin_addr);
	} else if (ss.ss_family == AF_INET6) {
		c->port = in6->sin6_port;
		c->any = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
		c->v6 = true;
		c->v4 = !option(c->sock, IPPROTO_IPV6, IPV6_V6ONLY);
		address_map(c->addr, AF_INET6, &in6->sin6_addr);
		/* ::ffff:0.0.0.0 */
		if (address_unmap(c->addr, &part) == AF_INET && !memcmp(part, &(uint32_t){ 0 }, 4)) {
			c->any = true;
			c->v6 = false;
		}
	}
	return c->port ? 0 : -EINVAL;
}

int claims_add(uint32_t owner, uid_t uid, int sock, uint16_t *port)
{
	struct claim *c = calloc(1, sizeof(*c));
	int err = -ENOBUFS;

	*port = 0;
	if (!c || nclaims == MOST)
		goto out;
	c->owner = owner;
	c->sock = sock;
	err = look(c);
	if (err)
		goto out;
	*port = ntohs(c->port);
	err = -EACCES;
	if (!allow_port(uid, *port))
		goto out;
	c->next = claims;
	claims = c;
	nclaims++;
	err = enter(c);
	return err ? claims_remove(owner, sock), -ENOBUFS : 0;
out:
	free(c);
	close(sock);
	return err;
}

static void remove_at(struct claim **at)
{
	struct claim *c = *at;

	*at = c->next;
	nclaims--;
	leave(c);
	close(c->sock);
	free(c);
}

int claims_remove(uint32_t owner, int sock)
{
	struct stat st;

	if (fstat(sock, &st))
		return -ENOENT;
	for (struct claim **at = &claims; *at; at = &(*at)->next) {
		if ((*at)->owner != owner || (*at)->inode != st.st_ino)
			continue;
		remove_at(at);
		return 0;
	}
	return -ENOENT;
}

void claims_remove_all(uint32_t owner)
{
	for (struct claim **at = &claims; *at;) {
		if ((*at)->owner == owner)
			remove_at(at);
		else
			at = &(*at)->next;
	}
}

void claims_print(FILE *f, uint32_t owner, pid_t pid)
{
	char text[INET6_ADDRSTRLEN];
	const void *part;
	int family;

	for (const struct claim *c = claims; c; c = c->next) {
		if (c->owner != owner)
			continue;
		family = address_unmap(c->addr, &part);
		inet_ntop(family, part, text, sizeof(text));
		fprintf(f, "claim: port %u of %s, process %d\n", ntohs(c->port),
			!c->any ? text : c->v4 && c->v6 ? "any address" : c->v4 ? "any IPv4 address" :
			"any IPv6 address", pid);
	}
}
