/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each opcode may answer. The sets of errno are those that the kernel's manual pages
 * and sources give for the call, drivers and file systems included where these have their
 * say (files, ioctl); what Linux never answers is a host fault.
 */
#include "hostio/result.h"
#include "lib/errno.h"

enum kind {
	NEVER,		/* no such opcode */
	ZERO,		/* 0 */
	COUNT,		/* 0 to what was asked for */
	FD,		/* a descriptor: 0 to INT_MAX */
	VALUE,		/* any number from 0 to INT_MAX */
	MASK,		/* some of the bits that were asked for */
};

/* A set of errno values below 192. */
struct errnos {
	u64 bits[3];
};

#define E_IN(n, w)	((n) / 64 == (w) ? 1ull << ((n) % 64) : 0)
#define E4(w, a, b, c, d) (E_IN(a, w) | E_IN(b, w) | E_IN(c, w) | E_IN(d, w))
#define E8(w, a, b, c, d, e, f, g, h) (E4(w, a, b, c, d) | E4(w, e, f, g, h))

/* What a file system, its disk or its server may answer to anything. */
#define FS(w)	(E8(w, EIO, ENOMEM, EACCES, EPERM, ENOSPC, EDQUOT, EROFS, EINTR) |	\
		 E8(w, ESTALE, EOPNOTSUPP, EINVAL, EBADF, EFBIG, ETXTBSY, EUCLEAN, ENOSYS) | \
		 E8(w, EREMOTEIO, ETIMEDOUT, ENOTCONN, EHOSTDOWN, EKEYREJECTED, ENODATA, EBUSY, EOVERFLOW))
#define PATH(w)	(FS(w) | E8(w, ENOENT, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EEXIST, EXDEV, ENXIO) | \
		 E8(w, EMFILE, ENFILE, ENODEV, ENOTEMPTY, EMLINK, E2BIG, EFAULT, EWOULDBLOCK) | \
		 E8(w, ENOTBLK, ENOMEDIUM, EMEDIUMTYPE, ENOKEY, EKEYEXPIRED, EKEYREVOKED, EILSEQ, EPIPE))
#define DATA(w)	(FS(w) | E8(w, EAGAIN, EPIPE, EISDIR, ESPIPE, ENXIO, ENODEV, ERANGE, EDESTADDRREQ) | \
		 SOCK(w))
#define SOCK(w)	(E8(w, EBADF, ENOTSOCK, EINTR, EAGAIN, EINVAL, ENOMEM, ENOBUFS, EMSGSIZE) | \
		 E8(w, ECONNREFUSED, ECONNRESET, ENOTCONN, EISCONN, EDESTADDRREQ, EPIPE, EOPNOTSUPP, ETIMEDOUT) | \
		 E8(w, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, EADDRNOTAVAIL, EADDRINUSE, EAFNOSUPPORT, EACCES) | \
		 E8(w, EPERM, EINPROGRESS, EALREADY, ECONNABORTED, EPROTO, ENOPROTOOPT, ENONET, ENETRESET) | \
		 E8(w, EMFILE, ENFILE, EPROTONOSUPPORT, EPROTOTYPE, ESOCKTNOSUPPORT, EPFNOSUPPORT, ENODEV, ENOENT) | \
		 E8(w, ESHUTDOWN, ETOOMANYREFS, ENOTDIR, ELOOP, ENAMETOOLONG, EROFS, ENXIO, EFAULT) | \
		 E8(w, EDOM, ERANGE, ENOTUNIQ, EBUSY, EEXIST, ESRCH, ENOMSG, ECANCELED) | \
		 E4(w, EUSERS, EBADMSG, EPROTO, ENODATA))
