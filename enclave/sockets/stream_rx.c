/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: a multishot receive appends to the queue of the stream until too much is unread;
 * the guest's calls take from it. Small arrivals are copied in, and their buffer goes back
 * to the ring at once; so are larger ones while the streams of a ring hold too many buffers.
 */
#include <asm/poll.h>
#include <linux/eventpoll.h>
#include "lib/alloc.h"
#include "lib/errno.h"
#include "sockets/stream.h"

#define COPIED		1024u		/* arrivals up to this are copied in */
#define SEG_SIZE	(2048u - sizeof(struct seg))
#define RING_HELD	64u		/* buffers that all streams of a ring may hold */
#define RINGS		64u
#define BULK		8u
#define SMALL		4096u		/* a receive of less is none of bulk */

#define IN_BITS		(EPOLLIN | EPOLLRDNORM)
#define END_BITS	(IN_BITS | EPOLLRDHUP)

static _Atomic u32 ring_held[RINGS];

static void seg_free(struct stream *s, struct seg *g)
{
	if (g->buf >= 0) {
		async_buf_put(s->ring, g->buf);
		ring_held[s->ring]--;
	}
	kfree(g);
}

bool stream_readable(const struct stream *s)
{
	return s->eof || s->error || s->at_host || s->rx_late ||
	       s->queued >= min((u32)s->sk->rcvlowat, STREAM_MOST) ||
	       s->queued >= STREAM_MOST || s->held >= STREAM_HELD;
}

static bool too_much(const struct stream *s)
{
	return s->queued >= STREAM_MOST || s->held >= STREAM_HELD;
}

static bool little(const struct stream *s)
{
	return s->queued <= STREAM_MOST / 2 && s->held <= STREAM_HELD / 2;
}

/* ---- arrivals ---- */

static void add_seg(struct stream *s, struct seg *g)
{
	if (s->tail)
		s->tail->next = g;
	else
		s->head = g;
	s->tail = g;
}

/* Copied behind what the last one holds, if there is room. */
static bool append_copy(struct stream *s, struct uptr src, u32 n)
{
	struct seg *g = s->tail;

	if (!g || g->buf >= 0 || n > g->size - g->off - g->len) {
		g = kmalloc(sizeof(*g) + max(n, (u32)SEG_SIZE));
		if (!g)
			return false;
		*g = (struct seg){ .buf = -1, .size = max(n, (u32)SEG_SIZE) };
		add_seg(s, g);
	}
	untrusted_read(g->data + g->off + g->len, src, n);
	g->len += n;
	return true;
}

static bool append_buf(struct stream *s, u32 n, int buf)
{
	struct seg *g = kmalloc(sizeof(*g));

	if (!g)
		return false;
	*g = (struct seg){ .buf = buf, .len = n };
	add_seg(s, g);
	s->held++;
	ring_held[s->ring]++;
	return true;
}

static void arrived(struct stream *s, u32 n, int buf)
{
	bool ok;

	if (s->closing || s->eof) {
		async_buf_put(s->ring, buf);
		return;
	}
	if (n > COPIED && ring_held[s->ring] < RING_HELD) {
		ok = append_buf(s, n, buf);
		if (!ok)
			async_buf_put(s->ring, buf);
	} else {
		ok = append_copy(s, async_buf(s->ring, buf), n);
		async_buf_put(s->ring, buf);
	}
	if (ok) {
		s->queued += n;
	} else {		/* bytes are lost, and so is the connection */
		s->error = -ENOBUFS;
		s->eof = s->no_send = true;
	}
}

/* A request found no room. Nothing would come and wake anybody: as if there were something to
 * read, until whoever looks has tried again. Returns what to wake for. */
static u32 too_late(struct stream *s)
{
	s->rx_late = true;
	return IN_BITS;
}

/* ---- the end, while nothing is received: after the peer's, or with too much unread ---- */

/* With the lock: is it to be asked for now? Noted as if it were. */
static bool end_next(struct stream *s)
{
	bool start = !s->rx_op && !s->error && (s->eof || too_much(s)) && !s->end_on &&
		     !s->closing && !(s->told & EPOLLHUP);

	s->end_on |= start;
	return start;
}

