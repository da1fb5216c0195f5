/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams on the real ring transport, with a host that answers as the test says: completions
 * that are none, or say what cannot be, end in EIO and a count, and touch nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/io_uring.h>
#include "boundary/boot.h"
#include "fake_host.h"
#include "hostio/rings.h"
#include "lib/errno.h"
#include "lib/stats.h"
#include "sockets/stream.h"

#define SQ	64u
#define CQ	16u
#define BUFS	128u		/* of which 64 are lent at first */
#define HOSTFD	7

#define BUF(id)	(IORING_CQE_F_BUFFER | (u32)(id) << IORING_CQE_BUFFER_SHIFT)
#define MORE	IORING_CQE_F_MORE

/* ---- the host ---- */

static struct {
	_Alignas(64) u32 sq_head, sq_tail, cq_head, cq_tail;
	u32 more[12];
	struct io_uring_cqe cqes[CQ];
	_Alignas(8) u32 array[SQ];
	_Alignas(64) struct io_uring_sqe sqes[SQ];
	_Alignas(64) struct io_uring_buf bufs[BUFS];
} m;
static _Alignas(64) char data[BUFS][RAKIS_URING_BUF_SIZE];
static u16 next_buf;

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
		.buf_ring = (u64)m.bufs, .buf_entries = BUFS, .bufs = (u64)data,
		.opcodes = { ~0ull, ~0ull }, .features = RAKIS_URING_RECV_MULTISHOT, .kick_inline = 1,
	};

	switch (rq->opcode) {
	case RAKIS_OP_URING_SETUP:
		if (rq->fd)
			return -EINVAL;
		memcpy((void *)rq->addr, &h, sizeof(h));
		return 0;
	case RAKIS_OP_KICK:
		return 0;
	default:
		return FAKE_PASS;
	}
}

/* The next request, which must be of this kind; its user_data. */
static u64 submitted(u8 opcode)
{
	const struct io_uring_sqe *sqe = &m.sqes[m.sq_head++ % SQ];

	assert_true((s32)(m.sq_tail - m.sq_head) >= 0);
	assert_int_equal(sqe->opcode, opcode);
	return sqe->user_data;
}

static void post(u64 user_data, s32 res, u32 flags)
{
	m.cqes[m.cq_tail % CQ] = (struct io_uring_cqe){ user_data, res, flags };
	m.cq_tail++;
}

/* Put some bytes into the buffer that is the kernel's next; how to name it. */
static u32 fill(const char *text)
{
	u16 bid = m.bufs[next_buf++ % BUFS].bid;

	memcpy(data[bid], text, strlen(text));
	return BUF(bid);
}

/* ---- the rooms above and beside ---- */

static ssize_t host_send_(struct socket *sk, struct host_msg *msg, u32 flags, u64 wait_ns)
{
	return -EPIPE;
}

static ssize_t host_recv_(struct socket *sk, struct host_msg *msg, u32 flags, u64 wait_ns)
{
	return -EAGAIN;
}

const struct socket_ops host_socket_ops = { .send = host_send_, .recv = host_recv_ };
bool is_socket(const struct file *f) { return true; }
void udp_kernel_only(struct socket *sk) { }

static struct file file;

static struct socket *stream(void)
{
	struct socket *sk = calloc(1, sizeof(*sk));

	file = (struct file){ .priv = sk };
	*sk = (struct socket){
		.ops = &host_socket_ops, .file = &file, .domain = AF_INET, .type = SOCK_STREAM,
		.proto = IPPROTO_TCP, .own = true, .connected = true, .hostfd = HOSTFD, .rcvlowat = 1,
		.linger = -1,
	};
	ready_init(&sk->ready, HOSTFD);
	assert_true(stream_switch(sk));
	return sk;
}

static ssize_t put(struct socket *sk, const char *s)
{
	struct host_msg msg = { 0 };
	struct iter it;

	iter_kernel(&it, (void *)s, strlen(s));
	msg.data = &it;
	return stream_send(sk, &msg, 0, HOST_NOWAIT);
}

static char got[100];

