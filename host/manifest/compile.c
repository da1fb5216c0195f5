/* SPDX-License-Identifier: Apache-2.0 */
/* From the manifest to struct rakis_manifest (boundary/policy.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary/policy.h"
#include "host/manifest/manifest.h"
#include "host/manifest/trusted.h"

struct build {
	char *strings;
	size_t strings_size;
	FILE *stream;			/* of the strings; errors are sticky */
};

/* The offset of a new string; 0 is the empty one. */
static uint32_t string(struct build *b, const char *s)
{
	uint32_t at = ftell(b->stream);

	if (!s || !*s)
		return 0;
	fwrite(s, strlen(s) + 1, 1, b->stream);
	return at;
}

static void put_mounts(struct build *b, const struct manifest *m, struct rakis_mount *out)
{
	for (uint32_t i = 0; i < m->mounts_count; i++) {
		const struct manifest_mount *a = &m->mounts[i];
		char *host = a->host ? manifest_host_path(m, a->path, a->host) : NULL;

		out[i] = (struct rakis_mount){
			.guest = string(b, a->path),
			.host = string(b, host),
			.kind = a->kind,
			.flags = a->read_only ? RAKIS_MOUNT_READONLY : 0,
			.key = string(b, a->key),
		};
		free(host);
	}
}

static void put_files(struct build *b, const struct items *items, struct rakis_trusted *out)
{
	for (size_t i = 0; i < items->count; i++) {
		const struct item *item = &items->item[i];

		out[i] = (struct rakis_trusted){
			.path = string(b, item->path),
			.host = string(b, item->host),
			.mode = item->mode,
			.patches = item->patches,
			.size = item->size,
			.table = item->table,
		};
		memcpy(out[i].digest, item->digest, sizeof(out[i].digest));
	}
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_all(const char *entry)
{
	return !strcmp(entry, "*");
}

/* The sections, in this order behind the fixed part; the strings are last. */
static size_t place(struct rakis_section *s, size_t at, size_t count, size_t entry)
{
	*s = (struct rakis_section){ .offset = at, .count = count };
	return (at + count * entry + 7) & ~(size_t)7;
}

static bool assemble(const struct manifest *m, const struct items *items, struct build *b, struct compiled *out)
{
	uint32_t nargs = m->arguments_count ? m->arguments_count : 1, nenv = 0, *args, *env;
	char **sorted = calloc(m->environment_count + 1, sizeof(*sorted));
	struct rakis_manifest *head;
	struct rakis_manifest h = {
		.magic = RAKIS_MANIFEST_MAGIC,
		.version = RAKIS_MANIFEST_VERSION,
		.flags = (m->more_arguments ? RAKIS_MANIFEST_ARGUMENTS : 0) |
			 (m->network ? RAKIS_MANIFEST_NETWORK : 0) |
			 (m->host_root ? RAKIS_MANIFEST_HOST_ROOT : 0),
	};
	size_t at = sizeof(h), size;
	uint8_t *blob;

	for (uint32_t i = 0; sorted && i < m->environment_count; i++) {
		if (is_all(m->environment[i]))
			h.flags |= RAKIS_MANIFEST_ENVIRONMENT;
		else
			sorted[nenv++] = m->environment[i];
	}
	at = place(&h.mounts, at, m->mounts_count, sizeof(struct rakis_mount));
	at = place(&h.files, at, items->count, sizeof(struct rakis_trusted));
	at = place(&h.arguments, at, nargs, sizeof(uint32_t));
	at = place(&h.environment, at, nenv, sizeof(uint32_t));
	blob = calloc(1, at);
	if (!sorted || !blob) {
		free(sorted);
		free(blob);
		return false;
	}
	qsort(sorted, nenv, sizeof(*sorted), by_bytes);
	fputc(0, b->stream);
	h.program = string(b, m->program);
	h.directory = string(b, m->directory);
	put_mounts(b, m, (struct rakis_mount *)(blob + h.mounts.offset));
	put_files(b, items, (struct rakis_trusted *)(blob + h.files.offset));
	args = (uint32_t *)(blob + h.arguments.offset);
	env = (uint32_t *)(blob + h.environment.offset);
	for (uint32_t i = 0; i < nargs; i++)
		args[i] = string(b, m->arguments_count ? m->arguments[i] : m->program);
	for (uint32_t i = 0; i < nenv; i++)
		env[i] = string(b, sorted[i]);
	free(sorted);
	fflush(b->stream);
	size = place(&h.strings, at, b->strings_size, 1);
	out->policy = ferror(b->stream) ? NULL : calloc(1, size);
	if (out->policy) {
		memcpy(out->policy, blob, at);
		memcpy(out->policy + at, b->strings, b->strings_size);
		head = (struct rakis_manifest *)out->policy;
		*head = h;
		head->size = out->policy_size = size;
	}
	free(blob);
	return out->policy;
}

/* The host's files that mounts show must be there; encrypted ones may begin empty. */
static bool check_hosts(const struct manifest *m, struct complaint *c)
{
	bool ok = true;

	for (uint32_t i = 0; ok && i < m->mounts_count; i++) {
		char *host = m->mounts[i].host ? manifest_host_path(m, NULL, m->mounts[i].host) : NULL;
		struct stat st;

		if (!host)
			continue;
		if (stat(host, &st)) {
			if (m->mounts[i].kind != RAKIS_MOUNT_ENCRYPTED || mkdir(host, 0700))
				ok = manifest_complain(m, c, "mounts", i, "host", "mount %s: %s: %s; make it, or mend "
						       "the path", m->mounts[i].path, host, strerror(errno));
		} else if (m->mounts[i].kind == RAKIS_MOUNT_ENCRYPTED && !S_ISDIR(st.st_mode)) {
			ok = manifest_complain(m, c, "mounts", i, "host", "mount %s: %s is not a directory",
					       m->mounts[i].path, host);
		}
		free(host);
	}
	return ok;
}

bool manifest_compile(const struct manifest *m, struct compiled *out, struct complaint *c)
{
	struct build b = { 0 };
	struct items items = { 0 };
	bool ok = false;

	*out = (struct compiled){ .tables = memfd_create("rakis-tables", MFD_CLOEXEC) };
	b.stream = open_memstream(&b.strings, &b.strings_size);
	if (!b.stream || out->tables < 0)
		goto out;
	if (!check_hosts(m, c) || !trusted_find(m, &items, c) || !trusted_measure(m, &items, out->tables, c))
		goto out;
	out->tables_size = lseek(out->tables, 0, SEEK_CUR);
	ok = assemble(m, &items, &b, out);
	if (ok && out->policy_size > RAKIS_MANIFEST_MOST)
		ok = manifest_complain(m, c, NULL, 0, "trusted", "too many trusted files for one policy; name those "
				       "that the program needs");
out:
	if (!ok && !*c->text)
		manifest_complain(m, c, NULL, 0, NULL, "%s", strerror(errno ? errno : ENOMEM));
	trusted_free(&items);
	if (b.stream)
		fclose(b.stream);
	free(b.strings);
	if (!ok)
		compiled_free(out);
	return ok;
}

void compiled_free(struct compiled *out)
{
	free(out->policy);
	if (out->tables >= 0)
		close(out->tables);
	*out = (struct compiled){ .tables = -1 };
}
