/* SPDX-License-Identifier: Apache-2.0 */
/* futex(2): every operation, its errors, and locks made of it under contention. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/futex.h>
#include "fake_threads.h"
#include "libos/futex.h"
#include "libos/time.h"

#define ROUNDS	5000
#define THREADS	4

static _Atomic u32 word, word2;
static _Atomic long results[FAKE_THREADS];
static int counter;

static long futex(_Atomic u32 *uaddr, int op, u32 val, u64 utime, _Atomic u32 *uaddr2, u32 val3)
{
	return do_futex((u64)uaddr, op, val, utime, (u64)uaddr2, val3);
}

static u64 timespec_at(struct timespec64 *ts, u64 ns)
{
	*ts = (struct timespec64){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };
	return (u64)ts;
}

/* ---- waiting and waking ---- */

static void wait_word(int id)
{
	results[id] = futex(&word, FUTEX_WAIT, 0, 0, NULL, 0);
}

static void start_waiters(int first, int n, void (*fn)(int id))
{
	for (int i = first; i < first + n; i++) {
		results[i] = 1;
		fake_start(i, fn);
		fake_wait_parked(i);
	}
}

static void join_waiters(int first, int n)
{
	for (int i = first; i < first + n; i++)
		fake_join(i);
}

static void test_errors(void **state)
{
	struct timespec64 ts = { 0, NSEC_PER_SEC };

	word = 7;
	assert_int_equal(futex(&word, FUTEX_WAIT, 6, 0, NULL, 0), -EAGAIN);
	assert_int_equal(futex(&word, FUTEX_WAIT, 7, (u64)&ts, NULL, 0), -EINVAL);
	ts.nsec = -1;
	assert_int_equal(futex(&word, FUTEX_WAIT, 7, (u64)&ts, NULL, 0), -EINVAL);
	assert_int_equal(futex(&word, FUTEX_WAIT, 7, 8, NULL, 0), -EFAULT);
	assert_int_equal(do_futex(8, FUTEX_WAIT, 7, 0, 0, 0), -EFAULT);
	assert_int_equal(do_futex((u64)&word + 1, FUTEX_WAIT, 7, 0, 0, 0), -EINVAL);
	assert_int_equal(do_futex((u64)&word + 2, FUTEX_WAKE, 7, 0, 0, 0), -EINVAL);
	assert_int_equal(do_futex(1ull << 47, FUTEX_WAKE, 7, 0, 0, 0), -EFAULT);
	assert_int_equal(futex(&word, FUTEX_WAIT_BITSET, 7, 0, NULL, 0), -EINVAL);
	assert_int_equal(futex(&word, FUTEX_WAKE_BITSET, 7, 0, NULL, 0), -EINVAL);
	assert_int_equal(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 7, 0, NULL, 0), -ENOSYS);
	assert_int_equal(futex(&word, 77, 7, 0, NULL, 0), -ENOSYS);
	assert_int_equal(futex(&word, FUTEX_REQUEUE, -1, 0, &word2, 0), -EINVAL);
	assert_int_equal(futex(&word, FUTEX_CMP_REQUEUE, 1, 1, &word2, 8), -EAGAIN);
	assert_int_equal(futex(&word, FUTEX_WAKE, 1, 0, NULL, 0), 0);
}

static void test_timeouts(void **state)
{
	struct timespec64 ts;
	u64 before = now_ns();

	word = 0;
	timespec_at(&ts, 5000000);
	assert_int_equal(futex(&word, FUTEX_WAIT_PRIVATE, 0, (u64)&ts, NULL, 0), -ETIMEDOUT);
	assert_true(now_ns() - before >= 5000000);
	timespec_at(&ts, now_ns() + 5000000);
	assert_int_equal(futex(&word, FUTEX_WAIT_BITSET, 0, (u64)&ts, NULL, 1), -ETIMEDOUT);
	assert_true(now_ns() - before >= 10000000);
	timespec_at(&ts, realtime_ns() + 5000000);
	assert_int_equal(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, (u64)&ts, NULL,
			       1), -ETIMEDOUT);
	assert_true(now_ns() - before >= 15000000);
	/* Long past. */
	timespec_at(&ts, 1);
	assert_int_equal(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, (u64)&ts, NULL,
			       1), -ETIMEDOUT);
}

