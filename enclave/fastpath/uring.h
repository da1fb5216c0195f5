/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring on the one ring type: submission queue, completion queue, and the table of
 * requests in flight, which is in trusted memory (linux/io_uring.h has the formats).
 *
 * Invariant, uring_is_valid(): both rings are valid; of the table's slots each is either
 * live or on the free list, once, and `live` counts the live ones. user_data of a request
 * is its slot's index with the slot's generation in the upper half; the generation moves on
 * when the last completion is taken. So a completion counts only if it names a live slot
 * by its present generation: what is unknown, stale or a duplicate is a host fault, counted,
 * and touches nothing. What the completion says besides (res) is for the caller to check.
 *
 * The caller serialises: uring_take() under one lock, all else under another.
 */
#ifndef RAKIS_FASTPATH_URING_H
#define RAKIS_FASTPATH_URING_H

#include "boundary/request.h"
#include "boundary/uring.h"
#include "fastpath/ring.h"

#define URING_CHUNK	256u		/* slots that the table grows by */
#define URING_CHUNKS	256u
#define URING_NONE	(~0u)

struct uring_slot {
	void *owner;
	u32 generation;
	u32 next_free;
	u32 most;		/* bound of the result, as the opcode counts */
	u32 entry;		/* where it is, or was, in the submission queue */
	u8 opcode;
	bool live, multishot, buffers;
};

struct uring {
	struct ring sq, cq;
	struct uptr sqes, cqes;
	struct uring_slot *chunks[URING_CHUNKS];
	u32 slots, live;
	u32 free;		/* first free slot, or URING_NONE */
};

/* As the kernel wrote it. */
struct uring_cqe {
	u64 user_data;
	s32 res;
	u32 flags;
};

/* A completion that matched. */
struct uring_done {
	void *owner;
	u32 slot;
	s32 res;
	u32 most;
	u8 opcode;
	bool more;		/* the slot stays live */
	bool quiet;		/* marked so, if the host is right */
	bool buffers;
	int buf;		/* id the host gave, unchecked; -1: none */
};

/* Take over what the host set up: -EINVAL if anything is odd. No slots yet. */
int uring_init(struct uring *u, const struct rakis_uring *host) __must_check;
bool uring_is_valid(const struct uring *u) __must_check;

/* Give the table URING_CHUNK more slots, in zeroed memory: false if it is full grown. */
bool uring_grow(struct uring *u, struct uring_slot *chunk) __must_check;
static inline u32 uring_slots_free(const struct uring *u)
{
	return u->slots - u->live;
}

/* How a request is to be entered in the table. */
struct uring_how {
	void *owner;
	u32 most;
	bool multishot;
	bool buffers;		/* completions may name a provided buffer */
	bool quiet;
};

/*
 * Queue one request; user_data is set here. The slot's index, or -EAGAIN if fewer than
 * 1 + `reserve` entries of the submission queue, or slots, are free.
 */
int uring_submit(struct uring *u, const struct rakis_request *rq, const struct uring_how *how,
		 u32 reserve) __must_check;
/*
 * Make a request longer that may still be in the submission queue. False: it is no longer
 * there. True: probably in time; the result tells how much went.
 */
bool uring_extend(struct uring *u, u32 slot, u32 generation, u32 len, u32 op_flags) __must_check;
/* user_data of the live request in `slot`. */
u64 uring_user_data(const struct uring *u, u32 slot);
/* Is the slot live, still with this generation? */
bool uring_is_live(const struct uring *u, u32 slot, u32 generation) __must_check;
u32 uring_generation(const struct uring *u, u32 slot);

/* Copy up to n completions out of the queue, which has room again for as many. */
u32 uring_take(struct uring *u, struct uring_cqe *out, u32 n) __must_check;
/* Who waits for it? False: nobody, the host is at fault (counted). */
bool uring_match(struct uring *u, const struct uring_cqe *cqe, struct uring_done *done) __must_check;

#endif
