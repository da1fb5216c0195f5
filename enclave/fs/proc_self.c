/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc/<pid> and /proc/<pid>/task/<tid> show; formats as in proc(5). */
#include <asm/resource.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/proc.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/mm.h"
#include "libos/signal.h"
#include "libos/task.h"
#include "libos/time.h"

#define TICK_NS 10000000ul		/* USER_HZ is 100 */

static int oom_score_adj;

/* struct rusage of the kernel, in words */
enum { RU_UTIME, RU_STIME = 2, RU_MAXRSS = 4, RU_WORDS = 18 };

void proc_times(u64 *user_ms, u64 *system_ms, u64 *rss)
{
	u64 ru[RU_WORDS] = { 0 };

	(void)!host_rusage(0, ru);
	*user_ms = ru[RU_UTIME] * 1000 + ru[RU_UTIME + 1] / 1000;
	*system_ms = ru[RU_STIME] * 1000 + ru[RU_STIME + 1] / 1000;
	*rss = min(ru[RU_MAXRSS] * 1024, mm_mapped_bytes());
}

static void cmdline(struct gen *g)
{
	gen_write(g, process.cmdline, process.cmdline_len);
}

static void environ(struct gen *g)
{
	char buf[256];

	for (u64 at = process.env_start; at < process.env_end; at += sizeof(buf)) {
		size_t n = min(sizeof(buf), process.env_end - at);

		if (copy_from_user(buf, at, n))
			break;
		gen_write(g, buf, n);
	}
}

static void comm_of(u32 tid, char comm[16])
{
	struct task *t = task_find(tid);

	comm[0] = '\0';
	if (t) {
		memcpy(comm, t->comm, 16);
		comm[15] = '\0';
		task_put(t);
	}
}

static void comm(struct gen *g)
{
	char name[16];

	comm_of(g->arg, name);
	gen_printf(g, "%s\n", name);
}

static ssize_t set_comm(const char *text, u64 tid)
{
	struct task *t = task_find(tid);

	if (!t)
		return -ESRCH;
	snprintf(t->comm, sizeof(t->comm), "%s", text);
	task_put(t);
	return 0;
}

/* With links resolved, as the kernel shows it. */
static void link_exe(struct gen *g)
{
	char *buf = kmalloc(VFS_PATH_MAX);
	struct file *f;

	if (buf && process.exe && vfs_open(process.exe, O_PATH, 0, &f) == 0) {
		gen_write(g, buf, file_name(f, buf, VFS_PATH_MAX));
		file_put(f);
	} else {
		gen_printf(g, "%s", process.exe ? process.exe : "");
	}
	kfree(buf);
}

static void link_cwd(struct gen *g)
{
	char *buf = kmalloc(VFS_PATH_MAX);
	int n = buf ? vfs_getcwd(buf, VFS_PATH_MAX) : -ENOMEM;

	if (n > 0)
		gen_write(g, buf, n - 1);
	kfree(buf);
	g->failed |= n < 0;
}

static void link_root(struct gen *g)
{
	gen_printf(g, "/");
}

/* ---- memory ---- */

static void map_line(const struct vma_info *v, void *arg)
{
	const char *name = v->name ? v->name : v->file && v->file->path ? v->file->path : "";
	struct gen *g = arg;
	size_t line = g->len;
	u64 id[2] = { 0, 0 };

	if (v->file && v->file->ops->identity)
		v->file->ops->identity(v->file, id);
	gen_printf(g, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", v->start, v->end,
		   v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
		   v->prot & PROT_EXEC ? 'x' : '-', v->shared ? 's' : 'p', v->off,
		   (u32)(id[0] >> 32), (u32)id[0], id[1]);
	if (*name)
		gen_pad(g, line, 73);
	gen_printf(g, "%s\n", name);
}

static void maps(struct gen *g)
{
	mm_for_each(map_line, g);
}

struct sizes { u64 total, data, stack, code, file; };

static void add_size(const struct vma_info *v, void *arg)
{
	struct sizes *s = arg;
	u64 n = v->end - v->start;

	s->total += n;
	if (v->vm_flags & VM_STACK)
		s->stack += n;
	else if (v->prot & PROT_EXEC)
		s->code += n;
	else if (v->prot & PROT_WRITE && !v->shared)
		s->data += n;
	if (v->file)
		s->file += n;
}

static void statm(struct gen *g)
{
	struct sizes s = { 0 };
	u64 user, system, rss;

	mm_for_each(add_size, &s);
	proc_times(&user, &system, &rss);
	gen_printf(g, "%lu %lu %lu %lu 0 %lu 0\n", s.total / PAGE_SIZE, rss / PAGE_SIZE,
		   min(s.file, rss) / PAGE_SIZE, s.code / PAGE_SIZE,
		   (s.data + s.stack) / PAGE_SIZE);
}

/* ---- stat and status ---- */

struct sigsets { u64 pending, shared, blocked, ignored, caught; };

