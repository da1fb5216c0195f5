/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rakis.yaml from text to struct manifest. libcyaml judges it; what it says and where is
 * taken from its log. It names places by the value; the lines of keys, and those of what
 * manifest_check() finds, come from libyaml's own view of the document.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "host/manifest/manifest.h"
#include "host/manifest/schema.h"

#define TEXT_MOST	(64u << 20)
#define DEPTH		8

/* ---- places ---- */

/* Where something is, outermost first: a key of a mapping, or an entry of a list. */
struct step {
	char key[64];			/* "": `index` it is */
	uint32_t index;
};

static yaml_node_t *value_of(yaml_document_t *doc, yaml_node_t *node, const char *key, yaml_node_t **name)
{
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
		yaml_node_t *k = yaml_document_get_node(doc, p->key);

		if (k->type == YAML_SCALAR_NODE && !strcmp((char *)k->data.scalar.value, key)) {
			*name = k;
			return yaml_document_get_node(doc, p->value);
		}
	}
	return NULL;
}

/* The line of what the steps lead to: of its key if it has one. As far as they do. */
static size_t line_of(yaml_document_t *doc, const struct step *steps, size_t count)
{
	yaml_node_t *node = yaml_document_get_root_node(doc), *mark = node;

	for (size_t i = 0; node && i < count; i++) {
		const struct step *s = &steps[i];

		if (*s->key)
			node = value_of(doc, node, s->key, &mark);
		else if (node->type == YAML_SEQUENCE_NODE && s->index <
			 (size_t)(node->data.sequence.items.top - node->data.sequence.items.start))
			mark = node = yaml_document_get_node(doc, node->data.sequence.items.start[s->index]);
		else
			node = NULL;
	}
	return mark ? mark->start_mark.line + 1 : 1;
}

size_t manifest_line(const struct manifest *m, const char *list, uint32_t index)
{
	struct step steps[2] = { 0 };

	snprintf(steps[0].key, sizeof(steps[0].key), "%s", list);
	steps[1].index = index;
	return line_of(m->marks, steps, 2);
}

