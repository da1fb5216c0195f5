/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files of the host. Regular files that the guest opened keep their position here,
 * and requests name offsets; inherited ones share it with other processes, so the host's
 * is used. Terminals, fifos and devices are streams.
 */
#include <asm/ioctls.h>
#include <asm/statfs.h>
#include <asm/termbits.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "fs/hostfile.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "hostio/hostio.h"
#include "hostio/window.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/time.h"

#define SIGPIPE 13

struct hostfile {
	int fd;
	u32 mode;		/* st_mode */
	bool pos_at_host;	/* an append moved the host's position: f->pos follows */
	bool dir_in_step;	/* the host's directory position is f->pos */
	bool locked;		/* locks were taken through it */
	_Atomic bool fresh;	/* `opened` has not been told yet */
	struct opened opened;
	struct ready ready;	/* streams */
	struct window_user window;	/* regular files that are read */
};

static inline int fd_of(struct file *f)
{
	return ((struct hostfile *)f->priv)->fd;
}

/* -EINTR from a wait outside: 0 to try again. */
static int interrupted(void)
{
	host_pending_work();
	return signal_pending() ? -ERESTARTSYS : 0;
}

/* ---- regular files ---- */

static int settle_pos(struct file *f)
{
	struct hostfile *h = f->priv;
	s64 pos;

	if (likely(!h->pos_at_host))
		return 0;
	pos = host_lseek(h->fd, 0, SEEK_CUR);
	if (pos < 0)
		return pos;
	f->pos = pos;
	h->pos_at_host = false;
	return 0;
}

static ssize_t reg_read(struct file *f, struct iter *it, u64 *pos)
{
	ssize_t n = pos == &f->pos ? settle_pos(f) : 0;

	struct hostfile *h = f->priv;
	ssize_t more;

	if (n || !it->left)
		return n;
	n = window_read(&h->window, h->fd, it, *pos);
	if (it->left) {
		more = host_read(h->fd, it, *pos + n, HOST_NOWAIT);
		if (more > 0 || !n)
			n += more;
	}
	if (n > 0)
		*pos += n;
	return n;
}

static ssize_t reg_write(struct file *f, struct iter *it, u64 *pos)
{
	struct hostfile *h = f->priv;
	ssize_t n, more;
	u64 now = 0;

	if (!it->left)
		return 0;
	if ((f->flags & O_APPEND) && pos == &f->pos) {
		n = host_write(h->fd, it, HOST_CURRENT, HOST_NOWAIT);
		if (n > 0)
			h->pos_at_host = true;
		return n;
	}
	n = pos == &f->pos ? settle_pos(f) : 0;
	if (n)
		return n;
	if (*pos + it->left <= h->window.end && !(f->flags & (O_APPEND | O_DSYNC))) {
		now = now_ns();
		n = window_write(&h->window, h->fd, it, *pos, now);
	}
	if (it->left) {
		more = host_write(h->fd, it, *pos + n, HOST_NOWAIT);
		if (more > 0 || !n)
			n += more;
		window_wrote(&h->window, *pos + max(n, 0l), now);
	}
	if (n > 0)
		*pos += n;
	return n;
}

static s64 reg_lseek(struct file *f, s64 off, u32 whence)
{
	s64 pos = whence == SEEK_SET ? 0 : settle_pos(f);

	if (pos)
		return pos;
	if (whence == SEEK_SET || whence == SEEK_CUR) {
		pos = lseek_within(f, off, whence, 0);
	} else {
		pos = host_lseek(fd_of(f), off, whence);
		if (pos >= 0)
			f->pos = pos;
	}
	if (pos >= 0)
		((struct hostfile *)f->priv)->pos_at_host = false;
	return pos;
}

/* Most files are looked at when they have been opened: one answer serves both. */
static int host_stat(struct file *f, u32 mask, struct statx *out)
{
	struct hostfile *h = f->priv;

	if (h->fresh && atomic_exchange(&h->fresh, false) && h->opened.answers == host_answers() &&
	    !(mask & ~h->opened.st.stx_mask)) {
		*out = h->opened.st;
		return 0;
	}
	return host_statx(fd_of(f), "", AT_EMPTY_PATH, mask, out);
}

static int hostfile_statfs(struct file *f, struct statfs *out)
{
	return host_statfs(fd_of(f), NULL, out);
}

static int reg_truncate(struct file *f, u64 len)
{
	window_forget_sizes();
	return host_ftruncate(fd_of(f), len);
}

static int reg_fallocate(struct file *f, u32 mode, u64 off, u64 len)
{
	window_forget_sizes();
	return host_fallocate(fd_of(f), mode, off, len);
}

static int hostfile_fsync(struct file *f, bool data_only)
{
	return host_fsync(fd_of(f), data_only);
}

