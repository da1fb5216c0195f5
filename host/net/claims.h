/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: UDP sockets whose datagrams come by the fast path. The helper keeps a descriptor of
 * each socket, so that its address and port stay the claimant's for as long as the claim is
 * there. The steering program sees them multiplied by the interface's addresses.
 */
#ifndef RAKIS_HOST_NET_CLAIMS_H
#define RAKIS_HOST_NET_CLAIMS_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct mnl_socket;

/* Ask for the addresses of the interface again, and bring the map up to date. */
int claims_set_addresses(struct mnl_socket *nl, int ifindex);

/* Takes the socket over, whatever it answers: 0, -EACCES (the user may not have this port),
 * -EINVAL (no bound UDP socket of this network namespace), -ENOBUFS. */
int claims_add(uint32_t owner, uid_t uid, int sock, uint16_t *port);
/* The same socket: 0 or -ENOENT. */
int claims_remove(uint32_t owner, int sock);
void claims_remove_all(uint32_t owner);

/* A line for each of an owner, which is process `pid`. */
void claims_print(FILE *f, uint32_t owner, pid_t pid);

#endif
