/* SPDX-License-Identifier: Apache-2.0 */
/* The counters; hostio publishes them. */
#include "lib/stats.h"

struct rakis_stats stats;
