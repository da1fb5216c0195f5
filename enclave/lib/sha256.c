/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256: padding and lengths around libcrypto's rounds. */
#include "lib/crypto.h"
#include "lib/string.h"

/* libcrypto: `blocks` blocks of 64 bytes. */
void sha256_block_data_order(u32 state[8], const void *data, size_t blocks);

void sha256_init(struct sha256 *s)
{
	*s = (struct sha256){ .state = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	} };
}

void sha256_update(struct sha256 *s, const void *data, size_t n)
{
	size_t have = s->length % sizeof(s->block), part;
	const u8 *p = data;

	s->length += n;
	if (have) {
		part = min(n, sizeof(s->block) - have);
		memcpy(s->block + have, p, part);
		p += part;
		n -= part;
		if (have + part < sizeof(s->block))
			return;
		sha256_block_data_order(s->state, s->block, 1);
	}
	if (n >= sizeof(s->block))
		sha256_block_data_order(s->state, p, n / sizeof(s->block));
	part = n % sizeof(s->block);
	memcpy(s->block, p + n - part, part);
}

void sha256_final(struct sha256 *s, u8 digest[SHA256_SIZE])
{
	u64 bits = __builtin_bswap64(s->length * 8);
	size_t have = s->length % sizeof(s->block);
	static const u8 pad[64] = { 0x80 };

	/* One bit, then zeros up to where the length ends a block. */
	sha256_update(s, pad, (have < 56 ? 56 : 120) - have);
	sha256_update(s, &bits, sizeof(bits));
	for (int i = 0; i < 8; i++) {
		u32 word = __builtin_bswap32(s->state[i]);

		memcpy(digest + 4 * i, &word, sizeof(word));
	}
}

void sha256(const void *data, size_t n, u8 digest[SHA256_SIZE])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, data, n);
	sha256_final(&s, digest);
}
