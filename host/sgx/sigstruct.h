/* SPDX-License-Identifier: Apache-2.0 */
/* SIGSTRUCT: what an enclave is, signed by who vouches for it. */
#ifndef RAKIS_HOST_SGX_SIGSTRUCT_H
#define RAKIS_HOST_SGX_SIGSTRUCT_H

#include <stdbool.h>

#include "host/sgx/arch.h"

/* What the signature vouches for besides MRENCLAVE. */
struct sgx_identity {
	struct sgx_attributes attributes;	/* those that the enclave must have... */
	struct sgx_attributes mask;		/* ...as far as these bits go */
	uint32_t miscselect;
	uint16_t isv_prod_id, isv_svn;
};

/*
 * Fill in and sign. `key_file`: an RSA key of 3072 bits with exponent 3 (PEM); NULL: the
 * development key of this user, made at its first use. Ends the process if it cannot.
 */
void sigstruct_sign(struct sgx_sigstruct *sig, const struct sgx_identity *id,
		    const uint8_t mrenclave[32], const char *key_file);

/* What EINIT checks of it alone: 0, SGX_INVALID_SIG_STRUCT, SGX_INVALID_SIGNATURE. */
int sigstruct_check(const struct sgx_sigstruct *sig);

/* MRSIGNER: the hash of the key that signed. */
void sigstruct_signer(const struct sgx_sigstruct *sig, uint8_t mrsigner[32]);

#endif
