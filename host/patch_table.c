/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding system call sites and the bytes around them that may move to a stub.
 *
 * For each executable segment: (1) the byte pairs 0f 05 are candidates; none, and there is
 * nothing more to do. (2) Functions that hold candidates are decoded from their start: a
 * candidate counts if an instruction begins there. All relative branches met are targets.
 * (3) Branches from elsewhere are sought at every byte: what looks like one into bytes that
 * might move is believed, unless decoding its function shows that it is none. (4) Of the
 * ways to displace at least five bytes the least harmful is taken that no target, function
 * or symbol begins inside.
 */
#include <emmintrin.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <Zydis/Zydis.h>

#include "host/elf_functions.h"
#include "host/patch_table.h"

enum {
	NEIGHBOURS = 3,			/* instructions kept on each side of a candidate */
	JUMP_BYTES = 5,
	SYSCALL_BYTES = 2,
	IN_STEP = 64,			/* bytes after which decoding code has found its boundaries */
	CACHED = 8,
};

struct insn {
	uint8_t len;
	bool movable;
	bool loads_eax;			/* mov $imm32 to eax or rax */
};

struct candidate {
	uint32_t off;			/* of the 0f 05 in the segment */
	bool real;
	bool indirect;			/* jump-table targets or landing pads may be near */
	uint8_t nbefore, nafter;
	struct insn before[NEIGHBOURS];	/* nearest first */
	struct insn after[NEIGHBOURS];
};

struct table {
	struct rakis_patch *entry;
	uint32_t n, room;
};

struct scan {
	ZydisDecoder fast, full;
	const struct elf_image *img;
	const Elf64_Phdr *seg;
	const uint8_t *b;		/* the segment's bytes */
	uint32_t size;
	struct functions fs;
	struct candidate *cand;
	uint32_t ncand, room;
	uint64_t *inside;		/* bitmap: bytes at which no branch may arrive if they move */
	uint64_t *target;		/* bitmap: bytes at which one may arrive */
};

static bool test_bit(const uint64_t *map, uint32_t i)
{
	return map[i / 64] >> i % 64 & 1;
}

static void set_bit(uint64_t *map, uint32_t i)
{
	map[i / 64] |= 1ull << i % 64;
}

/* ---- candidates ---- */

static __m128i load16(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

/* A bit for each place where `a` is `x` and `b` is `y`. */
static unsigned int pair_at(__m128i a, __m128i x, __m128i b, __m128i y)
{
	return _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(a, x), _mm_cmpeq_epi8(b, y)));
}

static int find_candidates(struct scan *s)
{
	const __m128i c0f = _mm_set1_epi8(0x0f), c05 = _mm_set1_epi8(0x05);
	uint32_t p = 0;

	while (p + SYSCALL_BYTES <= s->size) {
		unsigned int hits;

		if (p + 17 <= s->size) {
			hits = pair_at(load16(s->b + p), c0f, load16(s->b + p + 1), c05);
			if (!hits) {
				p += 16;
				continue;
			}
			p += __builtin_ctz(hits);
		} else if (s->b[p] != 0x0f || s->b[p + 1] != 0x05) {
			p++;
			continue;
		}
		if (s->ncand == s->room) {
			uint32_t room = s->room ? s->room * 2 : 64;
			struct candidate *c = realloc(s->cand, room * sizeof(*c));

			if (!c)
				return -ENOMEM;
			s->cand = c;
			s->room = room;
		}
		s->cand[s->ncand++] = (struct candidate){ .off = p };
		p += SYSCALL_BYTES;
	}
	return 0;
}

