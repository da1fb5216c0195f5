/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz control messages: the first bytes say which socket received them, how many descriptors
 * there is room for and what the host says of those it sends; the rest is the messages.
 * What comes out is well formed, and each descriptor in it is one that was made for it. Then
 * the same bytes go the other way.
 */
#include <linux/fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"
#include "fake_sockets.h"
#include "lib/errno.h"
#include "sockets/socket.h"

#define CHECK(x) ((x) ? (void)0 : abort())
#define HEAD sizeof(struct cmsg)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u8 kinds;

static s64 answer(const struct rakis_request *rq, u32 slot)
{
	if (rq->opcode == RAKIS_OP_FCNTL)
		return rq->fd & kinds & 1 ? -EBADF : O_RDWR;
	if (rq->opcode == RAKIS_OP_STATX)
		return rq->fd & kinds & 2 ? -EIO : 0;
	return FAKE_PASS;
}

/* Sound messages up to the end; SCM_RIGHTS holds descriptors that are open. */
static u32 check(u8 *p, u32 len)
{
	u32 fds = 0;

	for (u32 at = 0; at < len && len - at >= HEAD;) {
		struct cmsg *c = (struct cmsg *)(p + at);

		CHECK(c->len >= HEAD && c->len <= len - at);
		if (c->level == SOL_SOCKET && c->type == SCM_RIGHTS) {
			for (u32 i = 0; i < (c->len - HEAD) / 4; i++, fds++)
				CHECK(fd_cloexec(((int *)(c + 1))[i]) == 1);
		}
		at += ALIGN_UP(c->len, 8);
	}
	return fds;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct socket sk = { .domain = AF_UNIX };
	struct host_msg m = { 0 };
	struct rights *rights;
	u8 *copy;
	int err;

	if (size < 3 || size > HOST_CONTROL_MAX)
		return 0;
	fake_host_setup(NULL);
	fake_answer = answer;
	sk.domain = data[0] & 1 ? AF_INET : AF_UNIX;
	fd_limit = data[1];
	kinds = data[2];
	size -= 3;
	/* Exactly as long as it is said to be. */
	copy = malloc(size ? size : 1);
	memcpy(copy, data + 3, size);
	m.control = copy;
	m.controllen = size;
	err = control_from_host(&sk, &m, true);
	CHECK(err == 0 || err == -EIO);
	CHECK(m.controllen <= size);
	if (!err)
		CHECK(check(copy, m.controllen) == fake_received);
	CHECK(fake_received <= fd_limit);

	memcpy(copy, data + 3, size);
	err = control_to_host(&sk, copy, size, &rights);
	CHECK(err == 0 || err == -EINVAL || err == -EBADF);
	rights_put(rights);
	free(copy);
	fd_close_range(0, ~0u, false);
	CHECK(fake_received == 0);
	return 0;
}