static void sigsets_of(u32 tid, struct sigsets *s)
{
	struct task *t = task_find(tid);

	*s = (struct sigsets){ 0 };
	spin_lock(&process.signal_lock);
	s->shared = process.signals.pending;
	for (u32 i = 0; i < SIGNAL_COUNT; i++) {
		u64 handler = process.actions[i].handler;

		if (handler == 1)
			s->ignored |= 1ull << i;
		else if (handler)
			s->caught |= 1ull << i;
	}
	if (t) {
		s->pending = t->signals.pending;
		s->blocked = t->blocked;
	}
	spin_unlock(&process.signal_lock);
	if (t)
		task_put(t);
}

static char state_of(u32 tid)
{
	return current()->tid == tid ? 'R' : 'S';
}

static void stat(struct gen *g)
{
	u64 user, system, rss;
	struct sigsets s;
	char name[16];

	comm_of(g->arg, name);
	sigsets_of(g->arg, &s);
	proc_times(&user, &system, &rss);
	gen_printf(g, "%lu (%s) %c %u %u %u 0 -1 4194304 0 0 0 0 ", g->arg, name, state_of(g->arg),
		   process.ppid, process.pgid, process.sid);
	gen_printf(g, "%lu %lu 0 0 20 0 %u 0 %lu %lu %lu 18446744073709551615 ", user / 10,
		   system / 10, process.ntasks, process.start_ns / TICK_NS, mm_mapped_bytes(),
		   rss / PAGE_SIZE);
	gen_printf(g, "1 1 %lu 0 0 %lu %lu %lu %lu 0 0 0 17 0 0 0 0 0 0 0 0 %lu 0 0 %lu %lu 0\n",
		   process.stack_top, s.pending & 0x7fffffff, s.blocked & 0x7fffffff,
		   s.ignored & 0x7fffffff, s.caught & 0x7fffffff, process.brk_start,
		   process.env_start, process.env_end);
}

static void count_fd(int fd, struct file *f, void *arg)
{
	*(int *)arg = fd + 1;
}

static void kilobytes(struct gen *g, const char *name, u64 bytes)
{
	gen_printf(g, "%s:\t%8lu kB\n", name, bytes >> 10);
}

static void mask(struct gen *g, const char *name, u64 bits)
{
	gen_printf(g, "%s:\t%016lx\n", name, bits);
}

