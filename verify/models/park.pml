/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parking: no wake-up is lost. One thread waits for a condition, another makes it true and
 * wakes it, ROUNDS times. A wake-up that is lost leaves the sleeper in the kernel while the
 * waker waits for it to go on: spin reports an invalid end state.
 *
 * Each statement is one access of the code, which the comments name. All of these are
 * sequentially consistent there, as all are here.
 *
 * Broken on purpose, and found: -DSLEEPER_LOOKS_FIRST, -DWAKER_LOOKS_FIRST, -DHOST_LOOKS_FIRST,
 * -DNO_CANCEL, -DBEGIN_LATE.
 */
#ifndef ROUNDS
#define ROUNDS 3
#endif
#define POLL	1	/* ASLEEP_POLL: the eventfd ends it, too */
#define CALL	2	/* ASLEEP_CALL: only a signal does */

bit condition;		/* what the sleeper waits for */
bit notified, parked;	/* struct gate_thread: enclave/hostio/park.c */
bit wake;		/* struct thread: host/wake.c */
byte asleep;
bit eventfd;		/* thread.wake_fd has something */
bit signalled;		/* SIGNAL_INTERRUPT is pending */
bit in_call;		/* between call_unless_start and the end of the system call */

/* The signal's handler, anywhere but there (host/signals.c, interrupt()). */
active proctype handler()
{
end:	do
	:: atomic { signalled && !in_call -> signalled = 0; wake = 1 }
	od
}

/* One sleep: host/exec_wait.c, sleep_on() and sleep_in_ring(). */
inline host_sleep(kind)
{
#ifndef HOST_LOOKS_FIRST
	asleep = kind;
#endif
	/* call_unless(): host/executor.S */
	in_call = 1;
	if
	:: wake -> in_call = 0
	:: else ->
#ifdef HOST_LOOKS_FIRST
		asleep = kind;
#endif
#ifdef NO_CANCEL
		/* The handler returns to the call instead of call_unless_cancel. */
		if
		:: signalled -> signalled = 0; wake = 1
		:: else
		fi;
#endif
		/*
		 * A signal here: the handler moves the thread to call_unless_cancel. In the
		 * call: EINTR. Either way the thread goes on.
		 */
		if
		:: atomic { signalled -> signalled = 0; in_call = 0 } wake = 1
		:: atomic { kind == POLL && eventfd -> in_call = 0 }
		fi
	fi;
	asleep = 0;
	wake = 0;			/* used_up() */
	eventfd = 0
}

/* enclave/libos/wait.h wait_event() over enclave/hostio/park.c. */
active proctype sleeper()
{
	byte n = 0;

	do
	:: n == ROUNDS -> break
	:: else ->
#ifndef BEGIN_LATE
		notified = 0;		/* park_begin() */
#endif
		if
		:: condition -> condition = 0; n++
		:: else ->
#ifdef BEGIN_LATE
			notified = 0;
#endif
#ifndef SLEEPER_LOOKS_FIRST
			parked = 1;	/* park_enter() */
#endif
			if
			:: notified -> notified = 0
			:: else ->
#ifdef SLEEPER_LOOKS_FIRST
				parked = 1;
#endif
				if
				:: host_sleep(POLL)
				:: host_sleep(CALL)
				fi
			fi;
			parked = 0	/* park_leave() */
		fi
	od
}

/* park_wake(), then thread_wake() of host/wake.c. */
active proctype waker()
{
	byte n = 0;
	bit was;

	do
	:: n == ROUNDS -> break
	:: else ->
		!condition;		/* the last one was taken */
#ifdef WAKER_LOOKS_FIRST
		was = parked;
		condition = 1;
		notified = 1;
		if
		:: was ->
#else
		condition = 1;
		atomic { was = notified; notified = 1 }		/* atomic_exchange() */
		if
		:: !was && parked ->
#endif
			wake = 1;	/* the exit: RAKIS_OP_WAKE */
			if
			:: asleep == POLL -> eventfd = 1
			:: asleep == CALL -> signalled = 1
			:: asleep == 0
			fi
		:: else
		fi;
		n++
	od
}
