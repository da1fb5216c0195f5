/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request: the one way in which the enclave asks the host for anything.
 *
 * A request has the layout of the kernel's struct io_uring_sqe (64 bytes,
 * linux/io_uring.h), so that the ring transport stores it as it is. Opcodes below
 * RAKIS_OP_OWN are io_uring's own, with io_uring's use of the fields; those from
 * RAKIS_OP_OWN up cover what io_uring lacks and always travel by exit.
 *
 * The answer is one signed 32-bit number: negative errno, or what the opcode's line
 * in enclave/hostio/result.c allows. Every address in a request points into the
 * arena; data and paths cross as copies. Paths end with a NUL byte.
 */
#ifndef RAKIS_BOUNDARY_REQUEST_H
#define RAKIS_BOUNDARY_REQUEST_H

#include <stdint.h>

struct rakis_request {
	uint8_t  opcode;	/* enum rakis_op */
	uint8_t  flags;		/* RAKIS_REQ_* */
	uint16_t ioprio;	/* 0 */
	int32_t  fd;
	uint64_t off;		/* file offset, or a second address */
	uint64_t addr;
	uint32_t len;
	uint32_t op_flags;
	uint64_t user_data;	/* ring transport: index and generation */
	uint16_t buf_index;
	uint16_t personality;
	uint32_t file_index;
	uint64_t addr3;
	uint64_t rings;		/* exit transport: RAKIS_RINGS(); by ring: 0 */
};

_Static_assert(sizeof(struct rakis_request) == 64, "a request is an SQE");

/*
 * Exit transport only: the host tries the call without blocking and, while it
 * answers EAGAIN, sleeps on the descriptor and on the thread's wake descriptor, for
 * at most addr3 nanoseconds (UINT64_MAX: for ever). A wake-up ends it with EINTR,
 * the end of the time with EAGAIN. For READ, WRITE, SEND, RECV, SENDMSG, RECVMSG,
 * ACCEPT, CONNECT (waits for the connection and answers its error).
 */
#define RAKIS_REQ_WAIT	0x80u

/*
 * What an exit does for the rings besides, as masks of ring numbers (AF_XDP sockets too:
 * boundary/xsk.h): first submit what is
 * queued on the rings `submit`; a request that sleeps is woken (with EINTR) by completions on
 * the rings `sleep`, but not by quiet ones (boundary/uring.h) unless the ring is in `loud`,
 * nor by those that are there now if it is in `busy`: another thread is taking them.
 */
#define RAKIS_RINGS(submit, sleep, loud, busy)			\
	((uint64_t)(submit) | (uint64_t)(sleep) << 16 |		\
	 (uint64_t)(loud) << 32 | (uint64_t)(busy) << 48)

/* The most bytes one request moves; longer transfers are split. */
#define RAKIS_REQ_MAX_BYTES	(1u << 20)

enum rakis_op {
	/* Numbers and field use are those of enum io_uring_op. */
	RAKIS_OP_NOP		= 0,
	RAKIS_OP_FSYNC		= 3,	/* fd, op_flags (1: data only) */
	RAKIS_OP_POLL_ADD	= 6,
	RAKIS_OP_SENDMSG	= 9,	/* fd, addr: struct rakis_msghdr, op_flags */
	RAKIS_OP_RECVMSG	= 10,
	RAKIS_OP_TIMEOUT	= 11,
	RAKIS_OP_ACCEPT		= 13,	/* fd, addr: sockaddr or 0, off: u32 *addrlen */
	RAKIS_OP_ASYNC_CANCEL	= 14,
	RAKIS_OP_CONNECT	= 16,	/* fd, addr: sockaddr, off: its length */
	RAKIS_OP_FALLOCATE	= 17,	/* fd, off, addr: length, len: mode */
	RAKIS_OP_CLOSE		= 19,	/* fd */
	RAKIS_OP_STATX		= 21,	/* fd, addr: path, len: mask, off: struct statx *, op_flags */
	RAKIS_OP_READ		= 22,	/* fd, addr, len, off (~0: current position, or a stream) */
	RAKIS_OP_WRITE		= 23,
	RAKIS_OP_FADVISE	= 24,	/* fd, off, len, op_flags: advice */
	RAKIS_OP_SEND		= 26,	/* fd, addr, len, op_flags: MSG_* */
	RAKIS_OP_RECV		= 27,
	RAKIS_OP_OPENAT2	= 28,	/* fd: dirfd, addr: path, off: struct open_how *, len: its size; by exit,
					   op_flags: O_CREAT and O_TRUNC again,
					   addr3: struct statx * for what was opened, or 0 */
	RAKIS_OP_SHUTDOWN	= 34,	/* fd, len: how */
	RAKIS_OP_RENAMEAT	= 35,	/* fd, addr; len: new dirfd, off: new path; op_flags */
	RAKIS_OP_UNLINKAT	= 36,	/* fd, addr, op_flags (AT_REMOVEDIR) */
	RAKIS_OP_MKDIRAT	= 37,	/* fd, addr, len: mode */
	RAKIS_OP_SYMLINKAT	= 38,	/* fd: dirfd of the link, addr: target, off: link path */
	RAKIS_OP_LINKAT		= 39,	/* fd, addr; len: new dirfd, off: new path; op_flags */
	RAKIS_OP_SOCKET		= 45,	/* fd: domain, off: type, len: protocol */
	RAKIS_OP_FTRUNCATE	= 55,	/* fd, off: length */
	RAKIS_OP_BIND		= 56,	/* fd, addr, off: length */
	RAKIS_OP_LISTEN		= 57,	/* fd, len: backlog */

