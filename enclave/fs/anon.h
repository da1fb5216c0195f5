/* SPDX-License-Identifier: Apache-2.0 */
/* Files without a name: what is alike in pipes, eventfd, timerfd, signalfd and epoll. */
#ifndef RAKIS_FS_ANON_H
#define RAKIS_FS_ANON_H

#include "fs/file.h"

/* The file gets `name` for /proc/self/fd, and O_NONBLOCK of `flags`. NULL: no memory. */
struct file *anon_file(const struct file_ops *ops, u32 flags, void *priv, const char *name)
	__must_check;
/* The same, readable and writable, behind a new descriptor (O_CLOEXEC of `flags`). On
 * failure `priv` is gone: by ops->release(), or by kfree() if there was no file yet. */
int anon_fd(const struct file_ops *ops, u32 flags, void *priv, const char *name) __must_check;
/* file_ops: as Linux's one inode for all of them; lseek does nothing (with own_position:
 * a blocked read must not keep others out). */
int anon_stat(struct file *f, u32 mask, struct statx *out);
s64 anon_lseek(struct file *f, s64 off, u32 whence);

/* Both ends of a new pipe; flags O_NONBLOCK. */
int pipe_new(struct file *ends[2], u32 flags) __must_check;
int eventfd_new(u64 count, u32 flags) __must_check;		/* EFD_*; a descriptor */
int signalfd_new(u64 mask, u32 flags) __must_check;		/* SFD_* */
int signalfd_set(struct file *f, u64 mask) __must_check;	/* -EINVAL: not a signalfd */

int timerfd_new(int clock, u32 flags) __must_check;		/* TFD_* */
struct itimer_ns;
int timerfd_set(struct file *f, u32 flags, const struct itimer_ns *spec, struct itimer_ns *old)
	__must_check;
int timerfd_get(struct file *f, struct itimer_ns *spec) __must_check;

#endif
