/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a manifest's trusted entries are. The guest's tree is made of them alone, so a
 * path is walked as the kernel would, and each symbolic link on the way becomes part of it.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/manifest/trusted.h"

#define LINKS_MOST	40		/* on one path, as in Linux */

struct find {
	const struct manifest *m;
	struct items *items;
	struct complaint *c;
	uint32_t entry;
};

bool path_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (n == 1)
		return true;
	return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

bool path_is_system(const char *path)
{
	return path_is_below(path, "/proc") || path_is_below(path, "/dev");
}

char *manifest_host_path(const struct manifest *m, const char *path, const char *host)
{
	char *out = NULL;
	int n;

	if (host)
		n = asprintf(&out, "%s%s%s", *host == '/' ? "" : m->base, *host == '/' ? "" : "/", host);
	else if (m->root)
		n = asprintf(&out, "%s%s%s%s", *m->root == '/' ? "" : m->base, *m->root == '/' ? "" : "/", m->root,
			     path);
	else
		return strdup(path);
	return n < 0 ? NULL : out;
}

static bool complain(const struct find *f, const char *path, const char *what)
{
	if (f->entry >= f->m->trusted_count)
		return manifest_complain(f->m, f->c, NULL, 0, "program", "program %s: %s", path, what);
	return manifest_complain(f->m, f->c, "trusted", f->entry, "path", "trusted file %s: %s", path, what);
}

static bool add(const struct find *f, const char *path, const char *host, const struct stat *st)
{
	struct items *l = f->items;
	struct item *item;

	if (l->count == MANIFEST_FILES_MOST)
		return complain(f, path, "too many trusted files; name those that the program needs");
	if (l->count == l->room) {
		item = realloc(l->item, (l->room * 2 + 64) * sizeof(*item));
		if (!item)
			return complain(f, path, "out of memory");
		l->item = item;
		l->room = l->room * 2 + 64;
	}
	item = &l->item[l->count];
	*item = (struct item){ .path = strdup(path), .host = strdup(host), .mode = st->st_mode & 0170777,
			       .entry = f->entry };
	if (S_ISREG(st->st_mode))
		item->size = st->st_size;
	l->count++;
	return item->path && item->host ? true : complain(f, path, "out of memory");
}

static bool add_file(const struct find *f, const char *path, const char *host, const struct stat *st, bool asked)
{
	const char *why = NULL;

	if (!S_ISREG(st->st_mode))
		why = "neither a file nor a directory; leave it out";
	else if (access(host, R_OK))
		why = "cannot be read; sign as a user who may";
	if (why)
		return asked ? complain(f, path, why) : true;
	for (uint32_t i = 0; i < f->m->mounts_count; i++)
		if (path_is_below(path, f->m->mounts[i].path))
			return complain(f, path, "a mount covers it, or what it is a link to; move one of them");
	return add(f, path, host, st);
}

/* ---- a walk ---- */

/* Where a walk is: `at` has no links, `rest` is to go. */
struct walk {
	char at[PATH_MAX];
	char rest[PATH_MAX];
};

/* The next component to the end of `at`; false at the end, or if it is too long. */
static bool step(struct walk *w)
{
	size_t skip = strspn(w->rest, "/"), n = strcspn(w->rest + skip, "/"), len = strlen(w->at);
	const char *name = w->rest + skip;
	char *slash;

	if (!n || len + n + 2 > sizeof(w->at))
		return false;
	if (n == 2 && name[0] == '.' && name[1] == '.') {
		slash = strrchr(w->at, '/');
		if (slash)
			*slash = 0;
	} else if (n != 1 || *name != '.') {
		w->at[len] = '/';
		memcpy(w->at + len + 1, name, n);
		w->at[len + 1 + n] = 0;
	}
	memmove(w->rest, name + n, strlen(name + n) + 1);
	return true;
}

/* `at` is a link that says `target`. */
static bool turn(struct walk *w, const char *target)
{
	char rest[PATH_MAX];

	if (snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= (int)sizeof(rest))
		return false;
	strcpy(w->rest, rest);
	*strrchr(w->at, '/') = 0;
	if (*target == '/')
		*w->at = 0;
	return true;
}

static bool add_link(const struct find *f, const char *path, const char *host, const struct stat *st, char *target)
{
	ssize_t n = readlink(host, target, PATH_MAX - 1);

	if (n <= 0)
		return complain(f, path, "a link that cannot be read");
	target[n] = 0;
	return add(f, path, target, st);
}

static bool directory(const struct find *f, const char *path, bool recursive, bool asked);

/* To a file, or to a directory and what is in it, and the links on the way. */
static bool walk(const struct find *f, const char *path, bool recursive, bool asked)
{
	struct walk w = { 0 };
	char target[PATH_MAX];
	unsigned int links = 0;
	struct stat st = { .st_mode = S_IFDIR };
	char *host = NULL;
	bool ok = true;

	if (snprintf(w.rest, sizeof(w.rest), "%s", path) >= (int)sizeof(w.rest))
		return complain(f, path, "the path is too long");
	while (ok && step(&w)) {
		if (!*w.at || path_is_system(w.at))
			continue;
		free(host);
		host = manifest_host_path(f->m, w.at, NULL);
		if (!host || lstat(host, &st)) {
			if (asked)
				ok = complain(f, path, errno == ENOENT || errno == ENOTDIR ?
					      "there is no such file; mend the path, or leave it out" : strerror(errno));
			free(host);
			return ok;
		}
		if (!S_ISLNK(st.st_mode))
			continue;
		ok = add_link(f, w.at, host, &st, target);
		if (ok && (++links > LINKS_MOST || !turn(&w, target)))
			ok = complain(f, path, "too many links on its way");
		st.st_mode = S_IFDIR;
	}
	if (ok && !path_is_system(w.at)) {
		if (!S_ISDIR(st.st_mode))
			ok = add_file(f, w.at, host, &st, asked);
		else if (asked || (recursive && !links))
			ok = directory(f, *w.at ? w.at : "/", recursive, asked);
	}
	free(host);
	return ok;
}

