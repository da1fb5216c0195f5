/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum (RFC 1071), over trusted memory: sums in machine words and in the
 * machine's byte order, which its properties allow; only the end result is 16 bits.
 */
#ifndef RAKIS_NET_CHECKSUM_H
#define RAKIS_NET_CHECKSUM_H

#include "lib/types.h"

/* Add n bytes to a sum; a stretch of odd length can only be the last. */
u64 checksum_add(u64 sum, const void *data, size_t n) __must_check;

/* In ones' complement a carry comes back in at the low end. */
static inline u64 checksum_sum(u64 a, u64 b)
{
	a += b;
	return a + (a < b);
}

/* The 16 bits as they stand in a header: store them as bytes. A sum over data that contains
 * its checksum gives 0. */
u16 checksum_end(u64 sum) __must_check;

#endif
