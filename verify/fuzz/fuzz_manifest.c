/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz the reading of manifests: each is refused in one line that has a place, or is right. */
#include <stdlib.h>
#include <string.h>

#include "host/host.h"
#include "host/manifest/manifest.h"

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct complaint c = { 0 };
	struct manifest *m = manifest_load("rakis.yaml", (const char *)data, size, &c);

	CHECK(!m == !!*c.text);
	if (!m) {
		CHECK(!strncmp(c.text, "rakis.yaml:", 11) && c.text[11] >= '1' && c.text[11] <= '9');
		CHECK(!strchr(c.text, '\n'));
		return 0;
	}
	CHECK(m->program && *m->program == '/' && m->mounts_count <= 8);
	for (uint32_t i = 0; i < m->mounts_count; i++)
		CHECK(*m->mounts[i].path == '/' && manifest_line(m, "mounts", i));
	for (uint32_t i = 0; i < m->trusted_count; i++)
		CHECK(*m->trusted[i].path == '/' && manifest_line(m, "trusted", i));
	manifest_free(m);
	return 0;
}
