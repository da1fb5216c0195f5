/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream transport above a ring that the test plays: what is submitted in which order,
 * and what the guest's calls answer for each way in which requests complete. The last
 * completion after close must free all: the leak checker looks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/eventpoll.h>
#include <asm/poll.h>
#include <linux/in.h>
#include "fake_threads.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "sockets/stream.h"

/* ---- the ring ---- */

enum kind { ONE, MULTI, POLL_MULTI, SUBMIT, CANCEL };

static struct entry {
	enum kind kind;
	struct async *a;
	struct rakis_request rq;
	char data[64];
} log_[256];
static int nlog;
static int loud, lent, arena_blocks, host_closed, host_shut = -1, host_sent;
static ssize_t host_send_res, host_recv_res;
static bool arena_empty;
static int refuse;		/* so many submissions find no room */
static char buffers[8][ASYNC_BUF_SIZE] __attribute__((aligned(8)));

static int add(enum kind kind, struct async *a, const struct rakis_request *rq)
{
	struct entry *e = &log_[nlog];

	if (refuse && refuse--)
		return -EAGAIN;
	assert_true(++nlog < 256);
	*e = (struct entry){ .kind = kind, .a = a };
	if (rq) {
		e->rq = *rq;
		if (rq->opcode == RAKIS_OP_SEND)
			memcpy(e->data, (void *)rq->addr, rq->len < 63 ? rq->len : 63);
	}
	return 0;
}

int async_submit(u32 ring, struct async *a, const struct rakis_request *rq, u32 most)
{
	return add(SUBMIT, a, rq);
}

int async_recv_once(u32 ring, struct async *a, int fd)
{
	return add(ONE, a, NULL);
}

int async_recv_multishot(u32 ring, struct async *a, int fd)
{
	return add(MULTI, a, NULL);
}

int async_poll_multishot(u32 ring, struct async *a, int fd, u32 events)
{
	return add(POLL_MULTI, a, NULL);
}

/* Still in the queue? */
static bool extends;

bool async_extend(struct async *a, u32 len, u32 op_flags)
{
	struct entry *e = &log_[nlog - 1];

	if (!extends)
		return false;
	assert_ptr_equal(e->a, a);
	e->rq.len = len;
	e->rq.op_flags = op_flags;
	return true;
}

int async_cancel(struct async *a)
{
	return add(CANCEL, a, NULL);
}

bool async_available(void) { return true; }
bool async_has_multishot_recv(void) { return true; }
bool async_prompt(void) { return true; }
u32 async_home_ring(void) { return 0; }
void async_kick(u32 ring) { }
bool async_reap(u32 ring) { return false; }
void async_depend(u32 ring) { }
void async_drain(bool (*busy)(void), u64 ns) { }
void async_loud(u32 ring, int by) { loud += by; }
struct uptr async_buf(u32 ring, int buf) { return (struct uptr){ (u64)buffers[buf] }; }
void async_buf_put(u32 ring, int buf) { lent--; }

/* ---- the rooms around ---- */

u64 untrusted_load(struct uptr p) { return *(u64 *)p.addr_; }
void untrusted_store(struct uptr p, u64 v) { *(u64 *)p.addr_ = v; }
void untrusted_read(void *dst, struct uptr src, size_t n) { memcpy(dst, (void *)src.addr_, n); }
void *kmalloc(size_t n) { return malloc(n); }
void *kzalloc(size_t n) { return calloc(1, n); }
void kfree(void *p) { free(p); }
void log_warn(const char *fmt, ...) { }
bool is_socket(const struct file *f) { return true; }
void udp_kernel_only(struct socket *sk) { }

bool arena_try(struct arena_buf *b, size_t size)
{
	if (arena_empty)
		return false;
	*b = (struct arena_buf){ .size = size <= 512 ? 512 : 8192 };
	b->p.addr_ = (u64)malloc(b->size);
	arena_blocks++;
	return b->p.addr_;
}

void arena_put(struct arena_buf *b)
{
	free((void *)b->p.addr_);
	arena_blocks--;
}

