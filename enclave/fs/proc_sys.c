/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc shows of the system. Entries marked `host` are made here only where the
 * host's own are out of reach (--root); the others must agree with what the libOS does.
 */
#include <linux/stat.h>

#include "boundary/boot.h"
#include "fs/proc.h"
#include "gate/gate.h"
#include "hostio/hostio.h"
#include "lib/random.h"
#include "lib/string.h"
#include "libos/mm.h"
#include "libos/task.h"
#include "libos/time.h"

static u32 cpus, release;
static u64 boot_id[2];

void proc_init(const struct rakis_boot *boot)
{
	cpus = boot->cpus;
	release = boot->kernel_release;
	random_bytes(boot_id, sizeof(boot_id));
}

/* The kernel's struct sysinfo. */
struct sysinfo_k {
	s64 uptime;
	u64 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
	u16 procs, pad;
	u64 totalhigh, freehigh;
	u32 mem_unit;
	u8 rest[4];
};

_Static_assert(sizeof(struct sysinfo_k) == 112, "as the kernel's");

static void get_sysinfo(struct sysinfo_k *s)
{
	memset(s, 0, sizeof(*s));
	if (host_sysinfo(s))
		s->mem_unit = 1;
}

static void meminfo(struct gen *g)
{
	static const char *const zeros[] = {
		"Buffers", "Cached", "SwapCached", "Active", "Inactive", "SwapTotal", "SwapFree",
		"Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "Slab",
	};
	struct sysinfo_k s;
	u64 own = gate_layout.heap - gate_layout.base, total, used = mm_mapped_bytes(), free;

	get_sysinfo(&s);
	total = s.totalram ? min(s.totalram * s.mem_unit, own) : own;
	free = total - min(used, total);
	if (s.totalram)
		free = min(free, s.freeram * s.mem_unit + s.bufferram * s.mem_unit);
	gen_printf(g, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n",
		   total >> 10, free >> 10, free >> 10);
	for (u32 i = 0; i < ARRAY_SIZE(zeros); i++) {
		size_t line = g->len;

		gen_printf(g, "%s:", zeros[i]);
		gen_pad(g, line, 16);
		gen_printf(g, "%8u kB\n", 0);
	}
}

static void cpuinfo(struct gen *g)
{
	for (u32 i = 0; i < cpus; i++)
		gen_printf(g, "processor\t: %u\nvendor_id\t: unknown\nmodel name\t: x86-64\n"
			   "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n"
			   "flags\t\t: fpu tsc cx8 cmov mmx fxsr sse sse2 syscall nx lm\n\n",
			   i, cpus, i, cpus);
}

static void stat(struct gen *g)
{
	u64 user, system, rss;

	proc_times(&user, &system, &rss);
	gen_printf(g, "cpu  %lu 0 %lu 0 0 0 0 0 0 0\n", user / 10, system / 10);
	for (u32 i = 0; i < cpus; i++)
		gen_printf(g, "cpu%u %lu 0 %lu 0 0 0 0 0 0 0\n", i, user / 10 / cpus,
			   system / 10 / cpus);
	gen_printf(g, "intr 0\nctxt 0\nbtime %lu\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n",
		   (u64)((realtime_ns() - now_ns()) / NSEC_PER_SEC));
}

static void uptime(struct gen *g)
{
	u64 cs = now_ns() / 10000000;

	gen_printf(g, "%lu.%02lu 0.00\n", cs / 100, cs % 100);
}

static void loadavg(struct gen *g)
{
	struct sysinfo_k s;

	get_sysinfo(&s);
	for (int i = 0; i < 3; i++)
		gen_printf(g, "%lu.%02lu ", s.loads[i] >> 16, (s.loads[i] & 0xffff) * 100 >> 16);
	gen_printf(g, "1/%u %u\n", s.procs, process.pid);
}

static void osrelease(struct gen *g)
{
	gen_printf(g, "%u.%u.0-rakis\n", release >> 16, release >> 8 & 0xff);
}

static void version(struct gen *g)
{
	gen_printf(g, "Linux version %u.%u.0-rakis (rakis) #1 SMP RAKIS\n", release >> 16,
		   release >> 8 & 0xff);
}