static void status(struct gen *g)
{
	u64 user, system, rss, caps = process.euid ? 0 : 0x1ffffffffffull;
	struct sizes m = { 0 };
	struct sigsets s;
	int fds = 0;
	char name[16];

	comm_of(g->arg, name);
	sigsets_of(g->arg, &s);
	mm_for_each(add_size, &m);
	proc_times(&user, &system, &rss);
	fd_for_each(count_fd, &fds);
	gen_printf(g, "Name:\t%s\nUmask:\t%04o\nState:\t%s\n", name, (u32)process.umask,
		   state_of(g->arg) == 'R' ? "R (running)" : "S (sleeping)");
	gen_printf(g, "Tgid:\t%u\nNgid:\t0\nPid:\t%lu\nPPid:\t%u\nTracerPid:\t0\n", process.pid,
		   g->arg, process.ppid);
	gen_printf(g, "Uid:\t%u\t%u\t%u\t%u\n", process.uid, process.euid, process.suid,
		   process.euid);
	gen_printf(g, "Gid:\t%u\t%u\t%u\t%u\n", process.gid, process.egid, process.sgid,
		   process.egid);
	gen_printf(g, "FDSize:\t%lu\nGroups:\t", ALIGN_UP(max(fds, 64), 64));
	for (u32 i = 0; i < process.ngroups; i++)
		gen_printf(g, "%u ", process.groups[i]);
	gen_printf(g, "\n");
	kilobytes(g, "VmPeak", m.total);
	kilobytes(g, "VmSize", m.total);
	kilobytes(g, "VmLck", 0);
	kilobytes(g, "VmHWM", rss);
	kilobytes(g, "VmRSS", rss);
	kilobytes(g, "VmData", m.data);
	kilobytes(g, "VmStk", m.stack);
	kilobytes(g, "VmExe", m.code);
	kilobytes(g, "VmLib", m.file);
	kilobytes(g, "VmSwap", 0);
	gen_printf(g, "Threads:\t%u\nSigQ:\t%u/65536\n", process.ntasks, process.signals_queued);
	mask(g, "SigPnd", s.pending);
	mask(g, "ShdPnd", s.shared);
	mask(g, "SigBlk", s.blocked);
	mask(g, "SigIgn", s.ignored);
	mask(g, "SigCgt", s.caught);
	mask(g, "CapInh", 0);
	mask(g, "CapPrm", caps);
	mask(g, "CapEff", caps);
	mask(g, "CapBnd", caps);
	mask(g, "CapAmb", 0);
	gen_printf(g, "NoNewPrivs:\t0\nSeccomp:\t0\n"
		   "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
}

/* ---- the rest ---- */

static void auxv(struct gen *g)
{
	gen_write(g, process.auxv, min(process.nauxv, (u32)ARRAY_SIZE(process.auxv)) * sizeof(u64));
}

static void limit_value(struct gen *g, u64 v)
{
	size_t start = g->len;

	if (v == ~0ull)
		gen_printf(g, "unlimited");
	else
		gen_printf(g, "%lu", v);
	gen_pad(g, start, 21);
}

static void limits(struct gen *g)
{
	static const char *const names[RLIM_NLIMITS][2] = {
		[RLIMIT_CPU] = { "Max cpu time", "seconds" },
		[RLIMIT_FSIZE] = { "Max file size", "bytes" },
		[RLIMIT_DATA] = { "Max data size", "bytes" },
		[RLIMIT_STACK] = { "Max stack size", "bytes" },
		[RLIMIT_CORE] = { "Max core file size", "bytes" },
		[RLIMIT_RSS] = { "Max resident set", "bytes" },
		[RLIMIT_NPROC] = { "Max processes", "processes" },
		[RLIMIT_NOFILE] = { "Max open files", "files" },
		[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
		[RLIMIT_AS] = { "Max address space", "bytes" },
		[RLIMIT_LOCKS] = { "Max file locks", "locks" },
		[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
		[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
		[RLIMIT_NICE] = { "Max nice priority", "" },
		[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
		[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
	};

	gen_printf(g, "Limit                     Soft Limit           Hard Limit           "
		   "Units     \n");
	for (u32 i = 0; i < RLIM_NLIMITS; i++) {
		u64 lim[2] = { ~0ull, ~0ull };
		size_t start = g->len;

		(void)!host_rlimit(i, lim, false);
		if (i == RLIMIT_NOFILE)
			lim[0] = fd_limit;
		gen_printf(g, "%s", names[i][0]);
		gen_pad(g, start, 26);
		limit_value(g, lim[0]);
		limit_value(g, lim[1]);
		start = g->len;
		gen_printf(g, "%s", names[i][1]);
		gen_pad(g, start, 10);
		gen_write(g, "\n", 1);
	}
}

static void mounts(struct gen *g)
{
	const struct mount *m;

	for (u32 i = 0; (m = mount_at(i)) != NULL; i++)
		gen_printf(g, "%s %s %s rw,relatime 0 0\n", m->ops->type, m->len ? m->prefix : "/",
			   m->ops->type);
}

static void mountinfo(struct gen *g)
{
	const struct mount *m;

	for (u32 i = 0; (m = mount_at(i)) != NULL; i++)
		gen_printf(g, "%u %u 0:%u / %s rw,relatime - %s %s rw\n", i + 20, i ? 20 : 1,
			   i + 20, m->len ? m->prefix : "/", m->ops->type, m->ops->type);
}

static void cgroup(struct gen *g)
{
	gen_printf(g, "0::/\n");
}

static void zero_line(struct gen *g)
{
	gen_printf(g, "0\n");
}

static void loginuid(struct gen *g)
{
	gen_printf(g, "4294967295");
}

static void oom_adj(struct gen *g)
{
	gen_printf(g, "%d\n", oom_score_adj);
}

/* Kept for the program to read back: the host decides whom it kills. */
static ssize_t set_oom_adj(const char *text, u64 arg)
{
	bool minus = *text == '-';
	int v = 0;

	text += minus || *text == '+';
	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || v > 1000)
			return -EINVAL;
		v = v * 10 + (*text - '0');
	}
	if (v > 1000)
		return -EINVAL;
	oom_score_adj = minus ? -v : v;
	return 0;
}

void proc_fdinfo(struct gen *g)
{
	struct file *f = fd_get_path(g->arg);

	if (!f)
		return;
	gen_printf(g, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t20\n", f->pos,
		   f->flags | (fd_cloexec(g->arg) == 1 ? O_CLOEXEC : 0));
	file_put(f);
}

static void link_net(struct gen *g)
{
	gen_printf(g, "/proc/net");
}

const struct proc_entry proc_self_entries[] = {
	{ "auxv", S_IFREG | 0400, auxv },
	{ "cgroup", S_IFREG | 0444, cgroup },
	{ "cmdline", S_IFREG | 0444, cmdline },
	{ "comm", S_IFREG | 0644, comm, set_comm },
	{ "cwd", S_IFLNK | 0777, link_cwd },
	{ "environ", S_IFREG | 0400, environ },
	{ "exe", S_IFLNK | 0777, link_exe },
	{ "limits", S_IFREG | 0444, limits },
	{ "loginuid", S_IFREG | 0644, loginuid },
	{ "maps", S_IFREG | 0444, maps },
	{ "mountinfo", S_IFREG | 0444, mountinfo },
	{ "mounts", S_IFREG | 0444, mounts },
	{ "net", S_IFLNK | 0777, link_net },
	{ "oom_score", S_IFREG | 0444, zero_line },
	{ "oom_score_adj", S_IFREG | 0644, oom_adj, set_oom_adj },
	{ "root", S_IFLNK | 0777, link_root },
	{ "sessionid", S_IFREG | 0444, loginuid },
	{ "stat", S_IFREG | 0444, stat },
	{ "statm", S_IFREG | 0444, statm },
	{ "status", S_IFREG | 0444, status },
};

const u32 proc_self_count = ARRAY_SIZE(proc_self_entries);
