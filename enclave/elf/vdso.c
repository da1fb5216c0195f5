/* SPDX-License-Identifier: Apache-2.0 */
/* Putting the vDSO (elf/vdso/) and the page it reads into the guest's memory. */
#include <linux/elf.h>
#include "elf/elf.h"
#include "elf/image.h"
#include "gate/usercopy.h"
#include "lib/errno.h"
#include "libos/mm.h"
#include "libos/signal.h"
#include "libos/time.h"
#include "libos/vvar.h"

extern const u8 vdso_image[], vdso_image_end[];

static u64 base;		/* of the mapped vDSO; 0: none */
static u32 cpus;

void vdso_init(u64 n)
{
	cpus = n < 4096 ? (u32)n : 4096;
}

s64 vdso_map(void)
{
	u64 size = (u64)(vdso_image_end - vdso_image), room = PAGE_UP(size);
	struct vvar v = { .cpus = cpus, .mode = VVAR_OFF };
	s64 vvar = mm_map_anon(0, PAGE_SIZE + room, PROT_READ | PROT_WRITE, VM_VDSO, "[vvar]");
	s64 at, err;

	if (vvar < 0)
		return vvar;
	/* A VMA of its own behind it, for the name and the protection. */
	at = vvar + (s64)PAGE_SIZE;
	err = mm_unmap((u64)at, room);
	if (!err)
		err = mm_map_anon((u64)at, room, PROT_READ | PROT_WRITE, VM_VDSO, "[vdso]");
	if (err < 0)
		return err;
	if (put_user(v, (u64)vvar) || copy_to_user((u64)at, vdso_image, size))
		return -EFAULT;
	err = mm_protect((u64)at, room, PROT_READ | PROT_EXEC);
	if (err)
		return err;
	base = (u64)at;
	sig_restorer = vdso_sigreturn;
	time_set_vvar((struct vvar *)vvar);
	return at;
}

u64 vdso_sigreturn(void)
{
	return base + ((const struct elf64_hdr *)vdso_image)->e_entry;
}
