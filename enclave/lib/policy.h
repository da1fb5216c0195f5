/* SPDX-License-Identifier: Apache-2.0 */
/* The manifest, after its check. All strings and entries stay where they are. */
#ifndef RAKIS_LIB_POLICY_H
#define RAKIS_LIB_POLICY_H

#include "boundary/policy.h"
#include "lib/types.h"

/* The manifest of this run; NULL without one. */
extern const struct rakis_manifest *policy;

/* What is wrong with it, or NULL: it is then `policy`. 8-byte aligned; never changes. */
const char *policy_load(const void *data, u64 size) __must_check;

/* Only what policy_load() has checked. */
const char *policy_string(u32 offset);
static inline const void *policy_entries(struct rakis_section s)
{
	return (const char *)policy + s.offset;
}

/* Is this allowed (RAKIS_MANIFEST_*)? Without a manifest, everything is. */
static inline bool policy_allows(u32 flag)
{
	return !policy || policy->flags & flag;
}

#endif
