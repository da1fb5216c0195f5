/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing: RSA-3072 with exponent 3, PKCS #1 v1.5 over SHA-256, all numbers little-endian
 * (SDM volume 3D, "Enclave Signature Structure" and EINIT). q1 and q2 are quotients that
 * save the processor the divisions when it raises the signature s to the third power:
 * q1 = floor(s^2 / m), q2 = floor(s (s^2 mod m) / m).
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "host/sgx/sigstruct.h"

#define KEY_BITS	3072
#define EXPONENT	3

static const uint8_t header[16] = { 6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0 };
static const uint8_t header2[16] = { 1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0 };

static void no_crypto(void) __attribute__((noreturn));
static void no_crypto(void)
{
	die(EXIT_RAKIS, "a computation fails in libcrypto; is there memory left?");
}

static void *need(void *p)
{
	if (!p)
		no_crypto();
	return p;
}

/* ---- the development key ---- */

static void make_directory(const char *path)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		die(EXIT_RAKIS, "no place for a development key: %s: %m; name a key with --key", path);
}

static void development_path(char *path, size_t size)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	size_t n;

	if (config && config[0] == '/')
		n = snprintf(path, size, "%s", config);
	else if (home && home[0] == '/')
		n = snprintf(path, size, "%s/.config", home);
	else
		die(EXIT_RAKIS, "no place for a development key: HOME is not set; "
		    "name a key with --key");
	if (n + sizeof("/rakis/development-key.pem") > size)
		die(EXIT_RAKIS, "the path of the development key is too long; name one with --key");
	make_directory(path);
	strcat(path, "/rakis");
	make_directory(path);
	strcat(path, "/development-key.pem");
}

/* Under a name of its own first: a second process may be at it too, and the first one wins. */
static void make_development_key(const char *path)
{
	char temporary[4096 + 32];
	EVP_PKEY_CTX *ctx = need(EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL));
	unsigned int bits = KEY_BITS, e = EXPONENT;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_BITS, &bits),
		OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &e),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;
	FILE *f;
	int fd;

	if (EVP_PKEY_keygen_init(ctx) <= 0 || EVP_PKEY_CTX_set_params(ctx, params) <= 0 ||
	    EVP_PKEY_generate(ctx, &key) <= 0)
		no_crypto();
	snprintf(temporary, sizeof(temporary), "%s.%d", path, getpid());
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f || !PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) || fclose(f) ||
	    (link(temporary, path) && errno != EEXIST))
		die(EXIT_RAKIS, "cannot write a development key: %s: %m", path);
	unlink(temporary);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	message("made a development key: %s; whoever has it can sign what runs as yours", path);
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key;
	BIGNUM *e = NULL;

	if (!f)
		die(EXIT_RAKIS, "the key %s: %m", path);
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	if (!key || !EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_get_bits(key) != KEY_BITS ||
	    !EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) || !BN_is_word(e, EXPONENT))
		die(EXIT_RAKIS, "%s is no RSA key of 3072 bits with exponent 3; make one with "
		    "openssl genrsa -3 -out FILE 3072", path);
	BN_free(e);
	return key;
}

static EVP_PKEY *get_key(const char *path)
{
	char own[4096];

	if (!path) {
		development_path(own, sizeof(own));
		if (access(own, F_OK))
			make_development_key(own);
		path = own;
	}
	return read_key(path);
}

/* ---- the signature ---- */

static void put_number(uint8_t out[SIGSTRUCT_KEY], const BIGNUM *n)
{
	if (BN_bn2lebinpad(n, out, SIGSTRUCT_KEY) != SIGSTRUCT_KEY)
		no_crypto();
}

static BIGNUM *get_number(const uint8_t in[SIGSTRUCT_KEY])
{
	return need(BN_lebin2bn(in, SIGSTRUCT_KEY, NULL));
}

static void quotients(const BIGNUM *s, const BIGNUM *m, uint8_t q1[SIGSTRUCT_KEY],
		      uint8_t q2[SIGSTRUCT_KEY])
{
	BN_CTX *ctx = need(BN_CTX_new());
	BIGNUM *q = need(BN_new()), *r = need(BN_new()), *t = need(BN_new());

	if (!BN_sqr(t, s, ctx) || !BN_div(q, r, t, m, ctx))
		no_crypto();
	put_number(q1, q);
	if (!BN_mul(t, s, r, ctx) || !BN_div(q, r, t, m, ctx))
		no_crypto();
	put_number(q2, q);
	BN_free(q);
	BN_free(r);
	BN_free(t);
	BN_CTX_free(ctx);
}

static void signed_bytes(const struct sgx_sigstruct *sig, uint8_t out[2 * SIGSTRUCT_FIRST])
{
	memcpy(out, sig, SIGSTRUCT_FIRST);
	memcpy(out + SIGSTRUCT_FIRST, (const uint8_t *)sig + SIGSTRUCT_SECOND, SIGSTRUCT_FIRST);
}

