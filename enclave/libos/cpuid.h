/* SPDX-License-Identifier: Apache-2.0 */
/* CPUID for the guest, where the processor refuses it the instruction. */
#ifndef RAKIS_LIBOS_CPUID_H
#define RAKIS_LIBOS_CPUID_H

#include "gate/gate.h"

void cpuid_init(const struct rakis_boot *boot);
/* The instruction's work on eax to edx; rip is the caller's. */
void cpuid_emulate(struct regs *regs);

#endif
