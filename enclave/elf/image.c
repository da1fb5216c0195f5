/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF64 objects (System V gABI, chapters 4 and 5): headers are read once, checked, and only
 * the checked copy is used. The file is the user's program, but it comes from the host.
 */
#include <linux/mman.h>
#include <linux/stat.h>
#include "elf/image.h"
#include "fs/file.h"
#include "gate/gate.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/mm.h"

enum { PHDRS_MOST = 65536 / sizeof(struct elf64_phdr) };	/* Linux's limit: 64 KiB */

#define TASK_SIZE	0x7ffffffff000ull

int fail(struct why *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, why->size, fmt, ap);
	va_end(ap);
	/* Names in files can hold anything; this is one line for a terminal. */
	for (char *c = why->text; *c; c++)
		if ((u8)*c < ' ' || *c == 0x7f)
			*c = '?';
	return err;
}

int read_exactly(struct file *f, void *buf, size_t n, u64 off)
{
	struct iter it;
	ssize_t got;

	if (off > INT64_MAX - n)
		return -ENOEXEC;
	iter_kernel(&it, buf, n);
	got = file_pread(f, &it, off);
	return got < 0 ? (int)got : (size_t)got == n ? 0 : -ENOEXEC;
}

static const char *machine_name(u32 machine)
{
	static const struct { u16 machine; const char *name; } names[] = {
		{ EM_386, "i386" }, { EM_ARM, "ARM" }, { EM_AARCH64, "AArch64" },
		{ EM_RISCV, "RISC-V" }, { EM_PPC64, "PowerPC" }, { EM_S390, "s390" },
		{ EM_MIPS, "MIPS" }, { EM_X86_64, "x86-64" }, { 258 /* LoongArch */, "LoongArch" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].machine == machine)
			return names[i].name;
	return "foreign";
}

static int check_header(const struct image *img, const struct elf64_hdr *eh, struct why *why)
{
	bool wide = eh->e_ident[EI_CLASS] == ELFCLASS64;

	if (!wide || eh->e_machine != EM_X86_64)
		return fail(why, -ENOEXEC, "%s: is a %d-bit %s program; RAKIS runs x86-64",
			    img->path, wide ? 64 : 32, machine_name(eh->e_machine));
	if (eh->e_ident[EI_DATA] != ELFDATA2LSB || (eh->e_type != ET_EXEC && eh->e_type != ET_DYN))
		return fail(why, -ENOEXEC, "%s: is an ELF file, but not a program", img->path);
	if (eh->e_phentsize != sizeof(struct elf64_phdr) || !eh->e_phnum || eh->e_phnum > PHDRS_MOST)
		return fail(why, -ENOEXEC, "%s: its ELF header is damaged", img->path);
	return 0;
}

static int check_segment(struct image *img, const struct elf64_phdr *ph, u64 size)
{
	if (ph->p_filesz > ph->p_memsz || ph->p_filesz > size || ph->p_offset > size - ph->p_filesz ||
	    ph->p_vaddr > TASK_SIZE || ph->p_memsz > TASK_SIZE - ph->p_vaddr ||
	    (ph->p_vaddr ^ ph->p_offset) & ~PAGE_MASK || ph->p_vaddr < img->end)
		return -ENOEXEC;
	if (!img->high)
		img->low = PAGE_DOWN(ph->p_vaddr);
	img->end = ph->p_vaddr + ph->p_memsz;
	img->high = PAGE_UP(img->end);
	if ((ph->p_align & (ph->p_align - 1)) == 0)
		img->align = max(img->align, (u64)ph->p_align);
	return 0;
}

static int read_interp(struct image *img, const struct elf64_phdr *ph)
{
	int err;

	if (ph->p_filesz < 2 || ph->p_filesz > 4096)
		return -ENOEXEC;
	img->interp = kmalloc(ph->p_filesz);
	if (!img->interp)
		return -ENOMEM;
	err = read_exactly(img->file, img->interp, ph->p_filesz, ph->p_offset);
	return err ? err : img->interp[ph->p_filesz - 1] ? -ENOEXEC : 0;
}

