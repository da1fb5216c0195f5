/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc as a tree: one step per component leads from one spot to the next. Names of the
 * system that RAKIS does not make itself are the host's, to read.
 */
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/stat.h>

#include "fs/proc.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/task.h"

enum kind {
	SYSTEM_DIR,		/* /proc, /proc/sys/... */
	PROCESS_DIR,		/* /proc/<pid>, /proc/<pid>/task/<tid> */
	TASK_DIR, FD_DIR, FDINFO_DIR,
	ENTRY,			/* a file or link of one of the tables */
	FD_LINK, FDINFO_FILE,
};

struct spot {
	enum kind kind;
	bool own;		/* below a process */
	bool thread;		/* below task/ */
	u32 tid;
	int fd;
	u64 ino;
	const struct proc_entry *entry;
	const char *top;	/* the path, for names of the system */
};

static bool parse_number(const char *s, size_t len, u32 *out)
{
	u64 v = 0;

	if (!len || len > 9)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (s[i] - '0');
	}
	*out = v;
	return true;
}

static bool is(const char *name, size_t len, const char *what)
{
	return strlen(what) == len && memcmp(name, what, len) == 0;
}

static bool task_exists(u32 tid)
{
	struct task *t = task_find(tid);

	if (t)
		task_put(t);
	return t;
}

static const struct proc_entry *entry_of(const struct proc_entry *table, u32 n, const char *name,
					 size_t len)
{
	for (u32 i = 0; i < n; i++)
		if (is(name, len, table[i].name))
			return &table[i];
	return NULL;
}

static int step_process(struct spot *s, const char *name, size_t len)
{
	if (is(name, len, "fd"))
		s->kind = FD_DIR;
	else if (is(name, len, "fdinfo"))
		s->kind = FDINFO_DIR;
	else if (!s->thread && is(name, len, "task"))
		s->kind = TASK_DIR;
	else
		s->kind = ENTRY;
	if (s->kind == ENTRY)
		s->entry = entry_of(proc_self_entries, proc_self_count, name, len);
	return s->kind == ENTRY && !s->entry ? -ENOENT : 0;
}

static int step_system(struct spot *s, const char *name, size_t len)
{
	u32 n;

	if (name == s->top && parse_number(name, len, &n) && task_exists(n)) {
		s->kind = PROCESS_DIR;
		s->own = true;
		s->tid = n;
		return 0;
	}
	s->entry = entry_of(proc_sys_entries, proc_sys_count, s->top, name + len - s->top);
	if (!s->entry || (s->entry->host && !fs_rooted))
		return -ENOENT;
	if (!S_ISDIR(s->entry->mode))
		s->kind = ENTRY;
	return 0;
}

static int step(struct spot *s, const char *name, size_t len)
{
	u32 n;

	s->ino = name_ino(name, len, s->ino);
	switch (s->kind) {
	case SYSTEM_DIR:
		return step_system(s, name, len);
	case PROCESS_DIR:
		return step_process(s, name, len);
	case TASK_DIR:
		if (!parse_number(name, len, &n) || !task_exists(n))
			return -ENOENT;
		s->kind = PROCESS_DIR;
		s->thread = true;
		s->tid = n;
		return 0;
	case FD_DIR:
	case FDINFO_DIR:
		if (!parse_number(name, len, &n) || fd_cloexec(n) < 0)
			return -ENOENT;
		s->kind = s->kind == FD_DIR ? FD_LINK : FDINFO_FILE;
		s->fd = n;
		return 0;
	default:
		return -ENOTDIR;
	}
}

static void start(struct spot *s, const struct where *w)
{
	*s = (struct spot){ .kind = SYSTEM_DIR, .ino = 1, .top = w->path };
}

static int walk(struct where *w, struct spot *s)
{
	const char *path = w->path, *name;
	size_t len;
	int err = 0;

	start(s, w);
	while (!err && (len = path_component(&path, &name)) != 0)
		err = step(s, name, len);
	return err;
}

static u32 mode_of(const struct spot *s)
{
	switch (s->kind) {
	case ENTRY:
		return s->entry->mode;
	case FD_DIR:
	case FDINFO_DIR:
		return S_IFDIR | 0500;
	case FD_LINK:
		return S_IFLNK | 0700;
	case FDINFO_FILE:
		return S_IFREG | 0444;
	default:
		return S_IFDIR | 0555;
	}
}

/* Target of the link at `s`, with its NUL. */
static int target_of(const struct spot *s, char *buf, size_t size)
{
	struct gen g = { .arg = s->tid };
	struct file *f;
	int n = -EACCES;

	if (s->kind == FD_LINK) {
		f = fd_get_path(s->fd);
		if (!f)
			return -ENOENT;
		n = file_name(f, buf, size);
		file_put(f);
		return n;
	}
	s->entry->fill(&g);
	if (!g.failed && g.len < size) {
		memcpy(buf, g.data, g.len);
		buf[g.len] = '\0';
		n = g.len;
	}
	kfree(g.data);
	return n;
}

static int proc_follow(struct where *w, bool last)
{
	const char *path = w->path, *name;
	struct spot s;
	size_t len;
	char *target;
	int err;

	start(&s, w);
	while ((len = path_component(&path, &name)) != 0) {
		err = step(&s, name, len);
		if (err == -ENOENT && !s.own && !fs_rooted)
			where_to_host(w, true);
		if (err)
			return 0;	/* the operation will say */
		if (!S_ISLNK(mode_of(&s)) || (!*path && !last))
			continue;
		if (s.kind == FD_LINK && !*path) {
			w->file = fd_get_path(s.fd);
			return w->file ? 0 : -ENOENT;
		}
		target = kmalloc(VFS_PATH_MAX);
		if (!target)
			return -ENOMEM;
		err = target_of(&s, target, VFS_PATH_MAX);
		if (err >= 0)
			err = where_link(w, path - w->path, target);
		kfree(target);
		return err;
	}
	return 0;
}

