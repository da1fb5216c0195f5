/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EREPORT and EGETKEY (SDM volume 3D, those leaves' pages). A processor derives its keys from
 * fuses that nobody can read; these are derived from a text that everybody can, so a report of
 * the emulator proves nothing and what is sealed under it is not secret.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>
#include <ucontext.h>

#include "host/sgx/emulator.h"

#define FUSES		"RAKIS emulated SGX: these keys are known to everybody"

#define FLAG_ZF		0x40ull
#define SGX_INVALID_KEYNAME	256
#define SGX_INVALID_ATTRIBUTE	2
#define POLICY_MRENCLAVE	1
#define POLICY_MRSIGNER		2

enum { KEY_EINITTOKEN, KEY_PROVISION, KEY_PROVISION_SEAL, KEY_REPORT, KEY_SEAL };

struct report {
	uint8_t cpu_svn[16];
	uint32_t miscselect;
	uint8_t reserved1[12];
	uint8_t isv_ext_prod_id[16];
	struct sgx_attributes attributes;
	uint8_t mrenclave[32];
	uint8_t reserved2[32];
	uint8_t mrsigner[32];
	uint8_t reserved3[32];
	uint8_t config_id[64];
	uint16_t isv_prod_id, isv_svn, config_svn;
	uint8_t reserved4[42];
	uint8_t isv_family_id[16];
	uint8_t report_data[64];
	/* Up to here it is authenticated. */
	uint8_t key_id[32];
	uint8_t mac[16];
};
_Static_assert(sizeof(struct report) == 432 && offsetof(struct report, key_id) == 384, "REPORT");

struct target_info {
	uint8_t mrenclave[32];
	struct sgx_attributes attributes;
	uint8_t reserved1[2];
	uint16_t config_svn;
	uint32_t miscselect;
	uint8_t reserved2[8];
	uint8_t config_id[64];
	uint8_t reserved3[384];
};
_Static_assert(sizeof(struct target_info) == 512, "TARGETINFO");

struct key_request {
	uint16_t name, policy, isv_svn;
	uint8_t reserved1[2];
	uint8_t cpu_svn[16];
	struct sgx_attributes attribute_mask;
	uint8_t key_id[32];
	uint32_t miscmask;
	uint16_t config_svn;
	uint8_t reserved2[434];
};
_Static_assert(sizeof(struct key_request) == 512, "KEYREQUEST");

/* What a key depends on. */
struct dependencies {
	char fuses[sizeof(FUSES)];
	uint16_t name, policy, isv_prod_id, isv_svn;
	struct sgx_attributes attributes, mask;
	uint32_t miscselect, miscmask;
	uint8_t mrenclave[32], mrsigner[32], key_id[32], cpu_svn[16];
} __attribute__((packed));

static void derive(const struct dependencies *d, uint8_t key[16])
{
	uint8_t hash[32];

	EVP_Digest(d, sizeof(*d), hash, NULL, EVP_sha256(), NULL);
	memcpy(key, hash, 16);
}

/* The key by which the enclave that this names checks reports for it. */
static void report_key(const uint8_t mrenclave[32], const struct sgx_attributes *attributes,
		       uint32_t miscselect, const uint8_t key_id[32], uint8_t key[16])
{
	struct dependencies d = {
		.fuses = FUSES, .name = KEY_REPORT, .attributes = *attributes,
		.miscselect = miscselect,
	};

	memcpy(d.mrenclave, mrenclave, 32);
	memcpy(d.key_id, key_id, 32);
	derive(&d, key);
}

static void cmac(const uint8_t key[16], const void *data, size_t size, uint8_t mac[16])
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, "AES-128-CBC", 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(algorithm);
	size_t n;

	memset(mac, 0, 16);
	if (ctx && EVP_MAC_init(ctx, key, 16, params) && EVP_MAC_update(ctx, data, size))
		EVP_MAC_final(ctx, mac, &n, 16);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(algorithm);
}