static int hostfile_chmod(struct file *f, u32 mode)
{
	return host_fchmodat(fd_of(f), "", mode, AT_EMPTY_PATH);
}

static int hostfile_chown(struct file *f, u32 uid, u32 gid)
{
	return host_fchownat(fd_of(f), "", uid, gid, AT_EMPTY_PATH);
}

static int hostfile_utimens(struct file *f, const s64 times[4])
{
	return host_utimensat(fd_of(f), NULL, times, 0);
}

static s64 reg_map_size(struct file *f)
{
	struct statx st;
	int err = host_stat(f, STATX_SIZE, &st);

	return err ? err : (s64)min(st.stx_size, (u64)INT64_MAX);
}

static void reg_identity(struct file *f, u64 id[2])
{
	struct hostfile *h = f->priv;

	id[0] = (u64)h->opened.st.stx_dev_major << 32 | h->opened.st.stx_dev_minor;
	id[1] = h->opened.st.stx_ino;
}

/* What the host must know: how it writes. Waiting is decided here, with each request. */
static int hostfile_set_flags(struct file *f, u32 flags)
{
	const u32 theirs = O_APPEND | O_NOATIME;
	int err = 0, fl;

	if ((flags ^ f->flags) & theirs) {
		fl = host_fcntl(fd_of(f), F_GETFL, 0);
		if (fl < 0)
			return fl;
		err = host_fcntl(fd_of(f), F_SETFL, (fl & ~theirs) | (flags & theirs));
	}
	return err < 0 ? err : 0;
}

static long hostfile_fcntl(struct file *f, u32 cmd, u64 arg)
{
	struct hostfile *h = f->priv;

	switch (cmd) {
	case F_GETPIPE_SZ:
	case F_SETPIPE_SZ:
		return S_ISFIFO(h->mode) ? host_fcntl(h->fd, cmd, arg) : -EBADF;
	case F_ADD_SEALS:
	case F_GET_SEALS:
		return host_fcntl(h->fd, cmd, arg);
	default:
		return -EINVAL;
	}
}

static int hostfile_fd(struct file *f)
{
	return fd_of(f);
}

/* POSIX: closing any descriptor of a file drops all the process's locks on it. */
static void hostfile_closed(struct file *f)
{
	struct hostfile *h = f->priv;
	struct flock fl = { .l_type = F_UNLCK };

	if (h->locked)
		(void)!host_fcntl_lock(h->fd, F_SETLK, &fl);
	/* What maps the file keeps it open, but seldom reads on. */
	window_drop(&h->window);
}

void hostfile_lock_taken(struct file *f)
{
	if (f->ops->closed == hostfile_closed)
		((struct hostfile *)f->priv)->locked = true;
}

static void hostfile_release(struct file *f)
{
	struct hostfile *h = f->priv;

	window_drop(&h->window);
	if (S_ISREG(h->mode) && (f->flags & O_ACCMODE) == O_RDONLY && !h->locked)
		host_close_later(h->fd);
	else
		host_close(h->fd);
	kfree(h);
}