ssize_t iter_read(struct iter *it, void *dst, size_t n)
{
	memcpy(dst, (void *)(it->iov->base + it->skip), n);
	it->skip += n;
	it->left -= n;
	return n;
}

ssize_t iter_write(struct iter *it, const void *src, size_t n)
{
	memcpy((void *)(it->iov->base + it->skip), src, n);
	it->skip += n;
	it->left -= n;
	return n;
}

ssize_t iter_to_arena(struct iter *it, struct uptr dst, size_t n)
{
	assert_false(dst.addr_ & 7);
	return iter_read(it, (void *)dst.addr_, n);
}

ssize_t iter_from_arena(struct iter *it, struct uptr src, size_t n)
{
	assert_false(src.addr_ & 7);
	return iter_write(it, (void *)src.addr_, n);
}

int host_getsockname(int fd, struct host_addr *a) { return -EINVAL; }
int host_getpeername(int fd, struct host_addr *a) { return 0; }
int host_setsockopt(int fd, int level, int name, const void *val, size_t n) { return 0; }
int host_shutdown(int fd, int how) { host_shut = how; return 0; }
int host_close(int fd) { host_closed++; return 0; }

int host_getsockopt(int fd, int level, int name, void *val, size_t n)
{
	*(int *)val = ECONNRESET;
	return n;
}

static ssize_t fake_host_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	host_sent++;
	if (host_send_res > 0)
		m->data->left -= host_send_res;
	return host_send_res;
}

static ssize_t fake_host_recv(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	return host_recv_res;
}

const struct socket_ops host_socket_ops = { .send = fake_host_send, .recv = fake_host_recv };

/* ---- helpers ---- */

static struct file file;

static struct socket *connected(void)
{
	struct socket *sk = calloc(1, sizeof(*sk));

	memset(&file, 0, sizeof(file));
	sk->ops = &host_socket_ops;
	sk->file = &file;
	file.priv = sk;
	sk->domain = AF_INET;
	sk->type = SOCK_STREAM;
	sk->proto = IPPROTO_TCP;
	sk->own = sk->connected = true;
	sk->hostfd = 7;
	sk->rcvlowat = 1;
	sk->linger = -1;
	ready_init(&sk->ready, 7);
	nlog = lent = 0;
	host_shut = -1;
	host_closed = host_sent = 0;
	arena_empty = false;
	return sk;
}

static struct socket *stream(void)
{
	struct socket *sk = connected();

	assert_true(stream_switch(sk));
	assert_int_equal(nlog, 1);
	assert_int_equal(log_[0].kind, ONE);
	return sk;
}

static ssize_t put(struct socket *sk, const char *s, u32 flags)
{
	struct iter it;
	struct host_msg m = { .data = &it };

	it.iov = it.inline_;
	it.inline_[0].base = (u64)s;
	it.skip = 0;
	it.left = strlen(s);
	return stream_send(sk, &m, flags, HOST_NOWAIT);
}

static char got[70000];

static ssize_t get(struct socket *sk, size_t n, u32 flags)
{
	struct iter it;
	struct host_msg m = { .data = &it };

	it.iov = it.inline_;
	it.inline_[0].base = (u64)got;
	it.skip = 0;
	it.left = n;
	memset(got, 0, sizeof(got));
	return stream_recv(sk, &m, flags, HOST_NOWAIT);
}

static void arrive(struct socket *sk, const char *s, bool more)
{
	static int next;
	int buf = next++ % 8;

	memcpy(buffers[buf], s, strlen(s));
	lent++;
	sk->stream->rx.done(&sk->stream->rx, strlen(s), more, buf);
}

static u32 bits(struct socket *sk)
{
	return sk->ops->poll(sk, NULL);
}

static void complete(struct async *a, s32 res)
{
	a->done(a, res, false, -1);
}

static struct entry *last(void)
{
	return &log_[nlog - 1];
}

