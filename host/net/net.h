/* SPDX-License-Identifier: Apache-2.0 */
/* rakis run --net: the fast path for UDP from the program's side. */
#ifndef RAKIS_HOST_NET_NET_H
#define RAKIS_HOST_NET_NET_H

#include <stdint.h>

#include "boundary/xsk.h"

/*
 * Get queues of the interface from its helper (0: as many as can be had), which is started if
 * there is none. How many it has got; ends the process if none, or fewer than asked for.
 * Before the root directory changes.
 */
uint32_t net_open(const char *iface, uint32_t queues);
/* The page that struct rakis_boot tells of. */
uint64_t net_page(void);

/* The requests: 0 or negative errno. */
int net_set_up(int number, struct rakis_xsk *out);
int net_claim(int sock, uint32_t on);
int net_route(struct rakis_route *route);

#endif
