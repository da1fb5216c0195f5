/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on open descriptors other than moving data. */
#include <linux/fcntl.h>
#include "gate/gate.h"
#include "hostio/async.h"
#include "hostio/call.h"

static int plain(u8 op, int fd, u64 off, u32 len, u32 op_flags)
{
	struct rakis_request rq = {
		.opcode = op, .fd = fd, .off = off, .len = len, .op_flags = op_flags,
	};

	return host_call(&rq, 0);
}

int host_close(int fd)
{
	return plain(RAKIS_OP_CLOSE, fd, 0, 0, 0);
}

void host_close_later(int fd)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_CLOSE, .fd = fd };

	/* No ring is set up for this. */
	if (!gate_self()->ring || !async_has(RAKIS_OP_CLOSE) || async_forget(async_home_ring(), &rq))
		(void)!host_close(fd);
}

int host_fchdir(int fd)
{
	return plain(RAKIS_OP_FCHDIR, fd, 0, 0, 0);
}

s64 host_lseek(int fd, s64 off, u32 whence)
{
	struct call c;
	s64 res;

	call_begin(&c, RAKIS_OP_LSEEK, fd, sizeof(s64));
	c.rq.addr = uptr_number(c.buf.p);
	c.rq.off = off;
	c.rq.op_flags = whence;
	res = call_do(&c, 0);
	if (!res) {
		res = untrusted_load(c.buf.p);
		if (res < 0)
			res = -EIO;
	}
	call_end(&c);
	return res;
}

int host_ftruncate(int fd, u64 len)
{
	return plain(RAKIS_OP_FTRUNCATE, fd, len, 0, 0);
}

int host_fallocate(int fd, u32 mode, u64 off, u64 len)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_FALLOCATE, .fd = fd, .off = off, .addr = len, .len = mode,
	};

	return host_call(&rq, 0);
}

int host_fadvise(int fd, u64 off, u64 len, u32 advice)
{
	return plain(RAKIS_OP_FADVISE, fd, off, min(len, (u64)UINT32_MAX), advice);
}

int host_fsync(int fd, bool data_only)
{
	return plain(RAKIS_OP_FSYNC, fd, 0, 0, data_only);
}

int host_sync(int fd)
{
	return plain(RAKIS_OP_SYNC, fd, 0, 0, 0);
}

int host_flock(int fd, u32 op)
{
	return plain(RAKIS_OP_FLOCK, fd, 0, op, 0);
}

int host_fcntl(int fd, u32 cmd, u64 arg)
{
	return plain(RAKIS_OP_FCNTL, fd, arg, cmd, 0);
}

/* A call on `fd` with one block that crosses in and comes back. */
static int in_out(struct call *c, void *arg, size_t size, u32 most)
{
	int res;

	c->rq.addr = call_put(c, arg, size);
	res = call_do(c, most);
	if (res >= 0)
		untrusted_read(arg, c->buf.p, size);
	call_end(c);
	return res;
}

int host_fcntl_lock(int fd, u32 cmd, struct flock *fl)
{
	struct call c;

	call_begin(&c, RAKIS_OP_FCNTL, fd, sizeof(*fl));
	c.rq.len = cmd;
	return in_out(&c, fl, sizeof(*fl), 0);
}

int host_ioctl(int fd, u32 cmd, void *arg, size_t size)
{
	struct call c;

	call_begin(&c, RAKIS_OP_IOCTL, fd, size);
	c.rq.op_flags = cmd;
	c.rq.len = size;
	if (size)
		return in_out(&c, arg, size, 0);
	c.rq.off = (u64)arg;
	return call_finish(&c, 0);
}
