/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a manifest, made anew without losing what a person wrote. A line that says
 * `# init:` is of rakis init, and goes; any other stays where it is.
 */
#ifndef RAKIS_HOST_MANIFEST_UPDATE_H
#define RAKIS_HOST_MANIFEST_UPDATE_H

#include <stdbool.h>
#include <stdio.h>

#include "host/manifest/manifest.h"

#define UPDATE_KEYS	16

struct update {
	const char *name;		/* of the manifest */
	struct manifest *old;		/* NULL: there is none */
	char *old_text;
	FILE *out;			/* of the key begun last */
	struct update_key {
		const char *key;
		bool list;
		char *text;
		size_t size;
		FILE *out;
	} key[UPDATE_KEYS];
	size_t count;
};

/* Read what is there. False and a complaint if that is something, but no manifest. */
bool update_begin(struct update *u, const char *name, struct complaint *c);
/* Did a person write entry `index` of a list of the old manifest? */
bool update_is_kept(const struct update *u, const char *list, uint32_t index);
/* The stream for the value of a key, or the lines of a list; in the order of a new manifest. */
FILE *update_key(struct update *u, const char *key, bool list);
/* Put it together, see that it is a valid manifest, and write it. */
bool update_end(struct update *u, struct complaint *c);

#endif
