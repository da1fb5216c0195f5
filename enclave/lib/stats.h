/* SPDX-License-Identifier: Apache-2.0 */
/* Counters kept in trusted memory, published to the host's page (boundary/stats.h). */
#ifndef RAKIS_LIB_STATS_H
#define RAKIS_LIB_STATS_H

#include "boundary/stats.h"
#include "lib/types.h"

extern struct rakis_stats stats;

/* Relaxed, and not a locked instruction: a lost count under contention is accepted. */
#define STAT_ADD(name, n) (*(volatile u64 *)&stats.enclave.name += (n))
#define STAT_INC(name) STAT_ADD(name, 1)

#endif
