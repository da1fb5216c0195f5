/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of the manifest. In an enclave it is measured, so that its errors are those of the
 * signer; they must not become errors of memory.
 */
#include "lib/policy.h"
#include "lib/string.h"

#define FLAGS_KNOWN (RAKIS_MANIFEST_ARGUMENTS | RAKIS_MANIFEST_ENVIRONMENT |	\
		     RAKIS_MANIFEST_NETWORK | RAKIS_MANIFEST_HOST_ROOT)
#define PATH_MOST	4095u
#define MODE_TYPE	0170000u
#define MODE_FILE	0100000u
#define MODE_LINK	0120000u

const struct rakis_manifest *policy;

static bool section_is_valid(const struct rakis_manifest *m, struct rakis_section s, size_t each)
{
	return s.offset % 8 == 0 && s.offset >= sizeof(*m) && s.offset <= m->size &&
	       s.count <= (m->size - s.offset) / each;
}

static const char *string(const struct rakis_manifest *m, u32 offset)
{
	return (const char *)m + m->strings.offset + offset;
}

static bool string_is_valid(const struct rakis_manifest *m, u32 offset)
{
	return offset < m->strings.count;	/* the last byte of all is a NUL */
}

/* Absolute, and in the normal form that paths of the guest are compared in. */
static bool path_is_normal(const char *p)
{
	size_t n;

	if (strlen(p) > PATH_MOST)
		return false;
	if (p[0] == '/' && !p[1])
		return true;
	while (*p == '/') {
		p++;
		for (n = 0; p[n] && p[n] != '/'; n++)
			;
		if (!n || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
		if (!*p)
			return true;
	}
	return false;
}

static const char *check_mounts(const struct rakis_manifest *m, const struct rakis_mount *mounts)
{
	if (m->mounts.count > RAKIS_MANIFEST_MOUNTS)
		return "it has too many mounts";
	for (u32 i = 0; i < m->mounts.count; i++) {
		const struct rakis_mount *e = &mounts[i];

		if (!string_is_valid(m, e->guest) || !string_is_valid(m, e->host) ||
		    !string_is_valid(m, e->key) || e->kind >= RAKIS_MOUNT_KINDS ||
		    e->flags & ~RAKIS_MOUNT_READONLY || e->reserved)
			return "a mount is not valid";
		if (!path_is_normal(string(m, e->guest)) || !string(m, e->guest)[1])
			return "a mount's path is not valid";
		if (e->kind != RAKIS_MOUNT_TMPFS && (string(m, e->host)[0] != '/' ||
						     strlen(string(m, e->host)) > PATH_MOST))
			return "a mount's path at the host is not valid";
	}
	return NULL;
}

static const char *check_files(const struct rakis_manifest *m, const struct rakis_trusted *files)
{
	for (u32 i = 0; i < m->files.count; i++) {
		const struct rakis_trusted *e = &files[i];
		u32 type = e->mode & MODE_TYPE;

		if (!string_is_valid(m, e->path) || !string_is_valid(m, e->host) ||
		    (type != MODE_FILE && type != MODE_LINK) || e->mode & ~(MODE_TYPE | 07777) ||
		    e->size > RAKIS_TRUSTED_MOST || e->patches > RAKIS_PATCHES_MOST)
			return "a trusted file is not valid";
		if (!path_is_normal(string(m, e->path)) || !string(m, e->path)[1])
			return "a trusted file's path is not valid";
		if (!*string(m, e->host) || strlen(string(m, e->host)) > PATH_MOST ||
		    (type == MODE_FILE && string(m, e->host)[0] != '/'))
			return "a trusted file's path at the host is not valid";
		if (i && strcmp(string(m, e[-1].path), string(m, e->path)) >= 0)
			return "its trusted files are not sorted";
	}
	return NULL;
}

static bool strings_are_valid(const struct rakis_manifest *m, struct rakis_section s)
{
	const u32 *e = (const void *)((const char *)m + s.offset);

	for (u32 i = 0; i < s.count; i++)
		if (!string_is_valid(m, e[i]))
			return false;
	return true;
}

static const char *check(const struct rakis_manifest *m, u64 size)
{
	const char *base = (const char *)m, *wrong;

	if (size < sizeof(*m) || m->magic != RAKIS_MANIFEST_MAGIC)
		return "it is none";
	if (m->version != RAKIS_MANIFEST_VERSION)
		return "it is of another version of rakis: sign it again";
	if (m->size > size || m->size < sizeof(*m) || m->size > RAKIS_MANIFEST_MOST ||
	    m->flags & ~FLAGS_KNOWN || m->reserved)
		return "its header is not valid";
	if (!section_is_valid(m, m->strings, 1) || !m->strings.count ||
	    !section_is_valid(m, m->mounts, sizeof(struct rakis_mount)) ||
	    !section_is_valid(m, m->files, sizeof(struct rakis_trusted)) ||
	    !section_is_valid(m, m->arguments, sizeof(u32)) ||
	    !section_is_valid(m, m->environment, sizeof(u32)))
		return "its sections are not valid";
	if (*string(m, 0) || *string(m, m->strings.count - 1))
		return "its strings are not valid";
	if (!string_is_valid(m, m->program) || !string_is_valid(m, m->directory) ||
	    !strings_are_valid(m, m->arguments) || !strings_are_valid(m, m->environment))
		return "a string of it is not valid";
	if (*string(m, m->directory) && !path_is_normal(string(m, m->directory)))
		return "its directory is not valid";
	wrong = check_mounts(m, (const void *)(base + m->mounts.offset));
	return wrong ? wrong : check_files(m, (const void *)(base + m->files.offset));
}

const char *policy_load(const void *data, u64 size)
{
	const char *wrong = check(data, size);

	if (!wrong)
		policy = data;
	return wrong;
}

const char *policy_string(u32 offset)
{
	return string(policy, offset);
}
