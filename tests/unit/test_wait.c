/* SPDX-License-Identifier: Apache-2.0 */
/* Wait queues, wait_event() and the sleeping lock, with real concurrency. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "fake_threads.h"
#include "libos/time.h"
#include "libos/wait.h"

#define ROUNDS		20000
#define LONG_ENOUGH	(20 * NSEC_PER_SEC)

static struct wait_queue queue = WAIT_QUEUE_INIT(queue);
static struct mutex lock = MUTEX_INIT(lock);
static _Atomic int turn, woken;
static int counter;

static void test_condition_holds(void **state)
{
	assert_int_equal(wait_event(&queue, 0, true), 0);
	assert_true(list_empty(&queue.waiters));
}

static void test_timeout(void **state)
{
	u64 before = now_ns();

	assert_int_equal(wait_event(&queue, before + 20000000, false), -ETIMEDOUT);
	assert_true(now_ns() - before >= 20000000);
	assert_true(list_empty(&queue.waiters));
}

static void test_signal(void **state)
{
	fake_signal(0);
	assert_int_equal(wait_event(&queue, WAIT_FOREVER, false), -ERESTARTSYS);
	/* The way back to the guest is to settle the call. */
	assert_true(gate_self()->pending & GATE_PENDING_WORK);
}

static void test_work_without_signal(void **state)
{
	/* Another task took the signal: sleep all the same. */
	atomic_store(&gate_self()->pending, GATE_PENDING_WORK);
	assert_int_equal(wait_event(&queue, now_ns() + 5000000, false), -ETIMEDOUT);
	assert_int_equal(gate_self()->pending, 0);
}

static void test_host_pending(void **state)
{
	atomic_store(&gate_self()->pending, GATE_PENDING_HOST);
	assert_int_equal(wait_event(&queue, now_ns() + 5000000, false), -ETIMEDOUT);
	assert_int_equal(gate_self()->pending, 0);
}

static void ping_pong(int id)
{
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(wait_event(&queue, now_ns() + LONG_ENOUGH, turn == id), 0);
		turn = 1 - id;
		wake_up(&queue, 0);
	}
}

static void test_no_wakeup_is_lost(void **state)
{
	turn = 0;
	fake_start(1, ping_pong);
	ping_pong(0);
	fake_join(1);
}

static void wait_exclusive(int id)
{
	struct waiter w;

	waiter_init(&w, gate_task());
	w.exclusive = true;
	waiter_add(&queue, &w);
	park_begin();
	park(LONG_ENOUGH);
	waiter_remove(&w);
	woken++;
}

static void test_exclusive(void **state)
{
	woken = 0;
	for (int i = 1; i <= 3; i++) {
		fake_start(i, wait_exclusive);
		fake_wait_parked(i);
	}
	/* In order of arrival, one at a time. */
	wake_up(&queue, 0);
	fake_join(1);
	assert_int_equal(woken, 1);
	assert_true(fake_threads[2].gate.parked && fake_threads[3].gate.parked);
	wake_up_all(&queue, 0);
	fake_join(2);
	fake_join(3);
}

static struct wait_queue inner = WAIT_QUEUE_INIT(inner);

static bool pass_on(struct waiter *w, u32 events)
{
	assert_int_equal(events, 5);
	wake_up(&inner, 0);
	/* Under the outer queue's lock: noted, not sent. */
	assert_false(gate_self()->notified);
	return true;
}

static void test_nested_wakeups_wait_for_the_lock(void **state)
{
	struct waiter outer_w, inner_w;

	waiter_init(&outer_w, NULL);
	outer_w.fn = pass_on;
	waiter_init(&inner_w, gate_task());
	waiter_add(&queue, &outer_w);
	waiter_add(&inner, &inner_w);
	park_begin();
	wake_up(&queue, 5);
	assert_true(gate_self()->notified);
	waiter_remove(&inner_w);
	waiter_remove(&outer_w);
	/* Harmless twice. */
	waiter_remove(&outer_w);
}

static void count_up(int id)
{
	for (int i = 0; i < ROUNDS; i++) {
		mutex_lock(&lock);
		counter++;
		mutex_unlock(&lock);
	}
}

static void test_mutex(void **state)
{
	counter = 0;
	for (int i = 1; i <= 4; i++)
		fake_start(i, count_up);
	for (int i = 1; i <= 4; i++)
		fake_join(i);
	assert_int_equal(counter, 4 * ROUNDS);
	assert_int_equal(lock.held, 0);
}

static void lock_once(int id)
{
	mutex_lock(&lock);
	mutex_unlock(&lock);
}

static void test_mutex_ignores_signals(void **state)
{
	mutex_lock(&lock);
	fake_start(1, lock_once);
	fake_wait_parked(1);
	fake_signal(1);
	/* It sleeps again, with the signal still to be seen later. */
	fake_wait_parked(1);
	mutex_unlock(&lock);
	fake_join(1);
	assert_true(fake_threads[1].gate.pending & GATE_PENDING_WORK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_condition_holds, fake_setup),
		cmocka_unit_test_setup(test_timeout, fake_setup),
		cmocka_unit_test_setup(test_signal, fake_setup),
		cmocka_unit_test_setup(test_work_without_signal, fake_setup),
		cmocka_unit_test_setup(test_host_pending, fake_setup),
		cmocka_unit_test_setup(test_no_wakeup_is_lost, fake_setup),
		cmocka_unit_test_setup(test_exclusive, fake_setup),
		cmocka_unit_test_setup(test_nested_wakeups_wait_for_the_lock, fake_setup),
		cmocka_unit_test_setup(test_mutex, fake_setup),
		cmocka_unit_test_setup(test_mutex_ignores_signals, fake_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
