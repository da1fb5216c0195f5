/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and kernel timers against a host that is honest, wrong, or lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "fake_threads.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "libos/time.h"
#include "libos/vvar.h"

#define MS	1000000ull

static s64 skew_ns;		/* what the host adds to the truth */
static bool host_silent, host_lies;
static u32 clock_calls;
static u64 timer_ns;		/* last host_timer() */
static u32 timer_calls;
static u64 hz;

/* ---- the host ---- */

static u64 tsc(void)
{
	return __builtin_ia32_rdtsc();
}

static u64 true_ns(void)
{
	return (unsigned __int128)tsc() * NSEC_PER_SEC / hz;
}

int host_clock(struct rakis_clock *c)
{
	clock_calls++;
	if (host_silent)
		return -EIO;
	c->tsc_before = tsc();
	c->monotonic_ns = true_ns() + skew_ns;
	c->realtime_ns = c->monotonic_ns + 1000 * NSEC_PER_SEC;
	c->boottime_ns = c->monotonic_ns + 5 * NSEC_PER_SEC;
	c->tsc_after = tsc();
	c->process_cpu_ns = 1;
	c->thread_cpu_ns = 2;
	if (host_lies)
		for (u64 *p = (u64 *)c; p < (u64 *)(c + 1); p++)
			if (random() % 2)
				*p = (u64)random() << (random() % 40);
	return 0;
}

int host_timer(u64 ns)
{
	timer_ns = ns;
	timer_calls++;
	return 0;
}

void host_yield(void)
{
}

int copy_to_user(u64 uaddr, const void *src, size_t n)
{
	if (uaddr < FAKE_BAD)
		return -EFAULT;
	__builtin_memcpy((void *)uaddr, src, n);
	return 0;
}

static int setup(void **state)
{
	struct rakis_boot boot = { 0 };

	fake_setup(state);
	skew_ns = 0;
	host_silent = host_lies = false;
	boot.tsc_hz = hz = 2000000000;
	time_init(&boot);
	return 0;
}

/* Go on until the line is used up, so that the next look asks the host. */
static void next_window(void)
{
	u32 calls = clock_calls;

	while (clock_calls == calls)
		now_ns();
}

/* ---- clocks ---- */

static void test_follows_host(void **state)
{
	u64 a, t, b;

	for (int i = 0; i < 5; i++) {
		next_window();
		a = true_ns();
		t = now_ns();
		b = true_ns();
		assert_in_range(t, a - MS, b + MS);
		assert_in_range(realtime_ns() - now_ns(), 1000 * NSEC_PER_SEC - MS,
				1000 * NSEC_PER_SEC + MS);
		assert_in_range(boottime_ns() - now_ns(), 5 * NSEC_PER_SEC - MS,
				5 * NSEC_PER_SEC + MS);
	}
}

static void test_few_looks(void **state)
{
	u32 calls;

	next_window();
	calls = clock_calls;
	for (int i = 0; i < 10000; i++)
		now_ns();
	assert_in_range(clock_calls - calls, 0, 1);
}

static void test_host_goes_back(void **state)
{
	u64 before, after;

	next_window();
	before = now_ns();
	skew_ns = -(s64)(10 * NSEC_PER_SEC);
	for (int i = 0; i < 4; i++) {
		next_window();
		after = now_ns();
		assert_true(after >= before);
		before = after;
	}
	/* It does not stand still either. */
	assert_true(now_ns() > true_ns() - NSEC_PER_SEC);
}

static void test_host_jumps(void **state)
{
	u64 before;

	next_window();
	before = now_ns();
	skew_ns = 1000000 * NSEC_PER_SEC;
	next_window();
	/* At most an hour at a time. */
	assert_in_range(now_ns() - before, 3000 * NSEC_PER_SEC, 3700 * NSEC_PER_SEC);
}

static void test_silent_host(void **state)
{
	u64 before = now_ns();

	host_silent = true;
	next_window();
	next_window();
	assert_true(now_ns() > before + 200 * MS);
}

static void test_lies(void **state)
{
	u64 last = 0, t;

	host_lies = true;
	for (u32 end = clock_calls + 8; clock_calls < end;) {
		t = now_ns();
		assert_true(t >= last);
		last = t;
	}
}

static _Atomic u64 newest;

static void read_on(int id)
{
	u64 seen, t;

	for (u32 end = clock_calls + 4; clock_calls < end;) {
		seen = atomic_load(&newest);
		t = now_ns();
		assert_true(t >= seen);
		while (seen < t && !atomic_compare_exchange_weak(&newest, &seen, t))
			;
	}
}

