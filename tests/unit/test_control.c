/* SPDX-License-Identifier: Apache-2.0 */
/* Control messages: what a hostile host may fill in, and descriptors on their way. */
#include "cmocka_first.h"
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"
#include "fake_sockets.h"
#include "lib/errno.h"
#include "sockets/socket.h"

#define HEAD	sizeof(struct cmsg)
#define OTHER	2		/* SCM_CREDENTIALS */

static struct socket unix_socket = { .domain = AF_UNIX }, inet_socket = { .domain = AF_INET };
static int closed[64], nclosed;
static s64 getfl;

static s64 host(const struct rakis_request *rq, u32 slot)
{
	switch (rq->opcode) {
	case RAKIS_OP_FCNTL:
		return getfl;
	case RAKIS_OP_STATX:
		((struct statx *)rq->off)->stx_mode = 0100000;	/* S_IFREG */
		return 0;
	case RAKIS_OP_CLOSE:
		closed[nclosed++] = rq->fd;
		return 0;
	default:
		return FAKE_PASS;
	}
}

static int setup(void **state)
{
	fake_host_setup(state);
	fd_limit = 1024;
	fd_close_range(0, ~0u, false);
	fake_answer = host;
	nclosed = 0;
	getfl = O_RDWR;
	return fake_received;
}

static u8 buf[512] __attribute__((aligned(8)));
static u32 used;

static void put(u64 len, s32 level, s32 type)
{
	struct cmsg c = { len, level, type };

	memcpy(buf + used, &c, HEAD);
	used += HEAD;
}

static void put_int(int v)
{
	memcpy(buf + used, &v, sizeof(v));
	used += sizeof(v);
}

static void pad(void)
{
	while (used % 8)
		buf[used++] = 0;
}

static void begin(void)
{
	memset(buf, 0, sizeof(buf));
	used = 0;
}

/* A copy of exactly `len` bytes, so that reading behind it is found. */
static int from_host(struct socket *sk, u32 len, struct host_msg *m)
{
	u8 *copy = malloc(max(len, 1u));
	int err;

	memcpy(copy, buf, len);
	*m = (struct host_msg){ .control = copy, .controllen = len };
	err = control_from_host(sk, m, true);
	memcpy(buf, copy, len);
	free(copy);
	return err;
}

static void test_structure(void **state)
{
	static const struct { u64 len; u32 given; int err; } cases[] = {
		{ HEAD, HEAD, 0 }, { HEAD + 1, HEAD + 1, 0 }, { HEAD + 8, HEAD + 8, 0 },
		{ HEAD + 3, HEAD + 8, 0 },
		/* The rest is too short to be a message. */
		{ HEAD, HEAD + 15, 0 }, { 0, HEAD - 1, 0 }, { 0, 0, 0 }, { HEAD + 5, HEAD + 20, 0 },
		{ 0, HEAD, -EIO }, { 1, HEAD, -EIO }, { HEAD - 1, HEAD, -EIO },
		{ HEAD + 1, HEAD, -EIO },
		{ HEAD + 9, HEAD + 8, -EIO }, { ~0ull, HEAD, -EIO }, { ~7ull, HEAD + 8, -EIO },
		{ 1ull << 32, HEAD, -EIO },
		{ (1ull << 32) + HEAD, HEAD, -EIO }, { 1ull << 63, HEAD, -EIO },
		{ -(u64)HEAD, HEAD + 16, -EIO },
	};
	struct host_msg m;

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		begin();
		put(cases[i].len, SOL_SOCKET, OTHER);
		assert_int_equal(from_host(&unix_socket, cases[i].given, &m), cases[i].err);
		assert_true(m.controllen <= cases[i].given);

		/* The same behind a good one. */
		begin();
		put(HEAD + 4, SOL_SOCKET, OTHER);
		put_int(7);
		pad();
		put(cases[i].len, SOL_SOCKET, OTHER);
		assert_int_equal(from_host(&unix_socket, HEAD + 8 + cases[i].given, &m),
				 cases[i].err);
	}
	assert_int_equal(nclosed, 0);
}

