/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP sockets by ring: what stream.c (their life), stream_rx.c and stream_tx.c share.
 *
 * A connected TCP socket of the guest's own making starts as the host's socket, by exit. When
 * it is first waited for it gets a struct stream: a multishot receive fills a queue here, and
 * sends are copied out and are complete at once. To poll and epoll it is then like a pipe.
 * A listening socket gets one too, for a multishot poll that feeds its struct ready.
 *
 * Threads decide under `lock` what is to be submitted, and submit without it. Completions run
 * one at a time per ring; the last one after close frees the stream and its socket, so that a
 * completion may use both to its end. Order: reader or writer, (ring's reap lock), lock.
 */
#ifndef RAKIS_SOCKETS_STREAM_H
#define RAKIS_SOCKETS_STREAM_H

#include "hostio/arena.h"
#include "hostio/async.h"
#include "sockets/socket.h"

#define STREAM_MOST	(256u << 10)	/* bytes that either direction holds */
#define STREAM_HELD	16u		/* buffers of the ring that one socket holds */
#define BULK_ALWAYS	(~0u)

/* A stretch of received bytes: in a buffer of the ring, or copied in. */
struct seg {
	struct seg *next;
	s32 buf;		/* -1: in data[] */
	u32 off, len;		/* what is unread */
	u32 size;		/* of data[] */
	u8 data[];
};

/* A stretch of bytes to send. */
struct block {
	struct block *next;
	struct arena_buf mem;
	u32 sent, used;
	bool filling;		/* a writer appends: not to be freed */
	bool more;		/* MSG_MORE came with the last of it */
};

/* What `tx` is in flight for; one thing at a time. */
enum tx_op { TX_IDLE, TX_SEND, TX_ROOM, TX_SHUTDOWN, TX_CLOSE, TX_CLOSED };

/*
 * What `rx` is in flight for. The first receive is a single one; then it is multishot, unless
 * data comes in bulk: a multishot receive would take in all of it, wanted or not, so then
 * there is a poll, and the guest's receive goes to the host's socket. So it does for good when
 * the guest asks for what only that knows: timestamps, urgent data.
 */
enum rx_op { RX_IDLE, RX_ONE, RX_MULTI, RX_POLL };

struct stream {
	struct socket *sk;
	u32 ring;
	struct spinlock lock;		/* of all that follows but the mutexes */
	bool listening;
	bool closing;
	bool pinned;			/* by the closer, who is not done with it */
	bool counted;			/* among those that are to be drained at exit */
	bool eof;			/* nothing more arrives: the end, an error, SHUT_RD */
	bool no_send;			/* SHUT_WR, or the connection is gone: EPIPE */
	int error;			/* negative: for the next call, after what has arrived */
	u32 told;			/* EPOLL*: what `end` has told; ERR: the host has an error to give */

	struct async rx;
	enum rx_op rx_op;
	bool rx_stop;			/* its end was asked for */
	bool tried;			/* what has arrived so far is no bulk */
	u32 bulk;			/* > 0: RX_POLL, until so many small receives, or BULK_ALWAYS */
	bool at_host;			/* RX_POLL has told: the host's socket has something */
	bool rx_late;			/* there was no room to start it: whoever reads does */
	struct seg *head, *tail;
	u32 queued, held;
	struct mutex reader;
	struct async end;		/* a poll for the end, while nothing is received */
	bool end_on;

	struct async tx;
	enum tx_op tx_op;
	u32 tx_len;			/* TX_SEND: bytes in flight, from the head */
	struct block *tx_head, *tx_tail;
	struct block one;		/* most of the time one is enough */
	bool one_used;
	u32 tx_queued, tx_limit;
	bool full;			/* the host's buffer is: wait with TX_ROOM */
	bool shutdown_wanted;		/* behind what is queued */
	bool abort;			/* close: drop what is queued */
	bool hold;			/* close: the closer waits, and closes itself */
	bool loud;			/* somebody or something waits for tx's completion */
	struct mutex writer;
};

/* ---- stream.c ---- */

extern _Atomic u32 streams_sending;

extern const struct socket_ops stream_socket_ops;

static inline struct stream *stream_of(struct socket *sk)
{
	return atomic_load_explicit(&sk->stream, memory_order_acquire);
}

/* With the lock: nothing is left to come; the caller frees once it has let go of it. */
static inline bool stream_is_over(const struct stream *s)
{
	return s->tx_op == TX_CLOSED && !s->rx_op && !s->end_on && !s->pinned;
}

void stream_free(struct stream *s);
/* Wait, at most `ns`, until cond(s, arg): 0, -EINTR, -EAGAIN. */
int stream_wait(struct stream *s, bool (*cond)(struct stream *s, u64 arg), u64 arg, u64 ns) __must_check;
/* What the process sends to itself is there as soon as it is sent: let go what is queued.
 * False: it does not talk to itself. */
bool stream_flush_own(void);
/* The error that the host's socket has to give, once: negative, or 0. */
int stream_host_error(struct stream *s);
/* The error, once. With the lock. */
int stream_error(struct stream *s);

/* ---- stream_rx.c ---- */

ssize_t stream_recv(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns);
void stream_rx_start(struct stream *s);		/* if it is not on, and should be */
void stream_rx_drop(struct stream *s);		/* all that is queued */
void stream_rx_by_host(struct stream *s);	/* from now on, but for what has arrived */
/* With the lock. */
bool stream_readable(const struct stream *s);

/* ---- stream_tx.c ---- */

ssize_t stream_send(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns);
/* With the lock: whether a send finds room; a change of what counts for `loud`. */
bool stream_writable(const struct stream *s);
void stream_tx_note(struct stream *s);
/* With the lock: what comes next, already noted as in flight; then submit it without. */
enum tx_op stream_tx_next(struct stream *s);
void stream_tx_submit(struct stream *s, enum tx_op op);
void stream_tx_start(struct stream *s);		/* if nothing is in flight, and should be */
/* As far as it goes without waiting for the peer: what was sent is with the host. */
void stream_tx_settle(struct stream *s);

#endif
