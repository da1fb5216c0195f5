/* SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/net/allow.h"

#define ENTRIES	64

/* One range of ports of one user. */
static struct allow {
	uid_t uid;
	uint16_t from, to;
} allows[ENTRIES];
static unsigned int nallows;

static const char *add(uid_t uid, unsigned long from, unsigned long to)
{
	if (nallows == ENTRIES)
		return "too many users and ranges of ports";
	if (!from || from > to || to > 65535)
		return "not a range of ports: write 53 or 5000-6000";
	allows[nallows++] = (struct allow){ uid, from, to };
	return NULL;
}

static const char *add_ranges(uid_t uid, char *ports)
{
	const char *wrong = NULL;
	char *range, *end, *rest;

	for (range = strtok_r(ports, ",", &rest); range && !wrong; range = strtok_r(NULL, ",", &rest)) {
		unsigned long from = strtoul(range, &end, 10), to = from;

		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		wrong = add(uid, *end ? 0 : from, to);
	}
	return wrong;
}

const char *allow_add(char *text)
{
	char *ports = strchr(text, ':'), *end;
	struct passwd *user;
	uid_t uid;

	if (ports)
		*ports++ = 0;
	user = getpwnam(text);
	uid = user ? user->pw_uid : strtoul(text, &end, 10);
	if (!user && (!*text || *end))
		return "no such user";
	if (ports && !*ports)
		return "no ports after the colon";
	return ports ? add_ranges(uid, ports) : add(uid, 1, 65535);
}

bool allow_port(uid_t uid, uint16_t port)
{
	if (!uid || uid == geteuid())
		return true;
	for (unsigned int i = 0; i < nallows; i++)
		if (allows[i].uid == uid && port >= allows[i].from && port <= allows[i].to)
			return true;
	return false;
}

bool allow_user(uid_t uid)
{
	if (!uid || uid == geteuid())
		return true;
	for (unsigned int i = 0; i < nallows; i++)
		if (allows[i].uid == uid)
			return true;
	return false;
}
