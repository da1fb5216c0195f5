/* SPDX-License-Identifier: Apache-2.0 */
/* What a manifest must keep to that no schema says. */
#include <stdlib.h>
#include <string.h>

#include "boundary/boot.h"
#include "boundary/policy.h"
#include "host/host.h"
#include "host/manifest/manifest.h"
#include "host/manifest/trusted.h"

#define MEMORY_LEAST	(64ull << 20)
#define MEMORY_MOST	(512ull << 30)

/* Why `path` cannot be a path of the guest, or NULL. */
static const char *path_fault(const char *path)
{
	const char *end;

	if (*path != '/')
		return "write an absolute path";
	if (!path[1])
		return NULL;
	for (const char *p = path; *p; p = end) {
		size_t n;

		end = strchrnul(p + 1, '/');
		n = end - p - 1;
		if (!n)
			return "leave out the slash at the end, or the second of two";
		if ((n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return "write it without . and ..";
	}
	return NULL;
}

static bool check_top(const struct manifest *m, struct complaint *c)
{
	const char *fault = path_fault(m->program);
	uint64_t size;

	if (m->version != MANIFEST_VERSION)
		return manifest_complain(m, c, NULL, 0, "version", "version %u, but this rakis knows only version %d; "
					 "rakis init writes a new manifest", m->version, MANIFEST_VERSION);
	if (fault)
		return manifest_complain(m, c, NULL, 0, "program", "`program`: %s: %s", m->program, fault);
	fault = m->directory ? path_fault(m->directory) : NULL;
	if (fault)
		return manifest_complain(m, c, NULL, 0, "directory", "`directory`: %s: %s", m->directory, fault);
	size = m->memory ? parse_size(m->memory) : MEMORY_LEAST;
	if (!size)
		return manifest_complain(m, c, NULL, 0, "memory", "`memory`: %s is not a size; write 512M or 4G",
					 m->memory);
	if (size < MEMORY_LEAST || size > MEMORY_MOST)
		return manifest_complain(m, c, NULL, 0, "memory", "`memory`: %s: at least 64M, at most 512G", m->memory);
	if (m->threads > RAKIS_SLOT_COUNT)
		return manifest_complain(m, c, NULL, 0, "threads", "`threads`: %u: at most %u", m->threads,
					 RAKIS_SLOT_COUNT);
	return true;
}

static bool check_environment(const struct manifest *m, struct complaint *c)
{
	for (uint32_t i = 0; i < m->environment_count; i++) {
		size_t n = strcspn(m->environment[i], "=");

		if (!n)
			return manifest_complain(m, c, "environment", i, NULL, "`environment`: %s: write NAME=VALUE to "
						 "set it, NAME to pass it on, \"*\" to pass all on", m->environment[i]);
		for (uint32_t j = 0; j < i; j++)
			if (!strncmp(m->environment[i], m->environment[j], n) &&
			    strcspn(m->environment[j], "=") == n)
				return manifest_complain(m, c, "environment", i, NULL,
							 "`environment`: %.*s is there twice; leave one", (int)n,
							 m->environment[i]);
	}
	return true;
}

static bool check_mount(const struct manifest *m, uint32_t i, struct complaint *c)
{
	const struct manifest_mount *a = &m->mounts[i];
	const char *fault = path_fault(a->path);

	if (fault || !a->path[1])
		return manifest_complain(m, c, "mounts", i, "path", "mount %s: %s", a->path,
					 fault ? fault : "the root is the tree of trusted files (see host_root)");
	if (path_is_system(a->path))
		return manifest_complain(m, c, "mounts", i, "path", "mount %s: /proc and /dev are the libOS's own; "
					 "leave it out", a->path);
	if (a->kind == RAKIS_MOUNT_TMPFS && a->host)
		return manifest_complain(m, c, "mounts", i, "host", "mount %s: a tmpfs has no place on the host; "
					 "leave out `host`", a->path);
	if (a->kind != RAKIS_MOUNT_TMPFS && !a->host)
		return manifest_complain(m, c, "mounts", i, NULL, "mount %s: say with `host` where its files are",
					 a->path);
	if (a->kind != RAKIS_MOUNT_ENCRYPTED && a->key)
		return manifest_complain(m, c, "mounts", i, "key", "mount %s: `key` is for kind encrypted", a->path);
	for (uint32_t j = 0; j < i; j++)
		if (path_is_below(a->path, m->mounts[j].path) || path_is_below(m->mounts[j].path, a->path))
			return manifest_complain(m, c, "mounts", i, "path", "mount %s: there is a mount %s already; "
						 "mounts must lie apart", a->path, m->mounts[j].path);
	return true;
}

static bool check_file(const struct manifest *m, uint32_t i, struct complaint *c)
{
	const struct manifest_file *f = &m->trusted[i];
	const char *fault = path_fault(f->path);

	if (fault)
		return manifest_complain(m, c, "trusted", i, "path", "trusted file %s: %s", f->path, fault);
	if (path_is_system(f->path))
		return manifest_complain(m, c, "trusted", i, "path", "trusted file %s: /proc and /dev are the libOS's "
					 "own; leave it out", f->path);
	if (f->sha256 && (strlen(f->sha256) != 64 || f->sha256[strspn(f->sha256, "0123456789abcdef")]))
		return manifest_complain(m, c, "trusted", i, "sha256", "%s: `sha256` is 64 digits 0-9a-f; "
					 "sha256sum tells them", f->path);
	for (uint32_t j = 0; j < m->mounts_count; j++)
		if (path_is_below(f->path, m->mounts[j].path))
			return manifest_complain(m, c, "trusted", i, "path", "trusted file %s: the mount %s covers it; "
						 "move one of them", f->path, m->mounts[j].path);
	return true;
}

static const char *const *sorted_against;	/* qsort's comparison has no argument of its own */

static int by_path(const void *a, const void *b)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	int order = strcmp(sorted_against[i], sorted_against[j]);

	return order ? order : i < j ? -1 : 1;
}

static bool check_twice(const struct manifest *m, struct complaint *c)
{
	uint32_t n = m->trusted_count, *order = calloc(n + 1, sizeof(*order));
	const char **paths = calloc(n + 1, sizeof(*paths));
	bool ok = order && paths;

	for (uint32_t i = 0; ok && i < n; i++) {
		order[i] = i;
		paths[i] = m->trusted[i].path;
	}
	sorted_against = paths;
	if (ok)
		qsort(order, n, sizeof(*order), by_path);
	for (uint32_t i = 1; ok && i < n; i++)
		if (!strcmp(paths[order[i - 1]], paths[order[i]]))
			ok = manifest_complain(m, c, "trusted", order[i], "path",
					       "trusted file %s is there twice; leave one", paths[order[i]]);
	free(order);
	free(paths);
	return ok;
}

bool manifest_check(const struct manifest *m, struct complaint *c)
{
	if (!check_top(m, c) || !check_environment(m, c))
		return false;
	for (uint32_t i = 0; i < m->mounts_count; i++)
		if (!check_mount(m, i, c))
			return false;
	for (uint32_t i = 0; i < m->trusted_count; i++)
		if (!check_file(m, i, c))
			return false;
	return check_twice(m, c);
}
