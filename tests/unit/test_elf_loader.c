/* SPDX-License-Identifier: Apache-2.0 */
/* The program loader: what it maps, what the program's stack holds, what it refuses and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <asm/auxvec.h>
#include <linux/auxvec.h>
#include <linux/elf.h>

#include "elf/elf.h"
#include "fake_guest.h"
#include "lib/errno.h"
#include "libos/task.h"

#define FILE_BYTES	0x3000
#define REGULAR		0100755u

static char why[512];
static struct regs regs;
static char *no_env[] = { NULL };
static char *one_arg[] = { "prog", NULL };

/* A program: text [0, 0x1100), data at 0x2f00 with bss up to 0x5000. */
struct program_file {
	struct elf64_hdr eh;
	struct elf64_phdr ph[4];
	char interp[64];
	u8 rest[FILE_BYTES];
};

static struct program_file make(u32 type, u64 base)
{
	struct program_file f = {
		.eh = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = type, .e_machine = EM_X86_64, .e_version = 1,
			.e_entry = base + 0x1000, .e_phoff = sizeof(struct elf64_hdr),
			.e_ehsize = sizeof(struct elf64_hdr),
			.e_phentsize = sizeof(struct elf64_phdr), .e_phnum = 4,
		},
		.ph = {
			{ .p_type = PT_NULL },
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = base,
			  .p_filesz = 0x1100, .p_memsz = 0x1100, .p_align = 0x1000 },
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = base + 0x2f00,
			  .p_offset = 0x1f00, .p_filesz = 0x80, .p_memsz = 0x2100, .p_align = 0x1000 },
			{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X },
		},
	};

	memset(f.rest, 0xee, sizeof(f.rest));
	return f;
}

static void set_interp(struct program_file *f, const char *path)
{
	strcpy(f->interp, path);
	f->ph[0] = (struct elf64_phdr){ .p_type = PT_INTERP,
		.p_offset = offsetof(struct program_file, interp), .p_filesz = strlen(path) + 1 };
}

static void add(const char *path, const void *data, size_t size, u32 mode)
{
	fake_add(&(struct fake_file){ path, data, size, mode, -1 });
}

static int load(const char *path, char **argv, char **envp)
{
	int err = program_load(path, argv, envp, &regs, why, sizeof(why));

	assert_int_equal(fake_open_files(), 0);
	if (err)
		assert_true(why[0] && !strchr(why, '\n'));
	return err;
}

static int setup(void **state)
{
	struct rakis_boot boot = { .hwcap = 0x1234, .hwcap2 = 3, .cpus = 2 };

	fake_reset();
	elf_init(&boot);
	return 0;
}

static u64 aux(u64 type)
{
	for (u32 i = 0; i < process.nauxv; i += 2)
		if (process.auxv[i] == type)
			return process.auxv[i + 1];
	return ~0ull;
}

/* ---- programs ---- */

static void position_independent(void **state)
{
	struct program_file f = make(ET_DYN, 0);
	u64 bias;
	u32 prot;

	add("/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/p", one_arg, no_env), 0);
	bias = regs.rip - 0x1000;
	assert_int_equal(bias % PAGE_SIZE, 0);
	assert_int_equal(aux(AT_PHDR), bias + sizeof(struct elf64_hdr));
	assert_int_equal(aux(AT_ENTRY), regs.rip);
	assert_int_equal(aux(AT_BASE), 0);
	assert_memory_equal((void *)bias, &f, 0x1100);
	assert_true(fake_mapped(bias, &prot));
	assert_int_equal(prot, PROT_READ | PROT_EXEC);
	assert_true(fake_mapped(bias + 0x2f00, &prot));
	assert_int_equal(prot, PROT_READ | PROT_WRITE);
	assert_memory_equal((void *)(bias + 0x2f00), (u8 *)&f + 0x1f00, 0x80);
	for (u64 at = 0x2f80; at < 0x5000; at++)
		assert_int_equal(*(u8 *)(bias + at), 0);
	assert_int_equal(fake_brk, bias + 0x5000);
	assert_string_equal(process.exe, "/p");
}

