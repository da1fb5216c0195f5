/* SPDX-License-Identifier: Apache-2.0 */
#include "proof.h"
#include "net/checksum.c"

#define MOST 43

/* RFC 1071, word by word. */
static u16 plain(const u8 *p, u32 n)
{
	u32 sum = 0;

	for (u32 i = 0; i < n; i += 2)
		sum += p[i] | (i + 1 < n ? p[i + 1] << 8 : 0);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

int main(void)
{
	u32 n = any_u32();
	u8 *data;

	ASSUME(n <= MOST);
	data = __CPROVER_allocate(n, 0);
	(void)checksum_add(any_u64(), data, n);
	REACHED(n == MOST);

	/* The value, where the solver can still tell. */
	u8 few[4];

	n = any_u32();
	ASSUME(n <= sizeof(few));
	PROVE(checksum_end(checksum_add(0, few, n)) == plain(few, n));
	return 0;
}
