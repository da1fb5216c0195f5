/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queues: an AF_XDP socket each, with a lock for either direction. Whoever reaps holds
 * `rx`: packets are copied in, their frames lent again, then each is checked and handed to
 * its socket. Whoever sends holds `tx` only while it takes a frame and while it queues it,
 * not while it builds the packet.
 */
#include "boundary/boot.h"
#include "fastpath/xsk.h"
#include "hostio/hostio.h"
#include "hostio/park.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/random.h"
#include "lib/stats.h"
#include "net/addr.h"
#include "net/demux.h"
#include "net/packet.h"
#include "net/path.h"
#include "net/pool.h"

#define BATCH		16u	/* packets taken at a time */
#define BUDGET		128u	/* in one look at a queue */
#define KICK_AT		32u	/* queued packets; what the kernel sends in one go */
#define IN_FLIGHT	64u	/* frames of which completions are not looked for yet */
#define PAYLOAD_MOST	1792u
#define IDENTS		256u

_Static_assert(PACKET_ROOM_MOST + PAYLOAD_MOST <= RAKIS_XSK_FRAME_SIZE, "a packet fits a frame");

struct queue {
	struct spinlock rx, tx;
	struct xsk xsk;
	struct pool pool;
	u32 bit;		/* in masks of rings */
	u32 unkicked;		/* packets queued since the last kick, as far as known */
	bool verify;
	bool kick_inline;	/* boundary/uring.h, and the next two */
	struct uptr asleep;
	u64 asleep_mask;
};

u64 (*net_monotonic)(void), (*net_realtime)(void);
u64 net_secret;

static struct queue *queues[RAKIS_XSK_MOST];
static u32 nqueues, all_bits, ifindex;
static _Atomic u32 stamps;
static _Atomic u16 idents[IDENTS];

bool net_available(void)
{
	return nqueues;
}

u32 net_ifindex(void)
{
	return ifindex;
}

/* ---- receiving ---- */

/* NULL: no memory; dropped. */
static struct datagram *copy_in(struct queue *q, const struct xsk_packet *p)
{
	struct datagram *d = pool_get(&q->pool, p->skip + p->len);

	if (unlikely(!d)) {
		STAT_INC(net_memory);
		return NULL;
	}
	untrusted_read(d->frame, p->at, ALIGN_UP(p->skip + p->len, 8));
	return d;
}

static void hand_over(struct datagram *d)
{
	struct net_bind *b = demux_find(&d->from, &d->to);
	u32 len = d->len;

	if (unlikely(!b)) {
		STAT_INC(net_unclaimed);
		datagram_put(d);
	} else if (unlikely(!b->deliver(b, d))) {
		STAT_INC(net_full);
		datagram_put(d);
	} else {
		STAT_INC(net_rx);
		STAT_ADD(net_rx_bytes, len);
	}
}

static void take_packet(struct queue *q, struct datagram *d, const struct xsk_packet *p, u64 stamp)
{
	switch (packet_parse(d, (u8 *)d->frame + p->skip, p->len, q->verify)) {
	case PACKET_GOOD:
		d->stamp = stamp;
		hand_over(d);
		return;
	case PACKET_MALFORMED:
		STAT_INC(net_malformed);
		break;
	case PACKET_CHECKSUM:
		STAT_INC(net_checksum);
		break;
	}
	datagram_put(d);
}

/* With `rx` held. How many descriptors were taken. */
static u32 take_batch(struct queue *q)
{
	struct xsk_packet p[BATCH];
	struct datagram *d[BATCH];
	u32 good, n = xsk_receive(&q->xsk, p, BATCH, &good);
	u64 stamp = 0;

	for (u32 i = 0; i < good; i++) {
		d[i] = copy_in(q, &p[i]);
		xsk_release(&q->xsk, p[i].frame);
	}
	if (n)
		xsk_refill(&q->xsk);
	if (good && atomic_load_explicit(&stamps, memory_order_relaxed))
		stamp = net_realtime();
	for (u32 i = 0; i < good; i++)
		if (d[i])
			take_packet(q, d[i], &p[i], stamp);
	return n;
}

