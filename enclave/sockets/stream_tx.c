/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: what the guest sends is copied to the arena and sent from there, one request at a
 * time, in order, with what follows behind it: more data, a shutdown, the close. Errors are
 * for the next call, as with TCP. Large transfers, and whatever there is no room for in the
 * arena, go to the host's socket at once if nothing is queued; when that is full, a poll of
 * it tells when there is room.
 */
#include <asm/poll.h>
#include <linux/eventpoll.h>
#include "lib/alloc.h"
#include "lib/errno.h"
#include "sockets/stream.h"

#define DIRECT		(32u << 10)	/* from here on at once, by exit */
#define SETTLE_MOST	64u
#define BLOCK		2048u		/* the least that a block has room for */
/* What does not change how the bytes go. */
#define SIMPLE		(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_ZEROCOPY | MSG_SOCK_DEVMEM)

#define SEND_FLAGS(more) (MSG_NOSIGNAL | MSG_WAITALL | ((more) ? MSG_MORE : 0))

#define OUT_BITS	(EPOLLOUT | EPOLLWRNORM)

/* ---- with the lock ---- */

/* As Linux: not before a third is free. */
bool stream_writable(const struct stream *s)
{
	return s->no_send || (!s->full && s->tx_queued <= s->tx_limit / 3 * 2);
}

void stream_tx_note(struct stream *s)
{
	bool loud = s->tx_op != TX_IDLE && s->tx_op != TX_CLOSED &&
		    (s->tx_op != TX_SEND || s->closing || s->shutdown_wanted ||
		     s->tx_queued > s->tx_len || !stream_writable(s));

	bool sending = s->tx_op == TX_SEND || s->tx_op == TX_SHUTDOWN;

	if (loud != s->loud) {
		s->loud = loud;
		async_loud(s->ring, loud ? 1 : -1);
	}
	if (sending != s->counted) {
		s->counted = sending;
		streams_sending += sending ? 1 : -1;
	}
}

static void block_free(struct stream *s, struct block *b)
{
	arena_put(&b->mem);
	if (b == &s->one)
		s->one_used = false;
	else
		kfree(b);
}

/* Drop what has been sent, or all. */
static void blocks_trim(struct stream *s, bool all)
{
	struct block *b;

	while ((b = s->tx_head) && !b->filling && (all || b->sent == b->used)) {
		s->tx_head = b->next;
		if (!s->tx_head)
			s->tx_tail = NULL;
		s->tx_queued -= b->used - b->sent;
		block_free(s, b);
	}
}

enum tx_op stream_tx_next(struct stream *s)
{
	struct block *b;

	if (s->no_send && !s->shutdown_wanted)
		blocks_trim(s, true);
	else
		blocks_trim(s, s->abort);
	b = s->tx_head;
	if (b && b->sent < b->used) {
		s->tx_op = TX_SEND;
		s->tx_len = b->used - b->sent;
	} else if (b) {
		s->tx_op = TX_IDLE;	/* whoever fills it goes on */
	} else if (s->shutdown_wanted && !s->abort) {
		s->tx_op = TX_SHUTDOWN;
	} else if (s->closing) {
		s->tx_op = s->hold ? TX_IDLE : TX_CLOSE;
	} else {
		s->tx_op = s->full ? TX_ROOM : TX_IDLE;
	}
	stream_tx_note(s);
	return s->tx_op;
}

/* The connection does not take any more. */
static void broken(struct stream *s, int err)
{
	if (err != -EPIPE && !s->error)
		s->error = err;
	s->no_send = true;
	s->shutdown_wanted = s->full = false;
}

/* ---- requests ---- */

static bool passing(s32 res)
{
	/* -ECANCELED: the host thread that had submitted it ended; or it was asked for. */
	return res == -ECANCELED || res == -EAGAIN || res == -EINTR;
}

