/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every request that hostio can make, with buffers between guard bytes, and the most that
 * each may answer: for the test and the fuzz target that play a host which lies. CHECK(x)
 * is theirs.
 */
#ifndef RAKIS_TESTS_HOST_CALLS_H
#define RAKIS_TESTS_HOST_CALLS_H

#include <linux/fcntl.h>
#include <linux/stat.h>
#include <asm/statfs.h>
#include <string.h>
#include "fake_host.h"

#define GUARD	0xa5
#define APART	64u

/* Buffers of one call, with guard bytes between them. */
static u8 pool[512 << 10];
static struct { u32 at, len; } rooms[8];
static u32 nrooms, used;

static void rooms_reset(void)
{
	memset(pool, GUARD, max(used, 4096u));
	nrooms = 0;
	used = APART;
}

static void *room(u32 n)
{
	rooms[nrooms].at = used;
	rooms[nrooms++].len = n;
	used = ALIGN_UP(used + n + APART, 16);
	CHECK(used <= sizeof(pool));
	memset(pool + used - n - APART, GUARD, n + APART);
	return pool + rooms[nrooms - 1].at;
}

/* Nothing was written outside the buffers. */
static bool guards_hold(void)
{
	u32 at = 0;

	for (u32 i = 0; i <= nrooms; i++) {
		u32 end = i < nrooms ? rooms[i].at : used;

		for (; at < end; at++)
			if (pool[at] != GUARD)
				return false;
		at = i < nrooms ? rooms[i].at + rooms[i].len : at;
	}
	return true;
}

static struct iter *data(struct iter *it, u32 n)
{
	iter_kernel(it, room(n), n);
	return it;
}

static struct host_addr *addr(void)
{
	struct host_addr *a = room(sizeof(*a));

	a->len = 16;
	return a;
}

/* ---- each call, and the most that it may answer ---- */

static s64 recvmsg_call(u32 flags)
{
	struct iter it;
	struct host_msg m = {
		.addr = addr(), .data = data(&it, 100), .control = room(52), .controllen = 52,
	};
	s64 n = host_recvmsg(3, &m, flags, HOST_NOWAIT);

	CHECK(m.controllen <= 52);
	return n;
}

static s64 sendmsg_call(void)
{
	struct iter it;
	struct host_msg m = {
		.addr = addr(), .data = data(&it, 100), .control = room(52), .controllen = 52,
	};
	s64 n = host_sendmsg(3, &m, 0, HOST_NOWAIT);

	CHECK(it.left == (u64)(100 - max(n, 0l)));
	return n;
}

static s64 poll_call(void)
{
	struct host_pollfd *p = room(3 * sizeof(*p));
	static const s16 events[] = { 1, 4, 0x2000 };
	s64 n;

	for (u32 i = 0; i < 3; i++)
		p[i] = (struct host_pollfd){ .fd = i, .events = events[i] };
	n = host_poll(p, 3, HOST_NOWAIT);
	for (u32 i = 0; i < 3; i++) {
		CHECK(p[i].fd == (s32)i);
		CHECK(p[i].events == events[i]);
		CHECK(!(p[i].revents & ~(events[i] | 0x38)));
	}
	return n;
}

static s64 socketpair_call(void)
{
	int *fds = room(8), r = host_socketpair(1, 1, 0, fds);

	if (!r)
		CHECK(fds[0] >= 0 && fds[1] >= 0);
	return r;
}

static s64 fdpath_call(void)
{
	char *path = room(300);
	s64 r = host_fdpath(3, path, 300);

	if (!r)
		CHECK(memchr(path, 0, 300));
	return r;
}

static s64 write_call(u32 n)
{
	struct iter it;
	s64 r = host_write(3, data(&it, n), HOST_CURRENT, HOST_NOWAIT);

	CHECK(it.left == (u64)(n - max(r, 0l)));
	return r;
}

static struct iter it_;
static const s64 times_[4];
static u64 lock_[8];

