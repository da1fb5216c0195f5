/* SPDX-License-Identifier: Apache-2.0 */
/* fcntl, flock, ioctl. Locks that wait are asked for again and again: the host never blocks. */
#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "fs/hostfile.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/log.h"
#include "libos/task.h"
#include "libos/time.h"
#include "syscalls/fd.h"
#include "syscalls/syscalls.h"

#define BACKOFF_FIRST	50000u		/* ns */
#define BACKOFF_MOST	10000000u

/* Sleep before a lock is tried again: longer each time. 0, or a signal is pending. */
static int back_off(u64 *ns)
{
	int r;

	park_begin();
	r = wait_sleep(now_ns() + *ns);
	*ns = min(*ns * 2, (u64)BACKOFF_MOST);
	return r == -ETIMEDOUT ? 0 : r;
}

/* ---- record locks ---- */

static bool lock_range_ok(const struct flock *fl)
{
	return fl->l_type >= F_RDLCK && fl->l_type <= F_UNLCK &&
	       fl->l_whence >= SEEK_SET && fl->l_whence <= SEEK_END;
}

/* A file of the libOS's own: there is one process, whose locks never conflict. */
static int lock_inside(struct file *f, u32 cmd, struct flock *fl)
{
	switch (cmd) {
	case F_GETLK:
		fl->l_type = F_UNLCK;
		return 0;
	case F_SETLK:
	case F_SETLKW:
		if ((fl->l_type == F_RDLCK && !file_readable(f)) ||
		    (fl->l_type == F_WRLCK && !file_writable(f)))
			return -EBADF;
		return 0;
	default:
		return -ENOLCK;
	}
}

static long do_lock(struct file *f, u32 cmd, u64 uarg)
{
	bool get = cmd == F_GETLK || cmd == F_OFD_GETLK, ofd = cmd >= F_OFD_GETLK;
	bool wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
	int err, fd = file_host_fd(f);
	u64 backoff = BACKOFF_FIRST;
	struct flock fl;

	if (get_user(fl, uarg))
		return -EFAULT;
	if (!lock_range_ok(&fl) || (ofd && fl.l_pid))
		return -EINVAL;
	if (fl.l_whence == SEEK_CUR) {
		/* The host does not know the position. */
		s64 pos = file_lseek(f, 0, SEEK_CUR);

		if (pos >= 0 && __builtin_add_overflow(fl.l_start, pos, &fl.l_start))
			return -EOVERFLOW;
		fl.l_whence = SEEK_SET;
	}
	if (fd < 0) {
		err = lock_inside(f, cmd, &fl);
	} else {
		u32 try = cmd == F_SETLKW ? F_SETLK : cmd == F_OFD_SETLKW ? F_OFD_SETLK : cmd;

		do
			err = host_fcntl_lock(fd, try, &fl);
		while (wait && (err == -EAGAIN || err == -EACCES) && !(err = back_off(&backoff)));
		if (!err && !get && fl.l_type != F_UNLCK)
			hostfile_lock_taken(f);
	}
	if (!err && get && put_user(fl, uarg))
		err = -EFAULT;
	return err;
}

static long do_flock(struct file *f, u32 op)
{
	u32 what = op & ~LOCK_NB;
	u64 backoff = BACKOFF_FIRST;
	int err, fd = file_host_fd(f);

	if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN)
		return -EINVAL;
	if (fd < 0)
		return what == LOCK_UN ? 0 : -ENOLCK;
	do
		err = host_flock(fd, what | LOCK_NB);
	while (err == -EAGAIN && !(op & LOCK_NB) && !(err = back_off(&backoff)));
	if (!err)
		hostfile_lock_taken(f);
	return err;
}

SYSCALL_DEFINE(flock)
{
	return WITH_FD(a1, f, do_flock(f, a2));
}

/* ---- fcntl ---- */

static long dup_from(struct file *f, u64 min, bool cloexec)
{
	int fd;

	if (min >= fd_limit)
		return -EINVAL;
	file_get(f);
	fd = fd_install(f, cloexec, min);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long set_flags(struct file *f, u32 flags)
{
	if (flags & ~f->flags & FASYNC && f->ops->poll) {
		log_warn("SIGIO (O_ASYNC) is not supported");
		return -EINVAL;
	}
	return file_set_flags(f, flags, O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME);
}

static long do_fcntl(struct file *f, int fd, u32 cmd, u64 arg)
{
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return dup_from(f, (u32)arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_cloexec(fd);
	case F_SETFD:
		return fd_set_cloexec(fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return f->flags;
	}
	if (f->flags & O_PATH)
		return -EBADF;
	switch (cmd) {
	case F_SETFL:
		return set_flags(f, arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return do_lock(f, cmd, arg);
	case F_GETOWN:
	case F_GETSIG:
		return 0;
	case F_SETOWN:
		/* For SIGIO, which is refused where it is asked for, and SIGURG. */
		return (u32)arg == 0 || (u32)arg == process.pid ? 0 : -EPERM;
	case F_SETSIG:
		return arg ? -EINVAL : 0;
	case F_GETLEASE:
		return F_UNLCK;
	default:
		if (f->ops->fcntl)
			return f->ops->fcntl(f, cmd, arg);
		return cmd == F_SETPIPE_SZ || cmd == F_GETPIPE_SZ ? -EBADF : -EINVAL;
	}
}

SYSCALL_DEFINE(fcntl)
{
	struct file *f = fd_get_path(a1);
	long r;

	if (!f)
		return -EBADF;
	r = do_fcntl(f, a1, a2, a3);
	file_put(f);
	return r;
}

/* ---- ioctl ---- */

static long do_ioctl(struct file *f, int fd, u32 cmd, u64 uarg)
{
	int on;

	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		return fd_set_cloexec(fd, cmd == FIOCLEX);
	case FIONBIO:
		if (get_user(on, uarg))
			return -EFAULT;
		return file_set_flags(f, on ? O_NONBLOCK : 0, O_NONBLOCK);
	case FIOASYNC:
		if (get_user(on, uarg))
			return -EFAULT;
		return on ? set_flags(f, f->flags | FASYNC) : 0;
	default:
		return f->ops->ioctl ? f->ops->ioctl(f, cmd, uarg) : -ENOTTY;
	}
}

SYSCALL_DEFINE(ioctl)
{
	return WITH_FD(a1, f, do_ioctl(f, a1, a2, a3));
}