static void test_signals(void **state)
{
	struct timespec64 ts = { 1000, 0 };
	struct task *t = gate_task();

	word = 0;
	fake_signal(0);
	assert_int_equal(futex(&word, FUTEX_WAIT, 0, 0, NULL, 0), -ERESTARTSYS);
	assert_int_equal(futex(&word, FUTEX_WAIT, 0, (u64)&ts, NULL, 0), -ERESTART_RESTARTBLOCK);
	/* The restart goes on with the same deadline. */
	assert_in_range(t->restart_deadline, now_ns() + 990 * NSEC_PER_SEC,
			now_ns() + 1000 * NSEC_PER_SEC);
	assert_int_equal(t->restart(t), -ERESTART_RESTARTBLOCK);
	word = 1;
	assert_int_equal(t->restart(t), -EAGAIN);
}

static void test_wake(void **state)
{
	word = 0;
	start_waiters(1, 5, wait_word);
	assert_int_equal(futex(&word, FUTEX_WAKE, 2, 0, NULL, 0), 2);
	/* In order of arrival. */
	join_waiters(1, 2);
	assert_int_equal(futex(&word, FUTEX_WAKE, 0, 0, NULL, 0), 1);
	assert_int_equal(futex(&word, FUTEX_WAKE, INT32_MAX, 0, NULL, 0), 2);
	join_waiters(3, 3);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(results[i], 0);
	assert_int_equal(futex(&word, FUTEX_WAKE, INT32_MAX, 0, NULL, 0), 0);
}

static void wait_bit(int id)
{
	results[id] = futex(&word, FUTEX_WAIT_BITSET, 0, 0, NULL, 1u << id);
}

static void test_bitset(void **state)
{
	word = 0;
	start_waiters(1, 3, wait_bit);
	assert_int_equal(futex(&word, FUTEX_WAKE_BITSET, 9, 0, NULL, 1), 0);
	assert_int_equal(futex(&word, FUTEX_WAKE_BITSET, 9, 0, NULL, 1u << 2), 1);
	fake_join(2);
	assert_int_equal(futex(&word, FUTEX_WAKE, 9, 0, NULL, 0), 2);
	fake_join(1);
	fake_join(3);
}

static void test_requeue(void **state)
{
	word = 0;
	start_waiters(1, 5, wait_word);
	/* One woken, two moved, two stay. */
	assert_int_equal(futex(&word, FUTEX_CMP_REQUEUE, 1, 2, &word2, 0), 3);
	fake_join(1);
	assert_int_equal(futex(&word, FUTEX_WAKE, 9, 0, NULL, 0), 2);
	join_waiters(4, 2);
	/* One that was moved gets a signal, the other one is woken there. */
	fake_signal(2);
	fake_join(2);
	assert_int_equal(results[2], -ERESTARTSYS);
	assert_int_equal(futex(&word2, FUTEX_WAKE, 9, 0, NULL, 0), 1);
	fake_join(3);
	assert_int_equal(results[3], 0);
}

static void test_requeue_to_itself(void **state)
{
	word = 0;
	start_waiters(1, 2, wait_word);
	assert_int_equal(futex(&word, FUTEX_REQUEUE, 0, 9, &word, 0), 2);
	assert_int_equal(futex(&word, FUTEX_WAKE, 9, 0, NULL, 0), 2);
	join_waiters(1, 2);
}

static void wait_word2(int id)
{
	results[id] = futex(&word2, FUTEX_WAIT, word2, 0, NULL, 0);
}

static void test_wake_op(void **state)
{
	static const struct {
		int op; u32 arg, before, after;
		int cmp; u32 cmparg;
		long woken;
	} cases[] = {
		{ FUTEX_OP_SET, 5, 3, 5, FUTEX_OP_CMP_EQ, 3, 1 },
		{ FUTEX_OP_SET, 5, 3, 5, FUTEX_OP_CMP_EQ, 4, 0 },
		{ FUTEX_OP_ADD, 0xfff, 3, 2, FUTEX_OP_CMP_NE, 3, 0 },	/* -1 */
		{ FUTEX_OP_OR, 4, 3, 7, FUTEX_OP_CMP_GT, 2, 1 },
		{ FUTEX_OP_ANDN, 1, 3, 2, FUTEX_OP_CMP_LT, 0xfff, 0 },	/* 3 < -1 */
		{ FUTEX_OP_XOR, 1, 3, 2, FUTEX_OP_CMP_LE, 3, 1 },
		{ FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, 3, 19, FUTEX_OP_CMP_GE, 4, 0 },
	};
	u32 op;

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		word2 = cases[i].before;
		start_waiters(1, 1, wait_word2);
		op = FUTEX_OP((u32)cases[i].op, cases[i].arg, cases[i].cmp, cases[i].cmparg);
		assert_int_equal(futex(&word, FUTEX_WAKE_OP, 1, 1, &word2, op), cases[i].woken);
		assert_int_equal(word2, cases[i].after);
		futex(&word2, FUTEX_WAKE, 1, 0, NULL, 0);
		fake_join(1);
	}
	assert_int_equal(futex(&word, FUTEX_WAKE_OP, 1, 1, &word2, FUTEX_OP(6, 0, 0, 0)), -ENOSYS);
	assert_int_equal(futex(&word, FUTEX_WAKE_OP, 1, 1, &word2, FUTEX_OP(0, 0, 9, 0)), -ENOSYS);
	assert_int_equal(do_futex((u64)&word, FUTEX_WAKE_OP, 1, 1, 8, 0), -EFAULT);
}