static void fixed_address(void **state)
{
	struct program_file f = make(ET_EXEC, 0x400000);

	add("/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/p", one_arg, no_env), 0);
	assert_int_equal(regs.rip, 0x401000);
	assert_int_equal(aux(AT_PHDR), 0x400040);

	fake_reset();
	f = make(ET_EXEC, 0x7f0000000000);
	add("/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/p", one_arg, no_env), -ENOMEM);
	assert_non_null(strstr(why, "7f0000000000"));
}

static void large_alignment(void **state)
{
	struct program_file f = make(ET_DYN, 0);

	f.ph[1].p_align = f.ph[2].p_align = 0x200000;
	add("/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/p", one_arg, no_env), 0);
	assert_int_equal((regs.rip - 0x1000) % 0x200000, 0);

	fake_reset();
	f.ph[1].p_align = 1ull << 63;
	add("/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/p", one_arg, no_env), -ENOMEM);
}

static void interpreter(void **state)
{
	struct program_file f = make(ET_DYN, 0), ld = make(ET_DYN, 0);

	set_interp(&f, "/lib/ld.so");
	add("/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/p", one_arg, no_env), -ENOENT);
	assert_non_null(strstr(why, "interpreter /lib/ld.so is missing"));

	fake_reset();
	add("/p", &f, sizeof(f), REGULAR);
	add("/lib/ld.so", &ld, sizeof(ld), REGULAR);
	assert_int_equal(load("/p", one_arg, no_env), 0);
	assert_int_equal(regs.rip, aux(AT_BASE) + 0x1000);
	assert_int_not_equal(regs.rip, aux(AT_ENTRY));

	fake_reset();
	ld.eh.e_ident[1] = 'X';
	add("/p", &f, sizeof(f), REGULAR);
	add("/lib/ld.so", &ld, sizeof(ld), REGULAR);
	assert_int_equal(load("/p", one_arg, no_env), -ELIBBAD);
}

static void stack(void **state)
{
	struct program_file f = make(ET_DYN, 0);
	char *argv[] = { "prog", "-a", "", NULL }, *envp[] = { "A=1", "LONGER=value", NULL };
	u64 *sp, *auxv;
	char *s;

	process.uid = process.euid = 7;
	process.gid = process.egid = 8;
	add("/bin/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/bin/p", argv, envp), 0);
	sp = (u64 *)regs.rsp;
	assert_int_equal(regs.rsp % 16, 0);
	assert_int_equal(sp[0], 3);
	assert_string_equal((char *)sp[1], "prog");
	assert_string_equal((char *)sp[2], "-a");
	assert_string_equal((char *)sp[3], "");
	assert_int_equal(sp[4], 0);
	assert_string_equal((char *)sp[5], "A=1");
	assert_string_equal((char *)sp[6], "LONGER=value");
	assert_int_equal(sp[7], 0);
	auxv = sp + 8;
	assert_memory_equal(auxv, process.auxv, process.nauxv * sizeof(u64));
	assert_int_equal(process.auxv[process.nauxv - 2], AT_NULL);
	/* One run of strings, as programs that change their title expect. */
	s = (char *)sp[1];
	assert_memory_equal(s, "prog\0-a\0\0A=1\0LONGER=value\0/bin/p", 33);
	assert_int_equal((u64)s + 33 + 8, process.stack_top);
	assert_string_equal((char *)aux(AT_EXECFN), "/bin/p");
	assert_string_equal((char *)aux(AT_PLATFORM), "x86_64");
	assert_int_equal(*(u64 *)aux(AT_RANDOM), 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(aux(AT_HWCAP), 0x1234);
	assert_int_equal(aux(AT_HWCAP2), 1);
	assert_int_equal(aux(AT_EUID), 7);
	assert_int_equal(aux(AT_GID), 8);
	assert_int_equal(aux(AT_SECURE), 0);
	assert_int_equal(process.cmdline_len, 9);
	assert_memory_equal(process.cmdline, "prog\0-a\0\0", 9);
}

