/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on sockets other than moving data, and readiness. */
#include "hostio/call.h"
#include "lib/alloc.h"

int host_socket(int domain, int type, int proto)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_SOCKET, .fd = domain, .off = (u32)type, .len = proto,
	};

	return host_call(&rq, 0);
}

int host_socketpair(int domain, int type, int proto, int out[2])
{
	struct call c;
	int err;

	call_begin(&c, RAKIS_OP_SOCKETPAIR, domain, 8);
	c.rq.off = (u32)type;
	c.rq.len = proto;
	c.rq.addr = uptr_number(c.buf.p);
	err = call_do(&c, 0);
	if (!err) {
		u64 pair = untrusted_load(c.buf.p);

		out[0] = (s32)pair;
		out[1] = (s32)(pair >> 32);
		if (out[0] < 0 || out[1] < 0)
			err = -EIO;
	}
	call_end(&c);
	return err;
}

/* bind, connect: an address that crosses in. */
static void begin_addr(struct call *c, u8 op, int fd, const struct host_addr *a)
{
	u32 len = min(a->len, HOST_ADDR_MAX);

	call_begin(c, op, fd, HOST_ADDR_MAX);
	c->rq.addr = call_put(c, a->data, len);
	c->rq.off = len;
}

int host_bind(int fd, const struct host_addr *a)
{
	struct call c;

	begin_addr(&c, RAKIS_OP_BIND, fd, a);
	return call_finish(&c, 0);
}

int host_connect(int fd, const struct host_addr *a, u64 wait_ns)
{
	struct call c;

	begin_addr(&c, RAKIS_OP_CONNECT, fd, a);
	if (wait_ns != HOST_NOWAIT) {
		c.rq.flags = RAKIS_REQ_WAIT;
		c.rq.addr3 = wait_ns;
	}
	return call_finish(&c, 0);
}

int host_listen(int fd, int backlog)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_LISTEN, .fd = fd, .len = backlog };

	return host_call(&rq, 0);
}

int host_shutdown(int fd, int how)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_SHUTDOWN, .fd = fd, .len = how };

	return host_call(&rq, 0);
}

/* accept, getsockname, getpeername: an address and its length come back. */
static int out_addr(struct call *c, u8 op, int fd, struct host_addr *a, u32 flags, u64 wait_ns)
{
	struct uptr addr, len;
	int res;

	call_begin(c, op, fd, HOST_ADDR_MAX + 8);
	addr = call_room(c, HOST_ADDR_MAX);
	len = call_room(c, 8);
	if (a) {
		untrusted_store(len, HOST_ADDR_MAX);
		c->rq.addr = uptr_number(addr);
		c->rq.off = uptr_number(len);
	}
	c->rq.op_flags = flags;
	if (wait_ns != HOST_NOWAIT) {
		c->rq.flags = RAKIS_REQ_WAIT;
		c->rq.addr3 = wait_ns;
	}
	res = call_do(c, 0);
	if (res >= 0 && a) {
		a->len = untrusted_load(len);
		untrusted_read(a->data, addr, min(a->len, HOST_ADDR_MAX));
	}
	call_end(c);
	return res;
}

int host_accept(int fd, struct host_addr *a, u32 flags, u64 wait_ns)
{
	struct call c;

	return out_addr(&c, RAKIS_OP_ACCEPT, fd, a, flags, wait_ns);
}

int host_getsockname(int fd, struct host_addr *a)
{
	struct call c;

	return out_addr(&c, RAKIS_OP_GETSOCKNAME, fd, a, 0, HOST_NOWAIT);
}

int host_getpeername(int fd, struct host_addr *a)
{
	struct call c;

	return out_addr(&c, RAKIS_OP_GETPEERNAME, fd, a, 0, HOST_NOWAIT);
}

int host_getsockopt(int fd, int level, int name, void *val, size_t n)
{
	struct uptr value, len;
	struct call c;
	int res;

	n = min(n, (size_t)(64u << 10));
	call_begin(&c, RAKIS_OP_GETSOCKOPT, fd, words(n) + 8);
	len = call_room(&c, 8);
	value = call_room(&c, n);
	/* Some options are read as well as written. */
	untrusted_write(value, val, n);
	untrusted_store(len, n);
	c.rq.len = level;
	c.rq.op_flags = name;
	c.rq.addr = uptr_number(value);
	c.rq.off = uptr_number(len);
	res = call_do(&c, 0);
	if (!res) {
		res = min((u64)(u32)untrusted_load(len), (u64)n);
		untrusted_read(val, value, res);
	}
	call_end(&c);
	return res;
}

int host_setsockopt(int fd, int level, int name, const void *val, size_t n)
{
	struct call c;

	if (n > 64u << 10)
		return -EINVAL;
	call_begin(&c, RAKIS_OP_SETSOCKOPT, fd, words(n) + 8);
	c.rq.addr = call_put(&c, val, n);
	c.rq.len = level;
	c.rq.op_flags = name;
	c.rq.off = n;
	return call_finish(&c, 0);
}

/* ---- readiness ---- */

int host_events_create(void)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_EVENTS_CREATE, .fd = -1 };

	return host_call(&rq, 0);
}

int host_events_watch(int events, int fd, u32 mask, u64 token)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_EVENTS_WATCH, .fd = events, .len = fd, .op_flags = mask, .off = token,
	};

	return host_call(&rq, 0);
}

int host_events_reap(int events, struct host_event *out, u32 max, u64 wait_ns)
{
	struct call c;
	int res;

	max = min(max, HOST_EVENTS_MAX);
	call_begin(&c, RAKIS_OP_EVENTS_REAP, events, max * sizeof(struct rakis_event));
	c.rq.addr = uptr_number(c.buf.p);
	c.rq.len = max;
	if (wait_ns != HOST_NOWAIT) {
		c.rq.flags = RAKIS_REQ_WAIT;
		c.rq.addr3 = wait_ns;
	}
	res = call_do(&c, max);
	for (int i = 0; i < res; i++) {
		struct uptr e = uptr_add(c.buf.p, i * sizeof(struct rakis_event));

		out[i].token = untrusted_load(e);
		out[i].events = untrusted_load(uptr_add(e, 8));
	}
	call_end(&c);
	return res;
}

/* A struct rakis_pollfd is one word: fd, events, revents. */
static u64 pollfd_word(const struct host_pollfd *p)
{
	return (u32)p->fd | (u64)(u16)p->events << 32;
}

int host_poll(struct host_pollfd *fds, u32 n, u64 wait_ns)
{
	struct call c;
	int res;

	if (n > HOST_POLL_MAX)
		return -EINVAL;
	call_begin(&c, RAKIS_OP_PARK, -1, max(n, 1u) * 8);
	for (u32 i = 0; i < n; i++)
		untrusted_store(uptr_add(c.buf.p, i * 8), pollfd_word(&fds[i]));
	c.rq.addr = uptr_number(c.buf.p);
	c.rq.len = n;
	c.rq.addr3 = wait_ns;
	if (wait_ns != HOST_NOWAIT)
		c.rq.flags = RAKIS_REQ_WAIT;
	res = call_do(&c, n);
	if (res >= 0) {
		res = 0;
		for (u32 i = 0; i < n; i++) {
			/* ERR, HUP and NVAL come unasked; nothing else does. */
			fds[i].revents = untrusted_load(uptr_add(c.buf.p, i * 8)) >> 48 &
					 ((u16)fds[i].events | 0x38);
			res += fds[i].revents != 0;
		}
	}
	call_end(&c);
	return res;
}
