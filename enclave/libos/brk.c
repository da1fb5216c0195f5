/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program break. Memory is made accessible some way ahead of it, so that a program
 * that grows its heap in small steps does not leave the enclave at each.
 */
#include "libos/task.h"
#include "libos/vma.h"

enum {
	AHEAD = 1 << 20,
	ROOM = 128 << 20,	/* below this much to grow into, the break goes elsewhere */
};

void mm_set_brk(u64 start)
{
	u64 at = PAGE_UP(start), prev = mm.low, largest = 0, low = 0;
	struct vma *v;

	mm_lock();
	v = vma_find(at);
	if ((v ? v->start : mm.top) - min(at, v ? v->start : mm.top) <
	    min((u64)ROOM, (mm.top - mm.low) / 8)) {
		/* The lower end of the largest hole: mappings come from its upper end. */
		for (v = vma_find(0); ; v = vma_find(v->end)) {
			u64 next = v ? v->start : mm.top;

			if (next - prev > largest) {
				largest = next - prev;
				low = prev;
			}
			if (!v)
				break;
			prev = v->end;
		}
		if (largest > ROOM / 4)
			start = at = low + PAGE_SIZE;
	}
	process.brk_start = process.brk = start;
	mm.brk_end = at;
	mm_unlock();
}

static bool extend(u64 end)
{
	return end > mm.brk_end && end <= mm.top && vma_is_free(mm.brk_end, end) &&
	       !map_anonymous(mm.brk_end, end, PROT_RW, VM_BRK, "[heap]", false);
}

u64 mm_brk(u64 addr)
{
	u64 end = PAGE_UP(addr), brk;

	mm_lock();
	if (!process.brk_start || addr < process.brk_start || addr > mm.top)
		goto out;
	if (end < PAGE_UP(process.brk)) {
		if (unmap_range(end, mm.brk_end, false))
			goto out;
		mm.brk_end = end;
	} else if (end > mm.brk_end) {
		if (extend(ALIGN_UP(end, AHEAD)))
			mm.brk_end = ALIGN_UP(end, AHEAD);
		else if (extend(end))
			mm.brk_end = end;
		else
			goto out;
	}
	process.brk = addr;
out:
	brk = process.brk;
	mm_unlock();
	return brk;
}
