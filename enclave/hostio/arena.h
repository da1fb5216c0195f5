/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers of requests: blocks of untrusted memory, handed out by trusted bookkeeping. */
#ifndef RAKIS_HOSTIO_ARENA_H
#define RAKIS_HOSTIO_ARENA_H

#include "boundary/request.h"
#include "fastpath/untrusted.h"
#include "lib/types.h"

struct arena_buf {
	struct uptr p;
	u32 size;		/* at least what was asked for; a multiple of 8 */
	u8 class;
};

u64 arena_size_needed(void);
void arena_init(struct uptr base, u64 size);
/* At most RAKIS_REQ_MAX_BYTES. When the arena is used up, waits for a block. Any thread. */
void arena_get(struct arena_buf *b, size_t size);
/* The same, without waiting, and only while more than half of the blocks are free: for what
 * may keep a block for long. */
bool arena_try(struct arena_buf *b, size_t size) __must_check;
void arena_put(struct arena_buf *b);
/* Where the request of a thread slot is written. */
struct uptr arena_request(u64 slot);

#endif
