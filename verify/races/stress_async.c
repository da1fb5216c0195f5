/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One io_uring that several threads queue on, reap and sleep for, and a host thread that
 * answers, out of order. Each request is told of once, with its own result.
 */
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "boundary/boot.h"
#include "fake_host.h"
#include "hostio/park.h"
#include "hostio/rings.h"
#include "lib/errno.h"
#include "lib/stats.h"

#define THREADS	3u
#define ROUNDS	4000u
#define SQ	64u
#define CQ	256u
#define CHECK(x) ((x) ? (void)0 : abort())

static struct {
	_Alignas(64) _Atomic u32 sq_head, sq_tail, cq_head, cq_tail;
	u32 more[12];
	struct io_uring_cqe cqes[CQ];
	_Alignas(8) u32 array[SQ];
	_Alignas(64) struct io_uring_sqe sqes[SQ];
} m;
static _Atomic bool stop;

static s64 answer(const struct rakis_request *rq, u32 slot)
{
	struct rakis_uring h = {
		.sq_map = (u64)&m, .sq_map_size = offsetof(__typeof__(m), sqes),
		.sq_head = offsetof(__typeof__(m), sq_head), .sq_tail = offsetof(__typeof__(m), sq_tail),
		.sq_flags = offsetof(__typeof__(m), more), .sq_array = offsetof(__typeof__(m), array),
		.sq_entries = SQ,
		.cq_map = (u64)&m, .cq_map_size = offsetof(__typeof__(m), sqes),
		.cq_head = offsetof(__typeof__(m), cq_head), .cq_tail = offsetof(__typeof__(m), cq_tail),
		.cqes = offsetof(__typeof__(m), cqes), .cq_entries = CQ,
		.sqes = (u64)m.sqes, .sqes_size = sizeof(m.sqes),
		.opcodes = { ~0ull, ~0ull }, .kick_inline = 1,
	};

	if (rq->opcode == RAKIS_OP_KICK)
		return 0;
	if (rq->opcode != RAKIS_OP_URING_SETUP)
		return FAKE_PASS;
	if (rq->fd)
		return -EINVAL;
	memcpy((void *)rq->addr, &h, sizeof(h));
	return 0;
}

/* The host is not what is tested, and shared memory is only the host's and untrusted.c's. */
__attribute__((no_sanitize("thread"))) static void *host(void *arg)
{
	struct io_uring_cqe late[2];
	unsigned int seed = 1, n = 0;

	while (!stop) {
		u32 head = m.sq_head, tail = m.cq_tail;

		if (head == m.sq_tail || tail - m.cq_head > CQ - 4) {
			/* What was kept back comes, too. */
			while (n && tail - m.cq_head < CQ)
				m.cqes[tail++ % CQ] = late[--n];
			m.cq_tail = tail;
			sched_yield();
			continue;
		}
		struct io_uring_cqe cqe = { m.sqes[head % SQ].user_data, m.sqes[head % SQ].len, 0 };

		m.sq_head = head + 1;
		if (n < 2 && rand_r(&seed) % 4 == 0) {
			late[n++] = cqe;
			continue;
		}
		m.cqes[tail % CQ] = cqe;
		m.cq_tail = tail + 1;
	}
	return NULL;
}

struct op {
	struct async a;
	struct gate_thread *who;
	_Atomic u32 told;
	s32 res;		/* published by `told` */
};

static void done(struct async *a, s32 res, bool more, int buf)
{
	struct op *op = (struct op *)a;

	CHECK(!more && buf < 0);
	op->res = res;
	atomic_store_explicit(&op->told, op->told + 1, memory_order_release);
	wake_thread(op->who);
}

static void *run(void *arg)
{
	u32 id = (u32)(u64)arg;

	fake_host_enter(id);
	for (u32 i = 0; i < ROUNDS; i++) {
		struct op op = { .a.done = done, .who = gate_self() };
		struct rakis_request rq = { .opcode = RAKIS_OP_READ, .fd = 3, .len = i % 1000 };

		while (async_submit(0, &op.a, &rq, rq.len))
			async_reap(0);
		for (;;) {
			park_begin();
			async_depend(0);
			if (atomic_load_explicit(&op.told, memory_order_acquire))
				break;
			async_reap(0);
			if (atomic_load_explicit(&op.told, memory_order_acquire))
				break;
			park(100000);
		}
		CHECK(op.told == 1 && op.res == (s32)rq.len);
	}
	return NULL;
}

int main(void)
{
	struct rakis_boot boot = { .io_mode = RAKIS_IO_RING };
	pthread_t threads[THREADS], kernel;

	m.sq_head = m.sq_tail = m.cq_head = m.cq_tail = 0xffffff00;
	fake_host_setup(NULL);
	fake_answer = answer;
	rings_init(&boot);
	CHECK(ring_set_up(0));
	CHECK(!pthread_create(&kernel, NULL, host, NULL));
	for (u64 i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, run, (void *)(i + 1)));
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	stop = true;
	pthread_join(kernel, NULL);
	CHECK(!stats.enclave.host_faults && !async_rings[0]->u.live);
	CHECK(uring_is_valid(&async_rings[0]->u));
	return 0;
}
