/* SPDX-License-Identifier: Apache-2.0 */
#include "untrusted_model.h"
#include "hostio/names.c"

void *memchr(const void *s, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((const u8 *)s)[i] == (u8)c)
			return (u8 *)s + i;
	return NULL;
}

#define MOST 56

int main(void)
{
	u8 buf[MOST];
	u32 n = any_u32(), at = 0, records = 0;
	bool ok;

	ASSUME(n <= MOST);
	ok = dirents_are_valid(buf, n);
	/* As a reader who believes every length walks it. */
	while (ok && at < n) {
		u32 len = buf[at + 16] | buf[at + 17] << 8;

		PROVE(n - at >= 24 && len >= 24 && len <= n - at && len % 8 == 0);
		PROVE(at + 19 + strlen((char *)buf + at + 19) < at + len);
		at += len;
		records++;
	}
	PROVE(IMPLIES(ok, at == n));
	REACHED(ok && records == 2);
	REACHED(!ok);
	return 0;
}
