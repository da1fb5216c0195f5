/* SPDX-License-Identifier: Apache-2.0 */
/* Which answers of the host pass, for each opcode, stated once more and by other means. */
#include "cmocka_first.h"
#include "hostio/result.h"
#include "lib/errno.h"

#define MOST	1000u

/* Answers that are not errors, by opcode; what is not listed has no right to any. */
static const u8 only_zero[] = {
	RAKIS_OP_NOP, RAKIS_OP_FSYNC, RAKIS_OP_CONNECT, RAKIS_OP_FALLOCATE, RAKIS_OP_CLOSE,
	RAKIS_OP_STATX, RAKIS_OP_FADVISE, RAKIS_OP_SHUTDOWN, RAKIS_OP_RENAMEAT, RAKIS_OP_UNLINKAT,
	RAKIS_OP_MKDIRAT, RAKIS_OP_SYMLINKAT, RAKIS_OP_LINKAT, RAKIS_OP_FTRUNCATE, RAKIS_OP_BIND,
	RAKIS_OP_LISTEN, RAKIS_OP_LSEEK, RAKIS_OP_FCHMODAT, RAKIS_OP_FCHOWNAT, RAKIS_OP_UTIMENSAT,
	RAKIS_OP_FACCESSAT, RAKIS_OP_STATFS, RAKIS_OP_MKNODAT, RAKIS_OP_FLOCK, RAKIS_OP_FCHDIR,
	RAKIS_OP_SETXATTR, RAKIS_OP_REMOVEXATTR, RAKIS_OP_SYNC, RAKIS_OP_SOCKETPAIR,
	RAKIS_OP_GETSOCKNAME, RAKIS_OP_GETPEERNAME, RAKIS_OP_GETSOCKOPT, RAKIS_OP_SETSOCKOPT,
	RAKIS_OP_EVENTS_WATCH, RAKIS_OP_WAKE, RAKIS_OP_INTERRUPT, RAKIS_OP_YIELD, RAKIS_OP_SPAWN,
	RAKIS_OP_MEM_PROTECT, RAKIS_OP_MEM_INSTALL, RAKIS_OP_MEM_DISCARD, RAKIS_OP_CLOCK,
	RAKIS_OP_TIMER,
	RAKIS_OP_SIGNAL_IGNORE, RAKIS_OP_KILL, RAKIS_OP_STOP, RAKIS_OP_LOG, RAKIS_OP_RLIMIT,
	RAKIS_OP_RUSAGE, RAKIS_OP_SYSINFO, RAKIS_OP_URING_SETUP, RAKIS_OP_KICK,
	RAKIS_OP_NET_SETUP, RAKIS_OP_NET_CLAIM, RAKIS_OP_NET_ROUTE,
};
static const u8 counts[] = {
	RAKIS_OP_SENDMSG, RAKIS_OP_RECVMSG, RAKIS_OP_READ, RAKIS_OP_WRITE, RAKIS_OP_SEND,
	RAKIS_OP_RECV, RAKIS_OP_GETDENTS, RAKIS_OP_READLINKAT, RAKIS_OP_FDPATH,
	RAKIS_OP_EVENTS_REAP, RAKIS_OP_PARK, RAKIS_OP_SIGNAL_TAKE, RAKIS_OP_AFFINITY,
	RAKIS_OP_PATCH_TABLE, RAKIS_OP_WINDOW,
};
static const u8 any_number[] = {
	RAKIS_OP_ACCEPT, RAKIS_OP_OPENAT2, RAKIS_OP_SOCKET, RAKIS_OP_EVENTS_CREATE, RAKIS_OP_FCNTL,
	RAKIS_OP_GETXATTR, RAKIS_OP_LISTXATTR, RAKIS_OP_IOCTL, RAKIS_OP_ASYNC_CANCEL,
};
static const u8 masks[] = { RAKIS_OP_POLL_ADD };

enum kind { NEVER, ZERO, COUNT, NUMBER, BITS };
static u8 kinds[256];

#define NOTE(list, k) do {						\
	for (u32 i = 0; i < ARRAY_SIZE(list); i++) {			\
		assert_int_equal(kinds[(list)[i]], NEVER);		\
		kinds[(list)[i]] = (k);					\
	}								\
} while (0)