static bool reap(struct queue *q, u32 *busy)
{
	u32 n, taken = 0;

	if (!spin_trylock(&q->rx)) {
		*busy |= q->bit;
		return false;
	}
	wake_begin();
	do {
		n = take_batch(q);
		taken += n;
	} while (n == BATCH && taken < BUDGET);
	if (taken && xsk_fill_sleeps(&q->xsk))
		exits_submit(q->bit);
	spin_unlock(&q->rx);
	wake_end();
	return taken;
}

static bool reap_all(u32 xsks, u32 *busy)
{
	bool any = false;

	for (u32 i = 0; i < nqueues; i++)
		if (xsks & queues[i]->bit)
			any |= reap(queues[i], busy);
	return any;
}

bool net_reap(void)
{
	u32 busy = 0;

	return reap_all(all_bits, &busy);
}

void net_depend(void)
{
	gate_self()->depends |= all_bits;
}

void net_stamps(int by)
{
	atomic_fetch_add(&stamps, by);
}

/* ---- who gets what ---- */

static void lock_table(void)
{
	for (u32 i = 0; i < nqueues; i++)
		spin_lock(&queues[i]->rx);
}

static void unlock_table(void)
{
	for (u32 i = 0; i < nqueues; i++)
		spin_unlock(&queues[i]->rx);
}

static void forget(struct net_bind *b)
{
	lock_table();
	demux_remove(b);
	unlock_table();
}

int net_bind(struct net_bind *b, int hostfd)
{
	int err;

	lock_table();
	demux_add(b);
	unlock_table();
	err = host_net_claim(hostfd, true);
	if (err)
		forget(b);
	return err;
}

void net_unbind(struct net_bind *b, int hostfd)
{
	(void)!host_net_claim(hostfd, false);
	forget(b);
}

void net_set_peer(struct net_bind *b, const struct net_addr *peer)
{
	lock_table();
	demux_remove(b);
	b->peer = *peer;
	demux_add(b);
	unlock_table();
}

/* ---- sending ---- */

static struct queue *own_queue(void)
{
	return queues[gate_self()->slot % nqueues];
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
		id = atomic_fetch_add_explicit(&idents[hash_ip(hash_start(0), s->to.ip) % IDENTS], 1,
					       memory_order_relaxed);
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

/* ---- start ---- */

static struct queue *make_queue(u32 number)
{
	struct queue *q = kzalloc(sizeof(*q));
	struct rakis_xsk host;

	/* The host has said what keeps it from it. */
	if (!q || host_net_setup(number, &host))
		goto refuse;
	if (xsk_init(&q->xsk, &host) || (host.asleep && !uptr_check(host.asleep, 8, &q->asleep))) {
		STAT_INC(host_faults);
		log_error("host fault: the AF_XDP socket that it set up is not valid");
		goto refuse;
	}
	q->bit = RAKIS_XSK_BIT(number);
	q->verify = host.verify;
	q->kick_inline = host.kick_inline;
	q->asleep_mask = host.asleep ? host.asleep_mask : 0;
	xsk_refill(&q->xsk);
	if (xsk_fill_sleeps(&q->xsk))
		exits_submit(q->bit);
	return q;
refuse:
	kfree(q);
	return NULL;
}

void net_init(const struct rakis_boot *boot)
{
	struct queue *q;

	if (!boot->xsks || !paths_init(boot->net_page))
		return;
	net_secret = random_u64();
	random_bytes((void *)idents, sizeof(idents));
	ifindex = path_ifindex();
	while (nqueues < min(boot->xsks, (u64)RAKIS_XSK_MOST)) {
		q = make_queue(nqueues);
		if (!q)
			break;
		queues[nqueues++] = q;
		all_bits |= q->bit;
	}
	park_reap_xsks = reap_all;
}