	/* What io_uring lacks. */
	RAKIS_OP_OWN		= 128,

	/* Files. Each is the system call of its name. */
	RAKIS_OP_GETDENTS = RAKIS_OP_OWN, /* fd, addr, len: bytes; off: position to seek to first (~0: none) */
	RAKIS_OP_READLINKAT,	/* fd, addr: path, off: buffer, len: its size */
	RAKIS_OP_LSEEK,		/* fd, off, op_flags: whence; addr: int64_t * for the new position */
	RAKIS_OP_FCHMODAT,	/* fd, addr: path ("": fd itself), len: mode, op_flags */
	RAKIS_OP_FCHOWNAT,	/* fd, addr: path ("": fd itself), len: uid, file_index: gid, op_flags */
	RAKIS_OP_UTIMENSAT,	/* fd, addr: path (0: fd itself), off: struct timespec[2] or 0, op_flags */
	RAKIS_OP_FACCESSAT,	/* fd, addr: path, len: mode, op_flags */
	RAKIS_OP_STATFS,	/* fd, addr: path (0: fd itself), off: struct statfs * */
	RAKIS_OP_MKNODAT,	/* fd, addr: path, len: mode, off: device */
	RAKIS_OP_FLOCK,		/* fd, len: operation */
	RAKIS_OP_FCNTL,		/* fd, len: command, off: integer argument, addr: struct flock * */
	RAKIS_OP_FDPATH,	/* fd, addr: buffer, len: its size: the path the kernel knows fd by */
	RAKIS_OP_WINDOW,	/* fd (-1: take it away), addr: a window: how many bytes of the file lie in it from
				   off on; if more than len they are mapped there (op_flags 1: writable) */
	RAKIS_OP_FCHDIR,	/* fd: the host's working directory follows the guest's */
	RAKIS_OP_GETXATTR,	/* fd (-1: path), addr: path, off: name, addr3: value, len: size, op_flags: 1 nofollow */
	RAKIS_OP_SETXATTR,	/* same; file_index: XATTR_* */
	RAKIS_OP_LISTXATTR,	/* same; no name */
	RAKIS_OP_REMOVEXATTR,	/* same; no value */
	RAKIS_OP_SYNC,		/* fd: syncfs(fd); -1: sync() */
	RAKIS_OP_IOCTL,		/* fd, op_flags: command, addr: argument, len: its bytes (0: off is the argument) */

	/* Sockets. */
	RAKIS_OP_SOCKETPAIR,	/* fd: domain, off: type, len: protocol, addr: int32_t[2] */
	RAKIS_OP_GETSOCKNAME,	/* fd, addr: sockaddr, off: u32 *addrlen */
	RAKIS_OP_GETPEERNAME,
	RAKIS_OP_GETSOCKOPT,	/* fd, len: level, op_flags: name, addr: value, off: u32 *optlen */
	RAKIS_OP_SETSOCKOPT,	/* fd, len: level, op_flags: name, addr: value, off: its length */

	/* Readiness (the exit transport's counterpart of multishot poll). */
	RAKIS_OP_EVENTS_CREATE,	/* a descriptor on which watches report */
	RAKIS_OP_EVENTS_WATCH,	/* fd: from CREATE, len: descriptor, op_flags: EPOLL* mask (0: remove), off: token */
	RAKIS_OP_EVENTS_REAP,	/* fd: from CREATE, addr: struct rakis_event[len]; waits as REQ_WAIT says */