/* ---- locks ---- */

static void plain_lock(void)
{
	u32 seen = 0;

	if (atomic_compare_exchange_strong(&word, &seen, 1))
		return;
	while (atomic_exchange(&word, 2))
		futex(&word, FUTEX_WAIT, 2, 0, NULL, 0);
}

static void plain_unlock(void)
{
	if (atomic_exchange(&word, 0) == 2)
		futex(&word, FUTEX_WAKE, 1, 0, NULL, 0);
}

static void use_plain_lock(int id)
{
	for (int i = 0; i < ROUNDS; i++) {
		plain_lock();
		counter++;
		plain_unlock();
	}
}

static void pi_lock(int id)
{
	u32 seen = 0;

	if (!atomic_compare_exchange_strong(&word, &seen, FAKE_FIRST_TID + id))
		assert_int_equal(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0), 0);
	assert_int_equal(word & FUTEX_TID_MASK, FAKE_FIRST_TID + id);
}

static void pi_unlock(int id)
{
	u32 seen = FAKE_FIRST_TID + id;

	if (!atomic_compare_exchange_strong(&word, &seen, 0))
		assert_int_equal(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0), 0);
}

static void use_pi_lock(int id)
{
	for (int i = 0; i < ROUNDS; i++) {
		pi_lock(id);
		counter++;
		pi_unlock(id);
	}
}

static void contend(void (*fn)(int id))
{
	word = 0;
	counter = 0;
	for (int i = 1; i <= THREADS; i++)
		fake_start(i, fn);
	join_waiters(1, THREADS);
	assert_int_equal(counter, THREADS * ROUNDS);
	assert_int_equal(word, 0);
}

static void test_lock(void **state)
{
	contend(use_plain_lock);
}

static void test_pi_lock(void **state)
{
	contend(use_pi_lock);
}

static void test_pi_errors(void **state)
{
	struct timespec64 ts;

	word = FAKE_FIRST_TID;
	assert_int_equal(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0), -EDEADLK);
	word = FAKE_FIRST_TID + FAKE_THREADS;
	assert_int_equal(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0), -ESRCH);
	assert_int_equal(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0), -EPERM);
	word = FAKE_FIRST_TID + 1;
	assert_int_equal(futex(&word, FUTEX_TRYLOCK_PI, 0, 0, NULL, 0), -EAGAIN);
	assert_int_equal(word, FAKE_FIRST_TID + 1);
	timespec_at(&ts, realtime_ns() + 2000000);
	assert_int_equal(futex(&word, FUTEX_LOCK_PI, 0, (u64)&ts, NULL, 0), -ETIMEDOUT);
	timespec_at(&ts, now_ns() + 2000000);
	assert_int_equal(futex(&word, FUTEX_LOCK_PI2, 0, (u64)&ts, NULL, 0), -ETIMEDOUT);
	/* The owner learns that it has to unlock by call. */
	assert_int_equal(word, (FAKE_FIRST_TID + 1) | FUTEX_WAITERS);
	word = FUTEX_OWNER_DIED;
	assert_int_equal(futex(&word, FUTEX_TRYLOCK_PI, 0, 0, NULL, 0), 0);
	assert_int_equal(word, FAKE_FIRST_TID | FUTEX_OWNER_DIED);
	assert_int_equal(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0), 0);
	assert_int_equal(word, 0);
	fake_signal(0);
	word = FAKE_FIRST_TID + 1;
	assert_int_equal(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0), -ERESTARTNOINTR);
}

static void wait_pi(int id)
{
	results[id] = futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0);
}