/* An operand of a leaf: aligned, within one page of the enclave's own that allows it. */
static void *operand(uint64_t addr, uint64_t align, uint8_t rights)
{
	uint64_t page = (addr - emulator.secs.base) / SGX_PAGE;

	if (addr % align || !emulator_has(addr) || (emulator.pages[page] & PAGE_TCS) ||
	    (emulator.pages[page] & rights) != rights)
		return NULL;
	return (void *)addr;
}

static bool ereport(greg_t *r)
{
	const struct target_info *target = operand(r[REG_RBX], 512, PAGE_READ);
	const uint8_t *data = operand(r[REG_RCX], 128, PAGE_READ);
	struct report *out = operand(r[REG_RDX], 512, PAGE_READ | PAGE_WRITE), report;
	const struct sgx_secs *secs = &emulator.secs;
	uint8_t key[16];

	if (!target || !data || !out)
		return false;
	report = (struct report){
		.miscselect = secs->miscselect,
		.attributes = secs->attributes,
		.isv_prod_id = secs->isv_prod_id,
		.isv_svn = secs->isv_svn,
	};
	memcpy(report.mrenclave, secs->mrenclave, 32);
	memcpy(report.mrsigner, secs->mrsigner, 32);
	memcpy(report.report_data, data, 64);
	report_key(target->mrenclave, &target->attributes, target->miscselect, report.key_id, key);
	cmac(key, &report, offsetof(struct report, key_id), report.mac);
	*out = report;
	return true;
}

/* 0, or what the leaf leaves in RAX. */
static uint64_t get_key(const struct key_request *request, uint8_t key[16])
{
	const struct sgx_secs *secs = &emulator.secs;
	struct dependencies d = {
		.fuses = FUSES, .name = request->name, .policy = request->policy,
		.isv_prod_id = secs->isv_prod_id, .isv_svn = request->isv_svn,
		.mask = request->attribute_mask, .miscmask = request->miscmask,
		.miscselect = secs->miscselect & request->miscmask,
	};

	d.attributes.flags = secs->attributes.flags & request->attribute_mask.flags;
	d.attributes.xfrm = secs->attributes.xfrm & request->attribute_mask.xfrm;
	memcpy(d.key_id, request->key_id, 32);
	memcpy(d.cpu_svn, request->cpu_svn, 16);
	switch (request->name) {
	case KEY_REPORT:
		report_key(secs->mrenclave, &secs->attributes, secs->miscselect, request->key_id,
			   key);
		return 0;
	case KEY_SEAL:
		if (request->policy & POLICY_MRENCLAVE)
			memcpy(d.mrenclave, secs->mrenclave, 32);
		if (request->policy & POLICY_MRSIGNER)
			memcpy(d.mrsigner, secs->mrsigner, 32);
		derive(&d, key);
		return 0;
	case KEY_PROVISION:
	case KEY_PROVISION_SEAL:
		if (!(secs->attributes.flags & ATTRIBUTE_PROVISIONKEY))
			return SGX_INVALID_ATTRIBUTE;
		memcpy(d.mrsigner, secs->mrsigner, 32);
		derive(&d, key);
		return 0;
	case KEY_EINITTOKEN:
		return SGX_INVALID_ATTRIBUTE;	/* only launch enclaves have that attribute */
	}
	return SGX_INVALID_KEYNAME;
}

static bool egetkey(greg_t *r)
{
	const struct key_request *request = operand(r[REG_RBX], 512, PAGE_READ);
	uint8_t *out = operand(r[REG_RCX], 16, PAGE_READ | PAGE_WRITE), key[16];
	const uint8_t *reserved;

	if (!request || !out)
		return false;
	reserved = request->reserved2;
	for (size_t i = 0; i < sizeof(request->reserved2); i++)
		if (reserved[i])
			return false;
	r[REG_RAX] = get_key(request, key);
	r[REG_EFL] &= ~FLAG_ZF;
	if (r[REG_RAX])
		r[REG_EFL] |= FLAG_ZF;
	else
		memcpy(out, key, sizeof(key));
	return true;
}

bool emulator_key_leaf(greg_t *r)
{
	return r[REG_RAX] == ENCLU_EREPORT ? ereport(r) :
	       r[REG_RAX] == ENCLU_EGETKEY ? egetkey(r) : false;
}