static u32 end_start(struct stream *s);

static void end_done(struct async *a, s32 res, bool more, int buf)
{
	struct stream *s = container_of(a, struct stream, end);
	u32 events = res > 0 ? res & (EPOLLERR | EPOLLHUP | EPOLLRDHUP) : 0;
	bool over, again;

	spin_lock(&s->lock);
	events &= ~(s->told | (s->eof ? EPOLLRDHUP : 0));
	s->told |= events;
	if (!more)
		s->end_on = false;
	again = end_next(s);
	over = stream_is_over(s);
	if (again)
		events |= end_start(s);
	if (s->closing)
		events = 0;
	spin_unlock(&s->lock);
	if (events)
		wake_up(&s->sk->ready.queue, events | IN_BITS);
	if (over)
		stream_free(s);
}

/* A poll tells of the end of one direction or both unasked. */
static u32 end_start(struct stream *s)
{
	s->end.done = end_done;
	if (!async_poll_multishot(s->ring, &s->end, s->sk->hostfd, POLLRDHUP))
		return 0;
	s->end_on = false;
	return too_late(s);
}

/* ---- completions of the receive ---- */

/* With the lock: what is to be in flight, noted as if it were. */
static enum rx_op rx_next(struct stream *s)
{
	s->rx_late = false;
	if (s->rx_op || s->closing || s->eof || too_much(s))
		return RX_IDLE;
	/* Before the peer's end, and at it, the host's socket always has something to give. */
	if (s->told & (EPOLLRDHUP | EPOLLHUP)) {
		s->at_host = true;
		return RX_IDLE;
	}
	if (!s->bulk) {
		s->rx_op = s->tried ? RX_MULTI : RX_ONE;
		s->at_host = false;
	} else if (!s->queued && !s->at_host) {
		s->rx_op = RX_POLL;
	}
	return s->rx_op;
}

static void rx_done(struct async *a, s32 res, bool more, int buf);

/*
 * Completions call it with the lock: a close on another thread would otherwise come between,
 * find nothing to cancel, and the request then meet whatever has got the descriptor's number.
 */
static u32 rx_submit(struct stream *s, enum rx_op op)
{
	struct rakis_request poll = {
		.opcode = RAKIS_OP_POLL_ADD, .fd = s->sk->hostfd, .op_flags = POLLIN | POLLRDHUP,
	};
	int err = 0;

	s->rx.done = rx_done;
	if (op == RX_ONE)
		err = async_recv_once(s->ring, &s->rx, s->sk->hostfd);
	else if (op == RX_MULTI)
		err = async_recv_multishot(s->ring, &s->rx, s->sk->hostfd);
	else if (op == RX_POLL)
		err = async_submit(s->ring, &s->rx, &poll, POLLIN | POLLRDHUP);
	if (likely(!err))
		return 0;
	s->rx_op = RX_IDLE;
	return too_late(s);
}

/* The connection is gone in both directions. */
static u32 rx_broken(struct stream *s, int err)
{
	if (!s->error)
		s->error = err;
	s->eof = s->no_send = true;
	return END_BITS | EPOLLOUT | EPOLLWRNORM | EPOLLERR;
}

