/* SPDX-License-Identifier: Apache-2.0 */
/* Park words with real threads: no wake-up is lost, waiting requests end with a wake-up. */
#include "cmocka_first.h"
#include <pthread.h>
#include <sched.h>
#include "fake_host.h"
#include "hostio/park.h"
#include "lib/errno.h"
#include "libos/time.h"

#define ROUNDS	500000		/* or as many as there are in two seconds */
#define SECOND	NSEC_PER_SEC

static _Atomic u32 turn, timeouts;
static _Atomic bool stop;
static u32 cpus;

static void *ping_pong(void *arg)
{
	u32 slot = (u32)(u64)arg;
	u64 seed = slot + cpus * 77, end = now_ns() + 2 * SECOND;

	fake_host_enter(slot);
	for (u32 i = 0; !stop; i++) {
		for (;;) {
			u64 before;

			park_begin();
			if (turn == slot)
				break;
			/* A sleep that nothing ends is a wake-up lost; a busy machine takes its time. */
			before = now_ns();
			park(10 * SECOND);
			timeouts += now_ns() - before > 9 * SECOND;
		}
		for (u32 k = fake_below(&seed, 64) ? 0 : fake_below(&seed, 2000); k; k--)
			__builtin_ia32_pause();
		if (!slot && (i == ROUNDS || now_ns() > end))
			stop = true;
		turn = 1 - slot;
		park_wake(fake_thread(1 - slot));
		/* One more than needed does no harm. */
		if (fake_below(&seed, 16) == 0)
			park_wake(fake_thread(1 - slot));
	}
	return NULL;
}

static void test_no_wakeup_is_lost(void **state)
{
	for (cpus = 1; cpus <= 2; cpus++) {
		pthread_t other;

		park_init(cpus);
		turn = timeouts = 0;
		stop = false;
		assert_int_equal(pthread_create(&other, NULL, ping_pong, (void *)1), 0);
		ping_pong((void *)0);
		pthread_join(other, NULL);
		assert_int_equal(timeouts, 0);
		assert_true(fake_requests[RAKIS_OP_PARK] > 0);
	}
}

static void test_awake_sends_nothing(void **state)
{
	park_begin();
	park_wake(fake_thread(0));
	park_wake(fake_thread(1));
	assert_int_equal(fake_requests[RAKIS_OP_WAKE], 0);
	/* It came after park_begin(): no sleep. */
	park(60 * SECOND);
	assert_int_equal(fake_requests[RAKIS_OP_PARK], 0);
}

static void test_pending_ends_the_sleep(void **state)
{
	park_begin();
	gate_self()->pending = GATE_PENDING_HOST;
	park(60 * SECOND);
	assert_int_equal(fake_requests[RAKIS_OP_PARK], 0);
}

static void test_time_runs_out(void **state)
{
	u64 before = now_ns();

	park_begin();
	park(20000000);
	assert_true(now_ns() - before >= 20000000);
	assert_int_equal(gate_self()->parked, 0);
}

static bool is_waiting(const struct rakis_request *rq)
{
	return rq->opcode == RAKIS_OP_RECV && rq->flags & RAKIS_REQ_WAIT;
}

static s64 nothing_comes(const struct rakis_request *rq, u32 slot)
{
	if (!is_waiting(rq))
		return FAKE_PASS;
	return fake_sleep(slot, rq->addr3) ? -EINTR : -EAGAIN;
}

static _Atomic bool received;

static void *receive(void *arg)
{
	static u8 buf[8];
	struct iter it;
	ssize_t res;

	fake_host_enter(1);
	park_begin();
	iter_kernel(&it, buf, sizeof(buf));
	res = host_recv(3, &it, 0, 60 * SECOND);
	received = true;
	return (void *)res;
}

static void test_request_ends_with_a_wakeup(void **state)
{
	fake_answer = nothing_comes;
	for (u32 i = 0; i < 2000; i++) {
		pthread_t other;
		void *res;

		received = false;
		assert_int_equal(pthread_create(&other, NULL, receive, NULL), 0);
		/* A wake-up that the last one did not need may end this one at once. */
		while (!fake_thread(1)->parked && !received)
			sched_yield();
		park_wake(fake_thread(1));
		pthread_join(other, &res);
		assert_int_equal((s64)res, -EINTR);
		assert_int_equal(fake_thread(1)->parked, 0);
	}
}

static void test_request_not_made_after_a_wakeup(void **state)
{
	struct iter it;
	u8 buf[8];

	fake_answer = nothing_comes;
	park_begin();
	park_wake(gate_self());
	iter_kernel(&it, buf, sizeof(buf));
	assert_int_equal(host_recv(3, &it, 0, HOST_FOREVER), -EINTR);
	assert_int_equal(fake_requests[RAKIS_OP_RECV], 0);
	/* It is used up; the next one goes out, and ends with its time. */
	assert_int_equal(host_recv(3, &it, 0, 1000000), -EAGAIN);
	assert_int_equal(fake_requests[RAKIS_OP_RECV], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_no_wakeup_is_lost, fake_host_setup),
		cmocka_unit_test_setup(test_awake_sends_nothing, fake_host_setup),
		cmocka_unit_test_setup(test_pending_ends_the_sleep, fake_host_setup),
		cmocka_unit_test_setup(test_time_runs_out, fake_host_setup),
		cmocka_unit_test_setup(test_request_ends_with_a_wakeup, fake_host_setup),
		cmocka_unit_test_setup(test_request_not_made_after_a_wakeup, fake_host_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
