/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, HMAC and AES-256-GCM: published vectors, and OpenSSL's own answers at many lengths. */
#include "cmocka_first.h"
#include <cpuid.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"

#define MOST	20000

static u8 in[MOST], ours[MOST], theirs[MOST];

static int start(void **state)
{
	u32 f[4], a, b, c, d;

	__cpuid(1, a, b, c, d);
	f[0] = d;
	f[1] = c;
	__cpuid_count(7, 0, a, b, c, d);
	f[2] = b;
	f[3] = c;
	/* Without AVX, the primitives are others. */
	if (*state)
		f[1] &= ~(1u << 28);
	crypto_init(f);
	srand(1);
	return 0;
}

static void fill(void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((u8 *)p)[i] = rand();
}

static void from_hex(const char *hex, u8 *out)
{
	unsigned int byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		*out++ = byte;
}

/* FIPS 180-4's examples, from NIST's "SHA-256 example values". */
static void sha256_known(void **state)
{
	static const struct { const char *text, *digest; } known[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	u8 digest[SHA256_SIZE], expected[SHA256_SIZE];

	for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
		sha256(known[i].text, strlen(known[i].text), digest);
		from_hex(known[i].digest, expected);
		assert_memory_equal(digest, expected, sizeof(digest));
	}
}

/* The vectors for AES-256 in McGrew and Viega's GCM specification, cases 13 to 16. */
static void gcm_known(void **state)
{
	static const char key[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
	static const char iv[] = "cafebabefacedbaddecaf888";
	static const char text[] = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
	static const char sealed[] = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
	static const struct { bool zero_key; u32 n, naad; const char *tag; } known[] = {
		{ true, 0, 0, "530f8afbc74536b9a963b4f1c4cb738b" },
		{ false, 64, 0, "b094dac5d93471bdec1a502270e3cc6c" },
		{ false, 60, 20, "76fc6ece0f4e1768cddf8853bb2d551b" },
	};
	u8 k[AES_GCM_KEY], v[AES_GCM_IV], p[64], c[64], aad[20], tag[AES_GCM_TAG], expected[AES_GCM_TAG];
	struct aes_gcm g;

	from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
	from_hex(text, p);
	from_hex(sealed, c);
	for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
		memset(k, 0, sizeof(k));
		memset(v, 0, sizeof(v));
		if (!known[i].zero_key) {
			from_hex(key, k);
			from_hex(iv, v);
		}
		aes_gcm_init(&g, k);
		aes_gcm_seal(&g, v, aad, known[i].naad, p, ours, known[i].n, tag);
		from_hex(known[i].tag, expected);
		assert_memory_equal(ours, c, known[i].n);
		assert_memory_equal(tag, expected, sizeof(tag));
	}
}

static void sha256_lengths(void **state)
{
	u8 digest[SHA256_SIZE], expected[SHA256_SIZE], key[SHA256_SIZE];
	struct sha256 s;

	fill(in, MOST);
	fill(key, sizeof(key));
	for (size_t n = 0; n < MOST; n += n < 300 ? 1 : 997) {
		EVP_Digest(in, n, expected, NULL, EVP_sha256(), NULL);
		sha256(in, n, digest);
		assert_memory_equal(digest, expected, sizeof(digest));
		sha256_init(&s);
		for (size_t at = 0, part; at < n; at += part) {
			part = rand() % 150;
			part = min(part, n - at);
			sha256_update(&s, in + at, part);
		}
		sha256_final(&s, digest);
		assert_memory_equal(digest, expected, sizeof(digest));
		HMAC(EVP_sha256(), key, sizeof(key), in, n, expected, NULL);
		hmac_sha256(key, in, n, digest);
		assert_memory_equal(digest, expected, sizeof(digest));
	}
}

static void gcm_as_openssl(const u8 *key, const u8 *iv, const u8 *aad, size_t naad, size_t n, u8 *tag)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int l;

	assert_true(EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, iv));
	assert_true(EVP_EncryptUpdate(c, NULL, &l, aad, naad));
	assert_true(EVP_EncryptUpdate(c, theirs, &l, in, n));
	assert_true(EVP_EncryptFinal_ex(c, theirs + l, &l));
	assert_true(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, AES_GCM_TAG, tag));
	EVP_CIPHER_CTX_free(c);
}

static void gcm_lengths(void **state)
{
	u8 key[AES_GCM_KEY], iv[AES_GCM_IV], aad[64], tag[AES_GCM_TAG], expected[AES_GCM_TAG];
	struct aes_gcm g;

	fill(in, MOST);
	for (size_t n = 0; n < MOST; n += n < 600 ? 1 : 487) {
		size_t naad = n % 65;

		fill(key, sizeof(key));
		fill(iv, sizeof(iv));
		fill(aad, sizeof(aad));
		aes_gcm_init(&g, key);
		aes_gcm_seal(&g, iv, aad, naad, in, ours, n, tag);
		gcm_as_openssl(key, iv, aad, naad, n, expected);
		assert_memory_equal(ours, theirs, n);
		assert_memory_equal(tag, expected, sizeof(tag));
		/* In place, and what was changed is not told. */
		assert_true(aes_gcm_open(&g, iv, aad, naad, ours, ours, n, tag));
		assert_memory_equal(ours, in, n);
		if (n) {
			size_t at = rand() % n;

			theirs[at] ^= 1 << rand() % 8;
			memset(ours, 1, n);
			assert_false(aes_gcm_open(&g, iv, aad, naad, theirs, ours, n, tag));
			for (size_t i = 0; i < n; i++)
				assert_int_equal(ours[i], 0);
			gcm_as_openssl(key, iv, aad, naad, n, expected);
		}
		if (naad) {
			aad[rand() % naad] ^= 1;
			assert_false(aes_gcm_open(&g, iv, aad, naad, theirs, ours, n, tag));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sha256_known, start),
		cmocka_unit_test_setup(sha256_lengths, start),
		cmocka_unit_test_setup(gcm_known, start),
		cmocka_unit_test_setup(gcm_lengths, start),
		cmocka_unit_test_prestate_setup_teardown(gcm_lengths, start, NULL, "without AVX"),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
