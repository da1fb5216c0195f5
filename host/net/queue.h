/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A receive queue's AF_XDP socket, made and bound whole by the helper: the program that gets it
 * cannot bind it elsewhere, and needs no right of its own, nor RLIMIT_MEMLOCK for the frames,
 * which are pages of a memfd.
 */
#ifndef RAKIS_HOST_NET_QUEUE_H
#define RAKIS_HOST_NET_QUEUE_H

#include <stdint.h>

/* How many receive queues the interface uses; `most` is what it has. */
uint32_t queue_count(const char *iface, uint32_t most);
/* fds[0]: the socket, fds[1]: the frames' memory. 0, or negative errno. */
int queue_make(int ifindex, uint32_t number, int fds[2]);

#endif
