/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of rakis.yaml, for libcyaml. */
#ifndef RAKIS_HOST_MANIFEST_SCHEMA_H
#define RAKIS_HOST_MANIFEST_SCHEMA_H

#include <cyaml/cyaml.h>

extern const cyaml_schema_value_t manifest_schema;

#endif
