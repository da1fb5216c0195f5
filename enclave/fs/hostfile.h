/* SPDX-License-Identifier: Apache-2.0 */
/* The host's files, as the host mount and the calls on locks and pipes use them. */
#ifndef RAKIS_FS_HOSTFILE_H
#define RAKIS_FS_HOSTFILE_H

#include <linux/stat.h>
#include "fs/file.h"

#define EPOLL_IN_BIT	1u
#define EPOLL_OUT_BIT	4u

/* What a file was when it was opened. */
struct opened {
	struct statx st;
	u64 answers;		/* host_answers() then */
};

/* A host descriptor; waits for a fifo's other end as open(2). */
int hostfile_open(int dirfd, const char *path, u32 flags, u32 mode, struct opened *o) __must_check;
/* The file of it, or the descriptor is closed. */
int hostfile_wrap(int fd, u32 flags, const char *path, const struct opened *o,
		  struct file **out) __must_check;
void hostfile_lock_taken(struct file *f);
bool hostfile_is_fifo(struct file *f);

#endif