static void test_rights(void **state)
{
	struct cmsg *c = (struct cmsg *)buf;
	struct host_msg m;
	struct file *f;
	int *fds = (int *)(c + 1);

	begin();
	put(HEAD + 12, SOL_SOCKET, SCM_RIGHTS);
	put_int(70);
	put_int(71);
	put_int(72);
	pad();
	put(HEAD + 4, SOL_SOCKET, OTHER);
	put_int(99);
	assert_int_equal(from_host(&unix_socket, used, &m), 0);
	assert_int_equal(m.controllen, used);
	assert_int_equal(m.flags & MSG_CTRUNC, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fds[i], i);
		assert_int_equal(fd_cloexec(i), 1);
		f = fd_get(i);
		assert_int_equal(file_host_fd(f), 70 + i);
		file_put(f);
	}
	assert_int_equal(fake_received, 3);
}

/* Room for fewer descriptors than came: the others are closed, what follows moves up. */
static void test_rights_cut(void **state)
{
	for (u32 limit = 0; limit <= 3; limit++) {
		u32 left = limit ? ALIGN_UP(HEAD + limit * 4, 8) : 0;
		struct cmsg *next = (struct cmsg *)(buf + left);
		struct host_msg m;

		setup(state);
		fd_limit = limit;
		begin();
		put(HEAD + 12, SOL_SOCKET, SCM_RIGHTS);
		put_int(70);
		put_int(71);
		put_int(72);
		pad();
		put(HEAD + 4, SOL_SOCKET, OTHER);
		put_int(99);
		assert_int_equal(from_host(&unix_socket, used, &m), 0);
		assert_int_equal(m.controllen, left + HEAD + 4);
		assert_int_equal(!!(m.flags & MSG_CTRUNC), limit < 3);
		assert_int_equal(next->type, OTHER);
		assert_int_equal(*(int *)(next + 1), 99);
		assert_int_equal(fake_received, limit);
		assert_int_equal(nclosed, 3 - limit);
		for (u32 i = limit; i < 3; i++)
			assert_int_equal(closed[i - limit], 70 + i);
		fd_limit = 1024;
	}
}

static void test_rights_of_no_use(void **state)
{
	static const struct { int fd; s64 getfl; } cases[] = {
		{ 70, -EBADF }, { 70, INT32_MIN }, { -1, O_RDWR }, { INT32_MIN, O_RDWR },
	};
	struct host_msg m;

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(state);
		getfl = cases[i].getfl;
		begin();
		put(HEAD + 4, SOL_SOCKET, SCM_RIGHTS);
		put_int(cases[i].fd);
		assert_int_equal(from_host(&unix_socket, used, &m), 0);
		assert_int_equal(m.controllen, 0);
		assert_true(m.flags & MSG_CTRUNC);
		assert_int_equal(fake_received, 0);
		assert_null(fd_get(0));
	}
	/* No descriptor in it, or less than one. */
	for (u32 n = 0; n < 4; n++) {
		begin();
		put(HEAD + n, SOL_SOCKET, SCM_RIGHTS);
		assert_int_equal(from_host(&unix_socket, HEAD + n, &m), 0);
		assert_int_equal(fake_received, 0);
	}
}

static void test_rights_from_elsewhere(void **state)
{
	struct host_msg m;

	begin();
	put(HEAD + 4, SOL_SOCKET, SCM_RIGHTS);
	put_int(70);
	assert_int_equal(from_host(&inet_socket, used, &m), -EIO);
	begin();
	put(HEAD + 4, SOL_SOCKET, SCM_PIDFD);
	put_int(70);
	assert_int_equal(from_host(&unix_socket, used, &m), -EIO);
	/* Another level's message of that number is none of ours. */
	begin();
	put(HEAD + 4, 0, SCM_RIGHTS);
	put_int(70);
	assert_int_equal(from_host(&inet_socket, used, &m), 0);
	assert_int_equal(*(int *)(buf + HEAD), 70);
	assert_int_equal(fake_received, 0);
}

