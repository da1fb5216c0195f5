/* SPDX-License-Identifier: Apache-2.0 */
/* Range checks around the copies of usercopy.S, and the second try after a mended fault. */
#include "gate/gate.h"
#include "gate/usercopy.h"
#include "lib/errno.h"
#include "lib/string.h"

u64 usercopy_bytes(void *dst, const void *src, u64 n);
u64 usercopy_8(void *dst, const void *src);
u64 usercopy_16(void *dst, const void *src);
u64 usercopy_zero(void *dst, u64 n);
u64 usercopy_load32(const u32 *src, u32 *out);
u64 usercopy_cmpxchg32(u32 *p, u32 old, u32 new, u32 *seen);

bool (*usercopy_fault_hook)(u64 addr, u64 len, bool write);

/* True if the pages at addr were made available, so that the access may be tried again. */
static bool mended(u64 addr, u64 len, bool write)
{
	return usercopy_fault_hook && usercopy_fault_hook(addr, len, write);
}

static u64 copy(void *dst, const void *src, u64 n)
{
	if (n == 8)
		return usercopy_8(dst, src);
	if (n == 16)
		return usercopy_16(dst, src);
	return usercopy_bytes(dst, src, n);
}

int copy_from_user(void *dst, u64 uaddr, size_t n)
{
	u64 left;

	if (unlikely(!guest_range_ok(uaddr, n)))
		return n ? -EFAULT : 0;
	left = copy(dst, (const void *)uaddr, n);
	if (unlikely(left)) {
		if (!mended(uaddr, n, false) || copy(dst, (const void *)uaddr, n))
			return -EFAULT;
	}
	return 0;
}

int copy_to_user(u64 uaddr, const void *src, size_t n)
{
	u64 left;

	if (unlikely(!guest_range_ok(uaddr, n)))
		return n ? -EFAULT : 0;
	left = copy((void *)uaddr, src, n);
	if (unlikely(left)) {
		if (!mended(uaddr, n, true) || copy((void *)uaddr, src, n))
			return -EFAULT;
	}
	return 0;
}

int clear_user(u64 uaddr, size_t n)
{
	if (!guest_range_ok(uaddr, n))
		return -EFAULT;
	if (usercopy_zero((void *)uaddr, n) &&
	    (!mended(uaddr, n, true) || usercopy_zero((void *)uaddr, n)))
		return -EFAULT;
	return 0;
}

ssize_t strncpy_from_user(char *dst, u64 uaddr, size_t size)
{
	size_t done = 0;

	/* Piece by piece: the string may end right before memory that is not there. */
	while (done < size) {
		u64 at = uaddr + done;
		size_t n = min(size - done, min(PAGE_SIZE - (at & ~PAGE_MASK), (size_t)256));
		char *nul;

		if (copy_from_user(dst + done, at, n))
			return -EFAULT;
		nul = memchr(dst + done, 0, n);
		if (nul)
			return nul - dst;
		done += n;
	}
	return -ENAMETOOLONG;
}

int copy_struct_from_user(void *dst, size_t size, u64 uaddr, size_t usize)
{
	u8 rest;

	memset(dst, 0, size);
	if (copy_from_user(dst, uaddr, min(size, usize)))
		return -EFAULT;
	for (size_t i = size; i < usize; i++) {
		if (get_user(rest, uaddr + i))
			return -EFAULT;
		if (rest)
			return -E2BIG;
	}
	return 0;
}

int user_load32(u64 uaddr, u32 *out)
{
	if (!guest_range_ok(uaddr, 4))
		return -EFAULT;
	if (usercopy_load32((const u32 *)uaddr, out) &&
	    (!mended(uaddr, 4, false) || usercopy_load32((const u32 *)uaddr, out)))
		return -EFAULT;
	return 0;
}

int user_cmpxchg32(u64 uaddr, u32 old, u32 new, u32 *seen)
{
	if (!guest_range_ok(uaddr, 4))
		return -EFAULT;
	if (usercopy_cmpxchg32((u32 *)uaddr, old, new, seen) &&
	    (!mended(uaddr, 4, true) || usercopy_cmpxchg32((u32 *)uaddr, old, new, seen)))
		return -EFAULT;
	return 0;
}
