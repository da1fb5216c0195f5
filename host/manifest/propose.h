/* SPDX-License-Identifier: Apache-2.0 */
/* rakis init: from a recorded run to the text of a manifest. */
#ifndef RAKIS_HOST_MANIFEST_PROPOSE_H
#define RAKIS_HOST_MANIFEST_PROPOSE_H

#include <stdbool.h>

#include "host/manifest/manifest.h"
#include "host/record.h"

/* What was run, beside what was recorded of it. */
struct proposal {
	const char *name;		/* of the manifest */
	const char *program;		/* absolute, of the guest; need not be normal */
	const char *root;		/* or NULL */
	const char *directory;		/* where it was run, of the guest */
	char **argv;
	int argc;
	const struct recording *record;
};

/*
 * Write the manifest. Lines of an existing one that rakis init wrote (they say `# init:`) are
 * made anew, all others are kept. `summary` tells what became of it.
 */
bool manifest_propose(const struct proposal *p, char summary[256], struct complaint *c);

#endif