static int to_host(struct socket *sk, struct rights **r)
{
	u8 *copy = malloc(max(used, 1u));
	int err;

	memcpy(copy, buf, used);
	err = control_to_host(sk, copy, used, r);
	memcpy(buf, copy, used);
	free(copy);
	return err;
}

static void test_to_host(void **state)
{
	static const struct file_ops inside = { .kind = "pipe" };
	int a = fd_install_or_put(host_file_new(70, O_RDWR, NULL, false), false);
	int b = fd_install_or_put(host_file_new(71, O_RDWR, NULL, false), false);
	int c = fd_install_or_put(file_new(&inside, O_RDWR, NULL), false);
	int *fds = (int *)(buf + HEAD);
	struct rights *r;

	begin();
	put(HEAD + 8, SOL_SOCKET, SCM_RIGHTS);
	put_int(b);
	put_int(a);
	assert_int_equal(to_host(&unix_socket, &r), 0);
	assert_int_equal(fds[0], 71);
	assert_int_equal(fds[1], 70);
	/* Closed meanwhile, they are still there until the message is sent. */
	assert_int_equal(fd_close(a), 0);
	assert_int_equal(fake_received, 2);
	rights_put(r);
	assert_int_equal(fake_received, 1);

	/* One that is not open, one that the host does not have. */
	for (u32 i = 0; i < 2; i++) {
		begin();
		put(HEAD + 8, SOL_SOCKET, SCM_RIGHTS);
		put_int(b);
		put_int(i ? c : 33);
		assert_int_equal(to_host(&unix_socket, &r), i ? -EINVAL : -EBADF);
		rights_put(r);
	}
	/* No rights on other sockets: the host says what it thinks of it. */
	begin();
	put(HEAD + 4, SOL_SOCKET, SCM_RIGHTS);
	put_int(b);
	assert_int_equal(to_host(&inet_socket, &r), 0);
	assert_null(r);
	assert_int_equal(fds[0], b);
	rights_put(NULL);
	/* The guest's own mistakes. */
	begin();
	put(HEAD - 1, SOL_SOCKET, OTHER);
	assert_int_equal(to_host(&unix_socket, &r), -EINVAL);
	begin();
	put(HEAD + 4, SOL_SOCKET, SCM_RIGHTS);
	assert_int_equal(to_host(&unix_socket, &r), -EINVAL);
	assert_int_equal(fake_received, 1);
}

static void test_too_many_rights(void **state)
{
	static u8 control[HEAD + 4 * (SCM_MAX_FD + 1)] __attribute__((aligned(8)));
	int fd = fd_install_or_put(host_file_new(70, O_RDWR, NULL, false), false);
	struct cmsg *c = (struct cmsg *)control;
	struct rights *r;

	for (u32 n = SCM_MAX_FD; n <= SCM_MAX_FD + 1; n++) {
		*c = (struct cmsg){ HEAD + 4 * n, SOL_SOCKET, SCM_RIGHTS };
		for (u32 i = 0; i < n; i++)
			((int *)(c + 1))[i] = fd;
		assert_int_equal(control_to_host(&unix_socket, control, c->len, &r),
				 n > SCM_MAX_FD ? -EINVAL : 0);
		rights_put(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_structure, setup),
		cmocka_unit_test_setup(test_rights, setup),
		cmocka_unit_test_setup(test_rights_cut, setup),
		cmocka_unit_test_setup(test_rights_of_no_use, setup),
		cmocka_unit_test_setup(test_rights_from_elsewhere, setup),
		cmocka_unit_test_setup(test_to_host, setup),
		cmocka_unit_test_setup(test_too_many_rights, setup),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	fd_close_range(0, ~0u, false);
	return failed;
}
