/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steering program (bpf/steer.bpf.c) of this process: loaded, attached to one interface
 * by a link (linux/bpf.h, BPF_LINK_CREATE), its maps filled. The link is a descriptor: when the
 * process ends, however it does, the kernel takes the program and its maps away. libxdp is
 * not used, since its dispatcher pins programs in a file system, where they outlive a crash.
 */
#ifndef RAKIS_HOST_NET_STEER_H
#define RAKIS_HOST_NET_STEER_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/steer.h"

/* Load it: 0, or negative errno and *why in words. */
int steer_load(const char **why);
/* 0 with *native (the driver runs it) or not (the kernel does, after building its buffer); or
 * negative errno and *why in words. */
int steer_attach(int ifindex, bool *native, const char **why);
/* At once, where the end of the process would do so a little later. */
void steer_detach(void);
/* False when somebody has removed it. */
bool steer_is_attached(void);

/* The queue has a program's socket, or none (owner 0). */
int steer_queue(uint32_t number, uint32_t owner, const uint8_t mac[6], int xsk);
int steer_claim(const struct steer_claim *claim);
int steer_unclaim(const struct steer_claim *claim);
/* The claim that follows `after` (NULL: the first one) in the map; false at the end. */
bool steer_next_claim(const struct steer_claim *after, struct steer_claim *out);

void steer_counters(uint64_t out[STEER_COUNTERS_END]);

#endif
