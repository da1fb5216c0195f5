/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the trusted stack costs a datagram, in nanoseconds: the rooms of the enclave as user
 * code, with rings, a kernel and a host played in the same memory, whose time does not count.
 * One line each, "name value", the median of many bursts. Unlike on a wire, frames and
 * payloads are in the processor's caches.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../tests/unit/fake_xsk.h"
#include "hostio/park.h"

#define BURST	64
#define ROUNDS	4001

static struct datagram *queue, **end = &queue;

static bool deliver(struct net_bind *b, struct datagram *d)
{
	d->next = NULL;
	*end = d;
	end = &d->next;
	return true;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : 1;
}

static void print(const char *name, u32 len, double *each)
{
	qsort(each, ROUNDS, sizeof(*each), compare);
	printf("%s_%u %.1f\n", name, len, each[ROUNDS / 2]);
}

/* Packets wait in the RX ring: taken in, checked, handed over, copied to the guest. */
static void receive(u32 len)
{
	static double each[ROUNDS];
	struct net_addr from = fake_addr("10.0.0.9", 7), to = fake_addr("10.0.0.1", 53);
	u8 data[2048] = { 0 }, frame[2048];
	u32 n = fake_packet(frame, &from, &to, data, len);

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 got = 0;
		double start;

		for (u32 k = 0; k < BURST; k++)
			if (!fake_xsk_receive(0, frame, n))
				abort();
		start = now();
		while (net_reap())
			;
		while (queue) {
			struct datagram *d = queue;
			struct iter it;

			queue = d->next;
			if (iter_buf(&it, (u64)fake_guest, len) || iter_write(&it, d->data, len) != len)
				abort();
			datagram_put(d);
			got++;
		}
		end = &queue;
		each[i] = (now() - start) / BURST;
		if (got != BURST)
			abort();
	}
	print("receive", len, each);
}

/* Payloads from the guest into frames; exits to tell the kernel cost nothing here. */
static void transmit(u32 len)
{
	static double each[ROUNDS];
	struct net_send s = {
		.from = fake_addr("10.0.0.1", 53), .to = fake_addr("10.0.0.9", 7), .dont_fragment = true,
	};
	struct net_path p = { 0 };
	u8 frame[2048];

	for (u32 i = 0; i < ROUNDS; i++) {
		double start = now();

		for (u32 k = 0; k < BURST; k++) {
			struct iter it;

			if (iter_buf(&it, (u64)fake_guest, len) || !net_path(&p, s.to.ip, s.from.ip) ||
			    net_send(&p, &s, &it, len))
				abort();
		}
		each[i] = (now() - start) / BURST;
		while (fake_xsk_sent(0, frame) >= 0)
			;
	}
	print("send", len, each);
}

int main(void)
{
	static struct net_bind b = { .local.port = 53, .v4 = true, .deliver = deliver };
	static const u32 sizes[] = { 18, 64, 512, 1460 };

	fake_xsk_setup();
	memset(fake_guest, 1, 4096);
	if (net_bind(&b, 3))
		return 1;
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++)
		receive(sizes[i]);
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++)
		transmit(sizes[i]);
	return 0;
}