static void test_threads_agree(void **state)
{
	newest = 0;
	for (int i = 1; i <= 2; i++)
		fake_start(i, read_on);
	for (int i = 1; i <= 2; i++)
		fake_join(i);
}

static void test_vvar(void **state)
{
	struct vvar v = { .cpus = 3 };
	u64 t, passed;

	time_set_vvar(&v);
	assert_int_equal(v.mode, VVAR_TSC);
	assert_int_equal(v.seq % 2, 0);
	assert_int_equal(v.cpus, 3);
	t = tsc();
	passed = t - v.tsc_base;
	assert_true(passed <= v.tsc_max);
	assert_in_range(v.mono_ns + ((unsigned __int128)passed * v.mult >> VVAR_SHIFT),
			now_ns() - MS, now_ns());
	v.seq = 77;			/* the guest may do so */
	next_window();
	assert_int_equal(v.seq % 2, 0);
	/* Gone: nothing happens. */
	time_set_vvar((struct vvar *)8);
	next_window();
}

static void test_without_tsc(void **state)
{
	/* As at first, with a rate that nobody believes. */
	struct rakis_boot boot = { .tsc_hz = 1 };
	u64 t;

	time_init(&boot);
	t = now_ns();
	assert_true(now_ns() >= t);
}

/* ---- timers ---- */

static int fired[4];
static struct ktimer timers[4];
static int order;

static void count(struct ktimer *t)
{
	fired[t - timers] = ++order;
}

static void again(struct ktimer *t)
{
	if (++fired[t - timers] < 3)
		ktimer_arm(t, now_ns());
}

static void test_ktimer_order(void **state)
{
	u64 now = now_ns();

	order = 0;
	for (int i = 0; i < 4; i++)
		timers[i] = (struct ktimer){ .fn = count };
	ktimer_arm(&timers[0], now + 3600 * NSEC_PER_SEC);
	assert_in_range(timer_ns, 3599 * NSEC_PER_SEC, 3600 * NSEC_PER_SEC);
	timer_calls = 0;
	ktimer_arm(&timers[1], now + 3601 * NSEC_PER_SEC);
	assert_int_equal(timer_calls, 0);
	ktimer_arm(&timers[2], now + 2);
	ktimer_arm(&timers[3], now + 1);
	assert_int_equal(timer_calls, 2);
	ktimer_run();
	assert_int_equal(fired[3], 1);
	assert_int_equal(fired[2], 2);
	assert_int_equal(order, 2);
	/* Set for the next one. */
	assert_in_range(timer_ns, 3590 * NSEC_PER_SEC, 3600 * NSEC_PER_SEC);
	assert_true(ktimer_cancel(&timers[0]));
	assert_false(ktimer_cancel(&timers[0]));
	/* Moved. */
	ktimer_arm(&timers[1], now);
	ktimer_run();
	assert_int_equal(fired[1], 3);
	assert_false(ktimer_cancel(&timers[1]));
}

static void test_ktimer_rearms_itself(void **state)
{
	timers[0] = (struct ktimer){ .fn = again };
	fired[0] = 0;
	ktimer_arm(&timers[0], 1);
	ktimer_run();
	assert_int_equal(fired[0], 3);
}

static void test_ktimer_host_early(void **state)
{
	timers[0] = (struct ktimer){ .fn = count };
	fired[0] = 0;
	ktimer_arm(&timers[0], now_ns() + 50 * MS);
	timer_calls = 0;
	/* The host's clock is a little fast: it is asked again. */
	ktimer_run();
	assert_int_equal(fired[0], 0);
	assert_int_equal(timer_calls, 1);
	while (!fired[0])
		ktimer_run();
	/* An empty list leaves nothing behind that would keep the next one from being set. */
	ktimer_run();
	timer_calls = 0;
	ktimer_arm(&timers[0], now_ns() + 3600 * NSEC_PER_SEC);
	assert_int_equal(timer_calls, 1);
	ktimer_cancel(&timers[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_follows_host, setup),
		cmocka_unit_test_setup(test_few_looks, setup),
		cmocka_unit_test_setup(test_silent_host, setup),
		cmocka_unit_test_setup(test_threads_agree, setup),
		cmocka_unit_test_setup(test_vvar, setup),
		cmocka_unit_test_setup(test_ktimer_order, setup),
		cmocka_unit_test_setup(test_ktimer_rearms_itself, setup),
		cmocka_unit_test_setup(test_ktimer_host_early, setup),
		cmocka_unit_test_setup(test_host_goes_back, setup),
		cmocka_unit_test_setup(test_host_jumps, setup),
		cmocka_unit_test_setup(test_lies, setup),
		cmocka_unit_test_setup(test_without_tsc, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
