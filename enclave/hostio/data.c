/* SPDX-License-Identifier: Apache-2.0 */
/* Data between a guest's buffers and a descriptor, through a block of the arena. */
#include "hostio/call.h"

/* How much one request moves: large enough to hide its cost, small enough for the cache. */
#define CHUNK (128u << 10)

/* Data of one message: the rest of the largest block is for its header. */
#define MSG_MOST (RAKIS_REQ_MAX_BYTES - HOST_CONTROL_MAX - HOST_ADDR_MAX - 256)

/* MSG_TRUNC (0x20) gives a datagram's real length, which may exceed the buffer. */
static bool may_exceed(u8 opcode, u32 flags)
{
	return (opcode == RAKIS_OP_RECV || opcode == RAKIS_OP_RECVMSG) && (flags & 0x20);
}

/*
 * One piece. `*whole` tells whether as much moved as was asked, so that a longer transfer
 * goes on only where Linux would have had more.
 */
static ssize_t move(u8 opcode, int fd, struct iter *it, u64 off, u32 op_flags, u64 wait_ns, bool *whole)
{
	bool out = opcode == RAKIS_OP_WRITE || opcode == RAKIS_OP_SEND;
	/* A datagram must go whole. */
	u32 n = min(it->left, (u64)(off == HOST_CURRENT ? RAKIS_REQ_MAX_BYTES : CHUNK));
	struct call c;
	ssize_t res;

	call_begin(&c, opcode, fd, max(n, 8u));
	if (out && n) {
		res = iter_to_arena(it, c.buf.p, n);
		if (res >= 0 && res < n && opcode == RAKIS_OP_SEND) {
			iter_back(it, res);	/* half a datagram is none */
			res = -EFAULT;
		}
		if (res < 0)
			goto end;
		*whole = res == n;
		n = res;
	}
	c.rq.addr = uptr_number(c.buf.p);
	c.rq.len = n;
	c.rq.off = opcode == RAKIS_OP_SEND || opcode == RAKIS_OP_RECV ? 0 : off;
	c.rq.op_flags = op_flags;
	if (wait_ns != HOST_NOWAIT) {
		c.rq.flags = RAKIS_REQ_WAIT;
		c.rq.addr3 = wait_ns;
	}
	res = call_do(&c, may_exceed(opcode, op_flags) ? INT32_MAX : n);
	if (out) {
		if (res < (ssize_t)n) {
			iter_back(it, res < 0 ? n : n - res);
			*whole = false;
		}
	} else if (res >= 0) {
		ssize_t got = iter_from_arena(it, c.buf.p, min((u64)res, (u64)n));

		*whole = res == n && got == res;
		if (got < 0 || got < (ssize_t)min((u64)res, (u64)n))
			res = got;
	}
end:
	call_end(&c);
	return res;
}

static ssize_t move_all(u8 opcode, int fd, struct iter *it, u64 off, u64 wait_ns)
{
	ssize_t done = 0;
	bool whole = true;

	do {
		ssize_t n = move(opcode, fd, it, off, 0, wait_ns, &whole);

		if (n < 0)
			return done ? done : n;
		done += n;
		/* From a stream, what has arrived is the answer. */
		if (off == HOST_CURRENT && opcode == RAKIS_OP_READ)
			break;
		if (off != HOST_CURRENT)
			off += n;
	} while (whole && it->left);
	return done;
}

ssize_t host_read(int fd, struct iter *it, u64 off, u64 wait_ns)
{
	return move_all(RAKIS_OP_READ, fd, it, off, wait_ns);
}

ssize_t host_write(int fd, struct iter *it, u64 off, u64 wait_ns)
{
	return move_all(RAKIS_OP_WRITE, fd, it, off, wait_ns);
}

ssize_t host_pread(int fd, void *buf, size_t n, u64 off)
{
	struct iter it;

	iter_kernel(&it, buf, n);
	return host_read(fd, &it, off, HOST_NOWAIT);
}

ssize_t host_pwrite(int fd, const void *buf, size_t n, u64 off)
{
	struct iter it;

	iter_kernel(&it, (void *)buf, n);
	return host_write(fd, &it, off, HOST_NOWAIT);
}

