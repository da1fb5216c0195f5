/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to RAKIS's user, and the end when an invariant of RAKIS is broken. */
#include "boundary/request.h"
#include "lib/log.h"
#include "lib/string.h"

enum { LINE_MAX = 512 };

static void sink_nothing(u32 level, const char *text, size_t len)
{
}

static void die_trap(void)
{
	__builtin_trap();
}

void (*log_sink)(u32 level, const char *text, size_t len) = sink_nothing;
void (*log_die)(void) = die_trap;
u32 log_level = RAKIS_LOG_WARN;

static void log_line(u32 level, const char *fmt, va_list ap)
{
	char line[LINE_MAX];
	int n;

	if (level > log_level)
		return;
	n = vsnprintf(line, sizeof(line), fmt, ap);
	log_sink(level, line, min((size_t)n, sizeof(line) - 1));
}

#define LOG_FUNCTION(name, level)			\
void name(const char *fmt, ...)				\
{							\
	va_list ap;					\
							\
	va_start(ap, fmt);				\
	log_line(level, fmt, ap);			\
	va_end(ap);					\
}

LOG_FUNCTION(log_error, RAKIS_LOG_ERROR)
LOG_FUNCTION(log_warn, RAKIS_LOG_WARN)
LOG_FUNCTION(log_info, RAKIS_LOG_INFO)
LOG_FUNCTION(log_debug, RAKIS_LOG_DEBUG)

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(RAKIS_LOG_ERROR, fmt, ap);
	va_end(ap);
	log_die();
	for (;;)
		__builtin_trap();
}
