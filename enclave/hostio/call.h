/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building one request and its arguments in the arena: private to this room.
 *
 *	struct call c;
 *
 *	call_begin(&c, RAKIS_OP_..., fd, room for all arguments);
 *	c.rq.addr = call_put(&c, path, strlen(path) + 1);
 *	out = call_room(&c, sizeof(result));
 *	res = call_do(&c, most);
 *	untrusted_read(&result, out, sizeof(result));
 *	call_end(&c);
 */
#ifndef RAKIS_HOSTIO_CALL_H
#define RAKIS_HOSTIO_CALL_H

#include "hostio/hostio.h"
#include "lib/errno.h"
#include "lib/string.h"

struct call {
	struct rakis_request rq;
	struct arena_buf buf;
	u32 used;
};

/* `size` 0: no arguments in the arena. Each argument takes whole words. */
void call_begin(struct call *c, u8 opcode, int fd, size_t size);
struct uptr call_room(struct call *c, size_t n);
u64 call_put(struct call *c, const void *data, size_t n);
s32 call_do(struct call *c, u32 most) __must_check;
void call_end(struct call *c);

/* The common whole: no answer but the result. */
static inline s32 call_finish(struct call *c, u32 most)
{
	s32 res = call_do(c, most);

	call_end(c);
	return res;
}

/* A request without arguments in the arena. */
s32 host_call(struct rakis_request *rq, u32 most) __must_check;
/*
 * Changes with every answer that may tell of what others did or change what they see: all but
 * those of windows and of writes at a position, which host_wrote counts.
 */
extern _Atomic u64 host_heard, host_wrote;

/* The exit itself; rq->rings is set. */
s32 host_exit_request(const struct rakis_request *rq, u32 most) __must_check;

static inline size_t words(size_t n)
{
	return ALIGN_UP(n, 8);
}

#endif
