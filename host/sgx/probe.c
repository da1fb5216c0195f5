/* SPDX-License-Identifier: Apache-2.0 */
/* What SGX there is on this machine, for rakis doctor. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/host.h"
#include "host/sgx/device.h"
#include "host/sgx/sgx.h"

#define FEATURE_SGX	(1u << 2)	/* leaf 7, ebx */
#define FEATURE_BMI2	(1u << 8)
#define LEAF_SGX	0x12
#define SGX1		1u		/* leaf 0x12, eax */
#define SGX2		2u
#define EPC_SECTION	1u		/* type of a subleaf from 2 on */

/* Megabytes of enclave memory. */
static uint64_t epc_size(void)
{
	uint64_t size = 0;
	uint32_t a, b, c, d;

	for (uint32_t i = 2; i < 32; i++) {
		__cpuid_count(LEAF_SGX, i, a, b, c, d);
		if ((a & 0xf) != EPC_SECTION)
			break;
		size += (uint64_t)(d & 0xfffff) << 32 | (c & 0xfffff000);
	}
	return size >> 20;
}

bool sgx_probe(char *text, size_t size)
{
	uint32_t a, b = 0, c, d;
	struct sgx_enter enter;

	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & FEATURE_SGX)) {
		snprintf(text, size, "not in this processor, or off in the firmware or for this "
			 "virtual machine");
		return false;
	}
	__cpuid_count(LEAF_SGX, 0, a, b, c, d);
	if (!(a & SGX1)) {
		snprintf(text, size, "off in the firmware");
		return false;
	}
	if (access(SGX_DEVICE, R_OK | W_OK)) {
		snprintf(text, size, errno == EACCES ?
			 "%s may not be opened: join its group, or run as root" :
			 "no %s: Linux 5.11 or later with CONFIG_X86_SGX, and flexible launch "
			 "control in the firmware", SGX_DEVICE);
		return false;
	}
	if (!device_find_enter(SGX_ENTER, &enter)) {
		snprintf(text, size, "the kernel's vDSO has no %s", SGX_ENTER);
		return false;
	}
	if (!(b & SGX_MISC_EXINFO)) {
		snprintf(text, size, "the processor does not report page faults (MISCSELECT.EXINFO), "
			 "which RAKIS needs");
		return false;
	}
	snprintf(text, size, "SGX1%s, %llu MiB of enclave memory", a & SGX2 ? " and SGX2" : "",
		 (unsigned long long)epc_size());
	return true;
}

bool emulator_probe(char *text, size_t size)
{
	uint32_t a, b = 0, c, d;
	bool faults;

	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & FEATURE_BMI2)) {
		snprintf(text, size, "a processor with BMI2");
		return false;
	}
	faults = !syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
	if (faults)
		syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
	snprintf(text, size, "--sgx=emulate; protects nothing%s", faults ? "" :
		 "; CPUID is executed here, not trapped as in an enclave");
	return true;
}
