/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structures of the SGX architecture that software outside an enclave fills in or reads:
 * Intel SDM volume 3D, "Enclave Access Control and Data Structures". Those that the enclave
 * uses too, and the TCS, are in boundary/sgx.h.
 */
#ifndef RAKIS_HOST_SGX_ARCH_H
#define RAKIS_HOST_SGX_ARCH_H

#include <stdint.h>

#define SGX_PAGE	4096ull

/* Leaves of ENCLU that an enclave asks for keys by; boundary/sgx.h has the others. */
enum { ENCLU_EREPORT, ENCLU_EGETKEY };

/* Results of ENCLS[EINIT]. */
enum {
	SGX_INVALID_SIG_STRUCT	= 1,
	SGX_INVALID_ATTRIBUTE	= 2,
	SGX_INVALID_MEASUREMENT	= 4,
	SGX_INVALID_SIGNATURE	= 8,
};

/* SECINFO.FLAGS */
#define SECINFO_R	1ull
#define SECINFO_W	2ull
#define SECINFO_X	4ull
#define SECINFO_TCS	(1ull << 8)	/* page type PT_TCS; its permissions are 0 */
#define SECINFO_REG	(2ull << 8)

struct sgx_secinfo {
	uint64_t flags;
	uint8_t reserved[56];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct sgx_secinfo) == 64, "SECINFO");

#define ATTRIBUTE_INIT		1ull
#define ATTRIBUTE_DEBUG		2ull
#define ATTRIBUTE_MODE64BIT	4ull
#define ATTRIBUTE_PROVISIONKEY	16ull

struct sgx_attributes {
	uint64_t flags, xfrm;
};

struct sgx_secs {
	uint64_t size, base;
	uint32_t ssa_frame_size;	/* pages */
	uint32_t miscselect;
	uint8_t reserved1[24];
	struct sgx_attributes attributes;
	uint8_t mrenclave[32];
	uint8_t reserved2[32];
	uint8_t mrsigner[32];
	uint8_t reserved3[32];
	uint8_t config_id[64];
	uint16_t isv_prod_id, isv_svn, config_svn;
	uint8_t reserved4[3834];
} __attribute__((aligned(4096)));
_Static_assert(sizeof(struct sgx_secs) == SGX_PAGE, "SECS");

#define SIGSTRUCT_KEY	384		/* bytes of a 3072-bit number, little-endian */

struct sgx_sigstruct {
	uint8_t header[16];
	uint32_t vendor, date;		/* date: 0xyyyymmdd */
	uint8_t header2[16];
	uint32_t swdefined;
	uint8_t reserved1[84];
	/* Not signed. */
	uint8_t modulus[SIGSTRUCT_KEY];
	uint32_t exponent;
	uint8_t signature[SIGSTRUCT_KEY];
	/* Signed, as the first 128 bytes are. */
	uint32_t miscselect, miscmask;
	uint8_t cet_attributes, cet_mask;
	uint8_t reserved2[2];
	uint8_t isv_family_id[16];
	struct sgx_attributes attributes, attribute_mask;
	uint8_t enclave_hash[32];
	uint8_t reserved3[16];
	uint8_t isv_ext_prod_id[16];
	uint16_t isv_prod_id, isv_svn;
	/* Not signed. */
	uint8_t reserved4[12];
	uint8_t q1[SIGSTRUCT_KEY], q2[SIGSTRUCT_KEY];
} __attribute__((packed, aligned(16)));
_Static_assert(sizeof(struct sgx_sigstruct) == 1808, "SIGSTRUCT");

/* The two signed parts. */
#define SIGSTRUCT_FIRST		128
#define SIGSTRUCT_SECOND	__builtin_offsetof(struct sgx_sigstruct, miscselect)
_Static_assert(SIGSTRUCT_SECOND == 900, "SIGSTRUCT's second signed part");

#endif