	/* Threads, memory, time, signals. */
	RAKIS_OP_PARK,		/* addr: struct rakis_pollfd[len]; waits addr3 ns or for a WAKE;
				   op_flags: so many completions are worth a moment once one is there */
	RAKIS_OP_WAKE,		/* fd: slot of the thread; ends its PARK, or its next one */
	RAKIS_OP_INTERRUPT,	/* fd: slot: as WAKE, and guest code running there enters the libOS */
	RAKIS_OP_YIELD,
	RAKIS_OP_SPAWN,		/* fd: slot: start a host thread that enters there */
	RAKIS_OP_MEM_PROTECT,	/* addr, off: bytes, op_flags: RAKIS_MEM_*: enclave pages, never the arena */
	RAKIS_OP_MEM_INSTALL,	/* addr, off: from, len: bytes: into pages that are not accessible (direct) */
	RAKIS_OP_MEM_DISCARD,	/* addr, off: bytes: contents are no more needed; they read as zero (direct) */
	RAKIS_OP_CLOCK,		/* addr: struct rakis_clock */
	RAKIS_OP_TIMER,		/* off: ns from now (~0: none) after which any thread is interrupted */
	RAKIS_OP_SIGNAL_TAKE,	/* addr: struct rakis_signal: next signal from outside; 0: none, 1: one,
				   2: none, but the counters are wanted */
	RAKIS_OP_SIGNAL_IGNORE,	/* fd: signal, len: 1 ignored, 0 not: so that the host kernel knows (SIGCHLD, SIGTTOU..) */
	RAKIS_OP_KILL,		/* fd: pid (another process), len: signal */
	RAKIS_OP_STOP,		/* fd: signal: stop the process as job control does */
	RAKIS_OP_EXIT,		/* fd: exit status, len: signal that ended it or 0 */
	RAKIS_OP_LOG,		/* addr: text, len: bytes, op_flags: enum rakis_log_level */
	RAKIS_OP_AFFINITY,	/* fd: slot, addr: u64 mask words, len: bytes, op_flags: 0 get, 1 set */
	RAKIS_OP_RLIMIT,	/* fd: resource, addr: u64[2], op_flags: 0 get, 1 set */
	RAKIS_OP_RUSAGE,	/* fd: who, addr: struct rusage of the kernel (144 bytes) */
	RAKIS_OP_SYSINFO,	/* addr: struct sysinfo of the kernel (112 bytes) */

	/* Rings. */
	RAKIS_OP_URING_SETUP,	/* fd: number of the ring, addr: struct rakis_uring to fill in */
	RAKIS_OP_KICK,		/* nothing but what `rings` says */

	/* UDP by AF_XDP (boundary/xsk.h). */
	RAKIS_OP_NET_SETUP,	/* fd: number of the socket, addr: struct rakis_xsk to fill in */
	RAKIS_OP_NET_CLAIM,	/* fd: bound UDP socket, op_flags: 1: its datagrams come by the fast path; 0: no more.
				   Several sockets may be bound to one address: the last one to go ends it */
	RAKIS_OP_NET_ROUTE,	/* addr: struct rakis_route */

	/* Programs. */
	RAKIS_OP_PATCH_TABLE,	/* fd: ELF file, addr: struct rakis_patch[len], off: first entry wanted; entries given */

	RAKIS_OP_END
};

_Static_assert(RAKIS_OP_END <= 256, "an opcode is one byte");

/* RAKIS_OP_MEM_PROTECT */
#define RAKIS_MEM_READ	1u
#define RAKIS_MEM_WRITE	2u
#define RAKIS_MEM_EXEC	4u

enum rakis_log_level { RAKIS_LOG_ERROR, RAKIS_LOG_WARN, RAKIS_LOG_INFO, RAKIS_LOG_DEBUG };

/* The kernel's struct msghdr (64-bit); every pointer is an arena address. */
struct rakis_msghdr {
	uint64_t name;
	uint32_t namelen;
	uint32_t pad0;
	uint64_t iov;		/* struct rakis_iovec * */
	uint64_t iovlen;
	uint64_t control;
	uint64_t controllen;
	uint32_t flags;
	uint32_t pad1;
};

struct rakis_iovec {
	uint64_t base;
	uint64_t len;
};

struct rakis_event {
	uint64_t token;
	uint64_t events;	/* EPOLL* */
};

/* struct pollfd, one word each */
struct rakis_pollfd {
	int32_t  fd;
	int16_t  events;
	int16_t  revents;
};

struct rakis_clock {
	uint64_t tsc_before;	/* TSC read around the two clock reads */
	uint64_t tsc_after;
	uint64_t monotonic_ns;
	uint64_t realtime_ns;
	uint64_t boottime_ns;
	uint64_t process_cpu_ns;
	uint64_t thread_cpu_ns;
};

struct rakis_signal {
	uint64_t signo;
	uint64_t code;		/* si_code, sign-extended */
	uint64_t pid_uid;	/* pid in the low half, uid in the high half */
	uint64_t value;		/* si_value */
};

/*
 * One system call site that may be patched (enclave/elf/patch.c applies it, after it
 * has compared the bytes). The bytes [site, site + patch_len) of the file are replaced
 * by a jump; the stub runs the `before` bytes, the system call, the `after` bytes, and
 * jumps to site + patch_len. patch_len = before + 2 + after >= 5, and no branch lands
 * inside (site, site + patch_len). With before = after = 0 the site cannot be patched and is
 * only counted. Sorted by offset.
 */
struct rakis_patch {
	uint64_t offset;	/* of the site in the file */
	uint8_t  before;	/* displaced bytes ahead of the syscall instruction */
	uint8_t  after;		/* displaced bytes behind it */
	uint8_t  reserved[6];
	uint8_t  bytes[24];	/* what the file must hold there: patch_len bytes */
};

#define RAKIS_PATCH_MAX	24u

#endif
