/* SPDX-License-Identifier: Apache-2.0 */
/* Around the file systems that a test has: mounts that are only told apart, no mappings. */
#include "fs/proc.h"
#include "lib/random.h"
#include "libos/mm.h"

_Atomic u32 mm_shared_mappings;

/* Tests that count on what it gives have their own. */
__attribute__((weak)) void random_bytes(void *dst, size_t n)
{
	static _Atomic u64 next = 1;

	for (u8 *p = dst; n--; p++)
		*p = (atomic_fetch_add(&next, 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull) >> 56;
}

void mm_file_sync_slow(struct file *f)
{
}

void mm_file_written_slow(struct file *f, u64 off, u64 len)
{
}

void proc_init(const struct rakis_boot *boot)
{
}

static int stay(struct where *w, bool last)
{
	return 0;
}

const struct mount_ops host_mount_ops = { .type = "host" };
const struct mount_ops dev_mount_ops = { .type = "dev", .follow = stay };
const struct mount_ops proc_mount_ops = { .type = "proc", .follow = stay };
