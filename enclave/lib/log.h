/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to RAKIS's user. The host prints each as one line on standard error behind
 * "rakis: "; no newline in `fmt`. Any thread. Costs an exit unless the level is off.
 */
#ifndef RAKIS_LIB_LOG_H
#define RAKIS_LIB_LOG_H

#include "lib/types.h"

/* Where lines go, and how to end the process; set by hostio at start. */
extern void (*log_sink)(u32 level, const char *text, size_t len);
extern void (*log_die)(void);
extern u32 log_level;			/* enum rakis_log_level: most that is printed */

void log_error(const char *fmt, ...) __printf(1, 2);
void log_warn(const char *fmt, ...) __printf(1, 2);
void log_info(const char *fmt, ...) __printf(1, 2);
void log_debug(const char *fmt, ...) __printf(1, 2);

/* Say why and end the process with status 125. For broken invariants of RAKIS itself. */
void panic(const char *fmt, ...) __noreturn __printf(1, 2);

#define ASSERT(x) do { if (unlikely(!(x)))					\
	panic("assertion failed: %s (%s:%d)", #x, __FILE__, __LINE__); } while (0)

#endif