/* ---- listings ---- */

#define ARG(s, index) \
	((u64)(s)->kind | (u64)(s)->thread << 4 | (u64)(index) << 8 | (u64)(s)->tid << 32)
#define ARG_KIND(arg) ((enum kind)((arg) & 15))

static void list_name(struct gen *g, const char *name, u32 mode)
{
	gen_dirent(g, name, name_ino(name, strlen(name), g->ino), mode);
}

static void list_fd(int fd, struct file *f, void *arg)
{
	struct gen *g = arg;
	char name[12];

	snprintf(name, sizeof(name), "%d", fd);
	list_name(g, name, ARG_KIND(g->arg) == FD_DIR ? S_IFLNK : S_IFREG);
}

static void list_tasks(struct gen *g)
{
	u32 tid = 0;
	struct task *t;
	char name[12];

	while ((t = task_next(tid)) != NULL) {
		tid = t->tid;
		task_put(t);
		snprintf(name, sizeof(name), "%u", tid);
		list_name(g, name, S_IFDIR);
	}
}

static void list_system(struct gen *g, const char *dir)
{
	size_t len = dir ? strlen(dir) + 1 : 0;
	char name[12];

	for (u32 i = 0; i < proc_sys_count; i++) {
		const char *path = proc_sys_entries[i].name;

		if (dir && (strncmp(path, dir, len - 1) != 0 || path[len - 1] != '/'))
			continue;
		if (!strchr(path + len, '/'))
			list_name(g, path + len, proc_sys_entries[i].mode);
	}
	if (dir)
		return;
	snprintf(name, sizeof(name), "%u", process.pid);
	list_name(g, name, S_IFDIR);
}

static void list_process(struct gen *g, bool thread)
{
	list_name(g, "fd", S_IFDIR);
	list_name(g, "fdinfo", S_IFDIR);
	if (!thread)
		list_name(g, "task", S_IFDIR);
	for (u32 i = 0; i < proc_self_count; i++)
		list_name(g, proc_self_entries[i].name, proc_self_entries[i].mode);
}

static void list(struct gen *g)
{
	u32 index = g->arg >> 8 & 0xffff;

	gen_dirent(g, ".", g->ino, S_IFDIR);
	gen_dirent(g, "..", 1, S_IFDIR);
	switch (ARG_KIND(g->arg)) {
	case SYSTEM_DIR:
		list_system(g, index ? proc_sys_entries[index - 1].name : NULL);
		break;
	case PROCESS_DIR:
		list_process(g, g->arg >> 4 & 1);
		break;
	case TASK_DIR:
		list_tasks(g);
		break;
	default:
		fd_for_each(list_fd, g);
	}
}

/* ---- operations ---- */

static int proc_open(struct where *w, u32 flags, u32 mode, struct file **out)
{
	struct gen g = { .dev = DEV_PROC };
	struct spot s;
	int err = walk(w, &s);

	if (err)
		return err;
	g.mode = mode_of(&s);
	g.ino = s.ino;
	if (S_ISLNK(g.mode))
		return -ELOOP;
	if (s.own) {
		g.uid = process.euid;
		g.gid = process.egid;
	}
	if (s.kind == ENTRY) {
		g.fill = s.entry->fill;
		g.store = s.entry->store;
		g.arg = s.tid;
	} else if (s.kind == FDINFO_FILE) {
		g.fill = proc_fdinfo;
		g.arg = s.fd;
	} else {
		g.fill = list;
		g.arg = ARG(&s,
			    s.kind == SYSTEM_DIR && s.entry ? s.entry - proc_sys_entries + 1 : 0);
	}
	return gen_open(&g, w, flags, out);
}

static int proc_stat(struct where *w, u32 flags, u32 mask, struct statx *out)
{
	struct spot s;
	struct file *f;
	int err = walk(w, &s);

	if (err)
		return err;
	statx_fill(out, DEV_PROC, s.ino, mode_of(&s), 0);
	if (w->want_dir && !S_ISDIR(out->stx_mode))
		return -ENOTDIR;
	if (s.own) {
		out->stx_uid = process.euid;
		out->stx_gid = process.egid;
	}
	if (s.kind == FD_LINK && (f = fd_get_path(s.fd)) != NULL) {
		out->stx_mode = S_IFLNK | 0100 | (file_readable(f) ? 0400 : 0) |
				(file_writable(f) ? 0200 : 0);
		out->stx_size = 64;
		file_put(f);
	}
	return 0;
}

static int proc_readlink(struct where *w, char *buf, size_t n)
{
	struct spot s;
	int err = walk(w, &s), len;
	char *target;

	if (err)
		return err;
	if (!S_ISLNK(mode_of(&s)))
		return -EINVAL;
	target = kmalloc(VFS_PATH_MAX);
	if (!target)
		return -ENOMEM;
	len = target_of(&s, target, VFS_PATH_MAX);
	if (len >= 0) {
		len = min((size_t)len, n);
		memcpy(buf, target, len);
	}
	kfree(target);
	return len;
}

static int proc_statfs(struct where *w, struct statfs *out)
{
	statfs_fill(out, PROC_SUPER_MAGIC);
	return 0;
}

const struct mount_ops proc_mount_ops = {
	.type = "proc",
	.follow = proc_follow,
	.open = proc_open,
	.stat = proc_stat,
	.readlink = proc_readlink,
	.statfs = proc_statfs,
};