static int setup(void **state)
{
	NOTE(only_zero, ZERO);
	NOTE(counts, COUNT);
	NOTE(any_number, NUMBER);
	NOTE(masks, BITS);
	return 0;
}

static void expect(u8 op, u8 flags, u32 most, s64 res, bool ok)
{
	if (result_is_valid(op, flags, most, res) != ok)
		fail_msg("opcode %u, flags %x, most %u: %ld %s", op, flags, most, res,
			 ok ? "must pass" : "must not pass");
}

static void test_not_errors(void **state)
{
	static const struct { s64 res; bool zero, count, number; } cases[] = {
		{ 0, true, true, true }, { 1, false, true, true }, { MOST - 1, false, true, true },
		{ MOST, false, true, true }, { MOST + 1, false, false, true },
		{ INT32_MAX, false, false, true }, { INT32_MAX + 1ll, false, false, false },
		{ 1ll << 32, false, false, false }, { (1ll << 32) + 1, false, false, false },
		{ INT64_MAX, false, false, false },
	};

	for (u32 op = 0; op < 256; op++) {
		for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
			bool ok = kinds[op] == ZERO ? cases[i].zero :
				  kinds[op] == COUNT ? cases[i].count :
				  kinds[op] == NUMBER ? cases[i].number :
				  kinds[op] == BITS ? !(cases[i].res & ~(s64)MOST) : false;

			expect(op, 0, MOST, cases[i].res, ok);
			expect(op, RAKIS_REQ_WAIT, MOST, cases[i].res, ok);
		}
		/* Nothing was asked for. */
		expect(op, 0, 0, 1, kinds[op] == NUMBER);
	}
}

static void test_never_an_error(void **state)
{
	static const s64 never[] = {
		INT64_MIN, INT32_MIN, -(1ll << 32), -(1ll << 32) - EINTR, -4096, -4095, -1000,
		-ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND, -ERESTART_RESTARTBLOCK,
		-515 /* ENOIOCTLCMD */,
		-192, -191, -EHWPOISON, -EKEYREJECTED - 63, -58 /* no such number */, -41,
	};

	for (u32 op = 0; op < 256; op++)
		for (u32 i = 0; i < ARRAY_SIZE(never); i++)
			for (u32 wait = 0; wait < 2; wait++)
				expect(op, wait ? RAKIS_REQ_WAIT : 0, INT32_MAX, never[i], false);
}

static void test_unknown_opcodes(void **state)
{
	for (u32 op = 0; op < 256; op++) {
		if (kinds[op] != NEVER)
			continue;
		for (s64 res = -4096; res <= 4096; res++)
			expect(op, 0, INT32_MAX, res, false);
		expect(op, RAKIS_REQ_WAIT, INT32_MAX, -EINTR, false);
		expect(op, RAKIS_REQ_WAIT, INT32_MAX, -EAGAIN, false);
	}
	for (u32 op = RAKIS_OP_END; op < 256; op++)
		assert_int_equal(kinds[op], NEVER);
}

static void test_waiting(void **state)
{
	for (u32 op = 0; op < 256; op++) {
		expect(op, RAKIS_REQ_WAIT, 0, -EINTR, kinds[op] != NEVER);
		expect(op, RAKIS_REQ_WAIT, 0, -EAGAIN, kinds[op] != NEVER);
	}
}