#define CALL(name, most, call) static s64 name##_(void) { return call; }
#define CALLS									\
	CALL(read, 100, host_read(3, data(&it_, 100), HOST_CURRENT, HOST_NOWAIT))	\
	CALL(read_large, 300000, host_read(3, data(&it_, 300000), 0, HOST_NOWAIT))	\
	CALL(pread, 61, host_pread(3, room(61), 61, 5))				\
	CALL(pwrite, 61, host_pwrite(3, room(61), 61, 5))				\
	CALL(write, 100, write_call(100))					\
	CALL(write_large, 300000, write_call(300000))				\
	CALL(recv, 100, host_recv(3, data(&it_, 100), 0, HOST_NOWAIT))		\
	CALL(recv_trunc, INT32_MAX, host_recv(3, data(&it_, 100), 0x20, HOST_NOWAIT)) \
	CALL(recv_wait, 100, host_recv(3, data(&it_, 100), 0, 1000))		\
	CALL(send, 100, host_send(3, data(&it_, 100), 0, HOST_NOWAIT))		\
	CALL(recvmsg, 100, recvmsg_call(0))					\
	CALL(recvmsg_trunc, INT32_MAX, recvmsg_call(0x20))			\
	CALL(sendmsg, 100, sendmsg_call())					\
	CALL(openat, INT32_MAX, host_openat(VFS_FDCWD_, "/x", 0, 0, NULL))		\
	CALL(close, 0, host_close(3))						\
	CALL(statx, 0, host_statx(3, "x", 0, 0, room(sizeof(struct statx))))	\
	CALL(statfs, 0, host_statfs(3, "x", room(sizeof(struct statfs))))	\
	CALL(fstatfs, 0, host_statfs(3, NULL, room(sizeof(struct statfs))))	\
	CALL(getdents, 200, host_getdents(3, room(200), 200, 0))		\
	CALL(readlinkat, 33, host_readlinkat(3, "x", room(33), 33))		\
	CALL(fdpath, 0, fdpath_call())						\
	CALL(mkdirat, 0, host_mkdirat(3, "x", 0))				\
	CALL(unlinkat, 0, host_unlinkat(3, "x", 0))				\
	CALL(renameat, 0, host_renameat(3, "x", 4, "y", 0))			\
	CALL(linkat, 0, host_linkat(3, "x", 4, "y", 0))				\
	CALL(symlinkat, 0, host_symlinkat("x", 4, "y"))				\
	CALL(mknodat, 0, host_mknodat(3, "x", 0, 0))				\
	CALL(fchmodat, 0, host_fchmodat(3, "x", 0, 0))				\
	CALL(fchownat, 0, host_fchownat(3, "x", 0, 0, 0))			\
	CALL(utimensat, 0, host_utimensat(3, "x", times_, 0))			\
	CALL(futimens, 0, host_utimensat(3, NULL, NULL, 0))			\
	CALL(faccessat, 0, host_faccessat(3, "x", 0, 0))			\
	CALL(getxattr, 41, host_getxattr(-1, "x", false, "user.x", room(41), 41)) \
	CALL(getxattr_size, INT32_MAX, host_getxattr(3, NULL, false, "user.x", NULL, 0)) \
	CALL(setxattr, 0, host_setxattr(3, NULL, false, "user.x", room(41), 41, 0)) \
	CALL(listxattr, 41, host_listxattr(3, NULL, false, room(41), 41))	\
	CALL(removexattr, 0, host_removexattr(3, NULL, false, "user.x"))	\
	CALL(fchdir, 0, host_fchdir(3))						\
	CALL(lseek, INT64_MAX, host_lseek(3, 0, 0))				\
	CALL(ftruncate, 0, host_ftruncate(3, 0))				\
	CALL(fallocate, 0, host_fallocate(3, 0, 0, 1))				\
	CALL(fadvise, 0, host_fadvise(3, 0, 0, 0))				\
	CALL(fsync, 0, host_fsync(3, true))					\
	CALL(sync, 0, host_sync(-1))						\
	CALL(flock, 0, host_flock(3, 0))					\
	CALL(fcntl, INT32_MAX, host_fcntl(3, F_GETFL, 0))			\
	CALL(fcntl_lock, INT32_MAX, host_fcntl_lock(3, F_GETLK, (void *)lock_))		\
	CALL(ioctl, INT32_MAX, host_ioctl(3, 1, room(12), 12))			\
	CALL(ioctl_number, INT32_MAX, host_ioctl(3, 1, NULL, 0))		\
	CALL(socket, INT32_MAX, host_socket(1, 1, 0))				\
	CALL(socketpair, 0, socketpair_call())					\
	CALL(bind, 0, host_bind(3, addr()))					\
	CALL(listen, 0, host_listen(3, 1))					\
	CALL(accept, INT32_MAX, host_accept(3, addr(), 0, HOST_NOWAIT))		\
	CALL(connect, 0, host_connect(3, addr(), HOST_NOWAIT))			\
	CALL(shutdown, 0, host_shutdown(3, 0))					\
	CALL(getsockname, 0, host_getsockname(3, addr()))			\
	CALL(getpeername, 0, host_getpeername(3, addr()))			\
	CALL(getsockopt, 9, host_getsockopt(3, 1, 1, room(9), 9))		\
	CALL(setsockopt, 0, host_setsockopt(3, 1, 1, room(9), 9))		\
	CALL(events_create, INT32_MAX, host_events_create())			\
	CALL(events_watch, 0, host_events_watch(3, 4, 1, 2))			\
	CALL(events_reap, 5,							\
	     host_events_reap(3, room(5 * sizeof(struct host_event)), 5, HOST_NOWAIT))	\
	CALL(poll, 3, poll_call())						\
	CALL(spawn, 0, host_spawn(1))						\
	CALL(mem_protect, 0, host_mem_protect(0, 0, 0))				\
	CALL(mem_install, 0, host_mem_install(0, room(100), 100))		\
	CALL(mem_discard, 0, host_mem_discard(0, 0))				\
	CALL(clock, 0, host_clock(room(sizeof(struct rakis_clock))))		\
	CALL(timer, 0, host_timer(1))						\
	CALL(signal_take, 2, host_signal_take(room(sizeof(struct rakis_signal)))) \
	CALL(signal_ignore, 0, host_signal_ignore(1, true))			\
	CALL(kill, 0, host_kill(1, 0))						\
	CALL(stop, 0, host_stop(20))						\
	CALL(affinity, 16, host_affinity(0, room(16), 16, false))		\
	CALL(set_affinity, 16, host_affinity(0, room(16), 16, true))		\
	CALL(rlimit, 0, host_rlimit(0, room(16), false))			\
	CALL(rusage, 0, host_rusage(0, room(144)))				\
	CALL(sysinfo, 0, host_sysinfo(room(112)))				\
	CALL(patch_table, 7, host_patch_table(3, room(7 * sizeof(struct rakis_patch)), 7, 0))

#define VFS_FDCWD_ (-100)
CALLS
#undef CALL
#define CALL(name, most, call) { #name, name##_, most },
static const struct { const char *name; s64 (*fn)(void); s64 most; } calls[] = { CALLS };

/* An address that a request may name as a buffer. */
static bool in_arena(u64 addr)
{
	u64 start = uptr_number(arena_request(0)) + RAKIS_SLOT_COUNT * sizeof(struct rakis_request);

	return addr >= start && addr < uptr_number(arena_request(0)) + arena_size_needed();
}

#endif
