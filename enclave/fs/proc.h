/* SPDX-License-Identifier: Apache-2.0 */
/* /proc: its tree (procfs.c), what a process shows (proc_self.c), and the system (proc_sys.c). */
#ifndef RAKIS_FS_PROC_H
#define RAKIS_FS_PROC_H

#include "fs/gen.h"

struct rakis_boot;

struct proc_entry {
	const char *name;	/* under /proc/<pid>, or path under /proc */
	u32 mode;
	/* Content of a file, target of a link. g->arg: for a process, the thread's id. */
	void (*fill)(struct gen *g);
	ssize_t (*store)(const char *text, u64 arg);
	bool host;		/* the host's own, if it can be reached */
};

extern const struct proc_entry proc_self_entries[], proc_sys_entries[];
extern const u32 proc_self_count, proc_sys_count;

void proc_init(const struct rakis_boot *boot);
void proc_fdinfo(struct gen *g);	/* g->arg: the descriptor */
/* Milliseconds of processor time that the host counts for the process. */
void proc_times(u64 *user_ms, u64 *system_ms, u64 *rss);

#endif
