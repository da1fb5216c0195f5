/* SPDX-License-Identifier: Apache-2.0 */
/* An old manifest and what is new, line by line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/manifest/update.h"

#define MARK		"# init:"

static const char preface[] =
	"# What this program may do in an enclave; docs/manifest.md describes the keys.\n"
	"# rakis init makes lines with a comment that begins \"init:\" anew whenever it runs, and keeps\n"
	"# all others: to keep a line as you changed it, take that word out.\n";

bool update_begin(struct update *u, const char *name, struct complaint *c)
{
	size_t size;
	FILE *f;

	*u = (struct update){ .name = name };
	f = fopen(name, "re");
	if (!f)
		return true;
	if (getdelim(&u->old_text, &size, 0, f) < 0) {
		free(u->old_text);
		u->old_text = NULL;
	}
	fclose(f);
	if (!u->old_text)
		return true;
	u->old = manifest_load(name, u->old_text, strlen(u->old_text), c);
	return u->old;
}

/* Does the line that begins here have the mark? */
static bool is_marked(const char *line)
{
	const char *mark = strstr(line, MARK);

	return mark && mark < line + strcspn(line, "\n");
}

bool update_is_kept(const struct update *u, const char *list, uint32_t index)
{
	size_t line = manifest_line(u->old, list, index);
	const char *at = u->old_text;

	while (--line && *at)
		at += strcspn(at, "\n") + (at[strcspn(at, "\n")] != 0);
	return !is_marked(at);
}

FILE *update_key(struct update *u, const char *key, bool list)
{
	struct update_key *k = &u->key[u->count++];

	k->key = key;
	k->list = list;
	k->out = open_memstream(&k->text, &k->size);
	return u->out = k->out;
}

/* The key that a line at the left margin begins with; NULL. */
static struct update_key *key_of(struct update *u, const char *line)
{
	for (size_t i = 0; i < u->count; i++) {
		size_t n = strlen(u->key[i].key);

		if (!strncmp(line, u->key[i].key, n) && line[n] == ':')
			return &u->key[i];
	}
	return NULL;
}

static void put_key(FILE *out, struct update_key *k)
{
	if (k->list && k->size)
		fprintf(out, "\n%s:\n%s", k->key, k->text);
	else if (!k->list)
		fprintf(out, "%s: %s\n", k->key, k->text);
}

/* Is there but the key, and perhaps a comment? */
static bool is_header(const char *line)
{
	line += strcspn(line, ":") + 1;
	line += strspn(line, " \t");
	return !*line || *line == '\n' || *line == '#';
}

static bool merge(struct update *u, FILE *out, struct complaint *c)
{
	bool done[UPDATE_KEYS] = { 0 };
	size_t number = 1;

	if (!u->old_text)
		fputs(preface, out);
	for (const char *line = u->old_text, *next; line && *line; line = next, number++) {
		struct update_key *k = key_of(u, line);
		int n = strcspn(line, "\n");

		next = line + n + (line[n] == '\n');
		if (k && k->list && !is_marked(line)) {
			if (k->size && !is_header(line)) {
				snprintf(c->text, sizeof(c->text), "%.400s:%zu: write `%s:` alone on its line, and the "
					 "entries below, so that rakis init can add some", u->name, number, k->key);
				return false;
			}
			fprintf(out, "%.*s\n%s", n, line, k->text);
			done[k - u->key] = true;
		} else if (k && is_marked(line)) {
			put_key(out, k);
			done[k - u->key] = true;
		} else if (!is_marked(line)) {
			fprintf(out, "%.*s\n", n, line);
			if (k)
				done[k - u->key] = true;
		}
	}
	for (size_t i = 0; i < u->count; i++)
		if (!done[i])
			put_key(out, &u->key[i]);
	return true;
}

/* In one step, so that a failure leaves the old one. */
static bool replace(const char *name, const char *text, size_t size)
{
	char *temp = NULL;
	FILE *f;
	bool ok;

	if (asprintf(&temp, "%s.new", name) < 0)
		return false;
	f = fopen(temp, "we");
	ok = f && fwrite(text, 1, size, f) == size;
	if (f && fclose(f))
		ok = false;
	if (!ok || rename(temp, name)) {
		unlink(temp);
		ok = false;
	}
	free(temp);
	return ok;
}

bool update_end(struct update *u, struct complaint *c)
{
	struct manifest *made = NULL;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool ok = out;

	for (size_t i = 0; i < u->count; i++)
		if (!u->key[i].out || fclose(u->key[i].out))
			ok = false;
	ok = ok && merge(u, out, c);
	if (out && fclose(out))
		ok = false;
	if (ok) {
		made = manifest_load(u->name, text, size, c);
		ok = made && replace(u->name, text, size);
	}
	if (!ok && !*c->text)
		snprintf(c->text, sizeof(c->text), "%.400s: %s", u->name, strerror(errno));
	manifest_free(made);
	manifest_free(u->old);
	for (size_t i = 0; i < u->count; i++)
		free(u->key[i].text);
	free(u->old_text);
	free(text);
	return ok;
}
