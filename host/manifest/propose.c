/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a manifest must say for a program that did what was recorded. Each line says why it is
 * there in a comment that begins with `# init:`, by which update.c knows it again.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/openat2.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

#include "boundary/boot.h"
#include "boundary/policy.h"
#include "host/manifest/propose.h"
#include "host/manifest/trusted.h"
#include "host/manifest/update.h"

#define MIB		(1ull << 20)
#define LISTED_MOST	2000		/* names in a directory that is trusted as a whole */
#define THREADS_LEAST	16

/* ---- lists of paths ---- */

struct paths {
	char **path;
	size_t count, room;
};

static void paths_add(struct paths *l, const char *path)
{
	if (l->count == l->room) {
		char **more = realloc(l->path, (l->room * 2 + 64) * sizeof(*more));

		if (!more)
			return;
		l->path = more;
		l->room = l->room * 2 + 64;
	}
	l->path[l->count] = strdup(path);
	l->count += l->path[l->count] != NULL;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void paths_sort(struct paths *l)
{
	size_t kept = 0;

	if (l->count)
		qsort(l->path, l->count, sizeof(*l->path), by_bytes);
	for (size_t i = 0; i < l->count; i++) {
		if (kept && !strcmp(l->path[kept - 1], l->path[i]))
			free(l->path[i]);
		else
			l->path[kept++] = l->path[i];
	}
	l->count = kept;
}

static void paths_free(struct paths *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->path[i]);
	free(l->path);
}

/* Is `path` at or below one of them? */
static bool paths_over(const struct paths *l, const char *path)
{
	for (size_t i = 0; i < l->count; i++)
		if (path_is_below(path, l->path[i]))
			return true;
	return false;
}

/* Is one of them at, below or above `path`? */
static bool paths_touch(const struct paths *l, const char *path)
{
	for (size_t i = 0; i < l->count; i++)
		if (path_is_below(path, l->path[i]) || path_is_below(l->path[i], path))
			return true;
	return false;
}

static bool paths_have(const struct paths *l, const char *path)
{
	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->path[i], path))
			return true;
	return false;
}

/* ---- paths ---- */

