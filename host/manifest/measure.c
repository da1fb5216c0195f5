/* SPDX-License-Identifier: Apache-2.0 */
/* What trusted files hold: the digest of each chunk, and where their system calls are. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary/policy.h"
#include "host/manifest/trusted.h"
#include "host/patch_table.h"

#define PATCHES_AT_A_TIME	4096

/* A table while it is made. */
struct table {
	uint8_t *data;
	size_t size, room;
};

static bool append(struct table *t, const void *data, size_t size)
{
	if (t->room - t->size < size) {
		size_t room = (t->size + size) * 2;
		uint8_t *more = realloc(t->data, room);

		if (!more)
			return false;
		t->data = more;
		t->room = room;
	}
	memcpy(t->data + t->size, data, size);
	t->size += size;
	return true;
}

static bool append_chunks(struct table *t, const uint8_t *content, uint64_t size)
{
	uint8_t digest[32];

	for (uint64_t at = 0; at < size; at += RAKIS_TRUSTED_CHUNK) {
		uint64_t n = size - at < RAKIS_TRUSTED_CHUNK ? size - at : RAKIS_TRUSTED_CHUNK;

		SHA256(content + at, n, digest);
		if (!append(t, digest, sizeof(digest)))
			return false;
	}
	return true;
}

static bool append_patches(struct table *t, int fd, uint32_t *count)
{
	static struct rakis_patch some[PATCHES_AT_A_TIME];
	int n;

	*count = 0;
	do {
		n = patch_table(fd, some, PATCHES_AT_A_TIME, *count);
		if (n < 0 || !append(t, some, n * sizeof(*some)))
			return false;
		*count += n;
	} while (n == PATCHES_AT_A_TIME);
	return true;
}

static bool complain(const struct manifest *m, struct complaint *c, const struct item *item, const char *key,
		     const char *what)
{
	if (item->entry >= m->trusted_count)
		return manifest_complain(m, c, NULL, 0, "program", "program %s: %s", item->path, what);
	return manifest_complain(m, c, "trusted", item->entry, key, "trusted file %s: %s", item->path, what);
}

/* A file that the manifest names itself may be pinned there. */
static bool check_pinned(const struct manifest *m, const struct item *item, const uint8_t *content,
			 struct complaint *c)
{
	const struct manifest_file *f = item->entry < m->trusted_count ? &m->trusted[item->entry] : NULL;
	char hex[65], what[160];
	uint8_t digest[32];

	if (!f || !f->sha256)
		return true;
	SHA256(content, item->size, digest);
	for (int i = 0; i < 32; i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
	if (!strcmp(hex, f->sha256))
		return true;
	snprintf(what, sizeof(what), "it has changed; if that is right, its `sha256` is now %s", hex);
	return complain(m, c, item, "sha256", what);
}

static bool measure(const struct manifest *m, struct item *item, int tables, struct complaint *c)
{
	int fd = open(item->host, O_RDONLY | O_CLOEXEC);
	const uint8_t *content = NULL;
	struct table t = { 0 };
	struct stat st;
	bool ok = false;

	if (fd < 0 || fstat(fd, &st))
		goto out;
	item->size = st.st_size;
	if (item->size > RAKIS_TRUSTED_MOST) {
		errno = EFBIG;
		goto out;
	}
	if (item->size) {
		content = mmap(NULL, item->size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (content == MAP_FAILED) {
			content = NULL;
			goto out;
		}
	}
	if (!check_pinned(m, item, content, c))
		goto out;
	if (!append_chunks(&t, content, item->size) || !append_patches(&t, fd, &item->patches) ||
	    write(tables, t.data, t.size) != (ssize_t)t.size)
		goto out;
	SHA256(t.data, t.size, item->digest);
	ok = true;
out:
	if (!ok && !*c->text)
		complain(m, c, item, "path", strerror(errno));
	if (content)
		munmap((void *)content, item->size);
	if (fd >= 0)
		close(fd);
	free(t.data);
	return ok;
}

bool trusted_measure(const struct manifest *m, struct items *items, int tables, struct complaint *c)
{
	for (size_t i = 0; i < items->count; i++) {
		struct item *item = &items->item[i];

		if (S_ISLNK(item->mode))
			continue;
		item->table = lseek(tables, 0, SEEK_CUR);
		if (!measure(m, item, tables, c))
			return false;
	}
	return true;
}
