/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of every record that building an enclave makes, in the order in which it is built. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "host/sgx/arch.h"
#include "host/sgx/measure.h"

#define TAG_ECREATE	0x0045544145524345ull	/* the leaf's name, the first letter lowest */
#define TAG_EADD	0x0000000044444145ull
#define TAG_EEXTEND	0x00444e4554584545ull
#define EXTEND_BYTES	256
#define BATCH		64		/* records hashed at once: a call costs as much as one */

union record {
	struct {
		uint64_t tag;
		union {
			struct {
				uint64_t offset, secinfo;
			};
			struct {
				uint32_t ssa_frame_size;
				uint64_t size;
			} __attribute__((packed)) create;
		};
	};
	uint8_t bytes[64];
};
_Static_assert(sizeof(union record) == 64, "one block of SHA-256");

struct measure {
	EVP_MD_CTX *hash;
};

static void update(struct measure *m, const void *data, size_t size)
{
	if (!EVP_DigestUpdate(m->hash, data, size))
		die(EXIT_RAKIS, "SHA-256 fails in libcrypto");
}

struct measure *measure_create(uint32_t ssa_frame_size, uint64_t size)
{
	struct measure *m = malloc(sizeof(*m));
	union record r = { .bytes = { 0 } };

	if (!m || !(m->hash = EVP_MD_CTX_new()) || !EVP_DigestInit(m->hash, EVP_sha256()))
		die(EXIT_RAKIS, "SHA-256 is not to be had from libcrypto");
	r.tag = TAG_ECREATE;
	r.create.ssa_frame_size = ssa_frame_size;
	r.create.size = size;
	update(m, &r, sizeof(r));
	return m;
}

void measure_add(struct measure *m, uint64_t offset, uint64_t count, uint64_t secinfo)
{
	union record r[BATCH] = { 0 };

	for (size_t i = 0; i < BATCH; i++) {
		r[i].tag = TAG_EADD;
		r[i].secinfo = secinfo;
	}
	while (count) {
		size_t n = count < BATCH ? count : BATCH;

		for (size_t i = 0; i < n; i++, offset += SGX_PAGE)
			r[i].offset = offset;
		update(m, r, n * sizeof(r[0]));
		count -= n;
	}
}

void measure_page(struct measure *m, uint64_t offset, uint64_t secinfo, const void *page)
{
	union record r = { .bytes = { 0 } };

	measure_add(m, offset, 1, secinfo);
	r.tag = TAG_EEXTEND;
	for (size_t i = 0; i < SGX_PAGE; i += EXTEND_BYTES) {
		r.offset = offset + i;
		update(m, &r, sizeof(r));
		update(m, (const uint8_t *)page + i, EXTEND_BYTES);
	}
}

void measure_end(struct measure *m, uint8_t mrenclave[32])
{
	if (!EVP_DigestFinal(m->hash, mrenclave, NULL))
		die(EXIT_RAKIS, "SHA-256 fails in libcrypto");
	EVP_MD_CTX_free(m->hash);
	free(m);
}