static void tx_done(struct async *a, s32 res, bool more, int buf)
{
	struct stream *s = container_of(a, struct stream, tx);
	bool was_writable, over;
	enum tx_op next = TX_IDLE;
	u32 events = 0;

	spin_lock(&s->lock);
	was_writable = stream_writable(s);
	switch (s->tx_op) {
	case TX_SEND:
		if (res >= 0) {
			s->tx_head->sent += res;
			s->tx_queued -= res;
		} else if (!passing(res)) {
			broken(s, res);
			events = OUT_BITS | EPOLLERR;
		}
		break;
	case TX_ROOM:
		s->full = false;
		break;
	case TX_SHUTDOWN:
		s->shutdown_wanted = passing(res);
		break;
	case TX_CLOSE:
		if (res != -ECANCELED)
			s->tx_op = TX_CLOSED;
		break;
	default:
		break;
	}
	if (s->tx_op != TX_CLOSED)
		next = stream_tx_next(s);
	stream_tx_note(s);
	if (!was_writable && stream_writable(s))
		events |= OUT_BITS;
	if (s->closing)
		events = s->hold && next == TX_IDLE ? OUT_BITS : 0;
	over = s->closing && stream_is_over(s);
	spin_unlock(&s->lock);

	if (next != TX_IDLE)
		stream_tx_submit(s, next);
	if (events)
		wake_up(&s->sk->ready.queue, events);
	if (over)
		stream_free(s);
}

void stream_tx_submit(struct stream *s, enum tx_op op)
{
	struct rakis_request rq = { .fd = s->sk->hostfd };
	struct block *b = s->tx_head;
	u32 most = 0;

	s->tx.done = tx_done;
	s->tx.quiet = op == TX_SEND || op == TX_CLOSE;
	switch (op) {
	case TX_SEND:
		rq.opcode = RAKIS_OP_SEND;
		rq.addr = uptr_number(b->mem.p) + b->sent;
		rq.len = most = s->tx_len;
		rq.op_flags = SEND_FLAGS(b->more);
		break;
	case TX_ROOM:
		rq.opcode = RAKIS_OP_POLL_ADD;
		rq.op_flags = POLLOUT;
		most = 0xffff;
		break;
	case TX_SHUTDOWN:
		rq.opcode = RAKIS_OP_SHUTDOWN;
		rq.len = 1;		/* SHUT_WR */
		break;
	case TX_CLOSE:
		rq.opcode = s->hold ? RAKIS_OP_NOP : RAKIS_OP_CLOSE;
		break;
	default:
		return;
	}
	/* Completions have their own room; other threads make some. */
	while (async_submit(s->ring, &s->tx, &rq, most)) {
		async_kick(s->ring);
		async_reap(s->ring);
	}
}

void stream_tx_start(struct stream *s)
{
	enum tx_op next = TX_IDLE;

	spin_lock(&s->lock);
	if (s->tx_op == TX_IDLE)
		next = stream_tx_next(s);
	spin_unlock(&s->lock);
	stream_tx_submit(s, next);
}

void stream_tx_settle(struct stream *s)
{
	for (u32 i = 0; i < SETTLE_MOST && s->tx_op != TX_IDLE && s->tx_op != TX_ROOM; i++) {
		async_kick(s->ring);
		if (!async_reap(s->ring))
			break;
	}
}

/* ---- the guest's calls; with the writer mutex ---- */

/* Behind what the block holds: the arena is written in aligned words. */
static ssize_t fill(struct block *b, struct iter *it, u32 n)
{
	u32 shift = b->used % 8, part = shift ? min(n, 8 - shift) : 0;
	struct uptr p = uptr_add(b->mem.p, b->used - shift);
	ssize_t done = 0, res;

	if (part) {
		u64 word = untrusted_load(p);

		done = iter_read(it, (u8 *)&word + shift, part);
		if (done > 0)
			untrusted_store(p, word);
		if (done < (ssize_t)part || part == n)
			return done;
		p = uptr_add(p, 8);
	}
	res = iter_to_arena(it, p, n - part);
	return res < 0 ? done ? done : res : done + res;
}

/* A block that nobody else looks at yet; NULL if the arena has none to spare. */
static struct block *block_new(struct stream *s, u32 n)
{
	struct block *b = &s->one;

	if (s->one_used) {
		b = kmalloc(sizeof(*b));
		if (!b)
			return NULL;
	}
	*b = (struct block){ .filling = true };
	if (!arena_try(&b->mem, n)) {
		if (b != &s->one)
			kfree(b);
		return NULL;
	}
	if (b == &s->one)
		s->one_used = true;
	return b;
}

