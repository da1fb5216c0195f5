/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper: a process with the rights that AF_XDP needs, which owns the steering program of
 * one interface and hands queues and claims to programs that have no rights. Every run with
 * --net goes by one, its own if there is none. When it ends, the program is off the interface.
 */
#ifndef RAKIS_HOST_NET_HELPER_H
#define RAKIS_HOST_NET_HELPER_H

#include <stdbool.h>

#include "host/net/background.h"

struct helper_options {
	const char *iface;
	bool stay;		/* also when no program uses it any more */
	bool foreground;
};

/*
 * Start one in the background. 0, with a note for the user in `text` or none; or negative
 * errno with what is wrong. With `foreground` it returns when the helper has ended.
 */
int helper_start(const struct helper_options *opt, char text[HELPER_TEXT]);

#endif