static void too_long(void **state)
{
	struct program_file f = make(ET_DYN, 0);
	char *big = malloc(32 * PAGE_SIZE + 1), *argv[] = { big, NULL };
	char **many = calloc(40, sizeof(char *));

	add("/p", &f, sizeof(f), REGULAR);
	memset(big, 'x', 32 * PAGE_SIZE);
	big[32 * PAGE_SIZE] = 0;
	assert_int_equal(load("/p", argv, no_env), -E2BIG);
	big[32 * PAGE_SIZE - 1] = 0;
	fake_reset();
	add("/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/p", argv, no_env), 0);
	for (int i = 0; i < 39; i++)
		many[i] = big;
	fake_reset();
	add("/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/p", many, no_env), -E2BIG);
	free(many);
	free(big);
}

/* ---- scripts ---- */

static void expect_args(const char *const *want)
{
	u64 *sp = (u64 *)regs.rsp;
	u64 n = 0;

	for (; want[n]; n++)
		assert_string_equal((char *)sp[1 + n], want[n]);
	assert_int_equal(sp[0], n);
}

static void script_lines(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *args[5];
	} cases[] = {
		{ "#!/p\n", 0, { "/p", "/s", "one" } },
		{ "#!/p", 0, { "/p", "/s", "one" } },
		{ "#!  /p \t \nrest", 0, { "/p", "/s", "one" } },
		{ "#!/p  two words  \n", 0, { "/p", "two words", "/s", "one" } },
		{ "#!\t/p\t-x\n", 0, { "/p", "-x", "/s", "one" } },
		{ "#!\n", -ENOEXEC, { 0 } },
		{ "#!   \n", -ENOEXEC, { 0 } },
		{ "#!", -ENOEXEC, { 0 } },
		{ "#!/missing\n", -ENOENT, { 0 } },
		{ "echo hello\n", -ENOEXEC, { 0 } },
		{ "", -ENOEXEC, { 0 } },
	};
	struct program_file f = make(ET_DYN, 0);
	char *argv[] = { "zero", "one", NULL };

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_reset();
		add("/p", &f, sizeof(f), REGULAR);
		add("/s", cases[i].text, strlen(cases[i].text), REGULAR);
		assert_int_equal(load("/s", argv, no_env), cases[i].err);
		if (cases[i].err)
			continue;
		expect_args(cases[i].args);
		assert_string_equal((char *)aux(AT_EXECFN), "/s");
		assert_string_equal(process.exe, "/p");
	}
}

static void long_script_line(void **state)
{
	struct program_file f = make(ET_DYN, 0);
	char text[400], *argv[] = { "s", NULL };

	/* An interpreter that may go on where Linux stops reading. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "#!/", 3);
	add("/s", text, sizeof(text), REGULAR);
	assert_int_equal(load("/s", argv, no_env), -ENOEXEC);
	/* An argument that does is cut. */
	fake_reset();
	memcpy(text, "#!/p ", 5);
	add("/p", &f, sizeof(f), REGULAR);
	add("/s", text, sizeof(text), REGULAR);
	assert_int_equal(load("/s", argv, no_env), 0);
	assert_int_equal(strlen((char *)((u64 *)regs.rsp)[2]), 250);
}

static void nested_scripts(void **state)
{
	struct program_file f = make(ET_DYN, 0);
	char *argv[] = { "x", "end", NULL };

	add("/p", &f, sizeof(f), REGULAR);
	add("/1", "#!/p a\n", 7, REGULAR);
	add("/2", "#!/1 b\n", 7, REGULAR);
	add("/3", "#!/2 c\n", 7, REGULAR);
	add("/4", "#!/3 d\n", 7, REGULAR);
	add("/5", "#!/4 e\n", 7, REGULAR);
	assert_int_equal(load("/4", argv, no_env), 0);
	expect_args((const char *[]){ "/p", "a", "/1", "b", "/2", "c", "/3", "d", "/4", "end", NULL });
	assert_int_equal(load("/5", argv, no_env), -ELOOP);
}

/* ---- refusals ---- */