/* Close, with nothing on its way: the receive is cancelled, then the descriptor closed. */
static void finish(struct socket *sk)
{
	struct stream *s = sk->stream;
	bool rx = s->rx_op, end = s->end_on;

	sk->ops->close(sk);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_CLOSE);
	assert_int_equal(last()->rq.fd, 7);
	if (rx)
		complete(&s->rx, -ECANCELED);
	if (end)
		complete(&s->end, -ECANCELED);
	complete(&s->tx, 0);
	assert_int_equal(arena_blocks, 0);
	assert_int_equal(loud, 0);
	assert_int_equal(lent, 0);
}

/* ---- tests ---- */

static void test_receive(void **state)
{
	struct socket *sk = stream();

	assert_int_equal(get(sk, 10, 0), -EAGAIN);
	assert_int_equal(bits(sk), EPOLLOUT | EPOLLWRNORM);
	arrive(sk, "abc", false);
	assert_int_equal(last()->kind, MULTI);
	arrive(sk, "defgh", true);
	assert_true(bits(sk) & EPOLLIN);
	assert_int_equal(get(sk, 4, MSG_PEEK), 4);
	assert_string_equal(got, "abcd");
	assert_int_equal(get(sk, 2, 0), 2);
	assert_int_equal(get(sk, 100, MSG_PEEK), 6);
	assert_string_equal(got, "cdefgh");
	assert_int_equal(get(sk, 100, 0), 6);
	assert_string_equal(got, "cdefgh");
	assert_int_equal(get(sk, 1, 0), -EAGAIN);
	assert_int_equal(lent, 0);
	/* the pool was empty: once more */
	sk->stream->rx.done(&sk->stream->rx, -ENOBUFS, false, -1);
	assert_int_equal(last()->kind, MULTI);
	finish(sk);
}

static void test_low_mark(void **state)
{
	struct socket *sk = stream();

	sk->rcvlowat = 4;
	arrive(sk, "abc", true);
	assert_false(bits(sk) & EPOLLIN);
	arrive(sk, "d", true);
	assert_true(bits(sk) & EPOLLIN);
	assert_int_equal(get(sk, 10, 0), 4);
	finish(sk);
}

static void fill_up(struct socket *sk, int n)
{
	static char big[4000];

	memset(big, 'x', sizeof(big) - 1);
	for (int i = 0; i < n; i++)
		arrive(sk, big, true);
}

static void test_too_much(void **state)
{
	struct socket *sk = stream();

	arrive(sk, "a", false);
	fill_up(sk, STREAM_HELD);
	assert_int_equal(last()->kind, CANCEL);
	assert_ptr_equal(last()->a, &sk->stream->rx);
	complete(&sk->stream->rx, -ECANCELED);
	assert_int_equal(last()->kind, POLL_MULTI);	/* for the end only */
	assert_int_equal(lent, STREAM_HELD);
	assert_int_equal(get(sk, 3999 * 4, 0), 3999 * 4);
	assert_int_equal(last()->kind, POLL_MULTI);
	while (get(sk, sizeof(got), 0) > 0)
		;
	assert_int_equal(last()->kind, MULTI);
	assert_int_equal(lent, 0);
	finish(sk);
}

static void test_bulk(void **state)
{
	struct socket *sk = stream();

	lent++;
	sk->stream->rx.done(&sk->stream->rx, ASYNC_BUF_SIZE, false, 0);
	assert_int_equal(nlog, 1);			/* what is here comes first */
	assert_int_equal(get(sk, sizeof(got), 0), ASYNC_BUF_SIZE);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_POLL_ADD);
	assert_int_equal(get(sk, 10, 0), -EAGAIN);
	complete(&sk->stream->rx, POLLIN);
	assert_true(bits(sk) & EPOLLIN);
	host_recv_res = 100;
	for (int i = 0; i < 8; i++) {
		assert_int_equal(get(sk, 1000, 0), 100);
		if (sk->stream->rx_op == RX_POLL)
			complete(&sk->stream->rx, POLLIN);
	}
	host_recv_res = -EAGAIN;
	assert_int_equal(get(sk, 1000, 0), -EAGAIN);
	assert_int_equal(sk->stream->rx_op, RX_MULTI);	/* it was small for a while */
	finish(sk);
}

