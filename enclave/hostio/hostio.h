/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service Module for everything but the packets of the fast path: requests to the host,
 * their buffers in the arena, and the one check that every result passes.
 *
 * Where a function takes `wait_ns`, it waits that long at most (HOST_FOREVER: for ever);
 * park_wake() ends the wait with -EINTR, the end of the time with -EAGAIN, and so does
 * HOST_NOWAIT when nothing can be done at once.
 *
 * All functions return 0 or more, or a negative errno of the call's own set; what the
 * host answers outside the call's contract is counted, logged, and becomes -EIO. Any
 * thread may call them. A host descriptor is an opaque number >= 0.
 */
#ifndef RAKIS_HOSTIO_HOSTIO_H
#define RAKIS_HOSTIO_HOSTIO_H

#include "boundary/request.h"
#include "fastpath/untrusted.h"
#include "hostio/arena.h"
#include "hostio/iter.h"
#include "lib/types.h"

struct rakis_boot;

void hostio_init(const struct rakis_boot *boot);
/* Changes with every answer of the host. */
u64 host_answers(void);
void stats_publish(void);	/* copy the counters to the host's page */

/* ---- data: between a guest's buffers and a descriptor ---- */

#define HOST_CURRENT	(~0ull)		/* offset of streams, or "where the host stands" */
#define HOST_FOREVER	(~0ull)
#define HOST_NOWAIT	0ull

/*
 * As pread/pwrite; split at RAKIS_REQ_MAX_BYTES while the guest's buffers go on and the
 * transfers are whole, so the sum may be less than asked. `wait_ns` HOST_NOWAIT: answer
 * -EAGAIN rather than wait.
 */
ssize_t host_read(int fd, struct iter *it, u64 off, u64 wait_ns) __must_check;
ssize_t host_write(int fd, struct iter *it, u64 off, u64 wait_ns) __must_check;
/* The same for one buffer of the libOS's own. */
ssize_t host_pread(int fd, void *buf, size_t n, u64 off) __must_check;
ssize_t host_pwrite(int fd, const void *buf, size_t n, u64 off) __must_check;

/* ---- names: paths are the host's, absolute or relative to dirfd ---- */

struct statx;
struct statfs;

/* `st` (or NULL): what was opened, as far as STATX_BASIC_STATS; stx_mask 0 if it cannot be told. */
int host_openat(int dirfd, const char *path, u64 flags, u64 mode, struct statx *st) __must_check;
/* What was only read, and has no locks: by ring if there is one, some time. */
void host_close_later(int fd);
int host_close(int fd);
int host_statx(int dirfd, const char *path, u32 flags, u32 mask, struct statx *out) __must_check;
int host_statfs(int fd, const char *path, struct statfs *out) __must_check; /* path NULL: fd */
int host_getdents(int fd, void *buf, size_t n, u64 pos) __must_check;	/* linux_dirent64 records, checked */
int host_readlinkat(int dirfd, const char *path, char *buf, size_t n) __must_check; /* length, no NUL */
int host_fdpath(int fd, char *buf, size_t n) __must_check;			/* with NUL */
int host_mkdirat(int dirfd, const char *path, u32 mode) __must_check;
int host_unlinkat(int dirfd, const char *path, u32 flags) __must_check;
int host_renameat(int olddir, const char *old, int newdir, const char *new, u32 flags) __must_check;
int host_linkat(int olddir, const char *old, int newdir, const char *new, u32 flags) __must_check;
int host_symlinkat(const char *target, int dirfd, const char *path) __must_check;
int host_mknodat(int dirfd, const char *path, u32 mode, u64 dev) __must_check;
int host_fchmodat(int dirfd, const char *path, u32 mode, u32 flags) __must_check;
int host_fchownat(int dirfd, const char *path, u32 uid, u32 gid, u32 flags) __must_check;
/* times: two struct timespec (four s64), or NULL for now. path NULL: dirfd itself. */
int host_utimensat(int dirfd, const char *path, const s64 times[4], u32 flags) __must_check;
int host_faccessat(int dirfd, const char *path, u32 mode, u32 flags) __must_check;
/* fd >= 0: the file; else path, `nofollow` as the l...xattr calls. */
int host_getxattr(int fd, const char *path, bool nofollow, const char *name, void *val, size_t n) __must_check;
int host_setxattr(int fd, const char *path, bool nofollow, const char *name, const void *val, size_t n, u32 flags) __must_check;
int host_listxattr(int fd, const char *path, bool nofollow, char *list, size_t n) __must_check;
int host_removexattr(int fd, const char *path, bool nofollow, const char *name) __must_check;
int host_fchdir(int fd) __must_check;

/* ---- open files ---- */

