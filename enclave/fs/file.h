/* SPDX-License-Identifier: Apache-2.0 */
/* Open files, the descriptor table, and what every kind of file offers. */
#ifndef RAKIS_FS_FILE_H
#define RAKIS_FS_FILE_H

#include "fs/ready.h"
#include "lib/types.h"
#include "hostio/iter.h"
#include "libos/wait.h"

struct rakis_patch;
struct statx;
struct statfs;
struct file;
struct poll_table;
struct epitem;

struct file_ops {
	const char *kind;		/* "host", "pipe", ...: for --trace */
	/*
	 * Move data at *pos, and advance it; pos is NULL for files without a position.
	 * Block unless file->flags has O_NONBLOCK. Missing: -EINVAL.
	 */
	ssize_t (*read)(struct file *f, struct iter *it, u64 *pos);
	ssize_t (*write)(struct file *f, struct iter *it, u64 *pos);
	/* EPOLL* bits that hold now; with a table, also registers for later ones. Missing:
	 * always readable and writable. */
	u32 (*poll)(struct file *f, struct poll_table *pt);
	s64 (*lseek)(struct file *f, s64 off, u32 whence);		/* missing: -ESPIPE */
	int (*getdents)(struct file *f, void *buf, size_t n);		/* linux_dirent64; missing: -ENOTDIR */
	int (*stat)(struct file *f, u32 mask, struct statx *out);
	int (*statfs)(struct file *f, struct statfs *out);
	int (*ioctl)(struct file *f, u32 cmd, u64 uarg);		/* missing: -ENOTTY */
	int (*truncate)(struct file *f, u64 len);
	int (*fallocate)(struct file *f, u32 mode, u64 off, u64 len);
	int (*fsync)(struct file *f, bool data_only);
	int (*chmod)(struct file *f, u32 mode);
	int (*chown)(struct file *f, u32 uid, u32 gid);
	int (*utimens)(struct file *f, const s64 times[4]);		/* NULL: now */
	/* O_NONBLOCK, O_APPEND, O_ASYNC.. are about to change to `flags`. Optional. */
	int (*set_flags)(struct file *f, u32 flags);
	/* The host's descriptor, for what only the host can do (locks, patch tables); missing: none. */
	int (*host_fd)(struct file *f);
	/* Sites of system calls, as host_patch_table(); missing: the host's word, if it has the file. */
	int (*patches)(struct file *f, struct rakis_patch *out, u32 max, u64 first);
	/* Size as mmap sees it; missing: cannot be mapped (-ENODEV). */
	s64 (*map_size)(struct file *f);
	/* Device (major << 32 | minor) and inode, of what can be mapped. Must not sleep. */
	void (*identity)(struct file *f, u64 id[2]);
	/* fcntl commands of one kind of file only (F_SETPIPE_SZ, F_ADD_SEALS..); missing: -EINVAL. */
	long (*fcntl)(struct file *f, u32 cmd, u64 arg);
	/* One of its descriptors was closed, others may remain (POSIX locks). Optional. */
	void (*closed)(struct file *f);
	/* Open once more what it names, with flags of its own (/proc/self/fd/N). Optional. */
	int (*reopen)(struct file *f, u32 flags, struct file **out);
	/* The position is kept elsewhere: read and write without one use it. */
	bool own_position;
	void (*release)(struct file *f);	/* last reference; frees what f->priv points to */
};

struct file {
	const struct file_ops *ops;
	_Atomic u32 refs;
	_Atomic u32 flags;		/* O_ACCMODE | O_APPEND | O_NONBLOCK | O_PATH | ... */
	u64 pos;
	struct mutex pos_lock;		/* f_pos, as Linux: held over read, write, lseek, getdents */
	void *priv;			/* of the kind */
	char *path;			/* guest's absolute path, or "socket:[7]" and the like; may be NULL */
	struct ready *ready;		/* host-backed files that can be polled; else NULL */
	struct epitem *epoll_hook;	/* epoll.c: first of the items that watch this file */
};