static ssize_t get(struct socket *sk)
{
	struct host_msg msg = { 0 };
	struct iter it;

	memset(got, 0, sizeof(got));
	iter_kernel(&it, got, sizeof(got) - 1);
	msg.data = &it;
	return stream_recv(sk, &msg, 0, HOST_NOWAIT);
}

static void valid(void)
{
	assert_true(uring_is_valid(&async_rings[0]->u));
	assert_true(bufring_is_valid(&async_rings[0]->bufs));
}

/* Close it; the host ends whatever is in flight, and nothing is left of it. */
static void finish(struct socket *sk)
{
	sk->ops->close(sk);
	while (m.sq_head != m.sq_tail) {
		const struct io_uring_sqe *sqe = &m.sqes[m.sq_head++ % SQ];

		post(sqe->user_data, 0, 0);
		if (sqe->opcode == IORING_OP_ASYNC_CANCEL)
			post(sqe->addr, -ECANCELED, 0);
		async_reap(0);
	}
	assert_int_equal(async_rings[0]->u.live, 0);
	valid();
}

/* ---- tests ---- */

/* What a receive may not answer: the connection is over, with an error. */
static void test_receive_lies(void **state)
{
	static const struct { s32 res; u32 flags; } lies[] = {
		{ ASYNC_BUF_SIZE + 1, BUF(0) }, { INT32_MAX, BUF(0) }, { INT32_MIN, 0 }, { -5000, 0 },
		{ 5, 0 },			/* in which buffer? */
		{ 5, BUF(BUFS) }, { 5, BUF(0xffff) },
		{ 5, BUF(BUFS - 1) },		/* not lent */
	};

	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		u64 faults = stats.enclave.host_faults, rx;
		struct socket *sk = stream();

		rx = submitted(IORING_OP_RECV);
		post(rx, lies[i].res, lies[i].flags ? lies[i].flags == BUF(0) ? fill("") : lies[i].flags : 0);
		assert_int_equal(get(sk), -EIO);
		assert_int_equal(stats.enclave.host_faults, faults + 1);
		assert_int_equal(get(sk), 0);
		assert_int_equal(put(sk, "x"), -EPIPE);
		finish(sk);
	}
}

/* A buffer that was given already is still being read: its second owner is none. */
static void test_buffer_twice(void **state)
{
	struct socket *sk = stream();
	char big[4000];
	u32 buf;
	u64 rx;

	memset(big, 'b', sizeof(big));
	big[sizeof(big) - 1] = 0;
	buf = fill(big);
	post(submitted(IORING_OP_RECV), 3999, buf);
	assert_true(async_reap(0));
	rx = submitted(IORING_OP_RECV);
	post(rx, 3999, buf | MORE);
	assert_true(async_reap(0));
	assert_int_equal(get(sk), 99);
	assert_int_equal(stats.enclave.host_faults, 1);
	for (ssize_t left = 3900; left > 0; left -= 99)
		assert_int_equal(get(sk), left < 99 ? left : 99);
	assert_int_equal(get(sk), -EIO);
	finish(sk);
}

/* Completions that belong to nobody: counted, and that is all. */
static void test_strangers(void **state)
{
	struct socket *sk = stream();
	u64 one, rx;

	one = submitted(IORING_OP_RECV);
	post(one, 3, fill("abc"));
	post(one, 3, fill("bad"));			/* again */
	assert_int_equal(get(sk), 3);
	assert_string_equal(got, "abc");
	assert_int_equal(stats.enclave.host_faults, 1);
	rx = submitted(IORING_OP_RECV);
	post(rx + (1ull << 32), 3, BUF(1));		/* not yet */
	post(rx + 1, 3, BUF(1));			/* a slot nobody uses */
	post(~0ull, 3, BUF(1));
	post(rx, 3, BUF(1) | IORING_CQE_F_NOTIF);
	assert_int_equal(get(sk), -EAGAIN);
	assert_int_equal(stats.enclave.host_faults, 5);
	post(rx, 3, fill("def") | MORE);
	assert_int_equal(get(sk), 3);
	assert_string_equal(got, "def");
	post(rx, 0, 0);
	post(rx, 4, fill("more"));			/* behind the last */
	assert_int_equal(get(sk), 0);
	assert_int_equal(stats.enclave.host_faults, 6);
	finish(sk);
}