/* Index of the first candidate at or behind `off`. */
static uint32_t candidate_from(const struct scan *s, uint32_t off)
{
	uint32_t lo = 0, hi = s->ncand;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->cand[mid].off < off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- decoding ---- */

/* May the instruction run elsewhere, and never does anything but go on to the next one? */
static struct insn classify(struct scan *s, uint32_t off, uint8_t len)
{
	const uint8_t *b = s->b + off;
	struct insn in = { .len = len };
	ZydisDecodedInstruction z;

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&s->full, NULL, b, len, &z)))
		return in;
	switch (z.meta.category) {
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_SYSTEM:
		return in;
	default:
		break;
	}
	/* endbr64 is there because something jumps to it; ud2 and hlt are ends. */
	if ((z.attributes & ZYDIS_ATTRIB_IS_RELATIVE) || z.mnemonic == ZYDIS_MNEMONIC_ENDBR64 ||
	    z.mnemonic == ZYDIS_MNEMONIC_UD2 || z.mnemonic == ZYDIS_MNEMONIC_HLT ||
	    z.mnemonic == ZYDIS_MNEMONIC_XBEGIN || z.mnemonic == ZYDIS_MNEMONIC_XABORT)
		return in;
	in.movable = true;
	in.loads_eax = (len == 5 && b[0] == 0xb8) || (len == 7 && !memcmp(b, "\x48\xc7\xc0", 3));
	return in;
}

/* One more instruction next to a candidate; false: no further one is of use. */
static bool take_neighbour(struct scan *s, struct insn *list, uint8_t *n, uint32_t off, uint8_t len)
{
	if (*n == NEIGHBOURS)
		return false;
	list[*n] = classify(s, off, len);
	return list[(*n)++].movable;
}

static void mark_target(struct scan *s, int64_t t)
{
	if (t >= 0 && t < s->size)
		set_bit(s->target, t);
}

/*
 * Decode `f` on to `to`, or as far as it makes sense: fill its candidates (all of them lie
 * in the first stretch asked for), note the targets of its branches.
 */
static void decode_function(struct scan *s, struct function *f, uint32_t to)
{
	struct { uint32_t off; uint8_t len; } ring[NEIGHBOURS];
	uint32_t at = f->decoded ? f->decoded : f->start, count = 0;
	uint32_t first = candidate_from(s, at), ci = first;
	struct candidate *open = NULL;	/* takes instructions behind it */

	while (at < to) {
		ZydisDecodedInstruction z;
		uint32_t next;

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&s->fast, NULL, s->b + at,
								f->end - at, &z))) {
			if (f->gap && at - f->start <= IN_STEP) {
				at++;
				continue;
			}
			f->indirect = true;	/* who knows */
			break;
		}
		next = at + z.length;
		if (z.raw.imm[0].is_relative)
			mark_target(s, (int64_t)next + z.raw.imm[0].value.s);
		/* An indirect jump, but for those through a fixed slot (PLT). */
		if (z.opcode == 0xff && z.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && z.raw.modrm.reg == 4 &&
		    !(z.raw.modrm.mod == 0 && z.raw.modrm.rm == 5))
			f->indirect = true;
		while (ci < s->ncand && s->cand[ci].off < at)
			ci++;
		if (open && !take_neighbour(s, open->after, &open->nafter, at, z.length))
			open = NULL;
		if (ci < s->ncand && s->cand[ci].off == at && z.length == SYSCALL_BYTES) {
			open = &s->cand[ci];
			open->real = true;
			for (uint32_t i = 1; i <= count && i <= NEIGHBOURS; i++)
				if (!take_neighbour(s, open->before, &open->nbefore,
						    ring[(count - i) % NEIGHBOURS].off,
						    ring[(count - i) % NEIGHBOURS].len))
					break;
		}
		ring[count % NEIGHBOURS].off = at;
		ring[count++ % NEIGHBOURS].len = z.length;
		at = next;
	}
	f->decoded = at;
	/* Data where code was only guessed, not just an instruction cut in two: it is no code. */
	for (uint32_t i = first; f->gap && at + ZYDIS_MAX_INSTRUCTION_LENGTH < to && i < ci; i++)
		s->cand[i].real = false;
}

/* Bytes [from, to) of the segment hold an instruction's opcode that seems to branch to `t`. */
static void consider(struct scan *s, uint32_t from, int64_t t)
{
	struct function *f;

	if (t < 0 || t >= s->size || !test_bit(s->inside, t) || test_bit(s->target, t))
		return;
	f = function_at(&s->fs, from);
	if (f && !f->gap) {
		if (from >= f->decoded)
			decode_function(s, f, from + 1);
		if (from < f->decoded)
			return;
	}
	set_bit(s->target, t);
}

