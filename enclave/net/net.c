/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving, and who gets what. Whoever reaps a queue holds its `rx` lock: packets are copied
 * in, their frames lent again, then each is checked and handed to its socket.
 */
#include "boundary/boot.h"
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
#include "net/queue.h"

#define BATCH		16u	/* packets taken at a time */
#define BUDGET		128u	/* in one look at a queue */

u64 (*net_monotonic)(void), (*net_realtime)(void);
u64 net_secret;

struct queue *net_queues[RAKIS_XSK_MOST];
u32 net_nqueues;

static u32 all_bits, ifindex;
static _Atomic u32 stamps;

bool net_available(void)
{
	return net_nqueues;
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

/* False: its socket is full. */
static bool hand_over(struct datagram *d)
{
	struct net_bind *b = demux_find(&d->from, &d->to);
	u32 len = d->len;

	if (unlikely(!b)) {
		STAT_INC(net_unclaimed);
		datagram_put(d);
		return true;
	}
	if (unlikely(!b->deliver(b, d))) {
		STAT_INC(net_full);
		datagram_put(d);
		return false;
	}
	STAT_INC(net_rx);
	STAT_ADD(net_rx_bytes, len);
	return true;
}

static bool take_packet(struct queue *q, struct datagram *d, const struct xsk_packet *p, u64 stamp)
{
	switch (packet_parse(d, (u8 *)d->frame + p->skip, p->len, q->verify)) {
	case PACKET_GOOD:
		d->stamp = stamp;
		return hand_over(d);
	case PACKET_MALFORMED:
		STAT_INC(net_malformed);
		break;
	case PACKET_CHECKSUM:
		STAT_INC(net_checksum);
		break;
	}
	datagram_put(d);
	return true;
}

/* With `rx` held. How many descriptors were taken; *full: for one there was no room. */
static u32 take_batch(struct queue *q, bool *full)
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
			*full |= !take_packet(q, d[i], &p[i], stamp);
	return n;
}

static bool reap(struct queue *q, u32 *busy)
{
	bool full = false;
	u32 n, taken = 0;

	if (!spin_trylock(&q->rx)) {
		*busy |= q->bit;
		return false;
	}
	wake_begin();
	/* Where a reader is behind, what it will not get is cheaper dropped by the kernel. */
	do {
		n = take_batch(q, &full);
		taken += n;
	} while (n == BATCH && taken < BUDGET && !full);
	if (taken && xsk_fill_sleeps(&q->xsk))
		exits_submit(q->bit);
	spin_unlock(&q->rx);
	wake_end();
	gate_self()->taken += taken;
	return taken;
}

static bool reap_all(u32 xsks, u32 *busy)
{
	bool any = false;

	for (u32 i = 0; i < net_nqueues; i++)
		if (xsks & net_queues[i]->bit)
			any |= reap(net_queues[i], busy);
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
	for (u32 i = 0; i < net_nqueues; i++)
		spin_lock(&net_queues[i]->rx);
}

static void unlock_table(void)
{
	for (u32 i = 0; i < net_nqueues; i++)
		spin_unlock(&net_queues[i]->rx);
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
	send_init();
	ifindex = path_ifindex();
	while (net_nqueues < min(boot->xsks, (u64)RAKIS_XSK_MOST)) {
		q = make_queue(net_nqueues);
		if (!q)
			break;
		net_queues[net_nqueues++] = q;
		all_bits |= q->bit;
	}
	park_reap_xsks = reap_all;
}
