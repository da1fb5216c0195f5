/* SPDX-License-Identifier: Apache-2.0 */
/* Performing requests: the exit transport, the check of the answer, the counters. */
#include "boundary/boot.h"
#include "hostio/call.h"
#include "hostio/park.h"
#include "hostio/result.h"
#include "hostio/rings.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "lib/stats.h"

_Atomic u64 host_heard, host_wrote;
static struct uptr stats_page;

static void log_to_host(u32 level, const char *text, size_t len)
{
	struct call c;

	call_begin(&c, RAKIS_OP_LOG, -1, len);
	c.rq.addr = call_put(&c, text, len);
	c.rq.len = len;
	c.rq.op_flags = level;
	(void)!call_finish(&c, 0);
}

static void die(void)
{
	host_exit(125, 0);
}

void hostio_init(const struct rakis_boot *boot)
{
	struct uptr arena;

	if (!uptr_check(boot->arena, boot->arena_size, &arena) ||
	    !uptr_check(boot->stats, sizeof(struct rakis_stats), &stats_page))
		__builtin_trap();
	arena_init(arena, boot->arena_size);
	rings_init(boot);
	park_init(boot->cpus);
	lock_yield = host_yield;
	log_sink = log_to_host;
	log_die = die;
	log_level = boot->log_level;
}

void stats_publish(void)
{
	u64 wanted = untrusted_load(uptr_add(stats_page, offsetof(struct rakis_stats, wanted)));

	untrusted_write(uptr_add(stats_page, offsetof(struct rakis_stats, enclave)),
			&stats.enclave, sizeof(stats.enclave));
	untrusted_write(uptr_add(stats_page, offsetof(struct rakis_stats, by_syscall)),
			&stats.by_syscall, sizeof(stats.by_syscall));
	untrusted_write(uptr_add(stats_page, offsetof(struct rakis_stats, by_opcode)),
			&stats.by_opcode, sizeof(stats.by_opcode));
	untrusted_store(uptr_add(stats_page, offsetof(struct rakis_stats, shown)), wanted);
}

u64 host_answers(void)
{
	return host_heard + host_wrote;
}

s32 host_exit_request(const struct rakis_request *rq, u32 most)
{
	struct uptr p = arena_request(gate_self()->slot);
	s64 res;

	untrusted_write(p, rq, sizeof(*rq));
	res = gate_exit(GATE_EXIT_REQUEST, uptr_number(p));
	STAT_INC(requests_exit);
	(*(volatile u64 *)&stats.by_opcode[rq->opcode])++;
	if (unlikely(!result_is_valid(rq->opcode, rq->flags, most, res))) {
		STAT_INC(host_faults);
		if (rq->opcode != RAKIS_OP_LOG)
			log_error("host fault: answer %ld to request %u is not one it may give", res,
				  rq->opcode);
		return -EIO;
	}
	return res;
}

/*
 * Nobody sees that these were done, so what is queued need not go first: it goes with what is
 * queued behind it, or the monitor finds it.
 */
static bool only_looks(const struct rakis_request *rq)
{
	return rq->opcode == RAKIS_OP_READ || rq->opcode == RAKIS_OP_STATX ||
	       rq->opcode == RAKIS_OP_WINDOW || (rq->opcode == RAKIS_OP_OPENAT2 && !rq->op_flags);
}

/*
 * By exit whatever is waited for at once: one exit that does it all costs less than telling
 * another processor and waiting for its answer (several times less where there are few), and
 * a sleep needs its exit anyway. What nobody waits for, or many wait for together, goes by
 * ring: its callers use async.h.
 */
s32 host_call(struct rakis_request *rq, u32 most)
{
	u32 rings, busy = 0;
	s32 res;

	if (!(rq->flags & RAKIS_REQ_WAIT)) {
		rq->rings = only_looks(rq) ? 0 : rings_for_exit(0, 0);
		res = host_exit_request(rq, most);
		if (rq->opcode == RAKIS_OP_WRITE && rq->off != HOST_CURRENT)
			atomic_fetch_add_explicit(&host_wrote, 1, memory_order_relaxed);
		else if (rq->opcode != RAKIS_OP_WINDOW && rq->opcode != RAKIS_OP_KICK)
			atomic_fetch_add_explicit(&host_heard, 1, memory_order_relaxed);
		return res;
	}
	/* What has come on the rings may be what the caller waits for. */
	rings = rings_of_sleep();
	if (rings && rings_reap(rings, &busy))
		return -EINTR;
	if (!park_enter())
		return -EINTR;
	rq->rings = rings_for_exit(rings, busy);
	res = host_exit_request(rq, most);
	atomic_fetch_add_explicit(&host_heard, 1, memory_order_relaxed);
	park_leave();
	return res;
}

void call_begin(struct call *c, u8 opcode, int fd, size_t size)
{
	c->rq = (struct rakis_request){ .opcode = opcode, .fd = fd };
	c->used = 0;
	c->buf = (struct arena_buf){ 0 };
	if (size)
		arena_get(&c->buf, size);
}

struct uptr call_room(struct call *c, size_t n)
{
	struct uptr p = uptr_add(c->buf.p, c->used);

	c->used += words(n);
	ASSERT(c->used <= c->buf.size);
	return p;
}

u64 call_put(struct call *c, const void *data, size_t n)
{
	struct uptr p = call_room(c, n);

	untrusted_write(p, data, n);
	return uptr_number(p);
}

s32 call_do(struct call *c, u32 most)
{
	return host_call(&c->rq, most);
}

void call_end(struct call *c)
{
	if (c->buf.size)
		arena_put(&c->buf);
}