static int32_t rel32(const uint8_t *p)
{
	int32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Calls, jumps, conditional jumps and xbegin with 32-bit displacements, at any byte. */
static void scan_far_branches(struct scan *s)
{
	const __m128i fe = _mm_set1_epi8((char)0xfe), e8 = _mm_set1_epi8((char)0xe8);
	const __m128i f0 = _mm_set1_epi8((char)0xf0), x80 = _mm_set1_epi8((char)0x80);
	const __m128i c0f = _mm_set1_epi8(0x0f), c7 = _mm_set1_epi8((char)0xc7);
	const __m128i f8 = _mm_set1_epi8((char)0xf8);

	for (uint32_t p = 0; p + 5 <= s->size;) {
		unsigned int one = 0, two = 0, n = 1;

		if (p + 16 + 6 <= s->size) {
			__m128i a = load16(s->b + p), b = load16(s->b + p + 1);

			n = 16;
			one = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(a, fe), e8));
			two = pair_at(a, c0f, _mm_and_si128(b, f0), x80) | pair_at(a, c7, b, f8);
		} else {
			one = (s->b[p] & 0xfe) == 0xe8;
			two = p + 6 <= s->size && ((s->b[p] == 0x0f && (s->b[p + 1] & 0xf0) == 0x80) ||
						   (s->b[p] == 0xc7 && s->b[p + 1] == 0xf8));
		}
		for (; one; one &= one - 1) {
			uint32_t q = p + __builtin_ctz(one);

			consider(s, q, (int64_t)q + 5 + rel32(s->b + q + 1));
		}
		for (; two; two &= two - 1) {
			uint32_t q = p + __builtin_ctz(two);

			consider(s, q, (int64_t)q + 6 + rel32(s->b + q + 2));
		}
		p += n;
	}
}

/* Short jumps and loops near each candidate, at any byte. */
static void scan_near_branches(struct scan *s)
{
	uint32_t p = 0;

	for (uint32_t i = 0; i < s->ncand; i++) {
		uint32_t off = s->cand[i].off, from = off > 160 ? off - 160 : 0;
		uint32_t to = s->size - off > 160 ? off + 160 : s->size - 1;

		for (p = p > from ? p : from; p < to; p++) {
			uint8_t op = s->b[p];

			if ((op & 0xf0) == 0x70 || op == 0xeb || (op & 0xfc) == 0xe0)
				consider(s, p, (int64_t)p + 2 + (int8_t)s->b[p + 1]);
		}
	}
}

/* ---- choosing ---- */

/* Mark what a branch must not hit for the widest choice worth considering. */
static void mark_inside(struct scan *s, const struct candidate *c)
{
	uint32_t before = 0, after = 0;

	for (int i = 0; i < c->nbefore && c->before[i].movable && before < 3; i++)
		before += c->before[i].len;
	for (int i = 0; i < c->nafter && c->after[i].movable && after < 3; i++)
		after += c->after[i].len;
	for (uint32_t o = c->off - before + 1; o < c->off + SYSCALL_BYTES + after; o++)
		set_bit(s->inside, o);
}

static bool hit(const struct scan *s, uint32_t site, uint32_t end)
{
	for (uint32_t o = site + 1; o < end; o++)
		if (test_bit(s->target, o))
			return true;
	return false;
}