static void rx_done(struct async *a, s32 res, bool more, int buf)
{
	struct stream *s = container_of(a, struct stream, rx);
	bool stop, end, over;
	u32 events = IN_BITS;
	enum rx_op next;

	spin_lock(&s->lock);
	if (res == -ENOBUFS || res == -ECANCELED || res == -EAGAIN || res == -EINTR) {
		events = 0;
	} else if (res < 0) {
		events = rx_broken(s, res);
	} else if (s->rx_op == RX_POLL) {
		s->at_host = true;
		s->told |= res & (EPOLLERR | EPOLLHUP | EPOLLRDHUP);
		events |= s->told;
	} else if (res > 0) {
		if (res == ASYNC_BUF_SIZE)
			s->bulk = max(s->bulk, BULK);
		s->tried = true;
		arrived(s, res, buf);
	} else {
		s->eof = true;
		events = END_BITS;
	}
	if (s->eof)
		events |= s->told | (s->no_send ? EPOLLHUP : 0);
	if (!more) {
		s->rx_op = RX_IDLE;
		s->rx_stop = false;
		if (s->bulk == BULK_ALWAYS)
			events |= IN_BITS;	/* somebody may wait until it is */
	}
	stop = more && !s->rx_stop && (s->eof || s->bulk || too_much(s));
	s->rx_stop |= stop;
	next = rx_next(s);
	if (s->at_host)
		events |= IN_BITS;
	end = end_next(s);
	over = stream_is_over(s);
	if (s->closing)
		events = 0;
	if (end)
		events |= end_start(s);
	if (next)
		events |= rx_submit(s, next);
	spin_unlock(&s->lock);

	if (stop && async_cancel(&s->rx)) {
		spin_lock(&s->lock);
		s->rx_stop = false;
		spin_unlock(&s->lock);
	}
	if (events)
		wake_up(&s->sk->ready.queue, events);
	if (over)
		stream_free(s);
}

void stream_rx_start(struct stream *s)
{
	enum rx_op next;
	u32 events = 0;
	bool end;

	if (s->rx_op)
		return;
	spin_lock(&s->lock);
	s->rx_late = false;
	next = little(s) ? rx_next(s) : RX_IDLE;
	end = end_next(s);
	spin_unlock(&s->lock);
	if (end)
		events |= end_start(s);
	if (next)
		events |= rx_submit(s, next);
	if (events)
		wake_up(&s->sk->ready.queue, events);
}

void stream_rx_by_host(struct stream *s)
{
	bool stop;

	spin_lock(&s->lock);
	s->bulk = BULK_ALWAYS;
	stop = (s->rx_op == RX_ONE || s->rx_op == RX_MULTI) && !s->rx_stop;
	s->rx_stop |= stop;
	spin_unlock(&s->lock);
	while (stop && async_cancel(&s->rx)) {
		async_kick(s->ring);
		async_reap(s->ring);
	}
}

void stream_rx_drop(struct stream *s)
{
	struct seg *g, *next;

	spin_lock(&s->lock);
	g = s->head;
	s->head = s->tail = NULL;
	s->queued = s->held = 0;
	spin_unlock(&s->lock);
	for (; g; g = next) {
		next = g->next;
		seg_free(s, g);
	}
}

/* ---- the guest's calls ---- */

/* From any offset of a buffer; the arena is read in aligned words. */
static ssize_t from_buf(struct stream *s, struct iter *it, const struct seg *g, u32 off, u32 n)
{
	u32 shift = off % 8, part = shift ? min(n, 8 - shift) : 0;
	struct uptr p = uptr_add(async_buf(s->ring, g->buf), off - shift);
	ssize_t done = 0, res;

	if (part) {
		u64 word = untrusted_load(p);

		done = iter_write(it, (u8 *)&word + shift, part);
		if (done < (ssize_t)part || part == n)
			return done;
		p = uptr_add(p, 8);
	}
	res = iter_from_arena(it, p, n - part);
	return res < 0 ? done ? done : res : done + res;
}

static ssize_t take(struct stream *s, struct iter *it, bool peek)
{
	ssize_t done = 0, n = 0;
	struct seg *g;
	u32 off, len;

	/* Other readers are kept out, and arrivals go behind what was there. */
	spin_lock(&s->lock);
	g = s->head;
	while (g && it->left) {
		off = g->off;
		len = min((u64)g->len, it->left);
		spin_unlock(&s->lock);
		n = g->buf >= 0 ? from_buf(s, it, g, off, len) : iter_write(it, g->data + off, len);
		spin_lock(&s->lock);
		if (n <= 0)
			break;
		done += n;
		if (peek) {
			g = n == (ssize_t)len ? g->next : NULL;
			continue;
		}
		g->off += n;
		g->len -= n;
		s->queued -= n;
		if (g->len)
			continue;
		s->head = g->next;
		if (!s->head)
			s->tail = NULL;
		if (g->buf >= 0)
			s->held--;
		spin_unlock(&s->lock);
		seg_free(s, g);
		spin_lock(&s->lock);
		g = s->head;
	}
	spin_unlock(&s->lock);
	if (done && !peek)
		stream_rx_start(s);
	return done ? done : n;
}

