/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parking: how a thread of the enclave sleeps, and is woken. One park word per thread, in
 * trusted memory; the host only sleeps and wakes, and a false wake-up is harmless.
 *
 * A waiter calls park_begin(), makes itself known to whoever will wake it, checks its
 * condition, then park(). A waker makes the condition true, then calls park_wake(). Since
 * park() returns at once if a wake-up came after park_begin(), none is lost.
 */
#ifndef RAKIS_HOSTIO_PARK_H
#define RAKIS_HOSTIO_PARK_H

#include "gate/gate.h"

void park_init(u64 cpus);

/* Forget earlier wake-ups of the running thread. */
void park_begin(void);
/* Sleep until park_wake() or for `ns` (~0: for ever). Spins first, for a bounded time that
 * grows when spinning was enough and shrinks when it was not. */
void park(u64 ns);
void park_wake(struct gate_thread *t);

/*
 * Several wake-ups in one section, or one under a spin lock: between begin and end they are
 * noted, and sent (which may leave the enclave) when the outermost section ends.
 */
void wake_begin(void);
void wake_end(void);
/* As park_wake(), put off inside such a section. */
void wake_thread(struct gate_thread *t);

/*
 * What parks and exits do for AF_XDP sockets, which belong to a room above: this one knows
 * their bits (boundary/xsk.h). Set at start: takes what has come; true if there was anything;
 * adds to *busy those that another thread is at.
 */
extern bool (*park_reap_xsks)(u32 xsks, u32 *busy);
/* The next exit of any thread takes along what these have queued. False: one was to already. */
bool exits_submit(u32 xsks);
/* Leave the enclave for that alone. */
void exit_now(void);

/* Around a request that sleeps outside (RAKIS_REQ_WAIT): enter answers false if a wake-up
 * came already, and then the request must not be made. */
bool park_enter(void) __must_check;
void park_leave(void);

#endif
