/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest, rakis.yaml: read, judged, and compiled to what the enclave knows of it
 * (boundary/policy.h). docs/manifest.md describes its keys. Nothing here ends the process:
 * who finds something wrong writes one line, `FILE:LINE: what; what to do`, and answers false.
 */
#ifndef RAKIS_HOST_MANIFEST_MANIFEST_H
#define RAKIS_HOST_MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer { NO, YES };

struct manifest_mount {
	char *path;
	char *host;			/* NULL for a tmpfs */
	char *key;			/* encrypted only; or NULL */
	uint32_t kind;			/* enum rakis_mount_kind */
	enum answer read_only;
};

struct manifest_file {
	char *path;			/* a file, or a directory for all files in it */
	char *host;			/* NULL: the same in the root */
	char *sha256;			/* of the file when it was last looked at; or NULL */
	enum answer recursive;		/* a directory: also what is further below */
};

struct manifest {
	uint32_t version;
	char *program;
	char *directory;		/* NULL: the one that the run is started in */
	char *root;			/* NULL: the host's */
	char **arguments;		/* argv[0] first; none: the program's path */
	uint32_t arguments_count;
	enum answer more_arguments;
	char **environment;
	uint32_t environment_count;
	struct manifest_mount *mounts;
	uint32_t mounts_count;
	struct manifest_file *trusted;
	uint32_t trusted_count;
	enum answer network, host_root;
	char *memory;
	uint32_t threads;

	/* Behind the scenes. */
	char *name;			/* as it was given */
	char *base;			/* its directory, absolute: relative paths of the host begin there */
	void *marks;			/* load.c: lines */
};

struct complaint {
	char text[1024];		/* "" if there was nothing to complain about */
};

#define MANIFEST_VERSION	1
#define MANIFEST_FILES_MOST	100000u

/* Read `name`, or `text` if that is not NULL; NULL and a complaint if there is something wrong. */
struct manifest *manifest_load(const char *name, const char *text, size_t size, struct complaint *c);
void manifest_free(struct manifest *m);	/* NULL is fine */

/* What no schema says: paths that are normal, no mount over another, sizes that can be, ... */
bool manifest_check(const struct manifest *m, struct complaint *c);

/* What manifest_compile() makes: the enclave's policy, and the table that goes with it. */
struct compiled {
	uint8_t *policy;		/* struct rakis_manifest */
	size_t policy_size;
	int tables;			/* a descriptor (memfd) */
	uint64_t tables_size;
};

bool manifest_compile(const struct manifest *m, struct compiled *out, struct complaint *c);
void compiled_free(struct compiled *out);

/* The host's path of something named in the manifest: `path` in the root, unless `host` says. */
char *manifest_host_path(const struct manifest *m, const char *path, const char *host);

/* The line of entry `index` of a list. */
size_t manifest_line(const struct manifest *m, const char *list, uint32_t index);

/*
 * Complain of entry `index` of the list `list` (NULL: of a key at the top), at its `key` if it
 * has that. Answers false.
 */
bool manifest_complain(const struct manifest *m, struct complaint *c, const char *list, uint32_t index,
		       const char *key, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

#endif