/* What a manifest says may hold anything. */
static void in_one_line(struct complaint *c)
{
	for (char *p = c->text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = '?';
}

bool manifest_complain(const struct manifest *m, struct complaint *c, const char *list, uint32_t index,
		       const char *key, const char *fmt, ...)
{
	struct step steps[3] = { 0 };
	size_t count = 0, n;
	va_list ap;

	if (list) {
		snprintf(steps[count++].key, sizeof(steps->key), "%s", list);
		steps[count++].index = index;
	}
	if (key)
		snprintf(steps[count++].key, sizeof(steps->key), "%s", key);
	n = snprintf(c->text, sizeof(c->text), "%.400s:%zu: ", m->name, line_of(m->marks, steps, count));
	va_start(ap, fmt);
	vsnprintf(c->text + n, sizeof(c->text) - n, fmt, ap);
	va_end(ap);
	in_one_line(c);
	return false;
}

/* ---- what libcyaml says ---- */

struct heard {
	char what[256];			/* the first error */
	struct step steps[DEPTH];	/* innermost first */
	size_t count;
};

static void hear(cyaml_log_t level, void *ctx, const char *fmt, va_list ap)
{
	struct heard *h = ctx;
	struct step *s = &h->steps[h->count];
	char line[512];

	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = 0;
	if (level < CYAML_LOG_ERROR)
		return;
	if (!*h->what && !strncmp(line, "Load: ", 6))
		snprintf(h->what, sizeof(h->what), "%.250s", line + 6);
	if (h->count == DEPTH)
		return;
	if (sscanf(line, "  in mapping field '%63[^']'", s->key) == 1)
		h->count++;
	else if (sscanf(line, "  in sequence entry '%u'", &s->index) == 1 && s->index) {
		s->index--;
		h->count++;
	}
}

/* The part of the schema that the steps lead to. */
static const cyaml_schema_value_t *schema_of(const struct step *steps, size_t count)
{
	const cyaml_schema_value_t *v = &manifest_schema;

	for (size_t i = 0; v && i < count; i++) {
		const cyaml_schema_field_t *f;

		if (!*steps[i].key) {
			v = v->type == CYAML_SEQUENCE ? v->sequence.entry : NULL;
			continue;
		}
		f = v->type == CYAML_MAPPING ? v->mapping.fields : NULL;
		while (f && f->key && strcmp(f->key, steps[i].key))
			f++;
		v = f && f->key ? &f->value : NULL;
	}
	return v;
}

static const char *in_words(const char *type)
{
	return !strncmp(type, "SEQUENCE", 8) ? "a list" : !strncmp(type, "MAPPING", 7) ? "keys with values" :
	       "a single value";
}

/* What may stand there, for an error about something else that does. */
static void choices(char *out, size_t size, const cyaml_schema_value_t *v)
{
	size_t n = 0;

	*out = 0;
	if (v && v->type == CYAML_MAPPING)
		for (const cyaml_schema_field_t *f = v->mapping.fields; f->key && n < size; f++)
			n += snprintf(out + n, size - n, "%s%s", n ? ", " : "", f->key);
	if (v && v->type == CYAML_ENUM)
		for (uint32_t i = 0; i < v->enumeration.count && n < size; i++)
			n += snprintf(out + n, size - n, "%s%s", n ? ", " : "", v->enumeration.strings[i].str);
}

static void explain(const char *name, yaml_document_t *doc, const struct heard *h, struct complaint *c)
{
	char list[256], key[64], type[32], got[32], value[200];
	struct step steps[DEPTH + 1] = { 0 };
	size_t count = h->count, n;
	unsigned int most;
	char at[100], *out;

	for (size_t i = 0; i < count; i++)
		steps[i] = h->steps[count - 1 - i];
	/* Of what is missing it tells at the last key that is there, of too many at the last that fits. */
	if (count && ((!strncmp(h->what, "Missing", 7) && *steps[count - 1].key) ||
		      (!strncmp(h->what, "Excessive", 9) && !*steps[count - 1].key)))
		count--;
	choices(list, sizeof(list), schema_of(steps, count));
	if (!count)
		strcpy(at, "the manifest");
	else if (*steps[count - 1].key)
		snprintf(at, sizeof(at), "`%s`", steps[count - 1].key);
	else
		snprintf(at, sizeof(at), "an entry of `%s`", count > 1 ? steps[count - 2].key : "");
	if (sscanf(h->what, "Unexpected key: %63[^\n]", steps[count].key) == 1)
		count++;
	n = snprintf(c->text, sizeof(c->text), "%.400s:%zu: ", name, line_of(doc, steps, count));
	out = c->text + n;
	n = sizeof(c->text) - n;
	if (!strncmp(h->what, "Unexpected key: ", 16))
		snprintf(out, n, "unknown key `%s`; known here: %s", h->what + 16, list);
	else if (sscanf(h->what, "Missing required mapping field: %63s", key) == 1)
		snprintf(out, n, "the key `%s` is missing; see docs/manifest.md", key);
	else if (sscanf(h->what, "Mapping field already seen: %63s", key) == 1)
		snprintf(out, n, "the key `%s` is there twice; leave one", key);
	else if (sscanf(h->what, "Expecting %31[^,], got event: %31s", type, got) == 2)
		snprintf(out, n, "%s must be %s, not %s", at, in_words(type), in_words(got));
	else if (sscanf(h->what, "Excessive entries (%u max)", &most) == 1)
		snprintf(out, n, "%s has too many entries; at most %u", at, most);
	else if (sscanf(h->what, "Invalid ENUM value: %199[^\n]", value) == 1)
		snprintf(out, n, "%s: %s is none of %s", at, value, list);
	else if (sscanf(h->what, "Invalid uint64_t value: %199[^\n]", value) == 1 ||
		 sscanf(h->what, "Invalid UINT value: %199[^\n]", value) == 1)
		snprintf(out, n, "%s: %s is not a number that fits", at, value);
	else if (sscanf(h->what, "STRING length < %u", &most) == 1)
		snprintf(out, n, "%s is empty", at);
	else if (sscanf(h->what, "STRING length > %u", &most) == 1)
		snprintf(out, n, "%s is too long; at most %u bytes", at, most);
	else
		snprintf(out, n, "%s: %.200s", at, *h->what ? h->what : "not understood");
	in_one_line(c);
}

/* ---- reading ---- */

static bool is_text(const char *text, size_t size, const char *name, struct complaint *c)
{
	size_t line = 1;

	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			line++;
		if (!text[i]) {
			snprintf(c->text, sizeof(c->text), "%.400s:%zu: a zero byte: this is no text", name, line);
			return false;
		}
	}
	return true;
}

