/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a layout that the host describes must keep, whatever the kernel's version: fields
 * within their mapping, aligned, and apart from each other.
 */
#ifndef RAKIS_FASTPATH_LAYOUT_H
#define RAKIS_FASTPATH_LAYOUT_H

#include "lib/types.h"

struct field {
	u64 off, size;		/* size: within 32 bits */
};

/* Do all fields lie within the mapping, 4-byte aligned, and apart? */
static inline bool fields_are_valid(const struct field *f, u32 n, u64 map_size)
{
	for (u32 i = 0; i < n; i++) {
		if ((f[i].off & 3) || f[i].size > map_size || f[i].off > map_size - f[i].size)
			return false;
		for (u32 j = 0; j < i; j++)
			if (f[i].off < f[j].off + f[j].size && f[j].off < f[i].off + f[i].size)
				return false;
	}
	return true;
}

static inline bool power_of_two(u64 n, u64 most)
{
	return n && n <= most && !(n & (n - 1));
}

/* Is [a, a + n) apart from [b, b + m)? Both were checked not to wrap. */
static inline bool apart(u64 a, u64 n, u64 b, u64 m)
{
	return a + n <= b || b + m <= a;
}

#endif
