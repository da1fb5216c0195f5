/* SPDX-License-Identifier: Apache-2.0 */
/* The trusted files of a manifest, as they are on the host now. */
#ifndef RAKIS_HOST_MANIFEST_TRUSTED_H
#define RAKIS_HOST_MANIFEST_TRUSTED_H

#include <stddef.h>

#include "host/manifest/manifest.h"

/* A file or a symbolic link of the guest. */
struct item {
	char *path;			/* of the guest, without links but its last component */
	char *host;			/* a link: what it says */
	uint32_t mode;
	uint32_t entry;			/* of manifest.trusted; behind its end: the program */
	uint32_t patches;
	uint64_t size, table;
	uint8_t digest[32];
};

struct items {
	struct item *item;		/* sorted by path */
	size_t count, room;
};

/* Find them all: directories in full, and every link on the way to a file. */
bool trusted_find(const struct manifest *m, struct items *items, struct complaint *c);
/* Hash them and find their system calls; the table goes to the descriptor `tables`. */
bool trusted_measure(const struct manifest *m, struct items *items, int tables, struct complaint *c);
void trusted_free(struct items *items);

/* Is `path` the directory `dir`, or below it? */
bool path_is_below(const char *path, const char *dir);
bool path_is_system(const char *path);	/* the libOS's own */

#endif