static void test_send_lies(void **state)
{
	static const s32 lies[] = { 6, INT32_MAX, INT32_MIN, -5000 };

	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		struct socket *sk = stream();
		u64 faults = stats.enclave.host_faults;

		submitted(IORING_OP_RECV);
		assert_int_equal(put(sk, "hello"), 5);
		post(submitted(IORING_OP_SEND), lies[i], 0);
		async_reap(0);
		assert_int_equal(stats.enclave.host_faults, faults + 1);
		assert_true(sk->ops->poll(sk, NULL) & EPOLLERR);
		assert_int_equal(put(sk, "x"), -EIO);
		assert_int_equal(put(sk, "x"), -EPIPE);
		/* what it still receives, if anything, ends with the close */
		assert_int_equal(get(sk), -EAGAIN);
		sk->stream->rx_stop = true;
		sk->ops->close(sk);
		post(uring_user_data(&async_rings[0]->u, sk->stream->rx.slot), -ECANCELED, 0);
		post(submitted(IORING_OP_CLOSE), 0, 0);
		async_reap(0);
		assert_int_equal(async_rings[0]->u.live, 0);
		valid();
	}
}

/* A completion queue that was full: the kernel keeps more back until it is entered. */
static void test_full_queue(void **state)
{
	struct socket *sk = stream();
	u64 rx, kicks;

	post(submitted(IORING_OP_RECV), 1, fill("0"));
	assert_int_equal(get(sk), 1);
	rx = submitted(IORING_OP_RECV);
	kicks = fake_requests[RAKIS_OP_KICK];
	for (u32 i = 0; i < CQ; i++)
		post(rx, 1, fill("x") | MORE);
	assert_true(async_reap(0));
	assert_int_equal(fake_requests[RAKIS_OP_KICK], kicks + 1);
	for (u32 i = 0; i < CQ; i++)
		post(rx, 1, fill("y") | MORE);
	assert_true(async_reap(0));
	assert_int_equal(get(sk), 2 * CQ);
	assert_string_equal(got, "xxxxxxxxxxxxxxxxyyyyyyyyyyyyyyyy");
	assert_int_equal(stats.enclave.host_faults, 0);

	/* and indices that cannot be are not believed */
	m.cq_tail += CQ + 1;
	assert_false(async_reap(0));
	m.cq_tail -= CQ + 1;
	m.sq_head += 5;
	assert_int_equal(put(sk, "z"), 1);
	m.sq_head -= 5;
	assert_true(stats.enclave.host_faults > 0);
	post(submitted(IORING_OP_SEND), 1, 0);
	finish(sk);
}

/* A host that takes back room it had given: completions wait, and are not lost. */
static void test_no_room(void **state)
{
	struct socket *sk = stream();
	u32 head;

	post(submitted(IORING_OP_RECV), 1, fill("a"));
	head = m.sq_head;
	m.sq_head = m.sq_tail - SQ;
	ring_refresh(&async_rings[0]->u.sq);
	assert_int_equal(get(sk), -EAGAIN);
	m.sq_head = head;
	assert_int_equal(get(sk), 1);
	submitted(IORING_OP_RECV);
	post(m.sqes[(m.sq_head - 1) % SQ].user_data, 0, 0);
	assert_int_equal(get(sk), 0);
	finish(sk);
}

static int setup(void **state)
{
	static const struct rakis_boot boot = { .io_mode = RAKIS_IO_RING };
	static bool begun;

	fake_host_setup(state);
	fake_answer = answer;
	if (!begun) {
		m.sq_head = m.sq_tail = m.cq_head = m.cq_tail = 0xfffffff0;
		rings_init(&boot);
		begun = true;
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_receive_lies, setup),
		cmocka_unit_test_setup(test_buffer_twice, setup),
		cmocka_unit_test_setup(test_strangers, setup),
		cmocka_unit_test_setup(test_send_lies, setup),
		cmocka_unit_test_setup(test_full_queue, setup),
		cmocka_unit_test_setup(test_no_room, setup),
	};

	return cmocka_run_group_tests_name("async", tests, NULL, NULL);
}
