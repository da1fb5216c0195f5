/* SPDX-License-Identifier: Apache-2.0 */
/* From a path to a program that is ready to run: scripts, the ELF object, its interpreter. */
#include <linux/fcntl.h>
#include <linux/stat.h>
#include "elf/elf.h"
#include "elf/image.h"
#include "fs/file.h"
#include "fs/vfs.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"
#include "libos/mm.h"
#include "libos/task.h"

enum {
	SCRIPT_DEPTH = 4,		/* scripts that name scripts */
	SCRIPT_LINE = 256,		/* BINPRM_BUF_SIZE: more of a first line is not looked at */
};

#define FLAGS_INITIAL	0x202ull	/* interrupts on, and the bit that is always one */

/* A program on its way: the file to look at, and its arguments as scripts extend them. */
struct loading {
	struct image main, interp;
	char **args;			/* room for the given ones and two for each script */
	char **argv;			/* first one in use */
	char *line[SCRIPT_DEPTH];	/* what interpreters' names and arguments point into */
	struct why why;
};

/* May the process execute it? The mode decides, as with exec: for root, any x bit. */
static bool may_execute(const struct statx *st)
{
	u32 bit = 0001;

	if (process.euid == 0)
		return st->stx_mode & 0111;
	if (process.euid == st->stx_uid) {
		bit = 0100;
	} else {
		bool in_group = process.egid == st->stx_gid;

		for (u32 i = 0; i < process.ngroups && !in_group; i++)
			in_group = process.groups[i] == st->stx_gid;
		if (in_group)
			bit = 0010;
	}
	return st->stx_mode & bit;
}

