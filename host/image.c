/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the trusted image: a static PIE that relocates itself. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boundary/sgx.h"
#include "host/host.h"

#define SEGMENTS_MOST	IMAGE_SEGMENTS_MOST
#define IMAGE_MOST	(64ull << 20)

static struct image {
	int fd;
	char path[PATH_MAX];
	Elf64_Ehdr eh;
	Elf64_Phdr ph[SEGMENTS_MOST];
	uint64_t size;
} the_image;

static void bad(const char *what) __attribute__((noreturn));
static void bad(const char *what)
{
	die(EXIT_RAKIS, "%s is no image that this rakis can load: %s", the_image.path, what);
}

static uint64_t page_down(uint64_t n)
{
	return n & -(uint64_t)RAKIS_PAGE_SIZE;
}

static uint64_t page_up(uint64_t n)
{
	return page_down(n + RAKIS_PAGE_SIZE - 1);
}

static int try(const char *dir, const char *sub)
{
	struct image *im = &the_image;

	if (snprintf(im->path, sizeof(im->path), "%s%s", dir, sub) >= (int)sizeof(im->path))
		return -1;
	return open(im->path, O_RDONLY | O_CLOEXEC);
}

/* Named by the user; where the build puts it; where the installation does. */
static int find(const char *name)
{
	const char *named = getenv("RAKIS_ENCLAVE");
	char dir[PATH_MAX];
	char below[64];
	ssize_t n;
	int fd = -1;

	if (named) {
		fd = try(named, "");
		if (fd < 0)
			die(EXIT_RAKIS, "RAKIS_ENCLAVE: %s: %m", named);
		return fd;
	}
	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	if (n > 0) {
		dir[n] = 0;
		*(strrchr(dir, '/') + 1) = 0;
		fd = try(dir, name);
		snprintf(below, sizeof(below), "enclave/%s", name);
		if (fd < 0)
			fd = try(dir, below);
	}
	if (fd < 0)
		fd = try(RAKIS_LIBEXECDIR "/", name);
	if (fd < 0)
		die(EXIT_RAKIS, "the trusted image %s is neither beside rakis nor in "
		    RAKIS_LIBEXECDIR "; install it, or name it in RAKIS_ENCLAVE", name);
	return fd;
}

struct image *image_open(const char *name)
{
	struct image *im = &the_image;
	uint64_t end = 0;
	size_t size;

	im->fd = find(name);
	if (pread(im->fd, &im->eh, sizeof(im->eh), 0) != sizeof(im->eh) ||
	    memcmp(im->eh.e_ident, ELFMAG, SELFMAG) || im->eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    im->eh.e_machine != EM_X86_64 || im->eh.e_type != ET_DYN)
		bad("not a position-independent x86-64 ELF file");
	if (!im->eh.e_phnum || im->eh.e_phnum > SEGMENTS_MOST ||
	    im->eh.e_phentsize != sizeof(im->ph[0]))
		bad("strange program headers");
	size = im->eh.e_phnum * sizeof(im->ph[0]);
	if (pread(im->fd, im->ph, size, im->eh.e_phoff) != (ssize_t)size)
		bad("it is cut off");
	for (int i = 0; i < im->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &im->ph[i];

		if (ph->p_type == PT_INTERP)
			bad("it asks for an interpreter");
		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_memsz > IMAGE_MOST || ph->p_vaddr > IMAGE_MOST ||
		    ph->p_filesz > ph->p_memsz ||
		    (ph->p_vaddr - ph->p_offset) % RAKIS_PAGE_SIZE || page_down(ph->p_vaddr) < end)
			bad("strange segments");
		if ((ph->p_flags & PF_W) && (ph->p_flags & PF_X))
			bad("a segment is writable and executable");
		end = page_up(ph->p_vaddr + ph->p_memsz);
	}
	im->size = end;
	if (!end || im->eh.e_entry >= end)
		bad("nothing to enter");
	return im;
}

uint64_t image_size(const struct image *im)
{
	return im->size;
}

/* The one of RAKIS's notes in [at, at + size) that has this type, or NULL. */
static const void *find_note(const uint8_t *at, uint64_t size, uint32_t type, uint32_t least)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		const Elf64_Nhdr *nh = (const void *)at;
		uint64_t desc = sizeof(*nh) + ((nh->n_namesz + 3ull) & ~3ull);
		uint64_t whole = desc + ((nh->n_descsz + 3ull) & ~3ull);

		if (whole > size)
			return NULL;
		if (nh->n_type == type && nh->n_namesz == 6 && nh->n_descsz >= least &&
		    !memcmp(nh + 1, "RAKIS", 6))
			return at + desc;
		at += whole;
		size -= whole;
	}
	return NULL;
}

