/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz what the kernel writes into the rings: the input says how they are laid out at first,
 * then what the enclave does and what the kernel answers: completions for requests that are in
 * flight, were, or never were, indices that jump, buffers that nobody lent. The invariants
 * stand on the way, each request is told of at most once after its last completion, and
 * no result passes its bounds.
 */
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include "boundary/boot.h"
#include "fake_host.h"
#include "hostio/rings.h"
#include "lib/errno.h"

#define CHECK(x) ((x) ? (void)0 : abort())
#define SQ	64u
#define CQ	16u
#define BUFS	128u
#define OPS	64u

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct {
	_Alignas(64) u32 sq_head, sq_tail, cq_head, cq_tail;
	u32 more[12];
	struct io_uring_cqe cqes[CQ];
	_Alignas(8) u32 array[SQ];
	_Alignas(64) struct io_uring_sqe sqes[SQ];
	_Alignas(64) struct io_uring_buf bufs[BUFS];
} m;
static _Alignas(64) char pool[BUFS][RAKIS_URING_BUF_SIZE];
static struct rakis_uring layout;

struct op {
	struct async a;
	bool live, multishot;
	u32 most;
};

static struct op ops[OPS];
static int held[BUFS];
static u32 nheld;

static const u8 *in;
static size_t left;

static u8 byte(void)
{
	return left ? left--, *in++ : 0;
}

static u32 word(void)
{
	u32 v = byte();

	return v < 0xc0 ? v : v << 24 | byte() << 16 | byte() << 8 | byte();
}

static s64 answer(const struct rakis_request *rq, u32 slot)
{
	return rq->opcode == RAKIS_OP_KICK ? 0 : FAKE_PASS;
}

static void done(struct async *a, s32 res, bool more, int buf)
{
	struct op *op = (struct op *)a;

	CHECK(op->live && (!more || op->multishot));
	CHECK(res <= (s32)op->most && res >= -191);
	CHECK(buf < (int)BUFS && (buf < 0 || res > 0));
	op->live = more;
	if (buf >= 0) {
		CHECK(nheld < BUFS);
		held[nheld++] = buf;
	}
}

static void submit(void)
{
	struct op *op = &ops[byte() % OPS];
	struct rakis_request rq = { .opcode = RAKIS_OP_READ, .fd = 3, .len = 8 };

	if (op->live)
		return;
	*op = (struct op){ .a.done = done, .a.quiet = byte() & 1, .most = 8, .live = true };
	switch (byte() % 4) {
	case 0:
		op->multishot = true;
		op->most = 0x1 | 0x2038;
		op->live = !async_poll_multishot(0, &op->a, 3, 1);
		break;
	case 1:
		op->multishot = true;
		op->most = ASYNC_BUF_SIZE;
		op->live = !async_recv_multishot(0, &op->a, 3);
		break;
	case 2:
		op->most = ASYNC_BUF_SIZE;
		op->live = !async_recv_once(0, &op->a, 3);
		break;
	default:
		op->live = !async_submit(0, &op->a, &rq, 8);
	}
}

/* A completion: of a request in the queue, or of what the input makes up. */
static void complete(void)
{
	struct io_uring_cqe *cqe = &m.cqes[m.cq_tail % CQ];

	if (m.cq_tail - m.cq_head >= CQ)
		return;
	*cqe = (struct io_uring_cqe){
		.user_data = m.sqes[byte() % SQ].user_data,
		.res = byte() & 1 ? (s32)word() : -(s32)byte(),
	};
	if (byte() % 8 == 0)
		cqe->user_data ^= 1ull << (byte() % 64);
	cqe->flags = byte() % 8 | (u32)(byte() % (2 * BUFS)) << IORING_CQE_BUFFER_SHIFT;
	m.cq_tail++;
}

static void step(void)
{
	u32 i;

	switch (byte() % 12) {
	case 0 ... 3:
		submit();
		break;
	case 4 ... 6:
		complete();
		break;
	case 7:
		m.sq_head = byte() & 1 ? m.sq_tail : word();
		break;
	case 8:
		if (byte() % 4 == 0)
			m.cq_tail = word();
		break;
	case 9:
		i = byte() % OPS;
		if (ops[i].live)
			(void)!async_cancel(&ops[i].a);
		break;
	case 10:
		if (nheld)
			async_buf_put(0, held[--nheld]);
		break;
	default:
		async_reap(0);
	}
}

/* A fresh ring each time, past the request by which a process gets its own. */
static bool set_up(void)
{
	static u64 *const odd[] = {
		&layout.sq_head, &layout.sq_tail, &layout.sq_flags, &layout.sq_array,
		&layout.sq_entries, &layout.cq_head, &layout.cq_tail, &layout.cqes,
		&layout.cq_entries,
	};
	struct async_ring *r = calloc(1, sizeof(*r));

	layout = (struct rakis_uring){
		.sq_map = (u64)&m, .sq_map_size = offsetof(__typeof__(m), sqes),
		.sq_head = offsetof(__typeof__(m), sq_head), .sq_tail = offsetof(__typeof__(m), sq_tail),
		.sq_flags = offsetof(__typeof__(m), more), .sq_array = offsetof(__typeof__(m), array),
		.sq_entries = SQ,
		.cq_map = (u64)&m, .cq_map_size = offsetof(__typeof__(m), sqes),
		.cq_head = offsetof(__typeof__(m), cq_head), .cq_tail = offsetof(__typeof__(m), cq_tail),
		.cqes = offsetof(__typeof__(m), cqes), .cq_entries = CQ,
		.sqes = (u64)m.sqes, .sqes_size = sizeof(m.sqes),
		.buf_ring = (u64)m.bufs, .buf_entries = BUFS, .bufs = (u64)pool,
	};
	m.sq_head = m.sq_tail = word();
	m.cq_head = m.cq_tail = word();
	/* One offset may be odd: then the ring is refused, or good all the same. */
	if (byte() % 4 == 0)
		*odd[byte() % ARRAY_SIZE(odd)] += (s32)word();
	if (uring_init(&r->u, &layout) || bufring_init(&r->bufs, &layout)) {
		free(r);
		return false;
	}
	bufring_start(&r->bufs, 64);
	async_rings[0] = r;
	return true;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct async_ring *r;

	fake_host_setup(NULL);
	fake_answer = answer;
	rings_inline = true;
	memset(&m, 0, sizeof(m));
	memset(ops, 0, sizeof(ops));
	nheld = 0;
	in = data;
	left = size;
	if (!set_up())
		return 0;
	r = async_rings[0];
	for (u32 i = 1; left; i++) {
		step();
		CHECK(i % 16 || (uring_is_valid(&r->u) && bufring_is_valid(&r->bufs)));
	}
	CHECK(uring_is_valid(&r->u) && bufring_is_valid(&r->bufs));
	for (u32 i = 0; i < URING_CHUNKS && r->u.chunks[i]; i++)
		free(r->u.chunks[i]);
	free(r);
	async_rings[0] = NULL;
	rings_queued = 0;
	return 0;
}