static void test_ends(void **state)
{
	struct socket *sk = stream();

	arrive(sk, "bye", true);
	sk->stream->rx.done(&sk->stream->rx, 0, false, -1);
	assert_int_equal(bits(sk) & (EPOLLIN | EPOLLRDHUP | EPOLLHUP), EPOLLIN | EPOLLRDHUP);
	assert_int_equal(get(sk, 10, 0), 3);
	assert_int_equal(get(sk, 10, 0), 0);
	assert_int_equal(get(sk, 10, 0), 0);
	/* from now on a send must know what it meets */
	host_send_res = 1;
	assert_int_equal(put(sk, "x", 0), 1);
	assert_int_equal(host_sent, 1);
	sk->stream->end.done(&sk->stream->end, POLLERR | POLLHUP | POLLRDHUP, true, -1);
	assert_true(bits(sk) & EPOLLERR && bits(sk) & EPOLLHUP);
	host_send_res = -EPIPE;
	assert_int_equal(put(sk, "x", 0), -EPIPE);
	assert_false(bits(sk) & EPOLLERR);
	finish(sk);

	/* a reset: data, the error once, the end */
	sk = stream();
	arrive(sk, "last", true);
	sk->stream->rx.done(&sk->stream->rx, -ECONNRESET, false, -1);
	assert_int_equal(bits(sk) & (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR),
			 EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
	assert_int_equal(get(sk, 10, 0), 4);
	assert_int_equal(get(sk, 10, 0), -ECONNRESET);
	assert_int_equal(get(sk, 10, 0), 0);
	assert_int_equal(put(sk, "x", 0), -EPIPE);
	finish(sk);

	/* the thread that had submitted ended: again */
	sk = stream();
	complete(&sk->stream->rx, -ECANCELED);
	assert_int_equal(nlog, 2);
	assert_int_equal(last()->kind, ONE);
	finish(sk);
}

static void test_send(void **state)
{
	struct socket *sk = stream();
	struct stream *s = sk->stream;

	assert_int_equal(put(sk, "one", 0), 3);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_SEND);
	assert_string_equal(last()->data, "one");
	assert_true(s->tx.quiet && !loud);
	/* what follows goes with the next, all at once */
	assert_int_equal(put(sk, "two, ", 0), 5);
	assert_int_equal(put(sk, "three", 0), 5);
	assert_int_equal(nlog, 2);
	assert_int_equal(loud, 1);
	complete(&s->tx, 3);
	assert_string_equal(last()->data, "two, three");
	assert_int_equal(last()->rq.len, 10);
	/* a part of it; then cut off, and nothing of the rest went */
	complete(&s->tx, 4);
	assert_string_equal(last()->data, " three");
	complete(&s->tx, -ECANCELED);
	assert_string_equal(last()->data, " three");
	complete(&s->tx, 6);
	assert_int_equal(nlog, 5);
	assert_int_equal(arena_blocks, 0);
	assert_int_equal(s->tx_queued, 0);
	/* an error is for the next call, once */
	assert_int_equal(put(sk, "lost", 0), 4);
	assert_int_equal(put(sk, "too", 0), 3);
	complete(&s->tx, -ECONNRESET);
	assert_true(bits(sk) & EPOLLERR);
	assert_int_equal(put(sk, "x", 0), -ECONNRESET);
	assert_int_equal(put(sk, "x", 0), -EPIPE);
	finish(sk);
}

/* What follows goes with what the host has not taken yet; if it has after all, behind it. */
static void test_extended(void **state)
{
	struct socket *sk = stream();
	struct stream *s = sk->stream;

	extends = true;
	for (u32 taken = 3; taken <= 6; taken += 3) {
		assert_int_equal(put(sk, "one", 0), 3);
		assert_int_equal(put(sk, "two", 0x8000), 3);
		assert_int_equal(last()->rq.len, 6);
		assert_true(last()->rq.op_flags & 0x8000);	/* MSG_MORE */
		assert_int_equal(loud, 0);
		complete(&s->tx, taken);
		if (taken == 3) {
			assert_string_equal(last()->data, "two");
			complete(&s->tx, 3);
		}
		assert_int_equal(s->tx_queued, 0);
		assert_int_equal(arena_blocks, 0);
	}
	extends = false;
	assert_int_equal(nlog, 4);
	finish(sk);
}

