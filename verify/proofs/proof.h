/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every harness uses. A local variable without a value is any value; so is what
 * any_*() gives.
 */
#ifndef RAKIS_VERIFY_PROOF_H
#define RAKIS_VERIFY_PROOF_H

#include "lib/log.h"
#include "lib/stats.h"

#define ASSUME(x)	__CPROVER_assume(x)
#define PROVE(x)	__CPROVER_assert(x, #x)
#define IMPLIES(a, b)	(!(a) || (b))

/* The proof is of something only if this line can be reached; the driver checks it. */
#ifdef PROOF_MUTATION
#define REACHED(when)	((void)(when))
#else
#define REACHED(when)	__CPROVER_assert(!(when), "REACHED: " #when)
#endif

bool nondet_bool(void);
u8 nondet_u8(void);
u32 nondet_u32(void);
s32 nondet_s32(void);
u64 nondet_u64(void);
s64 nondet_s64(void);
#define any_bool()	nondet_bool()
#define any_u8()	nondet_u8()
#define any_u32()	nondet_u32()
#define any_s32()	nondet_s32()
#define any_u64()	nondet_u64()
#define any_s64()	nondet_s64()

/* A power of two, at most `most`. */
static inline u32 any_power_of_two(u32 most)
{
	u32 n = any_u32();

	ASSUME(n && n <= most && !(n & (n - 1)));
	return n;
}

struct rakis_stats stats;

void panic(const char *fmt, ...)
{
#ifndef PANIC_IS_AN_ANSWER
	__CPROVER_assert(0, "no assertion of the code fails");
#endif
	__CPROVER_assume(0);
	__builtin_unreachable();
}

void log_error(const char *fmt, ...) { }
void log_warn(const char *fmt, ...) { }
void log_info(const char *fmt, ...) { }
void log_debug(const char *fmt, ...) { }

#endif
