/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-256-GCM around libcrypto's primitives: counter mode in bulk, the hash in bulk, and the
 * two woven together where the processor has AVX.
 */
#include "lib/crypto.h"
#include "lib/string.h"

#define BLOCK		16u
#define CHUNK		(4u << 10)	/* still in the cache when the hash gets to it */
#define AES		(1u << 25)	/* CPUID 1, ECX */
#define PCLMULQDQ	(1u << 1)
#define AVX		(1u << 28)
#define AVX_MOVBE	(AVX | 1u << 22)
#define AVX2		(1u << 5)	/* CPUID 7, EBX */

/* libcrypto's. It reads the first, which is for the program that it is linked into to fill. */
u32 OPENSSL_ia32cap_P[4];
int aesni_set_encrypt_key(const u8 *key, int bits, void *round_keys);
void aesni_encrypt(const void *in, void *out, const void *round_keys);
/* The lowest 32 bits of `counter`, big-endian, count on inside; it is not written back. */
void aesni_ctr32_encrypt_blocks(const void *in, void *out, size_t blocks, const void *round_keys,
				const u8 counter[16]);
void gcm_init_avx(u64 *table, const u64 h[2]);
void gcm_ghash_avx(u64 hash[2], const u64 *table, const void *in, size_t bytes);
void gcm_init_clmul(u64 *table, const u64 h[2]);
void gcm_ghash_clmul(u64 hash[2], const u64 *table, const void *in, size_t bytes);
/* How much of `bytes` it has done; writes the counter back. */
size_t aesni_gcm_encrypt(const void *in, void *out, size_t bytes, const void *round_keys,
			 u8 counter[16], u64 hash[2]);
size_t aesni_gcm_decrypt(const void *in, void *out, size_t bytes, const void *round_keys,
			 u8 counter[16], u64 hash[2]);

/* One message on its way. */
struct message {
	u8 counter[BLOCK];	/* of the next block */
	u8 mask[BLOCK];		/* of the tag */
};

void crypto_init(const u32 features[4])
{
	memcpy(OPENSSL_ia32cap_P, features, sizeof(OPENSSL_ia32cap_P));
	/* The library has AMD's XOP in this bit, which Intel uses for something else. */
	OPENSSL_ia32cap_P[1] &= ~(1u << 11);
	if (!(features[1] & AVX))
		OPENSSL_ia32cap_P[2] &= ~AVX2;
}

bool crypto_has_aes(void)
{
	return (OPENSSL_ia32cap_P[1] & (AES | PCLMULQDQ)) == (AES | PCLMULQDQ);
}

static bool woven(void)
{
	return (OPENSSL_ia32cap_P[1] & AVX_MOVBE) == AVX_MOVBE;
}

static void count(struct message *m, u32 blocks)
{
	u32 n;

	memcpy(&n, m->counter + 12, sizeof(n));
	n = __builtin_bswap32(__builtin_bswap32(n) + blocks);
	memcpy(m->counter + 12, &n, sizeof(n));
}

void aes_gcm_init(struct aes_gcm *g, const u8 key[AES_GCM_KEY])
{
	memset(g, 0, sizeof(*g));
	(void)aesni_set_encrypt_key(key, 256, g->round_keys);
	aesni_encrypt(g->h, g->h, g->round_keys);
	g->h[0] = __builtin_bswap64(g->h[0]);
	g->h[1] = __builtin_bswap64(g->h[1]);
	if (woven())
		gcm_init_avx(g->table, g->h);
	else
		gcm_init_clmul(g->table, g->h);
}

/* Into the hash; a last partial block counts as filled up with zeros. */
static void hash(struct aes_gcm *g, const void *data, size_t n)
{
	void (*bulk)(u64 *, const u64 *, const void *, size_t) = woven() ? gcm_ghash_avx : gcm_ghash_clmul;
	size_t whole = n & -(size_t)BLOCK;
	u8 last[BLOCK] = { 0 };

	if (whole)
		bulk(g->hash, g->table, data, whole);
	if (n > whole) {
		memcpy(last, (const u8 *)data + whole, n - whole);
		bulk(g->hash, g->table, last, BLOCK);
	}
}

static void start(struct aes_gcm *g, struct message *m, const u8 iv[AES_GCM_IV], const void *aad, size_t naad)
{
	memcpy(m->counter, iv, AES_GCM_IV);
	memcpy(m->counter + AES_GCM_IV, "\0\0\0\1", 4);
	aesni_encrypt(m->counter, m->mask, g->round_keys);
	count(m, 1);
	g->hash[0] = g->hash[1] = 0;
	hash(g, aad, naad);
}

static void crypt(struct aes_gcm *g, struct message *m, const u8 *in, u8 *out, size_t n, bool seal)
{
	if (woven()) {
		size_t done = (seal ? aesni_gcm_encrypt : aesni_gcm_decrypt)(in, out, n, g->round_keys,
									     m->counter, g->hash);

		in += done;
		out += done;
		n -= done;
	}
	while (n) {
		size_t part = min(n, (size_t)CHUNK), whole = part & -(size_t)BLOCK;
		u8 last[BLOCK];

		if (!seal)
			hash(g, in, part);
		if (whole) {
			aesni_ctr32_encrypt_blocks(in, out, whole / BLOCK, g->round_keys, m->counter);
			count(m, whole / BLOCK);
		}
		if (part > whole) {
			aesni_encrypt(m->counter, last, g->round_keys);
			for (size_t i = whole; i < part; i++)
				out[i] = in[i] ^ last[i - whole];
		}
		if (seal)
			hash(g, out, part);
		in += part;
		out += part;
		n -= part;
	}
}

static void finish(struct aes_gcm *g, const struct message *m, size_t naad, size_t n, u8 tag[AES_GCM_TAG])
{
	u64 lengths[2] = { __builtin_bswap64(naad * 8ull), __builtin_bswap64(n * 8ull) };

	hash(g, lengths, sizeof(lengths));
	memcpy(tag, g->hash, AES_GCM_TAG);
	for (size_t i = 0; i < AES_GCM_TAG; i++)
		tag[i] ^= m->mask[i];
}

void aes_gcm_seal(struct aes_gcm *g, const u8 iv[AES_GCM_IV], const void *aad, size_t naad,
		  const void *in, void *out, size_t n, u8 tag[AES_GCM_TAG])
{
	struct message m;

	start(g, &m, iv, aad, naad);
	crypt(g, &m, in, out, n, true);
	finish(g, &m, naad, n, tag);
}

bool aes_gcm_open(struct aes_gcm *g, const u8 iv[AES_GCM_IV], const void *aad, size_t naad,
		  const void *in, void *out, size_t n, const u8 tag[AES_GCM_TAG])
{
	u8 expected[AES_GCM_TAG], differs = 0;
	struct message m;

	start(g, &m, iv, aad, naad);
	crypt(g, &m, in, out, n, false);
	finish(g, &m, naad, n, expected);
	for (size_t i = 0; i < AES_GCM_TAG; i++)
		differs |= expected[i] ^ tag[i];
	if (differs)
		memset(out, 0, n);
	return !differs;
}