/* The document as libyaml sees it; it has what libcyaml does not tell: where errors of syntax are. */
static bool load_document(yaml_document_t *doc, const char *text, size_t size, const char *name,
			  struct complaint *c)
{
	yaml_parser_t parser;
	bool ok;

	if (!yaml_parser_initialize(&parser))
		return false;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	ok = yaml_parser_load(&parser, doc);
	if (!ok)
		snprintf(c->text, sizeof(c->text), "%.400s:%zu: not YAML: %s", name,
			 parser.problem_mark.line + 1, parser.problem ? parser.problem : "cannot be read");
	else if (!yaml_document_get_root_node(doc)) {
		snprintf(c->text, sizeof(c->text), "%.400s:1: empty; rakis init writes a manifest", name);
		yaml_document_delete(doc);
		ok = false;
	}
	yaml_parser_delete(&parser);
	return ok;
}

/* All of a file; NULL and errno. */
static char *read_all(const char *name, size_t *size)
{
	FILE *f = fopen(name, "re");
	char *text = NULL;
	size_t room = 0, n;

	*size = 0;
	while (f && !ferror(f) && *size < TEXT_MOST) {
		if (room - *size < 4096)
			text = realloc(text, room = room * 2 + 65536);
		n = text ? fread(text + *size, 1, room - *size, f) : 0;
		if (!n)
			break;
		*size += n;
	}
	if (f && (ferror(f) || !feof(f))) {
		errno = ferror(f) ? errno : EFBIG;
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

/* The directory that `name` is in, absolute. */
static char *directory_of(const char *name)
{
	const char *slash = strrchr(name, '/');
	char *dir = slash ? strndup(name, slash == name ? 1 : slash - name) : strdup("."), *real;

	real = dir ? realpath(dir, NULL) : NULL;
	free(dir);
	return real;
}

static cyaml_config_t config(struct heard *h)
{
	return (cyaml_config_t){
		.log_fn = hear, .log_ctx = h, .log_level = CYAML_LOG_ERROR, .mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
}

struct manifest *manifest_load(const char *name, const char *text, size_t size, struct complaint *c)
{
	struct manifest *m = NULL;
	struct heard heard = { 0 };
	cyaml_config_t cfg = config(&heard);
	yaml_document_t *doc = malloc(sizeof(*doc));
	char *own = NULL;

	*c->text = 0;
	if (!text)
		text = own = read_all(name, &size);
	if (!text || !doc)
		snprintf(c->text, sizeof(c->text), "%.400s: %s%s", name, strerror(errno), errno == ENOENT ?
			 "; rakis init -- PROGRAM ARGUMENTS writes one" : "");
	else if (is_text(text, size, name, c) && load_document(doc, text, size, name, c)) {
		if (cyaml_load_data((const uint8_t *)text, size, &cfg, &manifest_schema, (void **)&m, NULL) || !m) {
			explain(name, doc, &heard, c);
			yaml_document_delete(doc);
		} else {
			m->marks = doc;
			doc = NULL;
			m->name = strdup(name);
			m->base = directory_of(name);
		}
	}
	free(doc);
	free(own);
	if (m && (!m->name || !m->base || !manifest_check(m, c))) {
		if (!*c->text)
			snprintf(c->text, sizeof(c->text), "%.400s: %s", name, strerror(errno));
		manifest_free(m);
		return NULL;
	}
	return m;
}

void manifest_free(struct manifest *m)
{
	struct heard heard = { 0 };
	cyaml_config_t cfg = config(&heard);

	if (!m)
		return;
	yaml_document_delete(m->marks);
	free(m->marks);
	free(m->name);
	free(m->base);
	cyaml_free(&cfg, &manifest_schema, m, 0);
}