/* As much is here as is waited for, or as can be. */
static bool enough(struct stream *s, u64 want)
{
	bool yes;

	spin_lock(&s->lock);
	yes = s->queued >= want || s->at_host || s->rx_late || s->eof || s->error || too_much(s);
	spin_unlock(&s->lock);
	return yes;
}

/* Nothing is here: 0 for the end, the error, or -EAGAIN. */
static ssize_t nothing(struct stream *s)
{
	bool told;
	int err;

	spin_lock(&s->lock);
	err = stream_error(s);
	if (!err && !s->eof)
		err = -EAGAIN;
	told = s->told & EPOLLERR;
	spin_unlock(&s->lock);
	return err || !told ? err : stream_host_error(s);
}

/* In bulk, and all that was here is read: the host's socket gives the rest. With the mutex. */
static ssize_t from_host(struct stream *s, struct host_msg *m, u32 flags)
{
	u32 events = 0;
	bool mine;
	ssize_t n;

	spin_lock(&s->lock);
	mine = !s->queued && !s->eof &&
	       (s->at_host || (s->bulk && !s->rx_op)) && (!s->rx_op || s->rx_op == RX_POLL);
	spin_unlock(&s->lock);
	if (!mine)
		return -EAGAIN;
	n = host_socket_ops.recv(s->sk, m, flags, HOST_NOWAIT);
	spin_lock(&s->lock);
	s->at_host = false;
	if (n > 0 && !(flags & MSG_PEEK) && s->bulk != BULK_ALWAYS) {
		s->bulk = n >= (ssize_t)SMALL ? BULK : s->bulk ? s->bulk - 1 : 0;
	} else if (n == 0) {
		s->eof = true;
		events = END_BITS;
	} else if (n < 0 && n != -EAGAIN && n != -EFAULT && n != -EINTR) {
		events = rx_broken(s, n);
		s->error = 0;
		s->told &= ~EPOLLERR;
	}
	spin_unlock(&s->lock);
	/* Is there more? The poll will tell. */
	if (n > 0)
		stream_rx_start(s);
	if (events)
		wake_up(&s->sk->ready.queue, events);
	return n;
}

ssize_t stream_recv(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns)
{
	struct stream *s = stream_of(sk);
	bool wait = wait_ns != HOST_NOWAIT, looked = false;
	u64 want = min((u64)sk->rcvlowat, m->data->left);
	u32 control = m->controllen;
	ssize_t n;
	int err = 0;

	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		return host_socket_ops.recv(sk, m, flags, HOST_NOWAIT);
	if (m->addr)
		m->addr->len = 0;
	m->flags = 0;
	/* Otherwise MSG_WAITALL is the caller's, who takes piece by piece. */
	if (flags & MSG_PEEK && flags & MSG_WAITALL)
		want = m->data->left;
	want = max(want, (u64)1);
	if (want > 1 && s->bulk && s->bulk != BULK_ALWAYS && !s->at_host)
		s->bulk = 0;		/* only what is here can be counted */
	for (;;) {
		if (!wait || err || enough(s, want)) {
			mutex_lock(&s->reader);
			m->controllen = 0;
			n = take(s, m->data, flags & MSG_PEEK);
			if (!n && m->data->left) {
				m->controllen = s->bulk == BULK_ALWAYS ? control : 0;
				n = from_host(s, m, flags);
			}
			else if (!n && !s->queued && !s->at_host)
				n = -EAGAIN;
			mutex_unlock(&s->reader);
			if (n != -EAGAIN)
				return n;
			n = nothing(s);
			if (n != -EAGAIN)
				return n;
		}
		if (err)
			return err;
		stream_rx_start(s);
		if (async_reap(s->ring))
			continue;
		if (wait) {
			err = stream_wait(s, enough, want, wait_ns);
		} else {
			if (looked || !stream_flush_own())
				return -EAGAIN;
			looked = true;
		}
	}
}