static int hostfile_reopen(struct file *f, u32 flags, struct file **out)
{
	struct hostfile *h = f->priv;
	struct opened o;
	char link[40];
	int fd;

	if (fs_rooted) {
		if (f->path && f->path[0] == '/')
			return vfs_open(f->path, flags, 0, out);
		file_get(*out = f);
		return 0;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", h->fd);
	fd = hostfile_open(VFS_FDCWD, link, flags & ~O_NOFOLLOW, 0, &o);
	return fd < 0 ? fd : hostfile_wrap(fd, flags, f->path, &o, out);
}

/* ---- ioctl: those whose argument is known, by size ---- */

static int hostfile_ioctl(struct file *f, u32 cmd, u64 uarg)
{
	static const struct { u32 cmd; u16 size; } known[] = {
		{ TCGETS, sizeof(struct termios) }, { TCSETS, sizeof(struct termios) },
		{ TCSETSW, sizeof(struct termios) }, { TCSETSF, sizeof(struct termios) },
		{ TCGETS2, sizeof(struct termios2) }, { TCSETS2, sizeof(struct termios2) },
		{ TCSETSW2, sizeof(struct termios2) }, { TCSETSF2, sizeof(struct termios2) },
		{ TCSBRK, 0 }, { TCSBRKP, 0 }, { TCXONC, 0 }, { TCFLSH, 0 },
		{ TIOCGWINSZ, 8 }, { TIOCSWINSZ, 8 }, { TIOCGPGRP, 4 }, { TIOCSPGRP, 4 },
		{ TIOCGSID, 4 }, { TIOCSCTTY, 0 }, { TIOCNOTTY, 0 }, { TIOCEXCL, 0 },
		{ TIOCNXCL, 0 }, { TIOCOUTQ, 4 }, { TIOCGPTN, 4 }, { TIOCSPTLCK, 4 },
		{ TIOCGPTLCK, 4 }, { TIOCGETD, 4 }, { TIOCMGET, 4 }, { FIONREAD, 4 },
		{ FIGETBSZ, 4 }, { BLKGETSIZE64, 8 }, { BLKGETSIZE, 8 }, { BLKSSZGET, 4 },
		{ BLKBSZGET, 8 }, { BLKROGET, 4 }, { FS_IOC_GETFLAGS, 4 }, { FS_IOC_SETFLAGS, 4 },
		{ FS_IOC_GETVERSION, 4 }, { FS_IOC_FSGETXATTR, sizeof(struct fsxattr) },
		{ FS_IOC_FSSETXATTR, sizeof(struct fsxattr) },
	};
	struct hostfile *h = f->priv;
	u8 arg[64] = { 0 };
	int res;

	if (cmd == FIONREAD && S_ISREG(h->mode)) {
		s64 size = reg_map_size(f);

		res = size < 0 ? size : settle_pos(f);
		return res ? res : put_user((s32)min((u64)INT32_MAX, size - f->pos), uarg);
	}
	/* Both name a second descriptor; cp and the like then copy. */
	if (cmd == FICLONE || cmd == FICLONERANGE)
		return -EOPNOTSUPP;
	for (u32 i = 0; i < ARRAY_SIZE(known); i++) {
		u32 size = known[i].size;

		if (known[i].cmd != cmd)
			continue;
		if (!size)
			return host_ioctl(h->fd, cmd, (void *)uarg, 0);
		/* A buffer that can only be written to is fine for those that only write. */
		if (copy_from_user(arg, uarg, size))
			return -EFAULT;
		res = host_ioctl(h->fd, cmd, arg, size);
		if (res >= 0 && copy_to_user(uarg, arg, size))
			return -EFAULT;
		return res;
	}
	log_debug("ioctl %x is not passed to the host", cmd);
	return -ENOTTY;
}

/* ---- streams, and inherited files whose position is the host's ---- */

static ssize_t stream_read(struct file *f, struct iter *it, u64 *pos)
{
	u64 wait = f->flags & O_NONBLOCK ? HOST_NOWAIT : HOST_FOREVER, seq = 0, asked = it->left;
	ssize_t n;

	if (!asked)
		return 0;
	for (;;) {
		if (f->ready)
			seq = ready_seq(f->ready);
		n = host_read(fd_of(f), it, pos ? *pos : HOST_CURRENT, wait);
		if (n != -EINTR)
			break;
		n = interrupted();
		if (n)
			return n;
	}
	if (f->ready && n == -EAGAIN)
		ready_drained(f->ready, EPOLL_IN_BIT, seq);
	else if (f->ready && n > 0)
		ready_used(f->ready, EPOLL_IN_BIT);
	return n;
}

static ssize_t stream_write(struct file *f, struct iter *it, u64 *pos)
{
	u64 wait = f->flags & O_NONBLOCK ? HOST_NOWAIT : HOST_FOREVER, seq = 0;
	ssize_t n, done = 0;

	while (it->left) {
		if (f->ready)
			seq = ready_seq(f->ready);
		n = host_write(fd_of(f), it, pos ? *pos + done : HOST_CURRENT, wait);
		if (n == -EINTR) {
			n = interrupted();
			if (!n)
				continue;
		}
		if (f->ready && n == -EAGAIN)
			ready_drained(f->ready, EPOLL_OUT_BIT, seq);
		else if (f->ready && n > 0)
			ready_used(f->ready, EPOLL_OUT_BIT);
		if (n == -EPIPE) {
			struct siginfo_min info = {
				.signo = SIGPIPE, .pid = process.pid, .uid = process.uid,
			};

			(void)!signal_send_task(current(), &info);
		}
		if (n <= 0)
			return done ? done : n;
		done += n;
		if (wait == HOST_NOWAIT)
			break;
	}
	return done;
}

static s64 shared_lseek(struct file *f, s64 off, u32 whence)
{
	return host_lseek(fd_of(f), off, whence);
}

static u32 stream_poll(struct file *f, struct poll_table *pt)
{
	poll_host(pt, fd_of(f));
	return 0;
}

/* ---- directories ---- */

static ssize_t dir_read(struct file *f, struct iter *it, u64 *pos)
{
	return -EISDIR;
}

static s64 dir_lseek(struct file *f, s64 off, u32 whence)
{
	struct hostfile *h = f->priv;
	s64 pos;

	if (whence == SEEK_SET || whence == SEEK_CUR)
		pos = lseek_within(f, off, whence, 0);
	else
		pos = host_lseek(h->fd, off, whence);
	if (pos >= 0)
		f->pos = pos;
	h->dir_in_step = false;
	return pos;
}

/* linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name */
static int dir_getdents(struct file *f, void *buf, size_t size)
{
	struct hostfile *h = f->priv;
	int n = host_getdents(h->fd, buf, size, h->dir_in_step ? HOST_CURRENT : f->pos);

	if (n < 0)
		return n;
	h->dir_in_step = true;
	for (int at = 0; at < n;) {
		u16 reclen;

		memcpy(&f->pos, buf + at + 8, 8);
		memcpy(&reclen, buf + at + 16, 2);
		at += reclen;
	}
	return n;
}

/* ---- kinds ---- */

#define COMMON									\
	.stat = host_stat, .statfs = hostfile_statfs, .chmod = hostfile_chmod,	\
	.chown = hostfile_chown, .utimens = hostfile_utimens, .ioctl = hostfile_ioctl,	\
	.fsync = hostfile_fsync, .set_flags = hostfile_set_flags,		\
	.host_fd = hostfile_fd, .reopen = hostfile_reopen, .closed = hostfile_closed,	\
	.release = hostfile_release, .fcntl = hostfile_fcntl

static const struct file_ops reg_ops = {
	.kind = "file", .read = reg_read, .write = reg_write, .lseek = reg_lseek,
	.truncate = reg_truncate, .fallocate = reg_fallocate, .map_size = reg_map_size,
	.identity = reg_identity, COMMON,
};

static const struct file_ops shared_ops = {
	.kind = "file", .own_position = true, .read = stream_read, .write = stream_write,
	.lseek = shared_lseek, .truncate = reg_truncate, .fallocate = reg_fallocate,
	.map_size = reg_map_size,
	.identity = reg_identity, COMMON,
};

static const struct file_ops stream_ops = {
	.kind = "stream", .read = stream_read, .write = stream_write, .poll = stream_poll, COMMON,
};

static const struct file_ops dir_ops = {
	.kind = "dir", .read = dir_read, .lseek = dir_lseek, .getdents = dir_getdents, COMMON,
};

static const struct file_ops path_ops = {
	.kind = "path", .stat = host_stat, .statfs = hostfile_statfs, .host_fd = hostfile_fd,
	.chmod = hostfile_chmod, .chown = hostfile_chown, .utimens = hostfile_utimens,
	.reopen = hostfile_reopen, .release = hostfile_release,
};

bool hostfile_is_fifo(struct file *f)
{
	return f->ops == &stream_ops && S_ISFIFO(((struct hostfile *)f->priv)->mode);
}

int hostfile_open(int dirfd, const char *path, u32 flags, u32 mode, struct opened *o)
{
	/* The host's buffers are not the guest's: alignment rules of O_DIRECT cannot be kept. */
	flags = (flags & ~O_DIRECT) | O_CLOEXEC;
	if (flags & O_TRUNC)
		window_forget_sizes();
	for (;;) {
		u64 answers = host_answers();
		int fd = host_openat(dirfd, path, flags, mode, &o->st);

		o->answers = answers + 1;

		if (fd != -EINTR)
			return fd;
		fd = interrupted();
		if (fd)
			return fd;
	}
}

static struct file *new_file(int hostfd, u32 flags, const char *path, const struct opened *o,
			     bool inherited)
{
	struct hostfile *h = kzalloc(sizeof(*h));
	const struct file_ops *ops;
	struct file *f;

	if (!h)
		return NULL;
	h->fd = hostfd;
	h->opened = *o;
	h->mode = o->st.stx_mode;
	h->window.end = o->st.stx_size;
	if (flags & O_PATH)
		ops = &path_ops;
	else if (S_ISREG(h->mode) || S_ISBLK(h->mode))
		ops = inherited ? &shared_ops : &reg_ops;
	else if (S_ISDIR(h->mode))
		ops = &dir_ops;
	else
		ops = &stream_ops;
	f = file_new(ops, open_status(flags), h);
	if (!f) {
		kfree(h);
		return NULL;
	}
	if (ops == &stream_ops) {
		ready_init(&h->ready, hostfd);
		f->ready = &h->ready;
	}
	if (path)
		f->path = kstrdup(path);
	return f;
}

struct file *host_file_new(int hostfd, u32 flags, const char *path, bool inherited)
{
	struct opened o = { .st.stx_mode = S_IFDIR };

	if (!(flags & (O_DIRECTORY | O_PATH))) {
		if (host_statx(hostfd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &o.st))
			o.st.stx_mode = 0;
	}
	return new_file(hostfd, flags, path, &o, inherited);
}

int hostfile_wrap(int fd, u32 flags, const char *path, const struct opened *o, struct file **out)
{
	*out = new_file(fd, flags, path, o, false);
	if (*out) {
		((struct hostfile *)(*out)->priv)->fresh = true;
		return 0;
	}
	host_close(fd);
	return -ENOMEM;
}
