/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The executor performs requests (boundary/request.h) with the rights of the user. Its
 * files are compiled without vector registers, since those hold the guest's values while
 * the enclave is left by exit; what needs the C library goes through with_fpu().
 */
#ifndef RAKIS_HOST_EXECUTOR_H
#define RAKIS_HOST_EXECUTOR_H

#include <stdint.h>

#include "boundary/request.h"

struct thread;

/* What the gate calls: the answer to the request at `arg`. */
int64_t host_call(uint64_t reason, uint64_t arg, uint64_t slot);

/* Each performs the opcodes of its topic, or answers NOT_MINE. */
#define NOT_MINE INT64_MIN
int64_t exec_wait(struct thread *t, const struct rakis_request *rq);
int64_t exec_file(struct thread *t, const struct rakis_request *rq);
int64_t exec_socket(struct thread *t, const struct rakis_request *rq);
int64_t exec_system(struct thread *t, const struct rakis_request *rq);
int64_t exec_library(void *thread, void *request);	/* with_fpu() only */

/* Arena memory that the executor itself reads or writes; NULL if it is not in the arena. */
void *arena_at(uint64_t addr, uint64_t len);

/* The name of a descriptor in /proc/self/fd. */
const char *fd_name(char buf[12], unsigned int fd);

/* A system call, straight: -errno on failure, no vector register, no errno of the library. */
static inline long system_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define SYS_ALL(nr, a, b, c, d, e, f, ...) \
	system_call(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys(nr, ...) SYS_ALL(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

#endif
