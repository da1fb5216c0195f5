/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page in guest memory from which the vDSO (elf/vdso/) tells the time without a system
 * call. libos/time.c writes it, the guest's own code reads it, and the guest can write or
 * unmap it as it likes: the libOS stores to it with usercopy functions only, and believes
 * nothing that it would read there.
 *
 * Nanoseconds of a clock at TSC value t, for 0 <= t - tsc_base <= tsc_max:
 *
 *	base_ns + ((t - tsc_base) * mult >> VVAR_SHIFT)		(a 128-bit product)
 *
 * Outside that window, and with mode VVAR_OFF, the vDSO makes the system call; the libOS
 * then moves the window. A writer makes seq odd (user_cmpxchg32), stores the fields, makes
 * seq even: a reader that saw it odd, or changed, tries again.
 */
#ifndef RAKIS_LIBOS_VVAR_H
#define RAKIS_LIBOS_VVAR_H

#include <stdint.h>

#define VVAR_SHIFT	32

enum vvar_mode { VVAR_OFF, VVAR_TSC };

struct vvar {
	uint32_t seq;
	uint32_t cpus;		/* set by vdso_map(): what getcpu may answer without a system call */
	/* From here to the end: written by time.c, in one piece. */
	uint64_t mode;		/* enum vvar_mode */
	uint64_t tsc_base;
	uint64_t tsc_max;	/* cycles */
	uint64_t mult;		/* ns per cycle, 32.32 fixed point */
	uint64_t mono_ns;	/* CLOCK_MONOTONIC at tsc_base */
	uint64_t real_ns;
	uint64_t boot_ns;
};

#endif
