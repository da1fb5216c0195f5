/* SPDX-License-Identifier: Apache-2.0 */
/* struct rakis_boot: what the trusted part is told of the process it begins in. */
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host/host.h"
#include "host/net/net.h"
#include "host/thread.h"

#define CPUID_MOST	160
#define FDS_MOST	1024

static struct rakis_boot boot;
static uint32_t fds[FDS_MOST], nfds;
static struct rakis_cpuid cpuid[CPUID_MOST];

static void *need(void *p)
{
	if (!p)
		die(EXIT_RAKIS, "out of memory");
	return p;
}

void boot_record(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	gid_t *groups;
	int n;

	while (dir && (e = readdir(dir)) && nfds < FDS_MOST)
		if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(dir))
			fds[nfds++] = atoi(e->d_name);
	if (dir)
		closedir(dir);
	else				/* no /proc: at least the standard streams */
		for (int fd = 0; fd < 3; fd++)
			if (!isatty(fd) && errno == EBADF)
				continue;
			else
				fds[nfds++] = fd;
	boot.inherited = (uint64_t)fds;
	boot.ninherited = nfds;

	n = getgroups(0, NULL);
	groups = need(calloc(n > 0 ? n + 1 : 1, sizeof(*groups)));
	n = getgroups(n > 0 ? n : 0, groups);
	boot.groups = (uint64_t)groups;
	boot.ngroups = n > 0 ? n : 0;
	boot.uid = getuid();
	boot.euid = geteuid();
	boot.gid = getgid();
	boot.egid = getegid();
	/* The libOS applies the program's mask, which may change; the host must not add its own. */
	boot.umask = umask(0);
	signals_record(&boot.ignored, &boot.blocked);
}

static void put(FILE *f, const char *s)
{
	fwrite(s, strlen(s) + 1, 1, f);
}

static void put_strings(const struct run_options *opt, const struct program *p,
			const char *hostname)
{
	char *text = NULL, *cwd = getcwd(NULL, 0);
	size_t size = 0;
	FILE *f = need(open_memstream(&text, &size));

	put(f, opt->manifest ? opt->program : p->path);
	for (int i = 0; i < opt->argc; i++)
		put(f, opt->argv[i]);
	for (char **e = opt->env; *e; e++, boot.envc++)
		put(f, *e);
	put(f, cwd && cwd[0] == '/' ? cwd : "/");
	put(f, hostname);
	/* The trusted part reads whole words. */
	boot.strings_size = ftell(f);
	fwrite("\0\0\0\0\0\0\0", 8, 1, f);
	if (fclose(f))
		die(EXIT_RAKIS, "out of memory");
	free(cwd);
	boot.strings = (uint64_t)text;
	boot.argc = opt->argc;
}

static uint64_t kernel_release(const char *release)
{
	unsigned int major = 0, minor = 0;

	sscanf(release, "%u.%u", &major, &minor);
	return (uint64_t)major << 16 | minor << 8;
}

/* AT_HWCAP as the kernel gives it; glibc's getauxval() has a value of its own. */
static uint32_t feature_word(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) ? d : 0;
}

const struct rakis_boot *boot_make(const struct run_options *opt, const struct program *p)
{
	struct sysinfo info;
	struct utsname uts;
	cpu_set_t cpus;

	boot.version = RAKIS_BOUNDARY_VERSION;
	boot.layout = host.layout;
	boot.arena = host.arena;
	boot.arena_size = host.arena_size;
	boot.windows = host.windows;
	boot.stats = (uint64_t)host.stats;
	boot.xsks = host.nxsks;
	boot.net_page = net_page();
	boot.manifest = (uint64_t)host.manifest;
	boot.manifest_size = host.manifest_size;
	boot.tables = host.tables;
	boot.file_key = (uint64_t)opt->file_key;
	boot.io_mode = opt->io_mode;
	boot.flags = opt->trace ? RAKIS_BOOT_TRACE : 0;
	boot.log_level = opt->log_level;
	boot.rooted = opt->root != NULL;
	uname(&uts);
	put_strings(opt, p, uts.nodename);
	boot.kernel_release = kernel_release(uts.release);
	boot.pid = getpid();
	boot.ppid = getppid();
	boot.pgid = getpgid(0);
	boot.sid = getsid(0);
	boot.cpus = sched_getaffinity(0, sizeof(cpus), &cpus) ?
		sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&cpus);
	if (!sysinfo(&info))
		boot.total_memory = (uint64_t)info.totalram * info.mem_unit;
	boot.hwcap = feature_word();
	boot.hwcap2 = getauxval(AT_HWCAP2);
	boot.cpuid = (uint64_t)cpuid;
	boot.ncpuid = cpuid_table(cpuid, CPUID_MOST);
	boot.tsc_hz = tsc_hz();
	return &boot;
}