/* Queue up to n bytes: how many, 0 if there is no memory for them. */
static ssize_t enqueue(struct stream *s, struct iter *it, u32 n, bool more)
{
	enum tx_op next = TX_IDLE;
	struct block *b;
	bool fresh;
	ssize_t res;

	spin_lock(&s->lock);
	b = s->tx_tail;
	/* What does not fit whole begins another block: each is a send of its own. */
	if (b && b->mem.size - b->used >= min(n, BLOCK))
		b->filling = true;
	else
		b = NULL;
	fresh = !b;
	spin_unlock(&s->lock);
	if (fresh)
		b = block_new(s, max(n, BLOCK));
	if (!b)
		return 0;
	res = fill(b, it, min(n, b->mem.size - b->used));

	spin_lock(&s->lock);
	b->filling = false;
	if (res > 0) {
		b->used += res;
		b->more = more;
		s->tx_queued += res;
	}
	if (fresh && res > 0) {
		if (s->tx_tail)
			s->tx_tail->next = b;
		else
			s->tx_head = b;
		s->tx_tail = b;
	} else if (fresh) {
		block_free(s, b);
	}
	if (s->tx_op == TX_IDLE) {
		next = stream_tx_next(s);
	} else {
		if (s->tx_op == TX_SEND && b == s->tx_head &&
		    async_extend(&s->tx, b->used - b->sent, SEND_FLAGS(more)))
			s->tx_len = b->used - b->sent;
		stream_tx_note(s);
	}
	spin_unlock(&s->lock);
	if (next != TX_IDLE)
		stream_tx_submit(s, next);
	return res;
}

/* To the host's socket at once; nothing is queued. */
static ssize_t direct(struct stream *s, struct host_msg *m, u32 flags)
{
	u64 asked = m->data->left;
	enum tx_op next = TX_IDLE;
	ssize_t n = host_socket_ops.send(s->sk, m, flags, HOST_NOWAIT);

	spin_lock(&s->lock);
	if (n == -EAGAIN || (n >= 0 && (u64)n < min(asked, (u64)RAKIS_REQ_MAX_BYTES))) {
		s->full = true;
		if (s->tx_op == TX_IDLE)
			next = stream_tx_next(s);
	} else if (n < 0 && n != -EFAULT && n != -EINTR && n != -ENOMEM && n != -ENOBUFS) {
		s->no_send = true;
		s->told &= ~EPOLLERR;
	}
	spin_unlock(&s->lock);
	if (next != TX_IDLE)
		stream_tx_submit(s, next);
	return n;
}

/* One try. -EAGAIN: no room. */
static ssize_t try_send(struct stream *s, struct host_msg *m, u32 flags)
{
	bool idle, full;
	ssize_t n;
	u32 room;
	int err;

	spin_lock(&s->lock);
	err = stream_error(s);
	if (!err && s->no_send)
		err = -EPIPE;
	room = s->tx_limit - min(s->tx_queued, s->tx_limit);
	idle = s->tx_op == TX_IDLE;
	full = s->full;
	spin_unlock(&s->lock);
	if (err)
		return err;
	if (full)
		return -EAGAIN;
	/* After the peer's end the answer may be a reset, which the next call must know of. */
	if (idle && (m->data->left >= DIRECT || s->eof || !m->data->left))
		return direct(s, m, flags);
	if (!room)
		return -EAGAIN;
	n = enqueue(s, m->data, min(m->data->left, (u64)room), flags & MSG_MORE);
	if (n)
		return n;
	return idle ? direct(s, m, flags) : -EAGAIN;
}

static bool has_room(struct stream *s, u64 arg)
{
	bool yes;

	spin_lock(&s->lock);
	yes = s->error || (arg ? s->tx_op == TX_IDLE : stream_writable(s));
	spin_unlock(&s->lock);
	return yes;
}

ssize_t stream_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	/* What cannot be queued waits until all before it has gone. */
	bool plain = !(flags & ~SIMPLE) && !m->controllen;
	struct stream *s = stream_of(sk);
	bool tried = false;
	ssize_t n;

	for (;;) {
		mutex_lock(&s->writer);
		if (plain)
			n = try_send(s, m, flags);
		else if (s->tx_op == TX_IDLE || s->error || s->no_send)
			n = s->error || s->no_send ? try_send(s, m, flags) : direct(s, m, flags);
		else
			n = -EAGAIN;
		mutex_unlock(&s->writer);
		if (n != -EAGAIN)
			return n;
		if (!tried) {
			tried = true;
			stream_tx_settle(s);
			continue;
		}
		if (wait_ns == HOST_NOWAIT)
			return -EAGAIN;
		n = stream_wait(s, has_room, !plain, wait_ns);
		if (n)
			return n;
	}
}
