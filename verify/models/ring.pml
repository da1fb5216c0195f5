/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring between the enclave and a thread of the host that may sleep (the monitor, or the
 * kernel's with SQPOLL): nothing that was queued is forgotten, no entry is overwritten before
 * it was taken, and each is taken once, in order. An entry that is forgotten leaves the
 * consumer asleep and the producer waiting for room, or for the end: an invalid end state.
 *
 * Indices count modulo MODULO, so that they wrap, as 2^32 does. Each side's plain stores go
 * through a store buffer of one entry, which the processor empties when it likes: that is what
 * the fences are for (x86 has no other reordering).
 *
 * Broken on purpose, and found: -DNO_PRODUCER_FENCE, -DNO_CONSUMER_FENCE, -DSLEEPS_UNSEEN,
 * -DTAIL_FIRST, -DOVERFULL.
 */
#define SIZE	2
#define MODULO	8
#define ITEMS	6

byte entry[SIZE];
byte tail, head;		/* shared indices */
bit asleep;			/* monitor_asleep; IORING_SQ_NEED_WAKEUP */
bit sleeping;			/* in FUTEX_WAIT */

/* Store buffers: what is on its way. */
bit tail_held, asleep_held;
byte tail_new;

active proctype processor()
{
end:	do
	:: atomic { tail_held -> tail = tail_new; tail_held = 0 }
	:: atomic { asleep_held -> asleep = 1; asleep_held = 0 }
	od
}

/* Enclave: fastpath/uring.c uring_submit(), hostio/async.c queue(). */
active proctype producer()
{
	byte own = 0, n = 0;

	do
	:: n == ITEMS -> break
	:: else ->
		/* ring_available(): the difference, not the order. */
#ifdef OVERFULL
		(own - head + MODULO) % MODULO <= SIZE;
#else
		(own - head + MODULO) % MODULO < SIZE;
#endif
#ifdef TAIL_FIRST
		atomic { !tail_held; own = (own + 1) % MODULO; tail_new = own; tail_held = 1 }
		entry[n % SIZE] = n;
#else
		entry[n % SIZE] = n;		/* untrusted_write() */
		/* ring_advance() */
		atomic { !tail_held; own = (own + 1) % MODULO; tail_new = own; tail_held = 1 }
#endif
#ifndef NO_PRODUCER_FENCE
		!tail_held;			/* untrusted_store_half(), must_tell()'s fence */
#endif
		/* must_tell(), then RAKIS_OP_KICK: host/ring.c monitor_wake() */
		if
		:: asleep -> atomic { asleep = 0; sleeping = 0 }
		:: else
		fi;
		n++
	od
}

/* host/monitor.c: watch() and deep_sleep(). */
active proctype consumer()
{
	byte seen, n = 0;

	do
	:: n == ITEMS -> break
	:: else ->
		seen = tail;
		if
		:: seen != head ->		/* ring_submit(): the kernel takes one */
			assert((seen - head + MODULO) % MODULO <= SIZE);
			assert(entry[n % SIZE] == n);
			head = (head + 1) % MODULO;
			n++
		:: else ->
			/* Spins, dozes; in the end it says that it sleeps. */
#ifndef SLEEPS_UNSEEN
			asleep_held = 1;
#ifndef NO_CONSUMER_FENCE
			!asleep_held;		/* atomic_store() is sequentially consistent */
#endif
			seen = tail;		/* anything_queued() */
			if
			:: seen != head
			:: else ->
				!asleep_held;	/* a system call empties the buffer */
				/* FUTEX_WAIT: asleep only while the word says so. */
				atomic { if :: asleep -> sleeping = 1 :: else fi }
				!sleeping
			fi;
#else
			seen = tail;
			if
			:: seen != head
			:: else ->
				asleep = 1;
				atomic { if :: asleep -> sleeping = 1 :: else fi }
				!sleeping
			fi;
#endif
			!asleep_held;
			asleep = 0
		fi
	od
}
