/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on names and open files: each is the system call of its name. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "host/executor.h"
#include "host/host.h"
#include "host/thread.h"

#define NO_SEEK (~0ull)

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

const char *fd_name(char buf[12], unsigned int fd)
{
	char *p = buf + 11;

	*p = 0;
	do
		*--p = '0' + fd % 10;
	while (fd /= 10);
	return p;
}

/* A call that sleeps inside the kernel until it succeeds; what is pending ends it. */
static long sleeping_call(struct thread *t, long nr, long fd, long a, long b)
{
	long res;

	do {
		atomic_store(&t->asleep, ASLEEP_CALL);
		res = call_unless((_Atomic int *)thread_pending(t), nr, fd, a, b, 0, 0, 0);
		atomic_store(&t->asleep, AWAKE);
	} while (res == -EINTR && !atomic_load(thread_pending(t)));
	return res;
}

static int is_empty(uint64_t path)
{
	const char *p = arena_at(path, 1);

	return p && !*p;
}

/* A descriptor that was opened for writing only cannot be mapped; another of its file can. */
static long map_window(const struct rakis_request *rq, uint64_t len)
{
	int prot = rq->op_flags ? PROT_READ | PROT_WRITE : PROT_READ;
	long at = system_call(SYS_mmap, rq->addr, len, prot, MAP_SHARED | MAP_FIXED, rq->fd, rq->off);
	char name[12];
	int fd;

	if (at != -EACCES || !rq->op_flags || host.proc_fd < 0)
		return at;
	fd = sys(openat, host.proc_fd, fd_name(name, rq->fd), O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	at = system_call(SYS_mmap, rq->addr, len, prot, MAP_SHARED | MAP_FIXED, fd, rq->off);
	sys(close, fd);
	return at;
}

/* Pages of a file where the enclave asked for them; fd -1: nothing there any more. */
static long window(const struct rakis_request *rq)
{
	uint64_t at = rq->addr - host.windows, len = 0;
	struct statx st;
	long res;

	if (!host.windows || at >= RAKIS_WINDOWS * RAKIS_WINDOW_SIZE || at % RAKIS_WINDOW_SIZE)
		return -EINVAL;
	if (rq->fd < 0)
		return system_call(SYS_mmap, rq->addr, RAKIS_WINDOW_SIZE, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) < 0 ? -ENOMEM : 0;
	res = sys(statx, rq->fd, "", AT_EMPTY_PATH, STATX_SIZE, &st);
	if (res)
		return res;
	if (st.stx_size > rq->off)
		len = st.stx_size - rq->off;
	if (len > RAKIS_WINDOW_SIZE)
		len = RAKIS_WINDOW_SIZE;
	if (len <= rq->len)
		return len;
	res = map_window(rq, len);
	return res < 0 && res > -4096 ? res : (long)len;
}

static long change_mode(const struct rakis_request *rq)
{
	char name[12];
	long res;

	if (is_empty(rq->addr)) {
		res = sys(fchmod, rq->fd, rq->len);
		if (res == -EBADF && host.proc_fd >= 0 && rq->fd >= 0)	/* an O_PATH descriptor */
			res = sys(fchmodat, host.proc_fd, fd_name(name, rq->fd), rq->len);
		return res;
	}
	if (!rq->op_flags)
		return sys(fchmodat, rq->fd, rq->addr, rq->len);
	res = sys(fchmodat2, rq->fd, rq->addr, rq->len, rq->op_flags);
	return res == -ENOSYS ? -EOPNOTSUPP : res;
}

static long file_system(const struct rakis_request *rq)
{
	long fd, res;

	if (!rq->addr)
		return sys(fstatfs, rq->fd, rq->off);
	if (rq->fd == AT_FDCWD)
		return sys(statfs, rq->addr, rq->off);
	fd = sys(openat, rq->fd, rq->addr, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fd;
	res = sys(fstatfs, fd, rq->off);
	sys(close, fd);
	return res;
}

static long seek(const struct rakis_request *rq)
{
	int64_t *out = arena_at(rq->addr, sizeof(*out));
	long res = sys(lseek, rq->fd, rq->off, rq->op_flags);

	if (!out)
		return -EINVAL;
	if (res < 0)
		return res;
	*out = res;
	return 0;
}

static long entries(const struct rakis_request *rq)
{
	long res = 0;

	if (rq->off != NO_SEEK)
		res = sys(lseek, rq->fd, rq->off, SEEK_SET);
	return res < 0 ? res : sys(getdents64, rq->fd, rq->addr, rq->len);
}

static long control(struct thread *t, const struct rakis_request *rq)
{
	uint64_t arg = rq->addr ? rq->addr : rq->off;

	if (rq->len == F_SETLKW || rq->len == F_OFD_SETLKW)
		return sleeping_call(t, SYS_fcntl, rq->fd, rq->len, arg);
	return sys(fcntl, rq->fd, rq->len, arg);
}

/* A FIFO's open sleeps until the other end comes; only something pending is a reason to give up. */
static long open_file(struct thread *t, const struct rakis_request *rq)
{
	struct open_how how, *asked = arena_at(rq->off, sizeof(how));
	struct statx *st = arena_at(rq->addr3, sizeof(*st));
	long res;

	if (!asked || rq->len != sizeof(how) || (rq->addr3 && !st))
		return -EINVAL;
	how = *asked;
	how.flags |= O_CLOEXEC;
	do {
		atomic_store(&t->asleep, ASLEEP_CALL);
		res = sys(openat2, rq->fd, rq->addr, &how, sizeof(how));
		atomic_store(&t->asleep, AWAKE);
	} while (res == -EINTR && !atomic_load(thread_pending(t)));
	if (res >= 0 && st) {
		st->stx_mask = st->stx_mode = 0;
		sys(statx, res, "", AT_EMPTY_PATH, STATX_BASIC_STATS, st);
	}
	return res;
}

static long attributes(const struct rakis_request *rq)
{
	int by_fd = rq->fd >= 0, nofollow = rq->op_flags & 1;
	uint64_t path = rq->addr, name = rq->off, value = rq->addr3;

	switch (rq->opcode) {
	case RAKIS_OP_GETXATTR:
		return by_fd ? sys(fgetxattr, rq->fd, name, value, rq->len) :
			nofollow ? sys(lgetxattr, path, name, value, rq->len) :
			sys(getxattr, path, name, value, rq->len);
	case RAKIS_OP_SETXATTR:
		return by_fd ? sys(fsetxattr, rq->fd, name, value, rq->len, rq->file_index) :
			nofollow ? sys(lsetxattr, path, name, value, rq->len, rq->file_index) :
			sys(setxattr, path, name, value, rq->len, rq->file_index);
	case RAKIS_OP_LISTXATTR:
		return by_fd ? sys(flistxattr, rq->fd, value, rq->len) :
			nofollow ? sys(llistxattr, path, value, rq->len) :
			sys(listxattr, path, value, rq->len);
	default:
		return by_fd ? sys(fremovexattr, rq->fd, name) :
			nofollow ? sys(lremovexattr, path, name) : sys(removexattr, path, name);
	}
}

int64_t exec_file(struct thread *t, const struct rakis_request *rq)
{
	char name[12];
	long res;

	switch (rq->opcode) {
	case RAKIS_OP_NOP:
		return 0;
	case RAKIS_OP_FSYNC:
		return rq->op_flags & 1 ? sys(fdatasync, rq->fd) : sys(fsync, rq->fd);
	case RAKIS_OP_FALLOCATE:
		return sys(fallocate, rq->fd, rq->len, rq->off, rq->addr);
	case RAKIS_OP_CLOSE:
		res = sys(close, rq->fd);
		return res == -EINTR ? 0 : res;		/* it is closed all the same */
	case RAKIS_OP_STATX:
		return sys(statx, rq->fd, rq->addr, rq->op_flags, rq->len, rq->off);
	case RAKIS_OP_FADVISE:
		return sys(fadvise64, rq->fd, rq->off, rq->len, rq->op_flags);
	case RAKIS_OP_OPENAT2:
		return open_file(t, rq);
	case RAKIS_OP_RENAMEAT:
		return sys(renameat2, rq->fd, rq->addr, (int)rq->len, rq->off, rq->op_flags);
	case RAKIS_OP_UNLINKAT:
		return sys(unlinkat, rq->fd, rq->addr, rq->op_flags);
	case RAKIS_OP_MKDIRAT:
		return sys(mkdirat, rq->fd, rq->addr, rq->len);
	case RAKIS_OP_SYMLINKAT:
		return sys(symlinkat, rq->addr, rq->fd, rq->off);
	case RAKIS_OP_LINKAT:
		return sys(linkat, rq->fd, rq->addr, (int)rq->len, rq->off, rq->op_flags);
	case RAKIS_OP_FTRUNCATE:
		return sys(ftruncate, rq->fd, rq->off);
	case RAKIS_OP_GETDENTS:
		return entries(rq);
	case RAKIS_OP_READLINKAT:
		return sys(readlinkat, rq->fd, rq->addr, rq->off, rq->len);
	case RAKIS_OP_LSEEK:
		return seek(rq);
	case RAKIS_OP_FCHMODAT:
		return change_mode(rq);
	case RAKIS_OP_FCHOWNAT:
		return sys(fchownat, rq->fd, rq->addr, rq->len, rq->file_index,
			   rq->op_flags | (is_empty(rq->addr) ? AT_EMPTY_PATH : 0));
	case RAKIS_OP_UTIMENSAT:
		return sys(utimensat, rq->fd, rq->addr, rq->off, rq->op_flags);
	case RAKIS_OP_FACCESSAT:
		return sys(faccessat2, rq->fd, rq->addr, rq->len, rq->op_flags);
	case RAKIS_OP_STATFS:
		return file_system(rq);
	case RAKIS_OP_MKNODAT:
		return sys(mknodat, rq->fd, rq->addr, rq->len, rq->off);
	case RAKIS_OP_FLOCK:
		return sleeping_call(t, SYS_flock, rq->fd, rq->len, 0);
	case RAKIS_OP_FCNTL:
		return control(t, rq);
	case RAKIS_OP_FDPATH:
		if (host.proc_fd < 0 || rq->fd < 0)
			return -ENOENT;
		return sys(readlinkat, host.proc_fd, fd_name(name, rq->fd), rq->addr, rq->len);
	case RAKIS_OP_WINDOW:
		return window(rq);
	case RAKIS_OP_FCHDIR:
		return sys(fchdir, rq->fd);
	case RAKIS_OP_GETXATTR:
	case RAKIS_OP_SETXATTR:
	case RAKIS_OP_LISTXATTR:
	case RAKIS_OP_REMOVEXATTR:
		return attributes(rq);
	case RAKIS_OP_SYNC:
		return rq->fd < 0 ? sys(sync, 0) : sys(syncfs, rq->fd);
	case RAKIS_OP_IOCTL:
		return sys(ioctl, rq->fd, rq->op_flags, rq->len ? rq->addr : rq->off);
	}
	return NOT_MINE;
}