int image_read(struct image *img, struct why *why)
{
	struct elf64_hdr eh;
	struct statx st;
	int err;

	err = read_exactly(img->file, &eh, sizeof(eh), 0);
	if (err == -ENOEXEC || (!err && memcmp(eh.e_ident, ELFMAG, SELFMAG)))
		return fail(why, -ENOEXEC, "%s: is neither an ELF program nor a script with #!", img->path);
	if (!err)
		err = img->file->ops->stat(img->file, STATX_BASIC_STATS, &st);
	if (err)
		return fail(why, err, "%s: cannot be read (error %d)", img->path, -err);
	err = check_header(img, &eh, why);
	if (err)
		return err;
	img->fixed = eh.e_type == ET_EXEC;
	img->entry = eh.e_entry;
	img->phnum = eh.e_phnum;
	img->align = PAGE_SIZE;
	img->ph = kmalloc(eh.e_phnum * sizeof(*img->ph));
	if (!img->ph)
		return fail(why, -ENOMEM, "%s: no memory; raise --memory", img->path);
	err = read_exactly(img->file, img->ph, eh.e_phnum * sizeof(*img->ph), eh.e_phoff);
	for (u32 i = 0; i < img->phnum && !err; i++) {
		const struct elf64_phdr *ph = &img->ph[i];

		if (ph->p_type == PT_INTERP && !img->interp)
			err = read_interp(img, ph);
		if (ph->p_type != PT_LOAD || !ph->p_memsz)
			continue;
		err = err ? err : check_segment(img, ph, st.stx_size);
		if (eh.e_phoff >= ph->p_offset && eh.e_phoff - ph->p_offset < ph->p_filesz)
			img->phdr = eh.e_phoff - ph->p_offset + ph->p_vaddr;
	}
	if (!err && !img->high)
		err = -ENOEXEC;
	return err ? fail(why, err, "%s: its ELF program headers are damaged, or the file is cut short",
			  img->path) : 0;
}

/* Reserve the whole span, so that the segments find their places free. */
static int reserve(struct image *img, u64 hint, struct why *why)
{
	const u32 flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	u64 span = img->high - img->low, slack = img->align - PAGE_SIZE, at;
	s64 r;

	if (img->fixed) {
		r = mm_map(img->low, span, PROT_NONE, flags | MAP_FIXED_NOREPLACE, NULL, 0);
		if (r < 0)
			return fail(why, -ENOMEM, "%s: is made for addresses %lx to %lx, which are not "
				    "free in the enclave's range", img->path, img->low, img->high);
		return 0;
	}
	if (span > gate_layout.size || slack > gate_layout.size)
		r = -ENOMEM;
	else
		r = mm_map(ALIGN_UP(hint, img->align), span + slack, PROT_NONE, flags, NULL, 0);
	if (r < 0)
		return fail(why, (int)r, "%s: needs %lu MiB; raise --memory", img->path, (span >> 20) + 1);
	/* Give back what is before and behind the aligned part. */
	at = ALIGN_UP((u64)r - (img->low & (img->align - 1)), img->align) + (img->low & (img->align - 1));
	if (at > (u64)r && mm_unmap((u64)r, at - (u64)r) < 0)
		return -ENOMEM;
	if ((u64)r + slack > at && mm_unmap(at + span, (u64)r + slack - at) < 0)
		return -ENOMEM;
	img->bias = at - img->low;
	return 0;
}

/* Map one segment over the reservation; `mapped` is the end of the pages of earlier ones. */
static int map_segment(const struct image *img, const struct elf64_phdr *ph, u64 *mapped)
{
	u32 prot = (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
		   (ph->p_flags & PF_X ? PROT_EXEC : 0);
	u64 start = img->bias + ph->p_vaddr, file_end = start + ph->p_filesz;
	u64 end = PAGE_UP(start + ph->p_memsz), at = PAGE_DOWN(start);
	s64 r;

	if (ph->p_filesz) {
		r = mm_map(at, file_end - at, prot, MAP_PRIVATE | MAP_FIXED, img->file,
			   PAGE_DOWN(ph->p_offset));
		if (r < 0)
			return (int)r;
		at = PAGE_UP(file_end);
		/* As Linux: what follows the file's bytes in a page that cannot be written stays. */
		if (ph->p_memsz > ph->p_filesz && at > file_end && prot & PROT_WRITE &&
		    clear_user(file_end, at - file_end))
			return -EFAULT;
	}
	at = max(at, *mapped);
	*mapped = max(end, *mapped);
	if (at >= end)
		return 0;
	r = mm_map(at, end - at, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, NULL, 0);
	return r < 0 ? (int)r : 0;
}

int image_map(struct image *img, u64 hint, struct why *why)
{
	u64 mapped = 0;
	int err = reserve(img, hint, why);

	for (u32 i = 0; i < img->phnum && !err; i++) {
		if (img->ph[i].p_type != PT_LOAD || !img->ph[i].p_memsz)
			continue;
		err = map_segment(img, &img->ph[i], &mapped);
		if (err)
			fail(why, err, err == -ENOMEM ? "%s: no memory for its segments; raise --memory" :
			     "%s: cannot be mapped", img->path);
	}
	img->entry += img->bias;
	img->end += img->bias;
	if (img->phdr)
		img->phdr += img->bias;
	return err;
}

void image_free(struct image *img)
{
	kfree(img->ph);
	kfree(img->interp);
	if (img->file)
		file_put(img->file);
	*img = (struct image){ 0 };
}
