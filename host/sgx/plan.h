/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one description of an enclave's pages (boundary/sgx.h draws it). The signer measures
 * it, the loader adds it to the kernel's device or to the emulator.
 */
#ifndef RAKIS_HOST_SGX_PLAN_H
#define RAKIS_HOST_SGX_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boundary/sgx.h"

struct image;

/* Pages that are added alike, `count` of them from `offset` on. */
struct sgx_pages {
	uint64_t offset, count;
	uint64_t secinfo;		/* its flags */
	const void *content;		/* NULL: zeros */
	bool measured;			/* with their content; otherwise only that they are there */
};

struct sgx_plan {
	uint64_t size;			/* of the range, which begins at 0 */
	const struct rakis_policy *policy;
	struct sgx_pages *pages;	/* by address */
	size_t count;
	void *content[3];		/* memory behind pages[].content, with the policy */
};

/*
 * The policy for so much memory (rounded up to a power of two) and so many threads, each 0
 * for the default, and a manifest (boundary/policy.h) of that size, or 0. Ends the process if
 * the image and they do not fit together.
 */
void sgx_policy_make(struct rakis_policy *policy, uint64_t memory, uint64_t threads,
		     uint64_t manifest_size, const struct image *image);

/* Whether this image can run by this policy: NULL, or what is wrong. */
const char *sgx_policy_check(const struct rakis_policy *policy, const struct image *image);

/* `manifest`: policy->manifest_size bytes, copied; or NULL. */
void sgx_plan_make(struct sgx_plan *plan, const struct rakis_policy *policy, const void *manifest,
		   const struct image *image);

void sgx_plan_free(struct sgx_plan *plan);

void sgx_plan_measure(const struct sgx_plan *plan, uint8_t mrenclave[32]);

#endif
