/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random bytes for keys, the guest's getrandom(), canaries, generations: a ChaCha20
 * generator (RFC 8439) seeded and re-seeded from RDRAND; never the host's. Any thread.
 */
#ifndef RAKIS_LIB_RANDOM_H
#define RAKIS_LIB_RANDOM_H

#include "lib/types.h"

void random_bytes(void *dst, size_t n);

static inline u64 random_u64(void)
{
	u64 v;

	random_bytes(&v, sizeof(v));
	return v;
}

#endif
