/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between the libOS and guest memory whose address the guest gave. The address
 * must lie in the guest's part of the range; a page that is not there, or not writable,
 * is -EFAULT (the faulting instruction is in usercopy.S, the exception entry knows it), unless the hook can bring it in.
 */
#ifndef RAKIS_GATE_USERCOPY_H
#define RAKIS_GATE_USERCOPY_H

#include "lib/types.h"

/* Bring the pages of [addr, addr+len) in, if they belong to a mapping that is filled lazily. */
extern bool (*usercopy_fault_hook)(u64 addr, u64 len, bool write);

int copy_from_user(void *dst, u64 uaddr, size_t n) __must_check;
int copy_to_user(u64 uaddr, const void *src, size_t n) __must_check;
int clear_user(u64 uaddr, size_t n) __must_check;
/* Length without the NUL; -EFAULT, or -ENAMETOOLONG if no NUL within `size` bytes. */
ssize_t strncpy_from_user(char *dst, u64 uaddr, size_t size) __must_check;

/*
 * A structure that has grown over time: `usize` is what the guest has, `size` what we know.
 * What it lacks reads as zeros; -E2BIG if what we do not know is not zero.
 */
int copy_struct_from_user(void *dst, size_t size, u64 uaddr, size_t usize) __must_check;

/* Atomic accesses for futexes: *out, or the old value; -EFAULT. 4-byte aligned. */
int user_load32(u64 uaddr, u32 *out) __must_check;
int user_cmpxchg32(u64 uaddr, u32 old, u32 new, u32 *seen) __must_check;

#define get_user(x, uaddr) copy_from_user(&(x), (uaddr), sizeof(x))
#define put_user(x, uaddr) ({ __typeof__(x) v_ = (x); copy_to_user((uaddr), &v_, sizeof(v_)); })

#endif