/* The names in a directory of the host, in any order; NULL behind the last. */
static char **names_in(const char *host)
{
	size_t count = 0, room = 0;
	char **names = NULL, **more;
	DIR *dir = opendir(host);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (count + 1 >= room) {
			more = realloc(names, (room = room * 2 + 64) * sizeof(*names));
			if (!more)
				break;
			names = more;
		}
		names[count++] = strdup(e->d_name);
		names[count] = NULL;
	}
	if (dir)
		closedir(dir);
	return names;
}

static bool directory(const struct find *f, const char *path, bool recursive, bool asked)
{
	char *host = manifest_host_path(f->m, path, NULL), **names = host ? names_in(host) : NULL, below[PATH_MAX];
	bool ok = true;

	for (char **n = names; n && *n; n++) {
		if (ok && snprintf(below, sizeof(below), "%s/%s", path[1] ? path : "", *n) < (int)sizeof(below))
			ok = walk(f, below, recursive, false);
		free(*n);
	}
	free(names);
	free(host);
	return ok;
}

/* An entry with `host`: the host's file as it is, whatever links lead there. */
static bool elsewhere(const struct find *f, const char *path, const char *host, bool recursive, unsigned int depth)
{
	char **names, below[PATH_MAX], there[PATH_MAX];
	struct stat st;
	bool ok = true;

	if (stat(host, &st))
		return depth ? true : complain(f, path, "the file that `host` names is not there; mend it");
	if (!S_ISDIR(st.st_mode))
		return add_file(f, path, host, &st, !depth);
	if (depth && (!recursive || depth > LINKS_MOST))
		return true;
	names = names_in(host);
	for (char **n = names; n && *n; n++) {
		if (ok && snprintf(below, sizeof(below), "%s/%s", path[1] ? path : "", *n) < (int)sizeof(below) &&
		    snprintf(there, sizeof(there), "%s/%s", host, *n) < (int)sizeof(there))
			ok = elsewhere(f, below, there, recursive, depth + 1);
		free(*n);
	}
	free(names);
	return ok;
}

/* ---- all ---- */

static int by_path(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : x->entry < y->entry ? -1 : x->entry > y->entry;
}

static void item_free(struct item *item)
{
	free(item->path);
	free(item->host);
}

void trusted_free(struct items *items)
{
	for (size_t i = 0; i < items->count; i++)
		item_free(&items->item[i]);
	free(items->item);
	*items = (struct items){ 0 };
}

/* Several entries may come by the same file or link: once is enough, unless they differ. */
static bool unite(const struct find *f, struct items *l)
{
	size_t kept = 0;

	qsort(l->item, l->count, sizeof(*l->item), by_path);
	for (size_t i = 0; i < l->count; i++) {
		struct item *item = &l->item[i], *last = kept ? &l->item[kept - 1] : NULL;

		if (!last || strcmp(last->path, item->path)) {
			l->item[kept++] = *item;
			continue;
		}
		if (strcmp(last->host, item->host)) {
			struct find two = *f;

			two.entry = item->entry;
			memmove(&l->item[kept], item, (l->count - i) * sizeof(*item));
			l->count -= i - kept;
			return complain(&two, item->path, "two entries say different things of it; leave one");
		}
		/* The entry that says what the file must be is the one to answer to. */
		if (item->entry < f->m->trusted_count && f->m->trusted[item->entry].sha256)
			last->entry = item->entry;
		item_free(item);
	}
	l->count = kept;
	return true;
}

static bool in_mount(const struct manifest *m, const char *path)
{
	for (uint32_t i = 0; i < m->mounts_count; i++)
		if (path_is_below(path, m->mounts[i].path))
			return true;
	return false;
}

bool trusted_find(const struct manifest *m, struct items *items, struct complaint *c)
{
	struct find f = { .m = m, .items = items, .c = c };
	bool ok = true;
	char *host;

	for (f.entry = 0; ok && f.entry < m->trusted_count; f.entry++) {
		const struct manifest_file *file = &m->trusted[f.entry];

		if (!file->host) {
			ok = walk(&f, file->path, file->recursive, true);
			continue;
		}
		host = manifest_host_path(m, file->path, file->host);
		ok = host && elsewhere(&f, file->path, host, file->recursive, 0);
		free(host);
	}
	if (ok && !m->host_root && !in_mount(m, m->program)) {
		bool named = false;

		for (size_t i = 0; i < items->count; i++)
			named |= !strcmp(items->item[i].path, m->program);
		ok = named || walk(&f, m->program, false, true);
	}
	return ok && unite(&f, items);
}
