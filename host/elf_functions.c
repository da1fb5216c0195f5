/* SPDX-License-Identifier: Apache-2.0 */
/* Function boundaries of an ELF file; the formats: System V gABI, LSB "Exception Frames". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/elf_functions.h"

/* DWARF pointer encodings of .eh_frame (LSB): low four bits the format, next three the base. */
enum {
	PE_ABSPTR = 0x00, PE_UDATA2 = 0x02, PE_UDATA4 = 0x03, PE_UDATA8 = 0x04,
	PE_SDATA2 = 0x0a, PE_SDATA4 = 0x0b, PE_SDATA8 = 0x0c,
	PE_PCREL = 0x10, PE_DATAREL = 0x30, PE_OMIT = 0xff,
};

enum { GAP_REACH = 4096 };

static bool in_file(const struct elf_image *img, uint64_t off, uint64_t len)
{
	return off <= img->size && len <= img->size - off;
}

bool elf_image_init(struct elf_image *img, const void *data, size_t size)
{
	const Elf64_Ehdr *eh = data;

	memset(img, 0, sizeof(*img));
	img->data = data;
	img->size = size;
	if (size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB ||
	    eh->e_machine != EM_X86_64 || eh->e_phentsize != sizeof(Elf64_Phdr) ||
	    eh->e_phoff % 8 || !in_file(img, eh->e_phoff, eh->e_phnum * sizeof(Elf64_Phdr)))
		return false;
	img->eh = eh;
	img->ph = (const void *)(img->data + eh->e_phoff);
	img->phnum = eh->e_phnum;
	if (eh->e_shoff && eh->e_shoff % 8 == 0 && eh->e_shentsize == sizeof(Elf64_Shdr) &&
	    in_file(img, eh->e_shoff, eh->e_shnum * sizeof(Elf64_Shdr))) {
		img->sh = (const void *)(img->data + eh->e_shoff);
		img->shnum = eh->e_shnum;
	}
	return true;
}

const Elf64_Phdr *elf_exec_segment(const struct elf_image *img, unsigned int i)
{
	const Elf64_Phdr *ph = &img->ph[i];

	/* Branches reach 2 GiB; offsets into a segment are kept in 32 bits. */
	if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || ph->p_filesz > INT32_MAX ||
	    !in_file(img, ph->p_offset, ph->p_filesz))
		return NULL;
	return ph;
}

/* The file's bytes at a virtual address, and how many follow in that segment. */
static const uint8_t *at_vaddr(const struct elf_image *img, uint64_t vaddr, size_t *left)
{
	for (unsigned int i = 0; i < img->phnum; i++) {
		const Elf64_Phdr *ph = &img->ph[i];

		if (ph->p_type == PT_LOAD && in_file(img, ph->p_offset, ph->p_filesz) &&
		    vaddr >= ph->p_vaddr && vaddr - ph->p_vaddr < ph->p_filesz) {
			*left = ph->p_filesz - (vaddr - ph->p_vaddr);
			return img->data + ph->p_offset + (vaddr - ph->p_vaddr);
		}
	}
	return NULL;
}

static int add(struct functions *fs, uint64_t start, uint64_t end, bool lsda)
{
	if (fs->n == fs->room) {
		uint32_t room = fs->room ? fs->room * 2 : 1024;
		struct function *f = realloc(fs->f, room * sizeof(*f));

		if (!f)
			return -ENOMEM;
		fs->f = f;
		fs->room = room;
	}
	fs->f[fs->n++] = (struct function){ .start = start, .end = end, .lsda = lsda };
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? 1 : x->end > y->end ? -1 : 0;
}

/* Sort unless sorted; drop what begins with another, cut what reaches into the next. */
static void settle(struct functions *fs)
{
	uint32_t n = 0;
	bool sorted = true;

	for (uint32_t i = 1; i < fs->n && sorted; i++)
		sorted = fs->f[i - 1].start <= fs->f[i].start;
	if (!sorted)
		qsort(fs->f, fs->n, sizeof(*fs->f), by_start);
	for (uint32_t i = 0; i < fs->n; i++) {
		if (n && fs->f[n - 1].start == fs->f[i].start)
			continue;
		if (n && fs->f[n - 1].end > fs->f[i].start)
			fs->f[n - 1].end = fs->f[i].start;
		fs->f[n++] = fs->f[i];
	}
	fs->n = n;
}

/* ---- .eh_frame ---- */

struct cursor {
	const uint8_t *p, *end;
	uint64_t vaddr;			/* of p */
	bool bad;
};

static uint64_t take(struct cursor *c, unsigned int n)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < n) {
		c->bad = true;
		return 0;
	}
	memcpy(&v, c->p, n);
	c->p += n;
	c->vaddr += n;
	return v;
}

static uint64_t take_uleb(struct cursor *c)
{
	uint64_t v = 0, b;
	unsigned int shift = 0;

	do {
		b = take(c, 1);
		if (shift < 64)
			v |= (b & 0x7f) << shift;
		shift += 7;
	} while (b & 0x80);
	return v;
}

