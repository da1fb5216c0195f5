/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum: checksum.h. */
#include "net/checksum.h"

static u64 word(const u8 *p)
{
	u64 v;

	__builtin_memcpy(&v, p, 8);
	return v;
}

u64 checksum_add(u64 sum, const void *data, size_t n)
{
	const u8 *p = data;
	u64 b = 0, c = 0, d = 0, last = 0;

	/* Four sums that do not wait for each other. */
	for (; n >= 32; n -= 32, p += 32) {
		sum = checksum_sum(sum, word(p));
		b = checksum_sum(b, word(p + 8));
		c = checksum_sum(c, word(p + 16));
		d = checksum_sum(d, word(p + 24));
	}
	sum = checksum_sum(checksum_sum(sum, b), checksum_sum(c, d));
	for (; n >= 8; n -= 8, p += 8)
		sum = checksum_sum(sum, word(p));
	for (size_t i = 0; i < n; i++)
		last |= (u64)p[i] << (8 * i);
	return checksum_sum(sum, last);
}

u16 checksum_end(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}
