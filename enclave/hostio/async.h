/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that go by ring and are answered later (io_uring; fastpath/uring.h). The caller
 * owns a struct async for each; it stays untouched by others until its last completion.
 *
 * A request is queued without leaving the enclave. It reaches the kernel when somebody
 * kicks its ring: at the latest when a thread parks, at any other exit, when the ring is
 * half full, or when the monitor finds it. Completions are reaped by whoever looks: by
 * async_reap(), which park() and all that waits call first.
 *
 * Rings: each thread has a home ring (several threads may share one). A request stays on
 * the ring on which it was queued.
 */
#ifndef RAKIS_HOSTIO_ASYNC_H
#define RAKIS_HOSTIO_ASYNC_H

#include "boundary/request.h"
#include "fastpath/untrusted.h"
#include "lib/types.h"

struct async;

/*
 * A completion. Called by whoever reaps, with the ring's reap lock held: must not sleep,
 * leave the enclave, or copy to the guest; may take spin locks, wake tasks (async_reap()
 * wraps itself in wake_begin() and wake_end(), so that they are sent when the lock is free),
 * and queue requests: for two on the ring it came from there is always room, since the reaper
 * stops while the submission queue has less than a reserve that only completions may use.
 * `more`: a multishot request goes on; otherwise *a may be used again, or freed.
 * `buf` >= 0: the provided buffer that holds `res` bytes; the callee owns it now.
 */
typedef void async_done(struct async *a, s32 res, bool more, int buf);

struct async {
	async_done *done;
	u32 ring;		/* where it is in flight */
	u32 slot;		/* of the table of requests in flight; private */
	u32 generation;		/* private */
	/*
	 * Set by the caller before it submits: that this one is complete is no reason to end a
	 * park by itself (a send that nobody waits for; most complete as they are submitted).
	 * The host gets a mark in user_data; a thread that parks sleeps on if all it finds in the
	 * completion queue is so marked. async_loud() switches that off while somebody cares.
	 */
	bool quiet;
};

/* False: the kernel has no io_uring for us, all goes by exit. */
bool async_available(void);
bool async_has(u8 opcode);		/* probed */
bool async_has_multishot_recv(void);	/* Linux 6.0, provided buffers */

/* A kick submits there and then, by the one who kicks. */
bool async_prompt(void);

u32 async_home_ring(void);		/* of the running thread */

/*
 * Queue `rq` (built in trusted memory; addresses in the arena or a provided buffer) on
 * `ring`. `most`: as in result_is_valid(). -EAGAIN: no room now, even after a kick; go by
 * exit or try later. On success `a` is in flight.
 */
int async_submit(u32 ring, struct async *a, const struct rakis_request *rq, u32 most) __must_check;
/* Nobody wants to know how it ends. */
int async_forget(u32 ring, const struct rakis_request *rq) __must_check;
/* More of the same, if the kernel has not taken it yet: what it takes its result will tell. */
bool async_extend(struct async *a, u32 len, u32 op_flags) __must_check;
/*
 * The two multishot ones that RAKIS uses. Bits POLL*; ERR, HUP, NVAL and RDHUP come unasked.
 * Buffers from the ring's own pool.
 */
int async_poll_multishot(u32 ring, struct async *a, int fd, u32 events) __must_check;
int async_recv_multishot(u32 ring, struct async *a, int fd) __must_check;
/* One receive into a buffer of the pool. */
int async_recv_once(u32 ring, struct async *a, int fd) __must_check;
/* Ask for the end of `a`: its last completion still comes (-ECANCELED, or what it met). */
int async_cancel(struct async *a) __must_check;

/* Provided buffers of a ring: what a completion gave goes back when it is used up. */
#define ASYNC_BUF_SIZE	(16u << 10)
struct uptr async_buf(u32 ring, int buf);
void async_buf_put(u32 ring, int buf);

/* Take completions of the ring (try-lock: if another thread is at it, returns at once).
 * True if any was taken. No exit. */
bool async_reap(u32 ring);
/* Tell the kernel now (one exit) if anything is queued on the ring. */
void async_kick(u32 ring);
/*
 * Which rings the running thread's next park depends on besides its home ring: a bit each.
 * Set between park_begin() and park(); park_begin() clears it.
 */
void async_depend(u32 ring);

/* While the count of a ring is not 0, parks treat its quiet completions as any other. */
void async_loud(u32 ring, int by);

/* At the end of the process: kick, and wait (at most `ns`) while `busy()` says so. */
void async_drain(bool (*busy)(void), u64 ns);

#endif