static void test_pi_owner_dies(void **state)
{
	word = FAKE_FIRST_TID;
	start_waiters(1, 2, wait_pi);
	assert_int_equal(futex(&word, FUTEX_WAKE, 1, 0, NULL, 0), -EINVAL);
	fake_threads[0].gone = true;
	futex_task_gone(FAKE_FIRST_TID);
	fake_join(1);
	assert_int_equal(results[1], 0);
	assert_int_equal(word, (FAKE_FIRST_TID + 1) | FUTEX_OWNER_DIED | FUTEX_WAITERS);
	fake_enter(1);
	assert_int_equal(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0), 0);
	fake_join(2);
	assert_int_equal(word, FAKE_FIRST_TID + 2);
}

/* ---- robust lists ---- */

struct robust_lock {
	struct robust_list list;
	_Atomic u32 word;
};

static struct robust_list_head robust_head(struct robust_lock *locks)
{
	struct robust_list_head head = { .futex_offset = offsetof(struct robust_lock, word) };

	head.list.next = &locks[0].list;
	return head;
}

static void test_robust_list(void **state)
{
	struct robust_lock locks[4] = { 0 };
	struct robust_list_head head = robust_head(locks);
	u32 me = FAKE_FIRST_TID;

	for (int i = 0; i < 3; i++)
		locks[i].list.next = i < 2 ? &locks[i + 1].list : &head.list;
	locks[0].word = me;
	locks[1].word = me | FUTEX_WAITERS;
	locks[2].word = me + 1;			/* not ours */
	locks[3].word = me;			/* taken, not yet on the list */
	head.list_op_pending = &locks[3].list;
	gate_task()->robust_list = (u64)&head;
	futex_task_exit(gate_task());
	assert_int_equal(locks[0].word, FUTEX_OWNER_DIED);
	assert_int_equal(locks[1].word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
	assert_int_equal(locks[2].word, me + 1);
	assert_int_equal(locks[3].word, FUTEX_OWNER_DIED);
}

static void test_robust_list_wakes(void **state)
{
	struct robust_lock lock = { .word = 0 };
	struct robust_list_head head = robust_head(&lock);

	/* Unlocked, then died before waking: whoever slept must be woken. */
	head.list.next = &head.list;
	head.list_op_pending = (void *)((u64)&word - head.futex_offset);
	gate_task()->robust_list = (u64)&head;
	word = 0;
	start_waiters(1, 1, wait_word);
	futex_task_exit(gate_task());
	fake_join(1);
}

static void test_robust_pi(void **state)
{
	struct robust_list_head head = { .futex_offset = 0 };

	word2 = FAKE_FIRST_TID;
	head.list.next = &head.list;
	word = FAKE_FIRST_TID;
	start_waiters(1, 1, wait_pi);
	head.list_op_pending = (void *)((u64)&word | 1);
	gate_task()->robust_list = (u64)&head;
	futex_task_exit(gate_task());
	fake_join(1);
	assert_int_equal(word, (FAKE_FIRST_TID + 1) | FUTEX_OWNER_DIED);
}

static void test_robust_list_bad(void **state)
{
	struct robust_lock circle = { .word = 0 };
	struct robust_list_head head = robust_head(&circle);

	circle.list.next = &circle.list;
	gate_task()->robust_list = (u64)&head;
	futex_task_exit(gate_task());
	head.list.next = (void *)8;
	futex_task_exit(gate_task());
	gate_task()->robust_list = 8;
	futex_task_exit(gate_task());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_errors, fake_setup),
		cmocka_unit_test_setup(test_timeouts, fake_setup),
		cmocka_unit_test_setup(test_signals, fake_setup),
		cmocka_unit_test_setup(test_wake, fake_setup),
		cmocka_unit_test_setup(test_bitset, fake_setup),
		cmocka_unit_test_setup(test_requeue, fake_setup),
		cmocka_unit_test_setup(test_requeue_to_itself, fake_setup),
		cmocka_unit_test_setup(test_wake_op, fake_setup),
		cmocka_unit_test_setup(test_lock, fake_setup),
		cmocka_unit_test_setup(test_pi_lock, fake_setup),
		cmocka_unit_test_setup(test_pi_errors, fake_setup),
		cmocka_unit_test_setup(test_pi_owner_dies, fake_setup),
		cmocka_unit_test_setup(test_robust_list, fake_setup),
		cmocka_unit_test_setup(test_robust_list_wakes, fake_setup),
		cmocka_unit_test_setup(test_robust_pi, fake_setup),
		cmocka_unit_test_setup(test_robust_list_bad, fake_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