static void test_back_pressure(void **state)
{
	static char kib[1025];
	struct socket *sk = stream();
	struct stream *s = sk->stream;
	ssize_t n, sent = 0;

	memset(kib, 'k', 1024);
	while ((n = put(sk, kib, 0)) > 0)
		sent += n;
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(sent, STREAM_MOST);
	assert_false(bits(sk) & EPOLLOUT);
	while (!(bits(sk) & EPOLLOUT)) {
		assert_int_equal(s->tx_op, TX_SEND);
		complete(&s->tx, s->tx_len);
	}
	assert_true(s->tx_queued <= STREAM_MOST / 3 * 2);
	while (s->tx_op == TX_SEND)
		complete(&s->tx, s->tx_len);
	/* no room in the arena: to the host at once, and the poll tells when it is full */
	arena_empty = true;
	host_send_res = 1024;
	assert_int_equal(put(sk, kib, 0), 1024);
	assert_int_equal(s->tx_op, TX_IDLE);
	host_send_res = 100;
	assert_int_equal(put(sk, kib, 0), 100);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_POLL_ADD);
	assert_int_equal(put(sk, kib, 0), -EAGAIN);
	assert_false(bits(sk) & EPOLLOUT);
	complete(&s->tx, POLLOUT);
	assert_true(bits(sk) & EPOLLOUT);
	finish(sk);
}

static void test_order_of_the_end(void **state)
{
	struct socket *sk = stream();
	struct stream *s = sk->stream;

	/* a shutdown behind data, then a close behind both */
	put(sk, "data", 0);
	assert_int_equal(sk->ops->shutdown(sk, 1), 0);
	assert_int_equal(host_shut, -1);
	assert_int_equal(put(sk, "x", 0), -EPIPE);
	assert_int_equal(sk->ops->shutdown(sk, 1), 0);
	sk->ops->close(sk);
	assert_int_equal(last()->kind, CANCEL);
	complete(&s->rx, -ECANCELED);
	complete(&s->tx, 4);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_SHUTDOWN);
	complete(&s->tx, 0);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_CLOSE);
	complete(&s->tx, 0);
	assert_int_equal(arena_blocks, 0);
	assert_int_equal(loud, 0);

	/* nothing is queued: at once */
	sk = stream();
	assert_int_equal(sk->ops->shutdown(sk, 1), 0);
	assert_int_equal(host_shut, 1);
	finish(sk);

	/* a close behind data; the receive ends last */
	sk = stream();
	s = sk->stream;
	put(sk, "data", 0);
	put(sk, "more", 0);
	sk->ops->close(sk);
	complete(&s->tx, 4);
	assert_string_equal(last()->data, "more");
	complete(&s->tx, 4);
	complete(&s->tx, 0);
	lent++;
	s->rx.done(&s->rx, 5, true, 0);		/* nobody wants it */
	complete(&s->rx, -ECANCELED);
	assert_int_equal(lent, 0);

	/* SO_LINGER with 0: what is queued is dropped, what is on its way cancelled */
	sk = stream();
	s = sk->stream;
	sk->linger = 0;
	put(sk, "data", 0);
	put(sk, "more", 0);
	sk->ops->close(sk);
	assert_ptr_equal(last()->a, &s->tx);
	assert_int_equal(last()->kind, CANCEL);
	complete(&s->rx, -ECANCELED);
	complete(&s->tx, -ECANCELED);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_CLOSE);
	complete(&s->tx, 0);
	assert_int_equal(arena_blocks, 0);
	assert_int_equal(loud, 0);
	assert_int_equal(streams_sending, 0);
}