static void filesystems(struct gen *g)
{
	gen_printf(g, "nodev\tproc\nnodev\tdevtmpfs\nnodev\ttmpfs\nnodev\thost\n");
}

static void link_self(struct gen *g)
{
	gen_printf(g, "%u", process.pid);
}

static void link_thread(struct gen *g)
{
	gen_printf(g, "%u/task/%u", process.pid, current()->tid);
}

static void link_mounts(struct gen *g)
{
	gen_printf(g, "self/mounts");
}

static void hostname(struct gen *g)
{
	gen_printf(g, "%s\n", fs_hostname);
}

static void print_uuid(struct gen *g, const u64 id[2])
{
	gen_printf(g, "%08lx-%04lx-4%03lx-%lx%03lx-%012lx\n", id[0] >> 32, id[0] >> 16 & 0xffff,
		   id[0] & 0xfff, 8 | (id[1] >> 60 & 3), id[1] >> 48 & 0xfff,
		   id[1] & 0xffffffffffff);
}

static void uuid(struct gen *g)
{
	u64 id[2];

	random_bytes(id, sizeof(id));
	print_uuid(g, id);
}

static void boot_uuid(struct gen *g)
{
	print_uuid(g, boot_id);
}

/* Entries that are one line of text. */
#define LINE(fn, text) static void fn(struct gen *g) { gen_printf(g, text "\n"); }

LINE(ostype, "Linux")
LINE(os_version, "#1 SMP RAKIS")
LINE(pid_max, "4194304")
LINE(threads_max, "1024")
LINE(entropy, "256")
LINE(last_cap, "40")
LINE(ngroups_max, "65536")
LINE(core_pattern, "core")
LINE(zero, "0")
LINE(one, "1")
LINE(max_map_count, "65530")
LINE(mmap_min_addr, "65536")
LINE(file_max, "9223372036854775807")
LINE(nr_open, "65536")
LINE(pipe_max_size, "1048576")
LINE(somaxconn, "4096")

#define DIR(name) { name, S_IFDIR | 0555, NULL, NULL, false }
#define REG(name, fn) { name, S_IFREG | 0444, fn, NULL, false }
#define HOST(name, fn) { name, S_IFREG | 0444, fn, NULL, true }

const struct proc_entry proc_sys_entries[] = {
	{ "self", S_IFLNK | 0777, link_self, NULL, false },
	{ "thread-self", S_IFLNK | 0777, link_thread, NULL, false },
	{ "mounts", S_IFLNK | 0777, link_mounts, NULL, false },
	HOST("cpuinfo", cpuinfo),
	REG("filesystems", filesystems),
	REG("loadavg", loadavg),
	REG("meminfo", meminfo),
	HOST("stat", stat),
	REG("uptime", uptime),
	REG("version", version),
	DIR("sys"),
	DIR("sys/fs"),
	REG("sys/fs/file-max", file_max),
	REG("sys/fs/nr_open", nr_open),
	REG("sys/fs/pipe-max-size", pipe_max_size),
	DIR("sys/kernel"),
	REG("sys/kernel/cap_last_cap", last_cap),
	REG("sys/kernel/core_pattern", core_pattern),
	REG("sys/kernel/hostname", hostname),
	REG("sys/kernel/ngroups_max", ngroups_max),
	REG("sys/kernel/osrelease", osrelease),
	REG("sys/kernel/ostype", ostype),
	REG("sys/kernel/pid_max", pid_max),
	REG("sys/kernel/randomize_va_space", zero),
	REG("sys/kernel/threads-max", threads_max),
	REG("sys/kernel/version", os_version),
	DIR("sys/kernel/random"),
	REG("sys/kernel/random/boot_id", boot_uuid),
	REG("sys/kernel/random/entropy_avail", entropy),
	REG("sys/kernel/random/uuid", uuid),
	DIR("sys/net"),
	DIR("sys/net/core"),
	HOST("sys/net/core/somaxconn", somaxconn),
	DIR("sys/vm"),
	REG("sys/vm/max_map_count", max_map_count),
	REG("sys/vm/mmap_min_addr", mmap_min_addr),
	REG("sys/vm/overcommit_memory", one),
};

const u32 proc_sys_count = ARRAY_SIZE(proc_sys_entries);
