/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about threads, memory, time, signals, and the machine. */
#include "hostio/call.h"

static int plain(u8 op, int fd, u64 addr, u64 off, u32 op_flags)
{
	struct rakis_request rq = {
		.opcode = op, .fd = fd, .addr = addr, .off = off, .op_flags = op_flags,
	};

	return host_call(&rq, 0);
}

/* A structure that the host fills. */
static int fill(struct call *c, void *out, size_t size, u32 most)
{
	int res;

	c->rq.addr = uptr_number(call_room(c, size));
	res = call_do(c, most);
	if (res >= 0)
		untrusted_read(out, c->buf.p, size);
	call_end(c);
	return res;
}

void host_interrupt(u32 slot)
{
	(void)!plain(RAKIS_OP_INTERRUPT, slot, 0, 0, 0);
}

void host_yield(void)
{
	(void)!plain(RAKIS_OP_YIELD, -1, 0, 0, 0);
}

int host_spawn(u32 slot)
{
	return plain(RAKIS_OP_SPAWN, slot, 0, 0, 0);
}

int host_mem_protect(u64 addr, u64 len, u32 prot)
{
	return plain(RAKIS_OP_MEM_PROTECT, -1, addr, len, prot);
}

int host_mem_install(u64 addr, const void *from, u32 len)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_MEM_INSTALL, .fd = -1, .addr = addr, .off = (u64)from, .len = len,
	};

	return host_call(&rq, 0);
}

int host_mem_discard(u64 addr, u64 len)
{
	return plain(RAKIS_OP_MEM_DISCARD, -1, addr, len, 0);
}

int host_clock(struct rakis_clock *out)
{
	struct call c;

	call_begin(&c, RAKIS_OP_CLOCK, -1, sizeof(*out));
	return fill(&c, out, sizeof(*out), 0);
}

int host_timer(u64 ns)
{
	return plain(RAKIS_OP_TIMER, -1, 0, ns, 0);
}

int host_signal_take(struct rakis_signal *out)
{
	struct call c;

	call_begin(&c, RAKIS_OP_SIGNAL_TAKE, -1, sizeof(*out));
	return fill(&c, out, sizeof(*out), 2);
}

int host_signal_ignore(int sig, bool ignore)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_SIGNAL_IGNORE, .fd = sig, .len = ignore };

	return host_call(&rq, 0);
}

int host_kill(int pid, int sig)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_KILL, .fd = pid, .len = sig };

	return host_call(&rq, 0);
}

int host_stop(int sig)
{
	return plain(RAKIS_OP_STOP, sig, 0, 0, 0);
}

void host_exit(int status, int sig)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_EXIT, .fd = status, .len = sig };

	stats_publish();
	/* The host can refuse to end, but not to be asked: nothing else runs here. */
	for (;;)
		(void)!host_call(&rq, 0);
}

int host_affinity(u32 slot, u64 *mask, size_t n, bool set)
{
	struct call c;
	int res;

	n = min(words(n), (size_t)1024);
	call_begin(&c, RAKIS_OP_AFFINITY, slot, n);
	c.rq.addr = call_put(&c, mask, n);
	c.rq.len = n;
	c.rq.op_flags = set;
	res = call_do(&c, n);
	if (res > 0 && !set)
		untrusted_read(mask, c.buf.p, res);
	call_end(&c);
	return res;
}

int host_rlimit(u32 resource, u64 lim[2], bool set)
{
	struct call c;
	int res;

	call_begin(&c, RAKIS_OP_RLIMIT, resource, 16);
	c.rq.addr = call_put(&c, lim, 16);
	c.rq.op_flags = set;
	res = call_do(&c, 0);
	if (!res && !set)
		untrusted_read(lim, c.buf.p, 16);
	call_end(&c);
	return res;
}

int host_rusage(int who, void *out144)
{
	struct call c;

	call_begin(&c, RAKIS_OP_RUSAGE, who, 144);
	return fill(&c, out144, 144, 0);
}

int host_sysinfo(void *out112)
{
	struct call c;

	call_begin(&c, RAKIS_OP_SYSINFO, -1, 112);
	return fill(&c, out112, 112, 0);
}

int host_patch_table(int fd, struct rakis_patch *out, u32 max, u64 first)
{
	struct call c;
	int res;

	max = min(max, (128u << 10) / (u32)sizeof(*out));
	call_begin(&c, RAKIS_OP_PATCH_TABLE, fd, max * sizeof(*out));
	c.rq.addr = uptr_number(c.buf.p);
	c.rq.len = max;
	c.rq.off = first;
	res = call_do(&c, max);
	if (res > 0)
		untrusted_read(out, c.buf.p, res * sizeof(*out));
	call_end(&c);
	return res;
}
