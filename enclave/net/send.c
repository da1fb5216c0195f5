/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending. Each thread has its queue; it holds the `tx` lock while it takes a frame and while
 * it queues it, not while it builds the packet.
 */
#include "hostio/park.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/stats.h"
#include "net/addr.h"
#include "net/packet.h"
#include "net/queue.h"

#define KICK_AT		32u	/* queued packets; what the kernel sends in one go */
#define IN_FLIGHT	64u	/* frames of which completions are not looked for yet */
#define PAYLOAD_MOST	1792u
#define IDENTS		256u

_Static_assert(PACKET_ROOM_MOST + PAYLOAD_MOST <= RAKIS_XSK_FRAME_SIZE, "a packet fits a frame");

/* Numbers of packets that may be cut up on their way, by destination. */
static _Atomic u16 idents[IDENTS];

void send_init(void)
{
	random_bytes((void *)idents, sizeof(idents));
}

static struct queue *own_queue(void)
{
	return net_queues[gate_self()->slot % net_nqueues];
}

u32 net_payload_most(const struct net_path *p, bool v4)
{
	u32 headers = PACKET_HEADERS(v4) - 14;

	return min(p->mtu - headers, PAYLOAD_MOST);
}

/* With `tx` held: a frame, or XSK_NONE. */
static u32 take_frame(struct queue *q)
{
	if (q->xsk.tx.nfree <= XSK_LANE_FRAMES - IN_FLIGHT)
		xsk_complete(&q->xsk);
	return xsk_frame(&q->xsk);
}

bool net_may_send(void)
{
	struct queue *q = own_queue();
	bool may;

	spin_lock(&q->tx);
	if (!q->xsk.tx.nfree)
		xsk_complete(&q->xsk);
	may = q->xsk.tx.nfree;
	spin_unlock(&q->tx);
	return may;
}

static void kick(struct queue *q)
{
	exits_submit(q->bit);
	exit_now();
}

/* Something was queued: with `tx` held. True if the kernel is to be told now. */
static bool must_kick(struct queue *q)
{
	bool now = false;

	if (!xsk_tx_sleeps(&q->xsk))
		return false;
	if (q->kick_inline) {
		if (exits_submit(q->bit))
			q->unkicked = 0;
		now = ++q->unkicked >= KICK_AT;
	}
	return now || (q->asleep_mask && untrusted_load(q->asleep) & q->asleep_mask);
}

static u32 frame_to_fill(struct queue *q)
{
	u32 frame;

	for (int tries = 0; ; tries++) {
		spin_lock(&q->tx);
		frame = take_frame(q);
		spin_unlock(&q->tx);
		if (frame != XSK_NONE || tries)
			return frame;
		kick(q);
	}
}

static u16 next_ident(const u8 *to)
{
	return atomic_fetch_add_explicit(&idents[hash_ip(hash_start(0), to) % IDENTS], 1,
					 memory_order_relaxed);
}

static int put_on_wire(struct queue *q, const struct net_path *p, const struct net_send *s,
		       const void *payload, u32 len)
{
	bool v4 = ip_is_v4(s->to.ip), sent, now;
	u32 room = PACKET_ROOM(v4), skip = room - PACKET_HEADERS(v4);
	u64 headers[PACKET_ROOM_MOST / 8];
	u32 frame = frame_to_fill(q);
	struct uptr at;
	u16 id = 0;

	if (unlikely(frame == XSK_NONE))
		return -EAGAIN;
	if (v4 && !s->dont_fragment)
		id = next_ident(s->to.ip);
	packet_headers((u8 *)headers, p, s, payload, len, id);
	at = xsk_frame_at(&q->xsk, frame);
	untrusted_write(at, headers, room);
	untrusted_write(uptr_add(at, room), payload, len);
	spin_lock(&q->tx);
	sent = xsk_send(&q->xsk, frame, skip, room - skip + len);
	now = sent && must_kick(q);
	spin_unlock(&q->tx);
	if (!sent)
		return -EAGAIN;
	STAT_INC(net_tx);
	STAT_ADD(net_tx_bytes, len);
	if (now)
		exit_now();
	return 0;
}

int net_send(const struct net_path *p, const struct net_send *s, struct iter *data, size_t len)
{
	u64 payload[PAYLOAD_MOST / 8];
	struct net_send full;

	if (len > net_payload_most(p, ip_is_v4(s->to.ip)))
		return -EMSGSIZE;
	/* First into trusted memory: a page of the guest may have to be brought in, and what is
	 * summed up must be what is sent. */
	if (iter_read(data, payload, len) != (ssize_t)len)
		return -EFAULT;
	if (!ip_is_zero(s->from.ip))
		return put_on_wire(own_queue(), p, s, payload, len);
	full = *s;
	ip_copy(full.from.ip, p->source);
	return put_on_wire(own_queue(), p, &full, payload, len);
}