/* The cheapest way to displace at least JUMP_BYTES; *before and *after are 0 if there is none. */
static void choose(const struct scan *s, const struct candidate *c, uint32_t floor,
		   uint32_t *before, uint32_t *after)
{
	uint32_t best = UINT32_MAX, b = 0;

	*before = *after = 0;
	for (int i = 0; i <= c->nbefore && b < JUMP_BYTES - SYSCALL_BYTES; i++) {
		uint32_t a = 0;

		if (i && !c->before[i - 1].movable)
			break;
		b += i ? c->before[i - 1].len : 0;
		if (b > c->off - floor)
			break;
		for (int j = 0; j <= c->nafter; j++) {
			uint32_t len, cost;

			if (j && !c->after[j - 1].movable)
				break;
			a += j ? c->after[j - 1].len : 0;
			len = b + SYSCALL_BYTES + a;
			if (len < JUMP_BYTES)
				continue;
			if (c->indirect && !(i == 1 && j == 0 && c->before[0].loads_eax))
				break;
			/* Nothing behind the call is best: it returns to the original code. */
			cost = len + (a ? RAKIS_PATCH_MAX : 0);
			if (len <= RAKIS_PATCH_MAX && cost < best && !hit(s, c->off - b, c->off + 2 + a)) {
				best = cost;
				*before = b;
				*after = a;
			}
			break;
		}
	}
}

static int add_entry(struct table *t, const struct scan *s, uint32_t off, uint32_t before,
		     uint32_t after)
{
	struct rakis_patch *e;

	if (t->n == t->room) {
		uint32_t room = t->room ? t->room * 2 : 64;

		e = realloc(t->entry, room * sizeof(*e));
		if (!e)
			return -ENOMEM;
		t->entry = e;
		t->room = room;
	}
	e = &t->entry[t->n++];
	*e = (struct rakis_patch){ .offset = s->seg->p_offset + off - before,
				   .before = before, .after = after };
	memcpy(e->bytes, s->b + off - before, before + SYSCALL_BYTES + after);
	return 0;
}

static void mark_symbol(void *arg, uint32_t start, uint32_t size)
{
	(void)size;
	mark_target(arg, start);
}

/* ---- a segment, a file ---- */

/* Decode a function with candidates as far as they need it, and look for indirect jumps. */
static void decode_first(struct scan *s, struct function *f)
{
	uint32_t last = s->cand[candidate_from(s, f->end) - 1].off + 2 * RAKIS_PATCH_MAX;
	const uint8_t *p;

	decode_function(s, f, f->gap || last > f->end ? f->end : last);
	/* Only where the bytes of one are is the rest worth decoding. */
	for (uint32_t at = f->decoded; !f->indirect && at + 1 < f->end; at++) {
		p = memchr(s->b + at, 0xff, f->end - 1 - at);
		if (!p)
			break;
		at = p - s->b;
		if ((p[1] & 0x38) == 0x20 && at >= f->decoded)
			decode_function(s, f, at + 1);
	}
}

/* Functions for all candidates; only those at which an instruction begins are kept. */
static int decode_candidates(struct scan *s)
{
	int r = functions_from_unwind(&s->fs, s->img, s->seg);
	bool symbols = false;
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->ncand && r == 0; i++) {
		struct function *f = function_at(&s->fs, s->cand[i].off);

		if (!f && !symbols) {
			r = functions_from_symbols(&s->fs, s->img, s->seg);
			symbols = true;
			f = function_at(&s->fs, s->cand[i].off);
		}
		if (!f && r == 0) {
			r = functions_add_gap(&s->fs, s->img, s->seg, s->cand[i].off);
			f = function_at(&s->fs, s->cand[i].off);
		}
		if (f && !f->decoded)
			decode_first(s, f);
		if (f)
			s->cand[i].indirect = f->indirect || f->lsda;
	}
	for (uint32_t i = 0; i < s->ncand; i++)
		if (s->cand[i].real)
			s->cand[n++] = s->cand[i];
	s->ncand = n;
	return r;
}

static void scan_targets(struct scan *s)
{
	for (uint32_t i = 0; i < s->ncand; i++)
		mark_inside(s, &s->cand[i]);
	for (uint32_t i = 0; i < s->fs.n; i++)
		mark_target(s, s->fs.f[i].start);
	elf_each_code_symbol(s->img, s->seg, mark_symbol, s);
	mark_target(s, s->img->eh->e_entry - s->seg->p_vaddr);
	scan_near_branches(s);
	scan_far_branches(s);
}

