/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz what the host answers: the input says which calls are made, what each of them gets as
 * its result, and what lies in the arena afterwards. No result may pass its bounds, no byte
 * may land outside the caller's buffers.
 */
#include <stdlib.h>
#include "lib/errno.h"

#define CHECK(x) ((x) ? (void)0 : abort())
#include "host_calls.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const u8 *in;
static size_t left;

static u8 byte(void)
{
	return left ? left--, *in++ : 0;
}

/* Some bytes of the input over what a request names. */
static void spoil(u64 addr)
{
	u32 n = byte(), skip = byte();

	for (u32 i = 0; i < n && in_arena(addr + skip + i); i++)
		*(u8 *)(addr + skip + i) = byte();
}

static s64 result(void)
{
	static const s64 wide[] = {
		INT64_MIN + 1, INT32_MIN, INT32_MAX, INT64_MAX, 1ll << 32, -(1ll << 32), -4096,
		-ERESTARTSYS,
	};
	u8 kind = byte(), v = byte();

	switch (kind % 8) {
	case 0:
		return wide[v % ARRAY_SIZE(wide)];
	case 1:
	case 2:
		return -(s64)v;
	case 3:
		return (s32)(v | byte() << 8 | byte() << 16 | (u32)byte() << 24);
	default:
		return v;
	}
}

static s64 answer(const struct rakis_request *rq, u32 slot)
{
	if (in_arena(rq->addr))
		spoil(rq->addr);
	if (in_arena(rq->off))
		spoil(rq->off);
	if (in_arena(rq->addr3))
		spoil(rq->addr3);
	return result();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	fake_host_setup(NULL);
	fake_answer = answer;
	in = data;
	left = size;
	for (u32 i = 0; i < 32 && left; i++) {
		u32 c = byte() % ARRAY_SIZE(calls);
		s64 r;

		/* These move so much that nothing else would be tried. */
		if (calls[c].most == 300000)
			continue;
		rooms_reset();
		gate_self()->notified = 0;
		r = calls[c].fn();
		CHECK(r >= -133 && r <= calls[c].most);
		CHECK(guards_hold());
	}
	return 0;
}