static uint64_t take_pointer(struct cursor *c, unsigned int enc, uint64_t datarel)
{
	uint64_t base = 0, v = 0;

	if ((enc & 0x70) == PE_PCREL)
		base = c->vaddr;
	else if ((enc & 0x70) == PE_DATAREL)
		base = datarel;
	else if (enc & 0x70)
		c->bad = true;
	switch (enc & 0x0f) {
	case PE_UDATA2: v = take(c, 2); break;
	case PE_UDATA4: v = take(c, 4); break;
	case PE_SDATA2: v = (int16_t)take(c, 2); break;
	case PE_SDATA4: v = (int32_t)take(c, 4); break;
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8: v = take(c, 8); break;
	default: c->bad = true;
	}
	return base + v;
}

static struct cursor cursor_at(const struct elf_image *img, uint64_t vaddr)
{
	struct cursor c = { .vaddr = vaddr };
	size_t left = 0;

	c.p = at_vaddr(img, vaddr, &left);
	c.end = c.p ? c.p + left : NULL;
	c.bad = !c.p;
	return c;
}

struct cie {
	uint64_t vaddr;			/* 0: none remembered */
	unsigned int enc;		/* of code addresses */
	bool lsda, signal, ok;
};

static void read_cie(const struct elf_image *img, struct cie *cie, uint64_t vaddr)
{
	struct cursor c = cursor_at(img, vaddr);
	const char *aug;
	size_t naug;

	*cie = (struct cie){ .vaddr = vaddr, .enc = PE_ABSPTR };
	take(&c, 8);				/* length, id */
	take(&c, 1);				/* version */
	if (c.bad)
		return;
	aug = (const char *)c.p;
	naug = strnlen(aug, c.end - c.p);
	if (naug > 7)
		return;
	take(&c, naug + 1);
	take_uleb(&c);				/* code alignment */
	take_uleb(&c);				/* data alignment: as long as a signed one */
	take_uleb(&c);				/* return register */
	if (c.bad || (aug[0] && aug[0] != 'z'))
		return;
	if (aug[0])
		take_uleb(&c);
	for (size_t i = 1; i < naug; i++) {
		if (aug[i] == 'R') {
			cie->enc = take(&c, 1);
		} else if (aug[i] == 'L') {
			cie->lsda = take(&c, 1) != PE_OMIT;
		} else if (aug[i] == 'P') {
			unsigned int enc = take(&c, 1);

			take_pointer(&c, enc & 0x0f, 0);
		} else if (aug[i] == 'S') {
			cie->signal = true;
		} else if (aug[i] != 'B') {
			return;
		}
	}
	cie->ok = !c.bad;
}

/* The FDE at `vaddr`; *next: what follows it, 0 at the end. */
static int add_fde(struct functions *fs, const struct elf_image *img, const Elf64_Phdr *seg,
		   struct cie *cie, uint64_t vaddr, uint64_t *next)
{
	struct cursor c = cursor_at(img, vaddr);
	uint64_t size = take(&c, 4), id, start, len, lsda = 0;

	*next = c.bad || !size || size == UINT32_MAX ? 0 : c.vaddr + size;
	id = take(&c, 4);
	if (c.bad || !size || !id)
		return 0;
	id = c.vaddr - 4 - id;
	if (id != cie->vaddr)
		read_cie(img, cie, id);
	if (!cie->ok)
		return 0;
	start = take_pointer(&c, cie->enc, 0);
	len = take_pointer(&c, cie->enc & 0x0f, 0);
	if (cie->lsda) {
		take_uleb(&c);
		lsda = take(&c, 4);
	}
	/* A signal trampoline's begins one byte early, for unwinders that look up pc - 1. */
	if (cie->signal && len > 1) {
		start++;
		len--;
	}
	start -= seg->p_vaddr;
	if (c.bad || !len || start >= seg->p_filesz || len > seg->p_filesz - start)
		return 0;
	return add(fs, start, start + len, lsda != 0);
}

/* Static programs have no index: their .eh_frame is walked. */
static const Elf64_Shdr *eh_frame_section(const struct elf_image *img)
{
	static const char name[] = ".eh_frame";
	const Elf64_Shdr *str = img->sh && img->eh->e_shstrndx < img->shnum ?
				&img->sh[img->eh->e_shstrndx] : NULL;

	if (!str || !in_file(img, str->sh_offset, str->sh_size))
		return NULL;
	for (unsigned int i = 0; i < img->shnum; i++)
		if (img->sh[i].sh_name < str->sh_size &&
		    str->sh_size - img->sh[i].sh_name >= sizeof(name) &&
		    !memcmp(img->data + str->sh_offset + img->sh[i].sh_name, name, sizeof(name)))
			return &img->sh[i];
	return NULL;
}