static uint32_t today(void)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[16];

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y%m%d", &tm);
	return strtoul(text, NULL, 16);
}

void sigstruct_sign(struct sgx_sigstruct *sig, const struct sgx_identity *id,
		    const uint8_t mrenclave[32], const char *key_file)
{
	EVP_PKEY *key = get_key(key_file);
	EVP_MD_CTX *ctx = need(EVP_MD_CTX_new());
	uint8_t text[2 * SIGSTRUCT_FIRST], s[SIGSTRUCT_KEY];
	BIGNUM *m = NULL, *n;
	size_t size = sizeof(s);

	memset(sig, 0, sizeof(*sig));
	memcpy(sig->header, header, sizeof(header));
	memcpy(sig->header2, header2, sizeof(header2));
	sig->date = today();
	sig->exponent = EXPONENT;
	sig->miscselect = id->miscselect;
	sig->miscmask = ~0u;
	sig->attributes = id->attributes;
	sig->attribute_mask = id->mask;
	memcpy(sig->enclave_hash, mrenclave, sizeof(sig->enclave_hash));
	sig->isv_prod_id = id->isv_prod_id;
	sig->isv_svn = id->isv_svn;

	signed_bytes(sig, text);
	if (!EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) ||
	    !EVP_DigestSign(ctx, s, &size, text, sizeof(text)) ||
	    !EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &m))
		no_crypto();
	n = need(BN_bin2bn(s, size, NULL));
	put_number(sig->modulus, m);
	put_number(sig->signature, n);
	quotients(n, m, sig->q1, sig->q2);
	BN_free(n);
	BN_free(m);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
}

/* ---- checking it ---- */

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

/* 00 01 ff.. 00, the DER of SHA-256's name, the hash: big-endian. */
static void padded(const struct sgx_sigstruct *sig, uint8_t out[SIGSTRUCT_KEY])
{
	static const uint8_t name[19] = {
		0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
		0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
	};
	uint8_t text[2 * SIGSTRUCT_FIRST];

	memset(out, 0xff, SIGSTRUCT_KEY);
	out[0] = 0;
	out[1] = 1;
	out[SIGSTRUCT_KEY - 32 - sizeof(name) - 1] = 0;
	memcpy(out + SIGSTRUCT_KEY - 32 - sizeof(name), name, sizeof(name));
	signed_bytes(sig, text);
	if (!EVP_Digest(text, sizeof(text), out + SIGSTRUCT_KEY - 32, NULL, EVP_sha256(), NULL))
		no_crypto();
}

int sigstruct_check(const struct sgx_sigstruct *sig)
{
	uint8_t want[SIGSTRUCT_KEY], got[SIGSTRUCT_KEY], q1[SIGSTRUCT_KEY], q2[SIGSTRUCT_KEY];
	BIGNUM *m, *s, *r;
	BN_CTX *ctx;
	int err = SGX_INVALID_SIGNATURE;

	if (memcmp(sig->header, header, sizeof(header)) ||
	    memcmp(sig->header2, header2, sizeof(header2)) ||
	    (sig->vendor && sig->vendor != 0x8086) || sig->exponent != EXPONENT ||
	    !is_zero(sig->reserved1, sizeof(sig->reserved1)) ||
	    !is_zero(sig->reserved2, sizeof(sig->reserved2)) ||
	    !is_zero(sig->reserved3, sizeof(sig->reserved3)) ||
	    !is_zero(sig->reserved4, sizeof(sig->reserved4)))
		return SGX_INVALID_SIG_STRUCT;
	m = get_number(sig->modulus);
	s = get_number(sig->signature);
	r = need(BN_new());
	ctx = need(BN_CTX_new());
	if (BN_num_bits(m) == KEY_BITS && BN_cmp(s, m) < 0) {
		quotients(s, m, q1, q2);
		if (!BN_sqr(r, s, ctx) || !BN_mod(r, r, m, ctx) || !BN_mod_mul(r, r, s, m, ctx) ||
		    BN_bn2binpad(r, got, sizeof(got)) != sizeof(got))
			no_crypto();
		padded(sig, want);
		if (!memcmp(got, want, sizeof(want)) && !memcmp(q1, sig->q1, sizeof(q1)) &&
		    !memcmp(q2, sig->q2, sizeof(q2)))
			err = 0;
	}
	BN_free(m);
	BN_free(s);
	BN_free(r);
	BN_CTX_free(ctx);
	return err;
}

void sigstruct_signer(const struct sgx_sigstruct *sig, uint8_t mrsigner[32])
{
	if (!EVP_Digest(sig->modulus, sizeof(sig->modulus), mrsigner, NULL, EVP_sha256(), NULL))
		no_crypto();
}