static int scan_segment(struct scan *s, struct table *t)
{
	uint32_t floor = 0;
	int r = find_candidates(s);

	if (r == 0 && s->ncand) {
		s->inside = calloc(s->size / 64 + 1, sizeof(*s->inside));
		s->target = calloc(s->size / 64 + 1, sizeof(*s->target));
		r = s->inside && s->target ? decode_candidates(s) : -ENOMEM;
	}
	if (r == 0 && s->ncand)
		scan_targets(s);
	for (uint32_t i = 0; i < s->ncand && r == 0; i++) {
		const struct candidate *c = &s->cand[i];
		uint32_t before, after;

		choose(s, c, floor, &before, &after);
		r = add_entry(t, s, c->off, before, after);
		floor = c->off + SYSCALL_BYTES + after;
	}
	free(s->fs.f);
	free(s->cand);
	free(s->inside);
	free(s->target);
	return r;
}

static int by_offset(const void *a, const void *b)
{
	const struct rakis_patch *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* By offset; where segments overlap in the file, its bytes are patched once. */
static void sort_table(struct table *t)
{
	uint64_t end = 0;
	uint32_t n = 0;

	if (t->n)
		qsort(t->entry, t->n, sizeof(*t->entry), by_offset);
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->entry[i].offset < end)
			continue;
		t->entry[n] = t->entry[i];
		end = t->entry[n].offset + t->entry[n].before + SYSCALL_BYTES + t->entry[n].after;
		n++;
	}
	t->n = n;
}

static int make_table(struct table *t, const void *data, size_t size)
{
	struct elf_image img;
	struct scan base = { .img = &img };
	int r = 0;

	if (!elf_image_init(&img, data, size))
		return 0;
	if (!ZYAN_SUCCESS(ZydisDecoderInit(&base.full, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return -ENOSYS;
	base.fast = base.full;
	ZydisDecoderEnableMode(&base.fast, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
	for (unsigned int i = 0; i < img.phnum && r == 0; i++) {
		const Elf64_Phdr *ph = elf_exec_segment(&img, i);
		struct scan s = base;

		if (!ph)
			continue;
		s.seg = ph;
		s.b = img.data + ph->p_offset;
		s.size = ph->p_filesz;
		r = scan_segment(&s, t);
	}
	sort_table(t);
	return r;
}

/* ---- the last few files ---- */

static struct cached {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	struct table table;
} cache[CACHED];
static unsigned int cache_next;
static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;

/* The file's table, with cache_lock held. */
static int cached_table(int fd, const struct table **out)
{
	struct table t = { 0 };
	struct cached *c;
	struct stat st;
	void *map;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	for (c = cache; c < cache + CACHED; c++) {
		if (c->ino == st.st_ino && c->dev == st.st_dev && c->size == st.st_size && c->ino &&
		    c->mtime.tv_sec == st.st_mtim.tv_sec && c->mtime.tv_nsec == st.st_mtim.tv_nsec) {
			*out = &c->table;
			return 0;
		}
	}
	if (S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof(Elf64_Ehdr)) {
		map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED)
			return -errno;
		r = make_table(&t, map, st.st_size);
		munmap(map, st.st_size);
		if (r < 0) {
			free(t.entry);
			return r;
		}
	}
	c = &cache[cache_next++ % CACHED];
	free(c->table.entry);
	*c = (struct cached){ st.st_dev, st.st_ino, st.st_size, st.st_mtim, t };
	*out = &c->table;
	return 0;
}

int patch_table(int fd, struct rakis_patch *out, uint32_t max, uint64_t first)
{
	const struct table *t = NULL;
	uint32_t n = 0;
	int r;

	pthread_mutex_lock(&cache_lock);
	r = cached_table(fd, &t);
	if (r == 0 && first < t->n) {
		n = t->n - first < max ? t->n - first : max;
		memcpy(out, t->entry + first, n * sizeof(*out));
	}
	pthread_mutex_unlock(&cache_lock);
	return r < 0 ? r : (int)n;
}