static bool has_sgx_note(const uint8_t *at, uint64_t size)
{
	const struct rakis_sgx_note *note = find_note(at, size, RAKIS_NOTE_SGX, sizeof(*note));

	if (note && note->version != RAKIS_BOUNDARY_VERSION)
		bad("it is of another version");
	return note;
}

uint64_t image_entry(const struct image *im)
{
	return im->eh.e_entry;
}

bool image_segment(const struct image *im, size_t n, struct image_segment *s)
{
	for (int i = 0; i < im->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &im->ph[i];

		if (ph->p_type != PT_LOAD || n--)
			continue;
		s->start = page_down(ph->p_vaddr);
		s->end = page_up(ph->p_vaddr + ph->p_memsz);
		s->read = ph->p_flags & PF_R;
		s->write = ph->p_flags & PF_W;
		s->exec = ph->p_flags & PF_X;
		return true;
	}
	return false;
}

/*
 * What lies around a segment in the file is not the image's: the same pages must come out
 * of every file that has the same segments.
 */
void image_read(const struct image *im, uint8_t *to)
{
	memset(to, 0, im->size);
	for (int i = 0; i < im->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &im->ph[i];

		if (ph->p_type == PT_LOAD && pread(im->fd, to + ph->p_vaddr, ph->p_filesz,
						   ph->p_offset) != (ssize_t)ph->p_filesz)
			bad("it is cut off");
	}
	for (int i = 0; i < im->eh.e_phnum; i++) {
		const Elf64_Phdr *ph = &im->ph[i];

		if (ph->p_type == PT_NOTE && ph->p_memsz <= im->size &&
		    ph->p_vaddr <= im->size - ph->p_memsz &&
		    has_sgx_note(to + ph->p_vaddr, ph->p_memsz))
			return;
	}
	bad("it is not one for an enclave");
}

static void map_segment(const struct image *im, const Elf64_Phdr *ph)
{
	uint64_t start = host.layout.image + page_down(ph->p_vaddr);
	uint64_t file_end = host.layout.image + ph->p_vaddr + ph->p_filesz;
	uint64_t end = page_up(host.layout.image + ph->p_vaddr + ph->p_memsz);
	int prot = (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
		   (ph->p_flags & PF_X ? PROT_EXEC : 0);

	if (ph->p_filesz &&
	    mmap((void *)start, file_end - start, prot, MAP_PRIVATE | MAP_FIXED, im->fd,
		 page_down(ph->p_offset)) == MAP_FAILED)
		die(EXIT_RAKIS, "cannot map %s: %m", im->path);
	if (ph->p_memsz == ph->p_filesz)
		return;
	if (!(prot & PROT_WRITE))
		bad("a read-only segment with zeros");
	if (ph->p_filesz) {
		memset((void *)file_end, 0, page_up(file_end) - file_end);
		start = page_up(file_end);
	}
	if (end > start &&
	    mmap((void *)start, end - start, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) == MAP_FAILED)
		die(EXIT_RAKIS, "cannot map %s: %m", im->path);
}

/* Each field of the note is the distance from itself to the place. */
static uint64_t place(const int32_t *field)
{
	uint64_t at = (uint64_t)field + *field;

	if (at - host.layout.image > host.layout.image_size)
		bad("its note points outside of it");
	return at;
}

static bool take_note(uint64_t at, uint64_t size)
{
	const struct rakis_gate_note *note = find_note((const void *)at, size, RAKIS_NOTE_GATE,
						       sizeof(*note));

	if (!note)
		return false;
	if (note->version != RAKIS_BOUNDARY_VERSION)
		bad("it is of another version");
	host.exception_entry = place(&note->exception_entry);
	host.return_start = place(&note->return_start);
	host.return_end = place(&note->return_end);
	host.thread_offset = note->thread_offset;
	return host.return_start < host.return_end && !(host.thread_offset % 8) &&
	       host.thread_offset <= RAKIS_SLOT_SIZE - RAKIS_PAGE_SIZE;
}

void image_map(struct image *im)
{
	bool found = false;

	for (int i = 0; i < im->eh.e_phnum; i++)
		if (im->ph[i].p_type == PT_LOAD)
			map_segment(im, &im->ph[i]);
	for (int i = 0; i < im->eh.e_phnum && !found; i++) {
		const Elf64_Phdr *ph = &im->ph[i];

		if (ph->p_type == PT_NOTE && ph->p_memsz <= im->size &&
		    ph->p_vaddr <= im->size - ph->p_memsz)
			found = take_note(host.layout.image + ph->p_vaddr, ph->p_memsz);
	}
	if (!found)
		bad("it has no gate note");
	host.entry = host.layout.image + im->eh.e_entry;
	close(im->fd);
}
