/* SPDX-License-Identifier: Apache-2.0 */
/* System calls about memory. The memory policy is that of a machine with one node. */
#include <linux/mempolicy.h>
#include "fs/file.h"
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "libos/mm.h"
#include "syscalls/syscalls.h"

SYSCALL_DEFINE(mmap)
{
	struct file *file = NULL;
	long res;

	if (a6 & ~PAGE_MASK)
		return -EINVAL;
	if (!(a4 & MAP_ANONYMOUS)) {
		file = fd_get((int)a5);
		if (!file)
			return -EBADF;
	}
	res = mm_map(a1, a2, (u32)a3, (u32)a4, file, a6);
	if (file)
		file_put(file);
	return res;
}

SYSCALL_DEFINE(munmap)
{
	return mm_unmap(a1, a2);
}

SYSCALL_DEFINE(mprotect)
{
	return mm_protect(a1, a2, (u32)a3);
}

SYSCALL_DEFINE(mremap)
{
	return mm_remap(a1, a2, a3, (u32)a4, a5);
}

SYSCALL_DEFINE(madvise)
{
	return mm_advise(a1, a2, (int)a3);
}

SYSCALL_DEFINE(msync)
{
	return mm_sync(a1, a2, (u32)a3);
}

SYSCALL_DEFINE(brk)
{
	return (long)mm_brk(a1);
}

SYSCALL_DEFINE(mincore)
{
	u64 pages = PAGE_UP(a2) / PAGE_SIZE;
	u8 vec[512];

	if (a1 & ~PAGE_MASK)
		return -EINVAL;
	if (PAGE_UP(a2) < a2 || a1 + a2 < a1)
		return -ENOMEM;
	for (u64 done = 0, n; done < pages; done += n) {
		int err;

		n = min(pages - done, sizeof(vec));
		err = mm_resident(a1 + done * PAGE_SIZE, n, vec);
		if (err)
			return err;
		if (copy_to_user(a3 + done, vec, n))
			return -EFAULT;
	}
	return 0;
}

/* Whether its pages stay in memory is the host's to decide, and cannot be seen from inside. */
static long lock_range(u64 addr, u64 len)
{
	u64 start = PAGE_DOWN(addr), end = PAGE_UP(addr + len);

	if (addr + len < addr || (len && end <= start))
		return -EINVAL;
	return mm_is_mapped(start, end - start) || !len ? 0 : -ENOMEM;
}

SYSCALL_DEFINE(mlock)
{
	return lock_range(a1, a2);
}

SYSCALL_DEFINE(mlock2)
{
	return a3 & ~(u64)MLOCK_ONFAULT ? -EINVAL : lock_range(a1, a2);
}

SYSCALL_DEFINE(munlock)
{
	return lock_range(a1, a2);
}

SYSCALL_DEFINE(mlockall)
{
	if (!a1 || a1 & ~(u64)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || a1 == MCL_ONFAULT)
		return -EINVAL;
	return 0;
}

SYSCALL_DEFINE(munlockall)
{
	return 0;
}

/* It would have to stop every other thread; programs that use it do without, too. */
SYSCALL_DEFINE(membarrier)
{
	return -ENOSYS;
}

/* ---- memory policy ---- */

static _Atomic u64 policy;	/* mode, and node 0's bit of the mask in bit 32 */
#define POLICY_NODE0 (1ull << 32)

/* Is node 0 in the mask at umask? -EINVAL if another node is. */
static int read_nodes(u64 umask, u64 maxnode)
{
	u64 bits = maxnode - 1, first = 0, word;

	if (!umask || maxnode <= 1)
		return 0;
	if (bits > PAGE_SIZE * 8)
		return -EINVAL;
	for (u64 i = 0; i < bits; i += 64) {
		if (get_user(word, umask + i / 8))
			return -EFAULT;
		if (bits - i < 64)
			word &= (1ull << (bits - i)) - 1;
		if (word & ~(i ? 0ull : 1ull))
			return -EINVAL;
		first |= word;
	}
	return (int)first;
}

static long read_policy(u64 mode, u64 umask, u64 maxnode)
{
	u64 flags = mode & MPOL_MODE_FLAGS;
	int nodes = read_nodes(umask, maxnode);

	mode &= ~(u64)MPOL_MODE_FLAGS;
	if (nodes < 0)
		return nodes;
	if (mode > MPOL_PREFERRED_MANY ||
	    (flags & MPOL_F_STATIC_NODES && flags & MPOL_F_RELATIVE_NODES))
		return -EINVAL;
	if (mode == MPOL_DEFAULT || mode == MPOL_LOCAL ? nodes : mode != MPOL_PREFERRED && !nodes)
		return -EINVAL;
	return (long)(mode | flags | (nodes ? POLICY_NODE0 : 0));
}

SYSCALL_DEFINE(set_mempolicy)
{
	long p = read_policy((u32)a1, a2, a3);

	if (p < 0)
		return p;
	policy = (u64)p;
	return 0;
}

SYSCALL_DEFINE(mbind)
{
	long p = read_policy(a3, a4, a5);

	if (a6 & ~(u64)MPOL_MF_VALID || a1 & ~PAGE_MASK || a1 + PAGE_UP(a2) < a1)
		return -EINVAL;
	if (p < 0)
		return p;
	return mm_is_mapped(a1, PAGE_UP(a2)) || !a2 ? 0 : -EFAULT;
}

SYSCALL_DEFINE(get_mempolicy)
{
	u64 p = policy, mask = p & POLICY_NODE0 ? 1 : 0, bytes;
	u32 mode = (u32)p;

	if (a5 & ~(u64)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED) || (a2 && !a3))
		return -EINVAL;
	if (a5 & MPOL_F_MEMS_ALLOWED) {
		if (a5 & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
		mode = 0;
		mask = 1;
	} else if (a5 & MPOL_F_ADDR) {
		if (!mm_is_mapped(a4, 1))
			return -EFAULT;
		mode = mask = 0;	/* default policy, or with F_NODE: node 0 */
	} else if (a4 || (a5 & MPOL_F_NODE && mode != MPOL_INTERLEAVE)) {
		return -EINVAL;
	} else if (a5 & MPOL_F_NODE) {
		mode = 0;
	}
	if (a1 && put_user(mode, a1))
		return -EFAULT;
	if (!a2)
		return 0;
	bytes = ALIGN_UP(a3 - 1, 64) / 8;
	if (bytes > PAGE_SIZE)
		return -EINVAL;
	return bytes && (clear_user(a2, bytes) || put_user(mask, a2)) ? -EFAULT : 0;
}

/* ---- protection keys: none in this processor ---- */

SYSCALL_DEFINE(pkey_alloc)
{
	return a1 || a2 & ~3ull ? -EINVAL : -ENOSPC;
}

SYSCALL_DEFINE(pkey_free)
{
	return -EINVAL;
}

SYSCALL_DEFINE(pkey_mprotect)
{
	return (int)a4 == -1 ? mm_protect(a1, a2, (u32)a3) : -EINVAL;
}
