/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz the resolution of paths. The input is two strings: the target of a link in an internal
 * mount, and a path. A path without that link is compared with a second normaliser.
 */
#include <stdlib.h>
#include <string.h>
#include "boundary/boot.h"
#include "fake_host.h"
#include "fs/vfs.h"
#include "lib/errno.h"

#define CHECK(x) ((x) ? (void)0 : abort())
#define LINK "/dev/shm/l"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* From the back: a component counts unless a `..` behind it has taken it away. */
static void normal(char *out, const char *path)
{
	size_t at = strlen(path), up = 0;
	char buf[2 * VFS_PATH_MAX], *p = buf + sizeof(buf) - 1;

	*p = 0;
	while (at) {
		size_t end = at, n;

		while (at && path[at - 1] != '/')
			at--;
		n = end - at;
		if (n == 2 && !memcmp(path + at, "..", 2)) {
			up++;
		} else if (n && !(n == 1 && path[at] == '.')) {
			if (up) {
				up--;
			} else {
				p -= n;
				memcpy(p, path + at, n);
				*--p = '/';
			}
		}
		at -= at > 0;
	}
	strcpy(out, *p ? p : "/");
}

static void check_form(const struct where *w)
{
	const char *p = w->full, *name;
	size_t n, len = w->mnt->len;

	if (!*p)
		return;
	CHECK(*p == '/' && !strstr(p, "//"));
	while ((n = path_component(&p, &name)))
		CHECK(!(n == 1 && *name == '.') && !(n == 2 && !memcmp(name, "..", 2)));
	CHECK(!strncmp(w->full, w->mnt->prefix, len) && (w->full[len] == '/' || !w->full[len]));
	/* Only the host may have to see a slash at the end. */
	n = strlen(w->full);
	CHECK(n == 1 || w->full[n - 1] != '/' || (!len && w->want_dir));
	if (len)
		CHECK(w->path >= w->full + len && w->path <= w->full + n && *w->path != '/');
}

static void set_link(const char *target)
{
	struct where *w;

	CHECK(!where_kernel(&w, LINK, WHERE_NOFOLLOW));
	(void)!vfs_unlink(w, false);
	CHECK(!*target || !vfs_symlink(w, target));
	where_put(w);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static char strings[2 * VFS_PATH_MAX], full[VFS_PATH_MAX], expected[VFS_PATH_MAX];
	struct rakis_boot boot = { 0 };
	struct where *w;
	const char *path;
	int err;

	if (!fake_guest) {
		fake_host_setup(NULL);
		vfs_init(&boot, "/", "fuzz");
	}
	if (size > sizeof(strings) - 2)
		return 0;
	memcpy(strings, data, size);
	memset(strings + size, 0, 2);
	path = strings + strlen(strings) + 1;
	if (strlen(strings) >= VFS_PATH_MAX)
		return 0;
	set_link(strings);
	err = where_kernel(&w, path, 0);
	if (err) {
		CHECK(err == -ENAMETOOLONG || err == -ENOENT || err == -ELOOP);
		CHECK(!w);
		return 0;
	}
	check_form(w);
	strcpy(full, w->full);
	where_put(w);
	/* Once more in its normal form, unless that has links or is too long to be known. */
	if (*full && !strstr(full, "/l")) {
		CHECK(!where_kernel(&w, full, 0));
		normal(expected, full);
		CHECK(!strncmp(w->full, expected, strlen(expected)));
		where_put(w);
	}
	if (!strstr(path, "shm") && strlen(path) < VFS_PATH_MAX - 1) {
		normal(expected, path);
		CHECK(!strcmp(full, expected) || full[strlen(expected)] == '/');
	}
	return 0;
}