ssize_t host_recv(int fd, struct iter *it, u32 flags, u64 wait_ns)
{
	bool whole;

	return move(RAKIS_OP_RECV, fd, it, HOST_CURRENT, flags, wait_ns, &whole);
}

ssize_t host_send(int fd, struct iter *it, u32 flags, u64 wait_ns)
{
	bool whole;

	return move(RAKIS_OP_SEND, fd, it, HOST_CURRENT, flags, wait_ns, &whole);
}

/* sendmsg and recvmsg: [msghdr][iovec][address][control][data] in one block. */
static ssize_t move_msg(u8 opcode, int fd, struct host_msg *m, u32 flags, u64 wait_ns)
{
	u32 n = min(m->data->left, (u64)MSG_MOST);
	bool out = opcode == RAKIS_OP_SENDMSG;
	struct uptr hdr, iov, name = { 0 }, control = { 0 }, data;
	struct rakis_msghdr h = { 0 };
	struct rakis_iovec v;
	struct call c;
	ssize_t res;

	if (m->controllen > HOST_CONTROL_MAX)
		return -ENOBUFS;
	call_begin(&c, opcode, fd, sizeof(h) + sizeof(v) + words(HOST_ADDR_MAX) +
		   words(m->controllen) + words(n) + 8);
	hdr = call_room(&c, sizeof(h));
	iov = call_room(&c, sizeof(v));
	if (m->addr) {
		name = call_room(&c, HOST_ADDR_MAX);
		h.name = uptr_number(name);
		h.namelen = out ? min(m->addr->len, HOST_ADDR_MAX) : HOST_ADDR_MAX;
		if (out)
			untrusted_write(name, m->addr->data, h.namelen);
	}
	if (m->controllen) {
		control = call_room(&c, m->controllen);
		h.control = uptr_number(control);
		h.controllen = m->controllen;
		if (out)
			untrusted_write(control, m->control, m->controllen);
	}
	data = call_room(&c, max(n, 8u));
	if (out && n) {
		res = iter_to_arena(m->data, data, n);
		if (res >= 0 && res < n) {
			iter_back(m->data, res);
			res = -EFAULT;
		}
		if (res < 0)
			goto end;
	}
	v = (struct rakis_iovec){ uptr_number(data), n };
	untrusted_write(iov, &v, sizeof(v));
	h.iov = uptr_number(iov);
	h.iovlen = 1;
	untrusted_write(hdr, &h, sizeof(h));
	c.rq.addr = uptr_number(hdr);
	c.rq.len = 1;
	c.rq.op_flags = flags;
	if (wait_ns != HOST_NOWAIT) {
		c.rq.flags = RAKIS_REQ_WAIT;
		c.rq.addr3 = wait_ns;
	}
	res = call_do(&c, may_exceed(opcode, flags) ? INT32_MAX : n);
	if (out) {
		if (res < (ssize_t)n)
			iter_back(m->data, res < 0 ? n : n - res);
		goto end;
	}
	if (res < 0)
		goto end;
	untrusted_read(&h, hdr, sizeof(h));
	if (m->addr) {
		m->addr->len = h.namelen;
		untrusted_read(m->addr->data, name, min(h.namelen, HOST_ADDR_MAX));
	}
	m->controllen = min(h.controllen, (u64)m->controllen);
	if (m->controllen)
		untrusted_read(m->control, control, m->controllen);
	m->flags = h.flags;
	n = min((u64)res, (u64)n);
	if (n) {
		ssize_t got = iter_from_arena(m->data, data, n);

		if (got < (ssize_t)n)
			res = got;
	}
end:
	call_end(&c);
	return res;
}

ssize_t host_sendmsg(int fd, struct host_msg *m, u32 flags, u64 wait_ns)
{
	return move_msg(RAKIS_OP_SENDMSG, fd, m, flags, wait_ns);
}

ssize_t host_recvmsg(int fd, struct host_msg *m, u32 flags, u64 wait_ns)
{
	return move_msg(RAKIS_OP_RECVMSG, fd, m, flags, wait_ns);
}