static bool host_path(const struct proposal *p, const char *path, char out[PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s%s", p->root ? p->root : "", path) < PATH_MAX;
}

/* As a manifest wants it: links stay (they are files of the guest, too), unless `..` is behind one. */
static bool normal(const struct proposal *p, const char *path, char out[PATH_MAX])
{
	size_t skip = p->root ? strlen(p->root) : 0, n = 0;
	char host[PATH_MAX], real[PATH_MAX];

	if (strstr(path, "/../") || (strlen(path) > 2 && !strcmp(path + strlen(path) - 3, "/.."))) {
		if (!host_path(p, path, host) || !realpath(host, real) || strncmp(real, p->root ? p->root : "", skip))
			return false;
		strcpy(out, real[skip] ? real + skip : "/");
		return true;
	}
	for (const char *at = path; *at; ) {
		size_t len;

		at += strspn(at, "/");
		len = strcspn(at, "/");
		if (len && !(len == 1 && *at == '.')) {
			if (n + len + 2 > PATH_MAX)
				return false;
			out[n++] = '/';
			memcpy(out + n, at, len);
			n += len;
		}
		at += len;
	}
	if (!n)
		out[n++] = '/';
	out[n] = 0;
	return true;
}

/* The directory of the guest that `path` is in, without links. */
static bool directory_of(const struct proposal *p, const char *path, char out[PATH_MAX])
{
	size_t skip = p->root ? strlen(p->root) : 0;
	char host[PATH_MAX], real[PATH_MAX], *slash;

	if (!host_path(p, path, host))
		return false;
	do {			/* it may have gone with the run */
		slash = strrchr(host + skip, '/');
		if (!slash)
			return false;
		*slash = 0;
	} while (!realpath(*host ? host : "/", real));
	if (strncmp(real, p->root ? p->root : "", skip))
		return false;
	strcpy(out, real[skip] ? real + skip : "/");
	return true;
}

static bool is_plain(const char *s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strspn(s, letters);

	if (!n && *s != '/')
		return false;
	while (*s && (strchr(letters, *s) || strchr("/_.+@%=-", *s)))
		s++;
	return !*s;
}

/* As YAML reads it. */
static void put_scalar(FILE *f, const char *s)
{
	if (is_plain(s)) {
		fputs(s, f);
		return;
	}
	fputc('"', f);
	for (; *s; s++) {
		unsigned char ch = *s;

		if (ch == '"' || ch == '\\')
			fprintf(f, "\\%c", ch);
		else if (ch < ' ' || ch == 127)
			fprintf(f, "\\x%02x", ch);
		else
			fputc(ch, f);
	}
	fputc('"', f);
}

/* ---- what was recorded ---- */

struct found {
	struct paths used, listed, mounts;
	struct paths wrote, written;	/* files, and the directories that they are in */
	char program[PATH_MAX];
	struct paths kept;		/* trusted, and the manifest says so without us */
};

/* What rakis init found before, and what a person wrote since. */
static void read_old(const struct update *u, struct found *f)
{
	const struct manifest *m = u->old;

	for (uint32_t i = 0; m && i < m->trusted_count; i++) {
		const struct manifest_file *file = &m->trusted[i];

		paths_add(update_is_kept(u, "trusted", i) ? &f->kept : file->sha256 ? &f->used : &f->listed, file->path);
	}
	for (uint32_t i = 0; m && i < m->mounts_count; i++)
		paths_add(update_is_kept(u, "mounts", i) ? &f->mounts : &f->written, m->mounts[i].path);
}

static void read_record(const struct proposal *p, struct found *f)
{
	const struct recording *r = p->record;
	uint64_t used = r->used < RECORD_ROOM ? r->used : RECORD_ROOM;
	char path[PATH_MAX], dir[PATH_MAX];

	for (uint64_t at = 0; at + 2 <= used; at += strnlen(r->text + at, used - at) + 1) {
		const char *recorded = r->text + at + 1;

		if (!r->text[at] || !normal(p, recorded, path) || path_is_system(path) || path_is_below(path, "/sys"))
			continue;
		if (r->text[at] == RECORD_USED)
			paths_add(&f->used, path);
		else if (r->text[at] == RECORD_LISTED)
			paths_add(&f->listed, path);
		else if (directory_of(p, path, dir) && dir[1] && !path_is_system(dir)) {
			paths_add(&f->wrote, path);
			paths_add(&f->written, dir);
		}
	}
	paths_add(&f->used, f->program);
	paths_sort(&f->used);
	paths_sort(&f->listed);
	paths_sort(&f->wrote);
	paths_sort(&f->written);
}

/* ---- what it means ---- */

static const char *const scratch[] = { "/tmp", "/var/tmp", "/run", "/var/run", "/dev/shm" };

/* Does it read files there that it has not written? */
static bool reads_below(const struct proposal *p, const struct found *f, const char *dir)
{
	char host[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < f->used.count; i++)
		if (path_is_below(f->used.path[i], dir) && !paths_have(&f->wrote, f->used.path[i]) &&
		    host_path(p, f->used.path[i], host) && !lstat(host, &st) && S_ISREG(st.st_mode))
			return true;
	return false;
}

static void put_mount(FILE *out, const struct proposal *p, const struct found *f, const char *dir)
{
	const char *why = "writes here; the files are encrypted, and begin empty";
	bool read_too = reads_below(p, f, dir);
	char name[PATH_MAX];

	fputs("  - { path: ", out);
	put_scalar(out, dir);
	if (read_too) {
		fputs(", kind: host, host: ", out);
		put_scalar(out, host_path(p, dir, name) ? name : dir);
		why = "CHECK: NOT PROTECTED: writes beside files that it reads; give what it writes a directory of its own";
	} else {
		snprintf(name, sizeof(name), "encrypted%s", dir);
		for (char *ch = name; *ch; ch++)
			if (*ch == '/')
				*ch = '-';
		fputs(", kind: encrypted, host: ", out);
		put_scalar(out, name);
	}
	fprintf(out, " }  # init: %s\n", why);
}

static void put_mounts(FILE *out, const struct proposal *p, struct found *f)
{
	uint32_t count = f->mounts.count;

	/* The places for what need not last, first. */
	for (size_t i = 0; i < sizeof(scratch) / sizeof(*scratch); i++) {
		bool wanted = false;

		if (path_is_system(scratch[i]) || paths_touch(&f->mounts, scratch[i]))
			continue;
		for (size_t j = 0; j < f->written.count; j++)
			wanted |= path_is_below(f->written.path[j], scratch[i]) &&
				  !path_is_below(f->program, f->written.path[j]) &&
				  !path_is_below(p->directory, f->written.path[j]);
		if (!wanted && i)
			continue;
		if (path_is_below(p->directory, scratch[i]) || reads_below(p, f, scratch[i]))
			continue;
		fprintf(out, "  - { path: %s, kind: tmpfs }  # init: %s\n", scratch[i],
			wanted ? "writes here; in the enclave's memory" : "programs expect it; in the enclave's memory");
		paths_add(&f->mounts, scratch[i]);
		count++;
	}
	for (size_t i = 0; i < f->written.count; i++) {
		if (paths_touch(&f->mounts, f->written.path[i]))
			continue;
		if (count++ == RAKIS_MANIFEST_MOUNTS)
			fprintf(out, "  # init: CHECK: writes in more places than there can be mounts:\n");
		if (count > RAKIS_MANIFEST_MOUNTS)
			fprintf(out, "  # init: %s\n", f->written.path[i]);
		else
			put_mount(out, p, f, f->written.path[i]);
		paths_add(&f->mounts, f->written.path[i]);
	}
}

/* A file of the guest's; links are followed in its root. */
static int open_file(const struct proposal *p, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT };
	int root = open(p->root ? p->root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (root >= 0)
		close(root);
	return fd;
}

static bool file_sha256(const struct proposal *p, const char *path, char hex[65])
{
	int fd = open_file(p, path);
	uint8_t digest[32];
	struct stat st;
	void *data = NULL;
	bool ok = false;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
		data = st.st_size ? mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
		ok = data != MAP_FAILED;
	}
	if (ok) {
		SHA256(data, st.st_size, digest);
		for (int i = 0; i < 32; i++)
			sprintf(hex + 2 * i, "%02x", digest[i]);
		if (data)
			munmap(data, st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

static void put_trusted(FILE *out, const char *path, const char *hex, const char *why)
{
	fputs("  - { path: ", out);
	put_scalar(out, path);
	if (hex)
		fprintf(out, ", sha256: %s", hex);
	fprintf(out, " }  # init: %s\n", why);
}

static bool is_library(const char *path)
{
	const char *so = strstr(path, ".so");

	return so && (!so[3] || (so[3] == '.' && so[4] >= '0' && so[4] <= '9'));
}

static size_t names_in(const char *host)
{
	DIR *dir = opendir(host);
	size_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static uint32_t put_files(FILE *out, const struct proposal *p, const struct found *f)
{
	char host[PATH_MAX], hex[65];
	uint32_t count = 0;
	struct stat st;

	for (size_t i = 0; i < f->listed.count; i++) {
		const char *dir = f->listed.path[i];

		if (paths_over(&f->mounts, dir) || paths_have(&f->kept, dir) || !host_path(p, dir, host) || stat(host, &st))
			continue;
		if (names_in(host) > LISTED_MOST)
			fprintf(out, "  # init: lists %s, which has too many files: it sees those that are named here\n", dir);
		else
			put_trusted(out, dir, NULL, "lists this directory: every file in it");
	}
	for (size_t i = 0; i < f->used.count; i++) {
		const char *path = f->used.path[i];

		if (paths_over(&f->mounts, path) || paths_have(&f->kept, path) || !file_sha256(p, path, hex))
			continue;
		put_trusted(out, path, hex, !strcmp(path, f->program) ? "the program" :
			    is_library(path) ? "library" : "reads it");
		count++;
	}
	return count;
}

/* ---- the keys ---- */

/* What is worth having from where the run was recorded. */
static const char *const passed[] = { "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TERM", "TZ", "USER" };

/* Does a line that is kept say something of it? */
static bool has_variable(const struct update *u, const char *name)
{
	size_t n = strlen(name);

	for (uint32_t i = 0; u->old && i < u->old->environment_count; i++)
		if (!strncmp(u->old->environment[i], name, n) && strchr("=", u->old->environment[i][n]) &&
		    update_is_kept(u, "environment", i))
			return true;
	return false;
}

static void put_environment(FILE *out, const struct update *u)
{
	for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++) {
		const char *value = getenv(passed[i]);
		char *entry = NULL;

		if (!value || has_variable(u, passed[i]) || asprintf(&entry, "%s=%s", passed[i], value) < 0)
			continue;
		fputs("  - ", out);
		put_scalar(out, entry);
		fputs("  # init: as it was in the recorded run\n", out);
		free(entry);
	}
}

static uint64_t power_of_two(uint64_t n)
{
	uint64_t size = 256 * MIB;

	while (size < n)
		size *= 2;
	return size;
}

static void put_arguments(FILE *out, const struct proposal *p)
{
	fputs("[", out);
	for (int i = 0; i < p->argc; i++) {
		fputs(i ? ", " : "", out);
		put_scalar(out, p->argv[i]);
	}
	fputs("]", out);
}

/* Is there anything of the guest's at or below `dir`? */
static bool is_there(const struct found *f, const char *dir)
{
	for (size_t i = 0; i < f->used.count; i++)
		if (path_is_below(f->used.path[i], dir))
			return true;
	for (size_t i = 0; i < f->mounts.count; i++)
		if (path_is_below(dir, f->mounts.path[i]) || path_is_below(f->mounts.path[i], dir))
			return true;
	return false;
}

bool manifest_propose(const struct proposal *p, char summary[256], struct complaint *c)
{
	uint64_t threads = p->record->threads * 2, memory = p->record->memory;
	uint32_t files, mounts;
	struct update u;
	static struct found f;
	bool ok;

	if (!normal(p, p->program, f.program) || !update_begin(&u, p->name, c))
		return false;
	read_old(&u, &f);
	read_record(p, &f);
	threads = (threads < THREADS_LEAST ? THREADS_LEAST : threads + 7) & ~7ull;
	if (threads > RAKIS_SLOT_COUNT)
		threads = RAKIS_SLOT_COUNT;
	fprintf(update_key(&u, "version", false), "%d  # init: of this format", MANIFEST_VERSION);
	put_scalar(update_key(&u, "program", false), f.program);
	fputs("  # init: what was recorded", u.out);
	put_arguments(update_key(&u, "arguments", false), p);
	fputs("  # init: as recorded, argv[0] first", u.out);
	fputs("false  # init: true lets the host add arguments behind these", update_key(&u, "more_arguments", false));
	put_environment(update_key(&u, "environment", true), &u);
	if (p->root) {
		put_scalar(update_key(&u, "root", false), p->root);
		fputs("  # init: where the host has the guest's files", u.out);
	}
	put_mounts(update_key(&u, "mounts", true), p, &f);
	mounts = f.mounts.count;
	put_scalar(update_key(&u, "directory", false), is_there(&f, p->directory) ? p->directory : "/");
	fputs("  # init: the working directory", u.out);
	fprintf(update_key(&u, "network", false), "%s  # init: %s", p->record->network ? "true" : "false",
		p->record->network ? "makes sockets" : "makes no sockets");
	fprintf(update_key(&u, "memory", false), "%lluM  # init: %s%llu MiB were mapped at most",
		(unsigned long long)(memory ? power_of_two(memory + memory / 2 + 64 * MIB) / MIB : 1024),
		memory ? "" : "a guess, since the run was cut off; ", (unsigned long long)(memory / MIB));
	fprintf(update_key(&u, "threads", false), "%llu  # init: %llu were running at most", (unsigned long long)threads,
		(unsigned long long)(p->record->threads ? p->record->threads : 1));
	files = put_files(update_key(&u, "trusted", true), p, &f);
	ok = update_end(&u, c);
	snprintf(summary, 256, "%u trusted files, %u places to write%s", files, mounts,
		 p->record->used > RECORD_ROOM ? " (more was used than could be recorded)" : "");
	paths_free(&f.used);
	paths_free(&f.listed);
	paths_free(&f.wrote);
	paths_free(&f.written);
	paths_free(&f.mounts);
	paths_free(&f.kept);
	return ok;
}
