/* SPDX-License-Identifier: Apache-2.0 */
/* How datagrams leave, as the host says. Private to this room. */
#ifndef RAKIS_NET_PATH_H
#define RAKIS_NET_PATH_H

#include "net/net.h"

/* False: no memory, or the host's page is odd. */
bool paths_init(u64 page) __must_check;
u32 path_ifindex(void);

#endif