/* A new file with one reference; ops->release runs on failure of nothing. NULL: no memory. */
struct file *file_new(const struct file_ops *ops, u32 flags, void *priv) __must_check;
static inline void file_get(struct file *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
}
void file_put(struct file *f);
/* Set by epoll.c: a file that has an epoll_hook is about to be released. */
extern void (*file_close_hook)(struct file *f);

static inline bool file_readable(const struct file *f)
{
	return (f->flags & 3) == 0 || (f->flags & 3) == 2;
}

static inline bool file_writable(const struct file *f)
{
	return (f->flags & 3) == 1 || (f->flags & 3) == 2;
}

/* read/write with the position of the file (locked), or at `off` (pread, pwrite). */
ssize_t file_read(struct file *f, struct iter *it) __must_check;
ssize_t file_write(struct file *f, struct iter *it) __must_check;
ssize_t file_pread(struct file *f, struct iter *it, u64 off) __must_check;
ssize_t file_pwrite(struct file *f, struct iter *it, u64 off) __must_check;
s64 file_lseek(struct file *f, s64 off, u32 whence) __must_check;
/* For ops->lseek of files whose size is known: new position, stored in f->pos. */
s64 lseek_within(struct file *f, s64 off, u32 whence, u64 size) __must_check;
int file_stat(struct file *f, u32 mask, struct statx *out) __must_check;
int file_set_flags(struct file *f, u32 set, u32 mask) __must_check;	/* fcntl(F_SETFL), FIONBIO */
/*
 * Move up to `len` bytes from one file to another (sendfile, splice, copy_file_range), at
 * *in_pos and *out_pos or at the files' positions (NULL). Nothing that was read is lost.
 */
ssize_t file_copy(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, u64 len) __must_check;

/* ---- descriptors ---- */

#define FD_CLOEXEC_FLAG	1u
#define FD_LIMIT	65536u		/* the table's size; RLIMIT_NOFILE below it rules */

/* A reference, or NULL (EBADF). O_PATH files only through fd_get_path(). */
struct file *fd_get(int fd) __must_check;
struct file *fd_get_path(int fd) __must_check;
/* Lowest free descriptor >= min takes over the reference; on error the caller keeps it. */
int fd_install(struct file *f, bool cloexec, int min) __must_check;
/* The common end of open, socket, ...: installs, or drops the file and returns the error. */
int fd_install_or_put(struct file *f, bool cloexec) __must_check;
int fd_close(int fd) __must_check;
extern u64 fd_limit;			/* RLIMIT_NOFILE, soft */
/* dup2: `fd` names `f` (reference taken over) instead of what it named before. */
int fd_replace(struct file *f, int fd, bool cloexec) __must_check;
int fd_install_at(struct file *f, int fd) __must_check;	/* the same, at start; 0 */
int fd_cloexec(int fd) __must_check;	/* 0, 1, -EBADF */
int fd_set_cloexec(int fd, bool on) __must_check;
void fd_close_range(u32 first, u32 last, bool cloexec_only);
/* Call fn for each open descriptor in order (for /proc/self/fd). */
void fd_for_each(void (*fn)(int fd, struct file *f, void *arg), void *arg);

/*
 * Wrap a host descriptor in a file of the right kind (regular, directory, tty, fifo);
 * sockets are sockets/socket.h's. `inherited`: the position is shared with other
 * processes, so the host's is used, and its O_NONBLOCK is not ours to change.
 */
struct file *host_file_new(int hostfd, u32 flags, const char *path, bool inherited) __must_check;
/* Host descriptor of the file, or -1. */
int file_host_fd(struct file *f);
/* For the loader: open a path of the guest for reading, as open(2). */
int vfs_open(const char *path, u32 flags, u32 mode, struct file **out) __must_check;

#endif