/* What programs meet every day passes, and what the call cannot answer does not. */
static void test_errors(void **state)
{
	static const struct { u8 op; s16 passes[10], not[8]; } cases[] = {
		{ RAKIS_OP_READ, { EAGAIN, EIO, EISDIR, EINVAL, EBADF, ECONNRESET, ESPIPE, ENXIO,
		  ETIMEDOUT },
		  { ECHILD, ENOTEMPTY, ENOTTY, EDEADLK, EXDEV } },
		{ RAKIS_OP_WRITE, { EAGAIN, EPIPE, ENOSPC, EFBIG, EDQUOT, EIO, EROFS, EPERM,
		  EBADF },
		  { ECHILD, ENOTEMPTY, ENOTTY, EXDEV } },
		{ RAKIS_OP_OPENAT2, { ENOENT, EACCES, EEXIST, EISDIR, ENOTDIR, ELOOP, EMFILE, EXDEV,
		  ENXIO, ETXTBSY },
		  { ECONNREFUSED, ECHILD, ENOTSOCK, ESPIPE, EDEADLK, ENOTTY } },
		{ RAKIS_OP_STATX, { ENOENT, EACCES, ENOTDIR, ELOOP, EBADF, ENAMETOOLONG, ESTALE },
		  { ECHILD, ENOTSOCK, ECONNRESET } },
		{ RAKIS_OP_UNLINKAT, { ENOENT, EISDIR, ENOTDIR, EBUSY, EPERM, EROFS, ENOTEMPTY },
		  { ECONNRESET, ECHILD } },
		{ RAKIS_OP_RENAMEAT, { EXDEV, ENOTEMPTY, EEXIST, EINVAL, EMLINK, ENOSPC },
		  { ECHILD, ENOTSOCK } },
		{ RAKIS_OP_CONNECT, { ECONNREFUSED, EINPROGRESS, EALREADY, EISCONN, ENETUNREACH,
		  ETIMEDOUT, EAGAIN, EADDRNOTAVAIL, ENOENT, EACCES },
		  { ECHILD, ENOTTY, EISDIR, EXDEV } },
		{ RAKIS_OP_ACCEPT, { EAGAIN, ECONNABORTED, EMFILE, EINVAL, EOPNOTSUPP, ENOBUFS },
		  { ECHILD, ENOTTY } },
		{ RAKIS_OP_SEND, { EAGAIN, EPIPE, ECONNRESET, EMSGSIZE, ENOTCONN, EDESTADDRREQ,
		  EHOSTUNREACH },
		  { ECHILD, ENOTTY, EXDEV } },
		{ RAKIS_OP_RECV, { EAGAIN, ECONNREFUSED, ECONNRESET, ENOTCONN, EINTR },
		  { ECHILD, ENOTTY } },
		{ RAKIS_OP_BIND, { EADDRINUSE, EADDRNOTAVAIL, EACCES, EINVAL, ENOENT, EROFS },
		  { ECHILD, ENOTTY } },
		{ RAKIS_OP_SETSOCKOPT, { ENOPROTOOPT, EINVAL, EDOM, EPERM, ENOBUFS, EBUSY }, { } },
		{ RAKIS_OP_FCNTL, { EAGAIN, EACCES, EBADF, EDEADLK, ENOLCK, EINVAL, EPERM, EBUSY },
		  { } },
		{ RAKIS_OP_IOCTL, { ENOTTY, EINVAL, EIO, EPERM, ENODEV }, { } },
		{ RAKIS_OP_GETXATTR, { ENODATA, ERANGE, EOPNOTSUPP, ENOENT, E2BIG }, { } },
		{ RAKIS_OP_KILL, { ESRCH, EPERM, EINVAL }, { ENOENT, EPIPE, ECHILD, EBADF } },
		{ RAKIS_OP_CLOSE, { EBADF, EIO, EINTR, ENOSPC, EDQUOT },
		  { ENOENT, ECHILD, EAGAIN } },
		{ RAKIS_OP_PARK, { EINTR, EAGAIN }, { ENOENT, EBADF, EPIPE, EIO } },
		{ RAKIS_OP_EVENTS_WATCH, { EPERM, EEXIST, ENOENT, EBADF, ENOMEM, ENOSPC },
		  { EIO, EPIPE } },
		{ RAKIS_OP_SPAWN, { EAGAIN, ENOMEM, EPERM }, { ENOENT, EPIPE } },
		{ RAKIS_OP_MEM_PROTECT, { ENOMEM, EACCES, EINVAL }, { ENOENT, EPIPE } },
		{ RAKIS_OP_CLOCK, { }, { EINVAL, EPERM, EIO, EINTR, EAGAIN, ENOSYS } },
		{ RAKIS_OP_WAKE, { }, { EINVAL, ESRCH, EIO, EINTR, EAGAIN } },
		{ RAKIS_OP_SIGNAL_TAKE, { }, { EINVAL, ESRCH, EIO, EINTR, EAGAIN } },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		for (u32 k = 0; k < ARRAY_SIZE(cases[i].passes) && cases[i].passes[k]; k++)
			expect(cases[i].op, 0, 0, -cases[i].passes[k], true);
		for (u32 k = 0; k < ARRAY_SIZE(cases[i].not) && cases[i].not[k]; k++)
			expect(cases[i].op, 0, 0, -cases[i].not[k], false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_errors),
		cmocka_unit_test(test_never_an_error),
		cmocka_unit_test(test_unknown_opcodes),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