int functions_from_unwind(struct functions *fs, const struct elf_image *img, const Elf64_Phdr *seg)
{
	struct cie cie = { 0 };
	struct cursor c;
	uint64_t hdr = 0, count, next;
	unsigned int count_enc, table_enc, frame_enc;
	const Elf64_Shdr *frames;
	int r = 0;

	for (unsigned int i = 0; i < img->phnum; i++)
		if (img->ph[i].p_type == PT_GNU_EH_FRAME)
			hdr = img->ph[i].p_vaddr;
	if (hdr) {
		c = cursor_at(img, hdr);
		if (take(&c, 1) != 1)
			return 0;
		frame_enc = take(&c, 1);
		count_enc = take(&c, 1);
		table_enc = take(&c, 1);
		take_pointer(&c, frame_enc, hdr);
		count = take_pointer(&c, count_enc, hdr);
		for (; count && !c.bad && r == 0; count--) {
			uint64_t fde;

			take_pointer(&c, table_enc, hdr);
			fde = take_pointer(&c, table_enc, hdr);
			if (!c.bad)
				r = add_fde(fs, img, seg, &cie, fde, &next);
		}
	} else {
		frames = eh_frame_section(img);
		next = frames ? frames->sh_addr : 0;
		while (next && next - frames->sh_addr < frames->sh_size && r == 0)
			r = add_fde(fs, img, seg, &cie, next, &next);
	}
	settle(fs);
	return r;
}

/* ---- symbols ---- */

void elf_each_code_symbol(const struct elf_image *img, const Elf64_Phdr *seg,
			  void (*fn)(void *arg, uint32_t start, uint32_t size), void *arg)
{
	for (unsigned int i = 0; i < img->shnum; i++) {
		const Elf64_Shdr *sh = &img->sh[i];
		const Elf64_Sym *sym;

		if ((sh->sh_type != SHT_SYMTAB && sh->sh_type != SHT_DYNSYM) || sh->sh_offset % 8 ||
		    sh->sh_entsize != sizeof(*sym) || !in_file(img, sh->sh_offset, sh->sh_size))
			continue;
		sym = (const void *)(img->data + sh->sh_offset);
		for (size_t n = sh->sh_size / sizeof(*sym); n; n--, sym++) {
			uint64_t start = sym->st_value - seg->p_vaddr;
			unsigned int type = ELF64_ST_TYPE(sym->st_info);

			if (sym->st_shndx == SHN_UNDEF || start >= seg->p_filesz ||
			    (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC))
				continue;
			fn(arg, start, sym->st_size > seg->p_filesz - start ? 0 : sym->st_size);
		}
	}
}

struct collector {
	struct functions *fs;
	uint32_t known;			/* the first so many are sorted */
	int error;
};

static void collect(void *arg, uint32_t start, uint32_t size)
{
	struct collector *c = arg;
	struct functions known = { .f = c->fs->f, .n = c->known };

	if (size && !c->error && !function_at(&known, start))
		c->error = add(c->fs, start, start + size, false);
}

int functions_from_symbols(struct functions *fs, const struct elf_image *img, const Elf64_Phdr *seg)
{
	struct collector c = { .fs = fs, .known = fs->n };

	elf_each_code_symbol(img, seg, collect, &c);
	settle(fs);
	return c.error;
}

/* Index of the first function that begins behind `off`. */
static uint32_t first_after(const struct functions *fs, uint32_t off)
{
	uint32_t lo = 0, hi = fs->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (fs->f[mid].start <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct function *function_at(const struct functions *fs, uint32_t off)
{
	uint32_t i = first_after(fs, off);

	return i && off < fs->f[i - 1].end ? &fs->f[i - 1] : NULL;
}

int functions_add_gap(struct functions *fs, const struct elf_image *img, const Elf64_Phdr *seg,
		      uint32_t off)
{
	uint32_t i = first_after(fs, off), start = 0, end = seg->p_filesz;
	struct function gap;
	int r;

	/* Data may lie outside sections of code. */
	for (unsigned int s = 0; s < img->shnum; s++) {
		const Elf64_Shdr *sh = &img->sh[s];
		uint64_t begin = sh->sh_offset - seg->p_offset;

		if (sh->sh_type == SHT_PROGBITS && (sh->sh_flags & SHF_EXECINSTR) && begin <= off &&
		    sh->sh_size <= seg->p_filesz - begin && off - begin < sh->sh_size) {
			start = begin;
			end = begin + sh->sh_size;
		}
	}
	if (off - start > GAP_REACH)
		start = off - GAP_REACH;
	if (end - off > GAP_REACH)
		end = off + GAP_REACH;
	if (i && fs->f[i - 1].end > start)
		start = fs->f[i - 1].end;
	if (i < fs->n && fs->f[i].start < end)
		end = fs->f[i].start;
	r = add(fs, start, end, false);
	if (r < 0)
		return r;
	gap = fs->f[fs->n - 1];
	gap.gap = true;
	memmove(&fs->f[i + 1], &fs->f[i], (fs->n - 1 - i) * sizeof(gap));
	fs->f[i] = gap;
	return 0;
}
