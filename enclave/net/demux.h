/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets a datagram. The table changes only while all queues' receive locks are held, so
 * whoever holds one may read it, and what it finds stays until it lets go. Private to this
 * room.
 */
#ifndef RAKIS_NET_DEMUX_H
#define RAKIS_NET_DEMUX_H

#include "net/net.h"

void demux_add(struct net_bind *b);
void demux_remove(struct net_bind *b);
/* NULL: nobody. */
struct net_bind *demux_find(const struct net_addr *from, const struct net_addr *to) __must_check;

#endif