/* A full queue: nothing that must be in flight is forgotten. */
static void test_no_room(void **state)
{
	struct poll_table pt = { .keeps_ready = true };
	struct socket *sk = stream();
	u32 unsure;

	refuse = 1;
	arrive(sk, "a", false);
	assert_int_equal(nlog, 1);
	assert_int_equal(get(sk, 10, 0), 1);
	assert_int_equal(last()->kind, MULTI);
	refuse = 1;
	complete(&sk->stream->rx, -ECANCELED);
	assert_true(bits(sk) & EPOLLIN);
	assert_int_equal(nlog, 2);
	assert_false(sk->ops->poll(sk, &pt) & EPOLLIN);
	assert_int_equal(nlog, 3);
	/* the poll for the end, which is cancelled later */
	refuse = 1;
	complete(&sk->stream->rx, 0);
	assert_int_equal(nlog, 3);
	sk->ops->poll(sk, &pt);
	assert_int_equal(nlog, 4);
	assert_int_equal(last()->kind, POLL_MULTI);
	complete(&sk->stream->end, -ECANCELED);
	assert_int_equal(nlog, 5);
	assert_ptr_equal(last()->a, &sk->stream->end);
	finish(sk);

	sk = connected();
	sk->listening = true;
	sk->connected = false;
	assert_true(stream_waited_for(sk, &pt));
	assert_int_equal(last()->kind, POLL_MULTI);
	refuse = 1;
	complete(&sk->stream->rx, -ECANCELED);
	assert_int_equal(nlog, 1);
	assert_true(ready_bits(&sk->ready, &unsure) & unsure & EPOLLIN);
	sk->ops->poll(sk, &pt);
	assert_int_equal(nlog, 2);
	finish(sk);
}

/* What the host answers when the monitor ends: all goes on, and once. */
static void test_cut_off(void **state)
{
	struct socket *sk = stream();
	struct stream *s = sk->stream;

	put(sk, "data", 0);
	sk->ops->shutdown(sk, 1);
	complete(&s->tx, -ECANCELED);
	assert_string_equal(last()->data, "data");
	complete(&s->tx, 4);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_SHUTDOWN);
	complete(&s->tx, -ECANCELED);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_SHUTDOWN);
	complete(&s->tx, 0);
	sk->ops->close(sk);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_CLOSE);
	complete(&s->tx, -ECANCELED);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_CLOSE);
	complete(&s->rx, -ECANCELED);
	complete(&s->tx, 0);
	assert_int_equal(loud, 0);
}

static void test_passing(void **state)
{
	struct socket *sk = connected();

	assert_int_equal(socket_pass(&file), 0);
	assert_false(stream_switch(sk));	/* others have it, too */
	free(sk);
	/* one that receives by ring stops, then the host's socket is all there is */
	sk = stream();
	assert_int_equal(socket_pass(&file), -EINVAL);
	assert_int_equal(last()->kind, CANCEL);
	arrive(sk, "late", false);
	assert_int_equal(socket_pass(&file), -EINVAL);
	assert_int_equal(get(sk, 10, 0), 4);
	assert_int_equal(last()->rq.opcode, RAKIS_OP_POLL_ADD);
	assert_int_equal(socket_pass(&file), 0);
	complete(&sk->stream->rx, POLLIN);
	host_recv_res = 100;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(get(sk, 1000, 0), 100);
		assert_int_equal(last()->rq.opcode, RAKIS_OP_POLL_ADD);
		complete(&sk->stream->rx, POLLIN);
	}
	finish(sk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_receive, fake_setup),
		cmocka_unit_test_setup(test_low_mark, fake_setup),
		cmocka_unit_test_setup(test_too_much, fake_setup),
		cmocka_unit_test_setup(test_bulk, fake_setup),
		cmocka_unit_test_setup(test_ends, fake_setup),
		cmocka_unit_test_setup(test_send, fake_setup),
		cmocka_unit_test_setup(test_extended, fake_setup),
		cmocka_unit_test_setup(test_back_pressure, fake_setup),
		cmocka_unit_test_setup(test_order_of_the_end, fake_setup),
		cmocka_unit_test_setup(test_no_room, fake_setup),
		cmocka_unit_test_setup(test_cut_off, fake_setup),
		cmocka_unit_test_setup(test_passing, fake_setup),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
