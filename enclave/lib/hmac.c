/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA256 (RFC 2104), to derive keys from keys of 32 bytes. */
#include "lib/crypto.h"
#include "lib/string.h"

#define BLOCK	64u

static void begin(struct sha256 *s, const u8 key[SHA256_SIZE], u8 with)
{
	u8 pad[BLOCK];

	memset(pad, with, sizeof(pad));
	for (u32 i = 0; i < SHA256_SIZE; i++)
		pad[i] ^= key[i];
	sha256_init(s);
	sha256_update(s, pad, sizeof(pad));
	memset(pad, 0, sizeof(pad));
}

void hmac_sha256(const u8 key[SHA256_SIZE], const void *data, size_t n, u8 out[SHA256_SIZE])
{
	u8 inner[SHA256_SIZE];
	struct sha256 s;

	begin(&s, key, 0x36);
	sha256_update(&s, data, n);
	sha256_final(&s, inner);
	begin(&s, key, 0x5c);
	sha256_update(&s, inner, sizeof(inner));
	sha256_final(&s, out);
}