#define WAIT(w)	E4(w, EINTR, EAGAIN, EINVAL, ENOMEM)
#define POLL(w)	(WAIT(w) | E8(w, EBADF, ENOSPC, EMFILE, ENFILE, EPERM, EEXIST, ENOENT, ELOOP))
#define ANY(w)	(PATH(w) | SOCK(w) | E8(w, ENOTTY, EDEADLK, ENOLCK, ECHILD, EL3RST, EREMCHG, ENOTNAM, ENOTUNIQ))
#define MEM(w)	E8(w, ENOMEM, EACCES, EINVAL, EAGAIN, EPERM, EBUSY, EFAULT, EIO)
#define RING(w)	(MEM(w) | E4(w, ENOSYS, EMFILE, ENFILE, EEXIST))
#define PROC(w)	E8(w, EPERM, ESRCH, EINVAL, EAGAIN, ENOMEM, EFAULT, EINTR, ENOSYS)
#define CANCEL(w) E4(w, ENOENT, EALREADY, EINVAL, ENOMEM)
#define NONE(w)	0ull

#define SET(set) { { set(0), set(1), set(2) } }

struct rule {
	u8 kind;		/* enum kind */
	struct errnos errnos;
};

static const struct rule rules[RAKIS_OP_END] = {
	[RAKIS_OP_NOP]			= { ZERO, SET(NONE) },
	[RAKIS_OP_FSYNC]		= { ZERO, SET(FS) },
	[RAKIS_OP_POLL_ADD]		= { MASK, SET(POLL) },
	[RAKIS_OP_SENDMSG]		= { COUNT, SET(SOCK) },
	[RAKIS_OP_RECVMSG]		= { COUNT, SET(SOCK) },
	[RAKIS_OP_ACCEPT]		= { FD, SET(SOCK) },
	[RAKIS_OP_ASYNC_CANCEL]		= { VALUE, SET(CANCEL) },
	[RAKIS_OP_CONNECT]		= { ZERO, SET(SOCK) },
	[RAKIS_OP_FALLOCATE]		= { ZERO, SET(DATA) },
	[RAKIS_OP_CLOSE]		= { ZERO, SET(FS) },
	[RAKIS_OP_STATX]		= { ZERO, SET(PATH) },
	[RAKIS_OP_READ]			= { COUNT, SET(DATA) },
	[RAKIS_OP_WRITE]		= { COUNT, SET(DATA) },
	[RAKIS_OP_FADVISE]		= { ZERO, SET(DATA) },
	[RAKIS_OP_SEND]			= { COUNT, SET(SOCK) },
	[RAKIS_OP_RECV]			= { COUNT, SET(SOCK) },
	[RAKIS_OP_OPENAT2]		= { FD, SET(PATH) },
	[RAKIS_OP_SHUTDOWN]		= { ZERO, SET(SOCK) },
	[RAKIS_OP_RENAMEAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_UNLINKAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_MKDIRAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_SYMLINKAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_LINKAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_SOCKET]		= { FD, SET(SOCK) },
	[RAKIS_OP_FTRUNCATE]		= { ZERO, SET(PATH) },
	[RAKIS_OP_BIND]			= { ZERO, SET(SOCK) },
	[RAKIS_OP_LISTEN]		= { ZERO, SET(SOCK) },

	[RAKIS_OP_GETDENTS]		= { COUNT, SET(PATH) },
	[RAKIS_OP_READLINKAT]		= { COUNT, SET(PATH) },
	[RAKIS_OP_LSEEK]		= { ZERO, SET(DATA) },
	[RAKIS_OP_FCHMODAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_FCHOWNAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_UTIMENSAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_FACCESSAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_STATFS]		= { ZERO, SET(PATH) },
	[RAKIS_OP_MKNODAT]		= { ZERO, SET(PATH) },
	[RAKIS_OP_FLOCK]		= { ZERO, SET(ANY) },
	[RAKIS_OP_FCNTL]		= { VALUE, SET(ANY) },
	[RAKIS_OP_FDPATH]		= { COUNT, SET(PATH) },
	[RAKIS_OP_WINDOW]		= { COUNT, SET(PATH) },
	[RAKIS_OP_FCHDIR]		= { ZERO, SET(PATH) },
	[RAKIS_OP_GETXATTR]		= { VALUE, SET(ANY) },
	[RAKIS_OP_SETXATTR]		= { ZERO, SET(ANY) },
	[RAKIS_OP_LISTXATTR]		= { VALUE, SET(ANY) },
	[RAKIS_OP_REMOVEXATTR]		= { ZERO, SET(ANY) },
	[RAKIS_OP_SYNC]			= { ZERO, SET(FS) },
	[RAKIS_OP_IOCTL]		= { VALUE, SET(ANY) },

	[RAKIS_OP_SOCKETPAIR]		= { ZERO, SET(SOCK) },
	[RAKIS_OP_GETSOCKNAME]		= { ZERO, SET(SOCK) },
	[RAKIS_OP_GETPEERNAME]		= { ZERO, SET(SOCK) },
	[RAKIS_OP_GETSOCKOPT]		= { ZERO, SET(ANY) },
	[RAKIS_OP_SETSOCKOPT]		= { ZERO, SET(ANY) },

	[RAKIS_OP_EVENTS_CREATE]	= { FD, SET(POLL) },
	[RAKIS_OP_EVENTS_WATCH]		= { ZERO, SET(POLL) },
	[RAKIS_OP_EVENTS_REAP]		= { COUNT, SET(WAIT) },

	[RAKIS_OP_PARK]			= { COUNT, SET(WAIT) },
	[RAKIS_OP_WAKE]			= { ZERO, SET(NONE) },
	[RAKIS_OP_INTERRUPT]		= { ZERO, SET(NONE) },
	[RAKIS_OP_YIELD]		= { ZERO, SET(NONE) },
	[RAKIS_OP_SPAWN]		= { ZERO, SET(MEM) },
	[RAKIS_OP_MEM_PROTECT]		= { ZERO, SET(MEM) },
	[RAKIS_OP_MEM_INSTALL]		= { ZERO, SET(MEM) },
	[RAKIS_OP_MEM_DISCARD]		= { ZERO, SET(MEM) },
	[RAKIS_OP_CLOCK]		= { ZERO, SET(NONE) },
	[RAKIS_OP_TIMER]		= { ZERO, SET(NONE) },
	[RAKIS_OP_SIGNAL_TAKE]		= { COUNT, SET(NONE) },
	[RAKIS_OP_SIGNAL_IGNORE]	= { ZERO, SET(NONE) },
	[RAKIS_OP_KILL]			= { ZERO, SET(PROC) },
	[RAKIS_OP_STOP]			= { ZERO, SET(NONE) },
	[RAKIS_OP_LOG]			= { ZERO, SET(NONE) },
	[RAKIS_OP_AFFINITY]		= { COUNT, SET(PROC) },
	[RAKIS_OP_RLIMIT]		= { ZERO, SET(PROC) },
	[RAKIS_OP_RUSAGE]		= { ZERO, SET(PROC) },
	[RAKIS_OP_SYSINFO]		= { ZERO, SET(PROC) },
	[RAKIS_OP_URING_SETUP]		= { ZERO, SET(RING) },
	[RAKIS_OP_KICK]			= { ZERO, SET(NONE) },
	[RAKIS_OP_NET_SETUP]		= { ZERO, SET(SOCK) },
	[RAKIS_OP_NET_CLAIM]		= { ZERO, SET(SOCK) },
	[RAKIS_OP_NET_ROUTE]		= { ZERO, SET(SOCK) },
	[RAKIS_OP_PATCH_TABLE]		= { COUNT, SET(PATH) },
};

bool result_is_valid(u8 opcode, u8 flags, u32 most, s64 res)
{
	const struct rule *r;
	u64 e;

	/* An answer is 32 bits, whatever was asked for. */
	if (opcode >= RAKIS_OP_END || res > INT32_MAX)
		return false;
	r = &rules[opcode];
	if (res < 0) {
		e = -(u64)res;
		if (r->kind == NEVER || e >= 192)
			return false;
		/* A call that waits may be woken, and may run out of time. */
		if ((flags & RAKIS_REQ_WAIT) && (e == EINTR || e == EAGAIN))
			return true;
		return r->errnos.bits[e / 64] >> (e % 64) & 1;
	}
	switch (r->kind) {
	case ZERO:
		return res == 0;
	case COUNT:
		return res <= most;
	case FD:
	case VALUE:
		return true;
	case MASK:
		return !(res & ~(s64)most);
	default:
		return false;
	}
}
