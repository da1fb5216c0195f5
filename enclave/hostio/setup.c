/* SPDX-License-Identifier: Apache-2.0 */
/* Rings as they are needed: asked of the host, checked, and refused if anything is odd. */
#include "boundary/boot.h"
#include "gate/gate.h"
#include "hostio/call.h"
#include "hostio/rings.h"
#include "lib/alloc.h"
#include "lib/log.h"
#include "lib/stats.h"

/* Buffers lent to the kernel at first; more follow when these are not enough. */
#define BUFS_FIRST 64u

struct async_ring *async_rings[RAKIS_URING_MOST];
bool rings_inline;
_Atomic u32 rings_queued;

static struct spinlock setting_up = SPINLOCK_INIT;
static bool wanted;		/* --io ring, and the host did not refuse */
static u64 opcodes[4], features;	/* of the first ring: what all have */

void rings_init(const struct rakis_boot *boot)
{
	wanted = boot->io_mode == RAKIS_IO_RING;
}

/* Ask the host: 0 or why not. */
static int ask(u32 ring, struct rakis_uring *host)
{
	struct call c;
	int err;

	call_begin(&c, RAKIS_OP_URING_SETUP, ring, sizeof(*host));
	c.rq.addr = uptr_number(c.buf.p);
	err = call_do(&c, 0);
	if (!err)
		untrusted_read(host, c.buf.p, sizeof(*host));
	call_end(&c);
	return err;
}

static int adopt(struct async_ring *r, const struct rakis_uring *host)
{
	if (uring_init(&r->u, host) || bufring_init(&r->bufs, host))
		return -EINVAL;
	if (host->asleep && !uptr_check(host->asleep, 8, &r->asleep))
		return -EINVAL;
	r->asleep_mask = host->asleep ? host->asleep_mask : 0;
	bufring_start(&r->bufs, BUFS_FIRST);
	return 0;
}

/* A ring that was refused is not asked for again; nor is any other if it was the first. */
static struct async_ring *make(u32 ring)
{
	struct async_ring *r = kzalloc(sizeof(*r));
	struct rakis_uring host;
	int err = -ENOMEM;

	if (!r)
		goto refuse;
	err = ask(ring, &host);
	if (err)
		goto refuse;
	err = adopt(r, &host);
	if (err) {
		STAT_INC(host_faults);
		log_error("host fault: the io_uring that it set up is not valid");
		goto refuse;
	}
	if (!ring) {
		rings_inline = host.kick_inline;
		memcpy(opcodes, host.opcodes, sizeof(opcodes));
		features = r->bufs.entries ? host.features : 0;
	}
	return r;
refuse:
	kfree(r);
	/* The host has said what keeps it from it. */
	if (!ring) {
		wanted = false;
		log_info("no io_uring (error %d): all requests go by exit", -err);
	}
	return NULL;
}

bool ring_set_up(u32 ring)
{
	static u32 tried;
	struct async_ring *r;

	if (ring >= RAKIS_URING_MOST)
		return false;
	if (likely(atomic_load_explicit((struct async_ring *_Atomic *)&async_rings[ring],
					memory_order_acquire)))
		return true;
	if (!wanted)
		return false;
	spin_lock(&setting_up);
	if (!(tried & 1u << ring)) {
		tried |= 1u << ring;
		r = make(ring);
		/* Release: pairs with the load above. */
		atomic_store_explicit((struct async_ring *_Atomic *)&async_rings[ring], r,
				      memory_order_release);
	}
	spin_unlock(&setting_up);
	return async_rings[ring] != NULL;
}

bool async_available(void)
{
	return ring_set_up(0);
}

bool async_has(u8 opcode)
{
	return async_available() && opcode < RAKIS_OP_OWN && (opcodes[opcode / 64] >> (opcode % 64) & 1);
}

bool async_has_multishot_recv(void)
{
	return async_has(RAKIS_OP_RECV) && (features & RAKIS_URING_RECV_MULTISHOT);
}

bool async_prompt(void)
{
	return rings_inline;
}

u32 async_home_ring(void)
{
	static _Atomic u32 users;
	struct gate_thread *t = gate_self();
	u32 ring;

	if (likely(t->ring))
		return t->ring - 1;
	ring = atomic_fetch_add(&users, 1) % RAKIS_URING_MOST;
	if (!ring_set_up(ring))
		ring = 0;
	t->ring = ring + 1;
	return ring;
}