/* Open what is to be executed. `user`: who names it, NULL if the command line does. */
static int open_executable(const char *path, const char *user, struct file **out, struct why *why)
{
	struct statx st;
	int err = vfs_open(path, O_RDONLY, 0, out);

	if (!err) {
		err = (*out)->ops->stat ? (*out)->ops->stat(*out, STATX_BASIC_STATS, &st) : -EACCES;
		if (!err && !S_ISREG(st.stx_mode))
			err = fail(why, -EACCES, "%s: is %s, not a program", path,
				   S_ISDIR(st.stx_mode) ? "a directory" : "no regular file");
		else if (!err && !may_execute(&st))
			err = fail(why, -EACCES, "%s: is not executable (chmod +x)", path);
		if (!err)
			return 0;
		file_put(*out);
		*out = NULL;
		if (why->text[0])
			return err;
	}
	if ((err == -ENOENT || err == -ENOTDIR) && user)
		return fail(why, err, "%s: its interpreter %s is missing", user, path);
	if (err == -ENOENT || err == -ENOTDIR)
		return fail(why, err, "%s: there is no such file", path);
	if (err == -EACCES)
		return fail(why, err, "%s: permission to read it is denied", path);
	return fail(why, err, "%s: cannot be opened (error %d)", path, -err);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * The first line of a script, in place: *name its interpreter, *arg the rest as one argument
 * or NULL. `n` bytes were read. False: the line is not one that Linux takes.
 */
static bool parse_script(char *line, size_t n, char **name, char **arg)
{
	char *end = memchr(line, '\n', n), *p = line + 2;
	bool cut = !end && n == SCRIPT_LINE;

	if (!end)
		end = line + (cut ? SCRIPT_LINE - 1 : n);
	while (end > p && is_blank(end[-1]))
		end--;
	while (p < end && is_blank(*p))
		p++;
	if (p >= end || !*p)
		return false;
	*name = p;
	while (p < end && *p && !is_blank(*p))
		p++;
	/* A name that fills the line may go on behind it. */
	if (cut && p == line + SCRIPT_LINE - 1)
		return false;
	*arg = NULL;
	if (p < end && *p) {
		*p++ = 0;
		while (p < end && is_blank(*p))
			p++;
		*arg = *p && p < end ? p : NULL;
	}
	*end = 0;
	return true;
}

/* Open `path`, and as long as that is a script, its interpreter instead. */
static int open_program(struct loading *l, const char *path)
{
	const char *user = NULL;
	char *arg;
	int err;

	for (int depth = 0; ; depth++) {
		struct iter it;
		ssize_t n;

		l->main.path = path;
		err = open_executable(path, user, &l->main.file, &l->why);
		if (err)
			return err;
		if (depth == SCRIPT_DEPTH) {
			char magic[2];

			if (read_exactly(l->main.file, magic, 2, 0) || memcmp(magic, "#!", 2))
				return 0;
			return fail(&l->why, -ELOOP, "%s: scripts name each other too many times", path);
		}
		l->line[depth] = kzalloc(SCRIPT_LINE + 1);
		if (!l->line[depth])
			return fail(&l->why, -ENOMEM, "%s: no memory; raise --memory", path);
		iter_kernel(&it, l->line[depth], SCRIPT_LINE);
		n = file_pread(l->main.file, &it, 0);
		if (n < 0)
			return fail(&l->why, (int)n, "%s: cannot be read (error %ld)", path, -n);
		if (n < 2 || memcmp(l->line[depth], "#!", 2))
			return 0;
		user = path;
		/* The script's own name takes the place of argv[0]. */
		l->argv[0] = (char *)path;
		if (!parse_script(l->line[depth], (size_t)n, (char **)&path, &arg))
			return fail(&l->why, -ENOEXEC, "%s: its first line names no interpreter", user);
		if (arg)
			*--l->argv = arg;
		*--l->argv = (char *)path;
		file_put(l->main.file);
		l->main.file = NULL;
	}
}

static int load_interpreter(struct loading *l)
{
	int err;

	l->interp.path = l->main.interp;
	err = open_executable(l->interp.path, l->main.path, &l->interp.file, &l->why);
	if (err)
		return err;
	err = image_read(&l->interp, &l->why);
	if (err == -ENOEXEC)
		return -ELIBBAD;
	return err ? err : image_map(&l->interp, 0, &l->why);
}

/* Somewhere in the first sixteenth: the heap grows behind it, other mappings come from above. */
static u64 program_hint(void)
{
	u64 room = (gate_layout.heap - gate_layout.base) / 16;

	return PAGE_DOWN(gate_layout.base + PAGE_SIZE + random_u64() % max(room, PAGE_SIZE));
}

/* What /proc/self shows. */
static int remember(struct loading *l)
{
	size_t len = 0, at = 0;

	for (char **a = l->argv; *a; a++)
		len += strlen(*a) + 1;
	process.exe = kmalloc(VFS_PATH_MAX);
	process.cmdline = kmalloc(len + 1);
	if (!process.exe || !process.cmdline || file_name(l->main.file, process.exe, VFS_PATH_MAX) < 0)
		return fail(&l->why, -ENOMEM, "no memory for arguments; raise --memory");
	for (char **a = l->argv; *a; a++) {
		size_t n = strlen(*a) + 1;

		memcpy(process.cmdline + at, *a, n);
		at += n;
	}
	process.cmdline_len = len;
	return 0;
}

static int load(struct loading *l, const char *path, char **envp, struct regs *regs)
{
	struct program p = { .envp = envp, .execfn = path, .main = &l->main };
	u64 rsp;
	s64 vdso;
	int err;

	err = open_program(l, path);
	if (!err)
		err = image_read(&l->main, &l->why);
	if (!err)
		err = image_map(&l->main, program_hint(), &l->why);
	if (err)
		return err;
	mm_set_brk(PAGE_UP(l->main.end));
	if (l->main.interp) {
		err = load_interpreter(l);
		if (err)
			return err;
		p.interp_base = l->interp.bias;
	}
	vdso = vdso_map();
	p.vdso = vdso < 0 ? 0 : (u64)vdso;
	p.argv = l->argv;
	err = stack_build(&p, &rsp, &l->why);
	if (!err)
		err = remember(l);
	if (err)
		return err;
	task_set_comm(current(), path);
	memset(regs, 0, sizeof(*regs));
	regs->rip = l->main.interp ? l->interp.entry : l->main.entry;
	regs->rsp = rsp;
	regs->flags = FLAGS_INITIAL;
	regs->orig_rax = ~0ull;
	return 0;
}

int program_load(const char *path, char **argv, char **envp, struct regs *regs, char *why,
		 size_t why_size)
{
	struct loading *l = kzalloc(sizeof(*l));
	u32 argc = 0;
	int err = -ENOMEM;

	while (argv[argc])
		argc++;
	if (l)
		l->args = kzalloc((argc + 2 + 2 * SCRIPT_DEPTH) * sizeof(char *));
	if (!l || !l->args) {
		struct why w = { why, why_size };

		fail(&w, err, "no memory to load %s; raise --memory", path);
		goto out;
	}
	l->why = (struct why){ why, why_size };
	l->why.text[0] = 0;
	l->argv = l->args + 2 * SCRIPT_DEPTH;
	if (argc)
		memcpy(l->argv, argv, argc * sizeof(char *));
	else
		l->argv[0] = "";	/* as Linux does */
	err = load(l, path, envp, regs);
	image_free(&l->main);
	image_free(&l->interp);
	for (int i = 0; i < SCRIPT_DEPTH; i++)
		kfree(l->line[i]);
out:
	if (l)
		kfree(l->args);
	kfree(l);
	return err;
}

void elf_init(const struct rakis_boot *boot)
{
	stack_init(boot->hwcap, boot->hwcap2);
	vdso_init(boot->cpus);
}
