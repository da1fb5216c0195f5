/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at the program before there is a libOS: where it is, whether it can run at all,
 * and whether it wants fixed addresses, since these decide where the range lies. The libOS
 * reads it again for itself.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"

#define SCRIPT_DEPTH	5	/* of scripts whose interpreters are scripts, as in Linux */
#define PHDRS_MOST	64

static const char *lookup_env(char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

static bool is_executable(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EACCES;
		return false;
	}
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* As execvp() searches: a file that may not be executed is remembered, not taken. */
static void search(struct program *p, const char *name, const char *path)
{
	int status = EXIT_NOT_FOUND;

	for (const char *dir = path ? path : "/bin:/usr/bin"; dir; ) {
		const char *end = strchrnul(dir, ':');
		int n = end - dir;

		if (snprintf(p->path, sizeof(p->path), "%.*s%s%s", n, dir, n ? "/" : "", name) <
		    (int)sizeof(p->path)) {
			if (is_executable(p->path))
				return;
			if (errno == EACCES)
				status = EXIT_CANNOT_RUN;
		}
		dir = *end ? end + 1 : NULL;
	}
	if (status == EXIT_CANNOT_RUN)
		die(status, "%s: in PATH, but not executable", name);
	die(status, "%s: no such program in PATH; give its path, or set PATH with --env", name);
}

static void inspect_elf(struct program *p, int fd, const char *path, const Elf64_Ehdr *eh)
{
	Elf64_Phdr ph[PHDRS_MOST];
	size_t size;

	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_machine != EM_X86_64)
		die(EXIT_CANNOT_RUN, "%s: built for another processor; only x86-64 programs run",
		    path);
	if (eh->e_ident[EI_DATA] != ELFDATA2LSB ||
	    (eh->e_type != ET_EXEC && eh->e_type != ET_DYN) ||
	    eh->e_phentsize != sizeof(ph[0]) || !eh->e_phnum || eh->e_phnum > PHDRS_MOST)
		die(EXIT_CANNOT_RUN, "%s: not a program: an ELF file of another kind, or broken",
		    path);
	size = eh->e_phnum * sizeof(ph[0]);
	if (pread(fd, ph, size, eh->e_phoff) != (ssize_t)size)
		die(EXIT_CANNOT_RUN, "%s: a broken ELF file: program headers are cut off", path);
	p->fixed = eh->e_type == ET_EXEC;
	p->low = UINT64_MAX;
	p->high = 0;
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		if (ph[i].p_vaddr < p->low)
			p->low = ph[i].p_vaddr;
		if (ph[i].p_memsz > UINT64_MAX / 2 || ph[i].p_vaddr > UINT64_MAX / 2)
			die(EXIT_CANNOT_RUN, "%s: a broken ELF file: impossible addresses", path);
		if (ph[i].p_vaddr + ph[i].p_memsz > p->high)
			p->high = ph[i].p_vaddr + ph[i].p_memsz;
	}
	if (!p->high)
		die(EXIT_CANNOT_RUN, "%s: a broken ELF file: nothing in it is loaded", path);
}

/* The interpreter of a `#!` line into `path`, which holds the script's. */
static void interpreter(char *path, size_t room, char *line)
{
	char *name, *end;

	line[strcspn(line, "\n")] = 0;
	name = line + 2 + strspn(line + 2, " \t");
	end = name + strcspn(name, " \t");
	*end = 0;
	if (!*name || strlen(name) >= room)
		die(EXIT_CANNOT_RUN, "%s: its #! line names no interpreter", path);
	strcpy(path, name);
}

void program_find(struct program *p, const char *name, char *const *env)
{
	union {
		Elf64_Ehdr eh;
		char line[257];
	} head;
	char path[sizeof(p->path)];
	ssize_t n;
	int fd;

	if (!*name)
		die(EXIT_NOT_FOUND, "the program's name is empty");
	if (!strchr(name, '/'))
		search(p, name, lookup_env(env, "PATH"));
	else if (strlen(name) < sizeof(p->path))
		strcpy(p->path, name);
	else
		die(EXIT_CANNOT_RUN, "%.40s...: the path is too long", name);
	strcpy(path, p->path);
	for (int depth = 0; depth <= SCRIPT_DEPTH; depth++) {
		if (!is_executable(path)) {
			if (errno == ENOENT || errno == ENOTDIR)
				die(EXIT_NOT_FOUND, "%s: %m%s%s", path,
				    depth ? "; it is the interpreter of " : "",
				    depth ? p->path : "");
			if (errno == EACCES)
				die(EXIT_CANNOT_RUN, "%s: not executable; try chmod +x", path);
			die(EXIT_CANNOT_RUN, "%s: %m", path);
		}
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			die(EXIT_CANNOT_RUN, "%s: cannot be read (%m), which RAKIS must to load it",
			    path);
		memset(&head, 0, sizeof(head));
		n = pread(fd, &head, sizeof(head) - 1, 0);
		if (n >= (ssize_t)sizeof(head.eh) && !memcmp(head.eh.e_ident, ELFMAG, SELFMAG)) {
			inspect_elf(p, fd, path, &head.eh);
			close(fd);
			return;
		}
		close(fd);
		if (n < 2 || memcmp(head.line, "#!", 2))
			die(EXIT_CANNOT_RUN, "%s: neither an ELF program nor a #! script",
			    path);
		interpreter(path, sizeof(path), head.line);
	}
	die(EXIT_CANNOT_RUN, "%s: too many scripts that are each other's interpreters", p->path);
}
