/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stack of a new program: strings, the auxiliary vector, argument and environment
 * pointers, as the psABI (section 3.4.1) and Linux lay them out, from high to low:
 *
 *	8 zero bytes
 *	file name; environment strings; argument strings (the first one lowest)
 *	"x86_64"; 16 random bytes
 *	auxv, envp[], argv[], argc		<- rsp, a multiple of 16
 */
#include <asm/auxvec.h>
#include <linux/auxvec.h>
#include "elf/image.h"
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"
#include "libos/mm.h"
#include "libos/signal.h"
#include "libos/task.h"

#define STACK_SIZE	(8ul << 20)	/* RLIMIT_STACK's default */
#define STACK_GUARD	(256ul << 10)
#define ARGS_MOST	(STACK_SIZE / 4)
#define ARG_MOST	(32 * PAGE_SIZE)	/* Linux's MAX_ARG_STRLEN */

#define TICKS		100		/* AT_CLKTCK: USER_HZ */
#define HWCAP2_FSGSBASE	2ull		/* GS is the libOS's */

static u64 hwcap, hwcap2;

void stack_init(u64 cap, u64 cap2)
{
	hwcap = cap;
	hwcap2 = cap2 & ~HWCAP2_FSGSBASE;
}

/* Number of strings and their bytes. -E2BIG */
static int measure(char **v, u64 *n, u64 *bytes)
{
	for (; *v; v++) {
		size_t len = strlen(*v) + 1;

		if (len > ARG_MOST)
			return -E2BIG;
		*bytes += len + sizeof(u64);
		++*n;
		if (*bytes > ARGS_MOST)
			return -E2BIG;
	}
	return 0;
}

struct builder {
	u64 at;			/* next string goes here */
	u64 *word;		/* next word of the table */
	bool fault;
};

static u64 put(struct builder *b, const void *data, size_t n)
{
	u64 at = b->at;

	b->fault |= copy_to_user(at, data, n) != 0;
	b->at += n;
	return at;
}

static void put_strings(struct builder *b, char **v)
{
	for (; *v; v++)
		*b->word++ = put(b, *v, strlen(*v) + 1);
	*b->word++ = 0;
}

static void aux(u64 type, u64 value)
{
	process.auxv[process.nauxv++] = type;
	process.auxv[process.nauxv++] = value;
}

static void make_auxv(const struct program *p, u64 random, u64 platform, u64 execfn)
{
	process.nauxv = 0;
	if (p->vdso)
		aux(AT_SYSINFO_EHDR, p->vdso);
	aux(AT_MINSIGSTKSZ, sigframe_min_stack());
	aux(AT_HWCAP, hwcap);
	aux(AT_PAGESZ, PAGE_SIZE);
	aux(AT_CLKTCK, TICKS);
	aux(AT_PHDR, p->main->phdr);
	aux(AT_PHENT, sizeof(struct elf64_phdr));
	aux(AT_PHNUM, p->main->phnum);
	aux(AT_BASE, p->interp_base);
	aux(AT_FLAGS, 0);
	aux(AT_ENTRY, p->main->entry);
	aux(AT_UID, process.uid);
	aux(AT_EUID, process.euid);
	aux(AT_GID, process.gid);
	aux(AT_EGID, process.egid);
	aux(AT_SECURE, 0);
	aux(AT_RANDOM, random);
	aux(AT_HWCAP2, hwcap2);
	aux(AT_EXECFN, execfn);
	aux(AT_PLATFORM, platform);
	aux(AT_NULL, 0);
}

/* The stack, and below it pages that nothing else gets. Its upper end. */
static s64 map_stack(void)
{
	s64 low = mm_map_anon(0, STACK_GUARD + STACK_SIZE, PROT_NONE, 0, NULL), r;

	if (low < 0)
		return low;
	r = mm_unmap((u64)low + STACK_GUARD, STACK_SIZE);
	if (!r)
		r = mm_map_anon((u64)low + STACK_GUARD, STACK_SIZE, PROT_READ | PROT_WRITE, VM_STACK,
				"[stack]");
	return r < 0 ? r : low + (s64)(STACK_GUARD + STACK_SIZE);
}

int stack_build(const struct program *p, u64 *rsp, struct why *why)
{
	static const char platform[] = "x86_64";
	u64 argc = 0, envc = 0, bytes = 0, random[2], words, random_at, platform_at, execfn_at, low;
	size_t execfn_len = strlen(p->execfn) + 1;
	struct builder b = { 0 };
	u64 *table;
	s64 top;

	if (measure(p->argv, &argc, &bytes) || measure(p->envp, &envc, &bytes))
		return fail(why, -E2BIG, "%s: arguments and environment are too long", p->execfn);
	bytes -= (argc + envc) * sizeof(u64);
	top = map_stack();
	if (top < 0)
		return fail(why, (int)top, "%s: no memory for the stack; raise --memory", p->execfn);
	process.stack_top = (u64)top;

	/* argc, two lists each with its NULL, auxv */
	words = 1 + argc + 1 + envc + 1 + ARRAY_SIZE(process.auxv);
	table = kmalloc(words * sizeof(u64));
	if (!table)
		return fail(why, -ENOMEM, "%s: no memory for arguments; raise --memory", p->execfn);

	low = (u64)top - sizeof(u64) - execfn_len - bytes;
	b.at = ALIGN_UP(low - sizeof(platform) - sizeof(random) - 15, 16);
	random_bytes(random, sizeof(random));
	random_at = put(&b, random, sizeof(random));
	platform_at = put(&b, platform, sizeof(platform));
	b.at = low;
	b.word = table;
	*b.word++ = argc;
	put_strings(&b, p->argv);
	process.env_start = b.at;
	put_strings(&b, p->envp);
	process.env_end = b.at;
	execfn_at = put(&b, p->execfn, execfn_len);
	make_auxv(p, random_at, platform_at, execfn_at);
	memcpy(b.word, process.auxv, process.nauxv * sizeof(u64));
	words = (u64)(b.word - table) + process.nauxv;
	*rsp = (random_at - words * sizeof(u64)) & ~15ull;
	b.fault |= copy_to_user(*rsp, table, words * sizeof(u64)) != 0;
	kfree(table);
	return b.fault ? fail(why, -EFAULT, "%s: its stack cannot be written", p->execfn) : 0;
}
