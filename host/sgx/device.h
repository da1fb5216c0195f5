/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the kernel's backend put themselves in the place of. */
#ifndef RAKIS_HOST_SGX_DEVICE_H
#define RAKIS_HOST_SGX_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/sgx/backend.h"

#define SGX_DEVICE	"/dev/sgx_enclave"
#define SGX_ENTER	"__vdso_sgx_enter_enclave"
#define SGX_PROVISION	"/dev/sgx_provision"
#define ADD_MOST	(1ull << 20)	/* bytes that one ioctl adds */

extern int (*device_open)(const char *path, int flags, ...);
extern int (*device_ioctl)(int fd, unsigned long request, ...);
extern void *(*device_mmap)(void *addr, size_t size, int prot, int flags, int fd, off_t off);

/* Find the vDSO's entry function; false: this kernel has none. */
extern bool (*device_find_enter)(const char *symbol, struct sgx_enter *enter);

#endif
