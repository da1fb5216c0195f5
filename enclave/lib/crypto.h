/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4), HMAC (RFC 2104) and AES-256-GCM (FIPS 197, NIST SP 800-38D), for files
 * that the host keeps. The rounds are those of OpenSSL's libcrypto, in assembly, for the
 * instructions that the processor has; here is what joins them.
 *
 * Everything here uses vector registers, which belong to the guest: call it between
 * vectors_begin() and vectors_end() (gate/vectors.h). Buffers are trusted memory.
 */
#ifndef RAKIS_LIB_CRYPTO_H
#define RAKIS_LIB_CRYPTO_H

#include "lib/types.h"

/* The processor's feature words: CPUID leaf 1 EDX and ECX, leaf 7 EBX and ECX. Only what is
 * fast depends on them. */
void crypto_init(const u32 features[4]);
/* AES-GCM needs AES-NI and PCLMULQDQ: every processor with SGX has them. */
bool crypto_has_aes(void);

#define SHA256_SIZE	32u

struct sha256 {
	u32 state[8];
	u64 length;		/* bytes taken */
	u8 block[64];		/* of which length % 64 wait here */
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t n);
void sha256_final(struct sha256 *s, u8 digest[SHA256_SIZE]);
void sha256(const void *data, size_t n, u8 digest[SHA256_SIZE]);

void hmac_sha256(const u8 key[SHA256_SIZE], const void *data, size_t n, u8 out[SHA256_SIZE]);

#define AES_GCM_KEY	32u
#define AES_GCM_IV	12u
#define AES_GCM_TAG	16u

struct aes_gcm {
	u32 round_keys[60];
	u32 rounds;
	u32 pad[3];
	/* In the order that the assembly knows: the hash at work, then the key's table. */
	u64 hash[2], h[2];
	u64 table[32];
} __aligned(16);

void aes_gcm_init(struct aes_gcm *g, const u8 key[AES_GCM_KEY]);
/*
 * `out` may be `in`. No two messages under one key may have the same iv. `aad`: at most 64
 * bytes that are authenticated besides.
 */
void aes_gcm_seal(struct aes_gcm *g, const u8 iv[AES_GCM_IV], const void *aad, size_t naad,
		  const void *in, void *out, size_t n, u8 tag[AES_GCM_TAG]);
/* False: not what was sealed; `out` is then zeros. */
bool aes_gcm_open(struct aes_gcm *g, const u8 iv[AES_GCM_IV], const void *aad, size_t naad,
		  const void *in, void *out, size_t n, const u8 tag[AES_GCM_TAG]) __must_check;

#endif
