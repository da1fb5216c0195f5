/* SPDX-License-Identifier: Apache-2.0 */
/* What was counted, as a table or as JSON: at the end of a run, and for rakis stats. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "names.h"

#define SYSCALLS_SHOWN 20

/* Where it goes; lines among those of a program are marked as RAKIS's. */
struct page {
	FILE *f;
	const char *mark;
};

static void rule(const struct page *p, const char *title)
{
	fprintf(p->f, "%s-- %s\n", p->mark, title);
}

static void line(const struct page *p, const char *text, uint64_t n)
{
	fprintf(p->f, "%s%-36s %14llu\n", p->mark, text, (unsigned long long)n);
}

static const char *name_of(const char *const *names, uint32_t i, char buf[16])
{
	if (names[i])
		return names[i];
	snprintf(buf, 16, "%u", i);
	return buf;
}

/* Indices of the largest counters, largest first, at most `most`: how many. */
static uint32_t largest(const uint64_t *counters, uint32_t n, uint32_t *out, uint32_t most)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at;

		if (!counters[i])
			continue;
		for (at = found; at && counters[out[at - 1]] < counters[i]; at--)
			if (at < most)
				out[at] = out[at - 1];
		if (at < most) {
			out[at] = i;
			found += found < most;
		}
	}
	return found;
}

static void table(const struct page *p, const struct rakis_stats *s)
{
	uint64_t calls = s->enclave.syscalls;
	uint32_t order[RAKIS_STATS_OPCODES], n;
	char buf[16];

	rule(p, "counters");
#define COUNTER(name, text) line(p, text, s->enclave.name);
	RAKIS_ENCLAVE_COUNTERS(COUNTER)
#undef COUNTER
#define COUNTER(name, text) line(p, text, s->host.name);
	RAKIS_HOST_COUNTERS(COUNTER)
#undef COUNTER
	if (calls)
		fprintf(p->f, "%s%-36s %10llu.%03llu\n", p->mark, "exits per system call",
			(unsigned long long)(s->host.exits / calls),
			(unsigned long long)(s->host.exits % calls * 1000 / calls));
	rule(p, "requests");
	n = largest(s->by_opcode, RAKIS_STATS_OPCODES, order, RAKIS_STATS_OPCODES);
	for (uint32_t i = 0; i < n; i++)
		line(p, name_of(opcode_names, order[i], buf), s->by_opcode[order[i]]);
	rule(p, "most frequent system calls");
	n = largest(s->by_syscall, RAKIS_STATS_SYSCALLS, order, SYSCALLS_SHOWN);
	for (uint32_t i = 0; i < n; i++)
		line(p, name_of(syscall_names, order[i], buf), s->by_syscall[order[i]]);
}

static void json_counters(FILE *f, const char *title, const uint64_t *counters, uint32_t n,
			  const char *const *names)
{
	const char *comma = "";
	char buf[16];

	fprintf(f, ",\n  \"%s\": {", title);
	for (uint32_t i = 0; i < n; i++) {
		if (!counters[i])
			continue;
		fprintf(f, "%s\n    \"%s\": %llu", comma, name_of(names, i, buf),
			(unsigned long long)counters[i]);
		comma = ",";
	}
	fprintf(f, "\n  }");
}

static void json(FILE *f, const struct rakis_stats *s)
{
	const char *comma = "";

#define COUNTER(name, text) \
	fprintf(f, "%s\n    \"" #name "\": %llu", comma, (unsigned long long)SIDE.name),	\
	comma = ",";
#define SIDE s->enclave
	fprintf(f, "{\n  \"enclave\": {");
	RAKIS_ENCLAVE_COUNTERS(COUNTER)
#undef SIDE
#define SIDE s->host
	comma = "";
	fprintf(f, "\n  },\n  \"host\": {");
	RAKIS_HOST_COUNTERS(COUNTER)
#undef SIDE
#undef COUNTER
	fprintf(f, "\n  }");
	json_counters(f, "requests", s->by_opcode, RAKIS_STATS_OPCODES, opcode_names);
	json_counters(f, "syscalls", s->by_syscall, RAKIS_STATS_SYSCALLS, syscall_names);
	fprintf(f, "\n}\n");
}

void stats_print(FILE *f, const struct rakis_stats *s, bool as_json)
{
	if (as_json)
		json(f, s);
	else
		table(&(struct page){ f, f == stdout ? "" : "rakis: " }, s);
}

void stats_at_end(void)
{
	static char buffer[32768];
	int fd = host.stats_fd >= 0 ? host.stats_fd : host.log_fd;
	FILE *f = fdopen(fd, "w");

	if (!f)
		return;
	setvbuf(f, buffer, _IOFBF, sizeof(buffer));
	stats_print(f, host.stats, host.stats_json);
	fflush(f);
}