static void not_executable(void **state)
{
	struct program_file f = make(ET_DYN, 0);

	add("/p", &f, sizeof(f), 0100644);
	add("/d", "", 0, 0040755);
	add("/mine", &f, sizeof(f), 0100655);
	assert_int_equal(load("/p", one_arg, no_env), -EACCES);
	assert_non_null(strstr(why, "not executable"));
	assert_int_equal(load("/d", one_arg, no_env), -EACCES);
	assert_non_null(strstr(why, "directory"));
	assert_int_equal(load("/none", one_arg, no_env), -ENOENT);
	/* Files belong to user 0: for others the last bits count, for the owner the first. */
	process.euid = process.egid = 5;
	assert_int_equal(load("/mine", one_arg, no_env), 0);
}

#define BAD(statement) do {						\
	struct program_file f = make(ET_DYN, 0);			\
	statement;							\
	fake_reset();							\
	add("/p", &f, sizeof(f), REGULAR);				\
	assert_int_equal(load("/p", one_arg, no_env), -ENOEXEC);	\
} while (0)

static void damaged(void **state)
{
	BAD(f.eh.e_ident[EI_CLASS] = ELFCLASS32; f.eh.e_machine = EM_386);
	assert_string_equal(why, "/p: is a 32-bit i386 program; RAKIS runs x86-64");
	BAD(f.eh.e_machine = EM_AARCH64);
	assert_string_equal(why, "/p: is a 64-bit AArch64 program; RAKIS runs x86-64");
	BAD(f.eh.e_ident[EI_DATA] = ELFDATA2MSB);
	BAD(f.eh.e_type = ET_REL);
	BAD(f.eh.e_type = ET_CORE);
	BAD(f.eh.e_phentsize = 55);
	BAD(f.eh.e_phnum = 0);
	BAD(f.eh.e_phnum = 65535);
	BAD(f.eh.e_phoff = ~0ull);
	BAD(f.eh.e_phoff = sizeof(f) - 8);
	BAD(f.ph[1].p_filesz = 0x1101);			/* more than in memory */
	BAD(f.ph[1].p_offset = 1);			/* not congruent */
	BAD(f.ph[1].p_offset = 0x100000);		/* behind the end */
	BAD(f.ph[2].p_filesz = 0x2000);			/* goes on behind the end */
	BAD(f.ph[2].p_vaddr = 0xf00);			/* overlaps */
	BAD(f.ph[1].p_vaddr = 0x10000);			/* not in order */
	BAD(f.ph[2].p_vaddr = ~0ull << 12 | 0xf00);
	BAD(f.ph[2].p_memsz = ~0ull);
	BAD(f.ph[1].p_type = f.ph[2].p_type = PT_NOTE);	/* nothing to load */
	BAD(f.ph[0].p_type = PT_INTERP; f.ph[0].p_filesz = 1);
	BAD(f.ph[0].p_type = PT_INTERP; f.ph[0].p_filesz = 5000);
	BAD(set_interp(&f, "/x"); f.interp[2] = 'y');	/* no NUL */
}

static void too_large(void **state)
{
	struct program_file f = make(ET_DYN, 0);

	f.ph[2].p_memsz = 1ull << 40;
	add("/p", &f, sizeof(f), REGULAR);
	assert_int_equal(load("/p", one_arg, no_env), -ENOMEM);
	assert_non_null(strstr(why, "raise --memory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(position_independent, setup),
		cmocka_unit_test_setup(fixed_address, setup),
		cmocka_unit_test_setup(large_alignment, setup),
		cmocka_unit_test_setup(interpreter, setup),
		cmocka_unit_test_setup(stack, setup),
		cmocka_unit_test_setup(too_long, setup),
		cmocka_unit_test_setup(script_lines, setup),
		cmocka_unit_test_setup(long_script_line, setup),
		cmocka_unit_test_setup(nested_scripts, setup),
		cmocka_unit_test_setup(not_executable, setup),
		cmocka_unit_test_setup(damaged, setup),
		cmocka_unit_test_setup(too_large, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