s64 host_lseek(int fd, s64 off, u32 whence) __must_check;
int host_ftruncate(int fd, u64 len) __must_check;
int host_fallocate(int fd, u32 mode, u64 off, u64 len) __must_check;
int host_fadvise(int fd, u64 off, u64 len, u32 advice) __must_check;
int host_fsync(int fd, bool data_only) __must_check;
int host_sync(int fd) __must_check;		/* -1: all */
int host_flock(int fd, u32 op) __must_check;
int host_fcntl(int fd, u32 cmd, u64 arg) __must_check;
struct flock;
int host_fcntl_lock(int fd, u32 cmd, struct flock *fl) __must_check;
/* `size` bytes at arg cross in and come back (0: arg is a plain number). */
int host_ioctl(int fd, u32 cmd, void *arg, size_t size) __must_check;

/* ---- sockets; addresses are the kernel's sockaddr, at most HOST_ADDR_MAX bytes ---- */

#define HOST_ADDR_MAX	128u
#define HOST_CONTROL_MAX 4096u

struct host_addr {
	u32 len;		/* what the host says the length is; content beyond HOST_ADDR_MAX is cut */
	u8 data[HOST_ADDR_MAX];
};

int host_socket(int domain, int type, int proto) __must_check;
int host_socketpair(int domain, int type, int proto, int out[2]) __must_check;
int host_bind(int fd, const struct host_addr *a) __must_check;
int host_listen(int fd, int backlog) __must_check;
int host_accept(int fd, struct host_addr *a, u32 flags, u64 wait_ns) __must_check;	/* a may be NULL */
int host_connect(int fd, const struct host_addr *a, u64 wait_ns) __must_check;
int host_shutdown(int fd, int how) __must_check;
int host_getsockname(int fd, struct host_addr *a) __must_check;
int host_getpeername(int fd, struct host_addr *a) __must_check;
/* Length of the value as the host gives it, at most n. */
int host_getsockopt(int fd, int level, int name, void *val, size_t n) __must_check;
int host_setsockopt(int fd, int level, int name, const void *val, size_t n) __must_check;

struct host_msg {
	struct host_addr *addr;		/* NULL: none. In: destination; out: source */
	struct iter *data;
	void *control;			/* trusted buffer, at most HOST_CONTROL_MAX; out: as the host filled it */
	u32 controllen;
	u32 flags;			/* out of recvmsg: MSG_TRUNC, MSG_CTRUNC, ... */
};

ssize_t host_send(int fd, struct iter *it, u32 flags, u64 wait_ns) __must_check;
ssize_t host_recv(int fd, struct iter *it, u32 flags, u64 wait_ns) __must_check;
/* Result may exceed the buffers when MSG_TRUNC was asked for in flags. */
ssize_t host_sendmsg(int fd, struct host_msg *m, u32 flags, u64 wait_ns) __must_check;
ssize_t host_recvmsg(int fd, struct host_msg *m, u32 flags, u64 wait_ns) __must_check;

/* ---- the fast path of UDP (boundary/xsk.h): what they answer is not checked here ---- */

struct rakis_xsk;
struct rakis_route;
int host_net_setup(u32 number, struct rakis_xsk *out) __must_check;
int host_net_route(struct rakis_route *r) __must_check;
int host_net_claim(int fd, bool on) __must_check;

/* ---- readiness ---- */

int host_events_create(void) __must_check;
/* Edge-triggered; `mask` EPOLL* bits, 0 removes. `token` comes back with each event. */
int host_events_watch(int events, int fd, u32 mask, u64 token) __must_check;
struct host_event { u64 token; u32 events; };
#define HOST_EVENTS_MAX	256u
/* Events that are there; waits like REQ_WAIT for the first (HOST_NOWAIT: does not). */
int host_events_reap(int events, struct host_event *out, u32 max, u64 wait_ns) __must_check;

/* poll() of the host, at most HOST_POLL_MAX; waits as park() does. Number of ready ones. */
struct host_pollfd { s32 fd; s16 events; s16 revents; };
#define HOST_POLL_MAX	65536u
int host_poll(struct host_pollfd *fds, u32 n, u64 wait_ns) __must_check;
void host_interrupt(u32 slot);	/* end its waits, and make guest code there enter the libOS */
void host_yield(void);

/* ---- threads, memory, time, signals, the end ---- */

int host_spawn(u32 slot) __must_check;
int host_mem_protect(u64 addr, u64 len, u32 prot) __must_check;	/* RAKIS_MEM_* */
int host_mem_install(u64 addr, const void *from, u32 len) __must_check;
int host_mem_discard(u64 addr, u64 len) __must_check;
int host_clock(struct rakis_clock *out) __must_check;
int host_timer(u64 ns) __must_check;
int host_signal_take(struct rakis_signal *out) __must_check;	/* as the opcode says */
int host_signal_ignore(int sig, bool ignore) __must_check;
int host_kill(int pid, int sig) __must_check;
int host_stop(int sig) __must_check;
void host_exit(int status, int sig) __noreturn;
int host_affinity(u32 slot, u64 *mask, size_t n, bool set) __must_check;
int host_rlimit(u32 resource, u64 lim[2], bool set) __must_check;
int host_rusage(int who, void *out144) __must_check;
int host_sysinfo(void *out112) __must_check;
int host_patch_table(int fd, struct rakis_patch *out, u32 max, u64 first) __must_check;

#endif
