/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of signals: order, limits, what is thrown away, and which task is told. */
#include "cmocka_first.h"
#include <linux/signal.h>
#include <string.h>
#include "fake_host.h"
#include "lib/errno.h"

#define TASKS	3
#define MOST	1024u

static struct task *tasks[TASKS];
static u32 kicks[TASKS];

void task_kick(struct task *t)
{
	for (u32 i = 0; i < TASKS; i++)
		kicks[i] += t == tasks[i];
}

void sigframe_init(void)
{
}

static int delivered, overruns;

void posix_timer_delivered(int id, int overrun)
{
	delivered = id;
	overruns = overrun;
}

static int setup(void **state)
{
	const struct rakis_boot boot = { 0 };

	fake_host_setup(state);
	for (u32 i = 0; i < TASKS; i++) {
		tasks[i] = fake_thread(i)->task;
		list_append(&process.tasks, &tasks[i]->node);
		signal_task_init(tasks[i], NULL);
	}
	process.ntasks = TASKS;
	signal_init(&boot);
	memset(kicks, 0, sizeof(kicks));
	return 0;
}

static int take(sigset mask, struct siginfo_min *info)
{
	struct siginfo_min other;

	return signal_dequeue(mask, info ? info : &other) ? 0 : info ? info->signo : other.signo;
}

static int teardown(void **state)
{
	struct siginfo_min info;
	struct sigact a;

	for (u32 i = 0; i < TASKS; i++) {
		fake_host_enter(i);
		signal_set_blocked(0);
		while (signal_next(&info, &a))
			;
		signal_task_exit(tasks[i]);
	}
	fake_host_enter(0);
	assert_int_equal(process.signals_queued, 0);
	return 0;
}

static int send_to(struct task *t, int sig, int code, u64 value)
{
	const struct siginfo_min info = { .signo = sig, .code = code, .value = value };

	return t ? signal_send_task(t, &info) : signal_send_process(&info);
}

static void act(int sig, u64 handler, u64 flags)
{
	const struct sigact a = { .handler = handler, .flags = flags };

	assert_int_equal(signal_action(sig, &a, NULL), 0);
}

#define IGN	1ull
#define HANDLER	0x1000ull

static void test_order(void **state)
{
	static const int sent[] = { SIGTERM, 40, SIGHUP, SIGSEGV, 34, SIGUSR1, SIGFPE },
		got[] = { SIGFPE, SIGSEGV, SIGHUP, SIGUSR1, SIGTERM, 34, 40 };
	struct siginfo_min info;
	struct sigact a;

	for (u32 i = 0; i < ARRAY_SIZE(sent); i++)
		assert_int_equal(send_to(tasks[0], sent[i], SI_USER, 0), 0);
	/* Faults first, then by number. */
	for (u32 i = 0; i < ARRAY_SIZE(got); i++)
		assert_int_equal(signal_next(&info, &a), got[i]);
	assert_int_equal(signal_next(&info, &a), 0);
	assert_int_equal(send_to(NULL, SIGHUP, SI_USER, 0), 0);
	assert_int_equal(send_to(NULL, SIGSEGV, SI_USER, 0), 0);
	assert_int_equal(take(~0ull, NULL), SIGSEGV);
	assert_int_equal(take(~0ull, NULL), SIGHUP);
	/* The task's own before the process's. */
	assert_int_equal(send_to(NULL, SIGHUP, SI_USER, 0), 0);
	assert_int_equal(send_to(tasks[0], SIGTERM, SI_USER, 0), 0);
	assert_int_equal(signal_next(&info, &a), SIGTERM);
	assert_int_equal(signal_next(&info, &a), SIGHUP);
}

static void test_standard_ones_merge(void **state)
{
	struct siginfo_min info;

	for (u64 i = 0; i < 3; i++)
		assert_int_equal(send_to(tasks[0], SIGUSR1, SI_QUEUE, i), 0);
	assert_int_equal(take(~0ull, &info), SIGUSR1);
	assert_int_equal(info.value, 0);
	assert_int_equal(take(~0ull, NULL), 0);
}

static void test_real_time_ones_queue(void **state)
{
	struct siginfo_min info;

	for (u64 i = 0; i < 3; i++)
		assert_int_equal(send_to(tasks[0], 40, SI_QUEUE, i), 0);
	for (u64 i = 0; i < 3; i++) {
		assert_int_equal(take(SIGMASK(40), &info), 40);
		assert_int_equal(info.value, i);
	}
	assert_int_equal(take(~0ull, NULL), 0);
}

static void test_limit(void **state)
{
	u32 n = 0;

	for (u64 i = 0; i < MOST; i++)
		assert_int_equal(send_to(i % 2 ? tasks[0] : NULL, 40, SI_QUEUE, i), 0);
	assert_int_equal(process.signals_queued, MOST);
	assert_int_equal(send_to(NULL, 40, SI_QUEUE, 0), -EAGAIN);
	assert_int_equal(send_to(tasks[1], 41, SI_QUEUE, 0), -EAGAIN);
	/* kill() never fails for it, and the old signals always have room. */
	assert_int_equal(send_to(NULL, 42, SI_USER, 0), 0);
	assert_int_equal(take(SIGMASK(42), NULL), 42);
	assert_int_equal(take(SIGMASK(42), NULL), 0);
	assert_int_equal(send_to(NULL, SIGTERM, SI_USER, 0), 0);
	assert_int_equal(take(SIGMASK(SIGTERM), NULL), SIGTERM);
	while (take(SIGMASK(40), NULL))
		n++;
	assert_int_equal(n, MOST);
}

static void test_timer_overruns(void **state)
{
	struct siginfo_min info = { .signo = 35, .code = SI_TIMER, .timerid = 7 };

	assert_int_equal(signal_send_process(&info), 0);
	assert_int_equal(signal_send_process(&info), 0);
	info.overrun = 4;
	assert_int_equal(signal_send_process(&info), 0);
	info.timerid = 8;
	info.overrun = 0;
	assert_int_equal(signal_send_process(&info), 0);
	assert_int_equal(take(~0ull, &info), 35);
	assert_int_equal(info.overrun, 6);
	assert_int_equal(delivered, 7);
	assert_int_equal(overruns, 6);
	assert_int_equal(take(~0ull, &info), 35);
	assert_int_equal(delivered, 8);
}

static void test_ignored(void **state)
{
	act(SIGUSR1, IGN, 0);
	assert_int_equal(send_to(tasks[0], SIGUSR1, SI_USER, 0), 0);
	assert_int_equal(send_to(NULL, SIGCHLD, SI_USER, 0), 0);
	assert_int_equal(take(~0ull, NULL), 0);
	/* Blocked: it may be wanted later; but not once it is ignored anew. */
	signal_set_blocked(SIGMASK(SIGUSR1) | SIGMASK(SIGUSR2));
	assert_int_equal(send_to(tasks[0], SIGUSR1, SI_USER, 0), 0);
	assert_int_equal(send_to(tasks[0], SIGUSR2, SI_USER, 0), 0);
	assert_int_equal(take(SIGMASK(SIGUSR1), NULL), SIGUSR1);
	act(SIGUSR2, IGN, 0);
	assert_int_equal(take(~0ull, NULL), 0);
	assert_int_equal(process.signals_queued, 0);
}

static void test_stop_and_continue(void **state)
{
	act(SIGTSTP, HANDLER, 0);
	act(SIGCONT, HANDLER, 0);
	assert_int_equal(send_to(tasks[0], SIGTSTP, SI_USER, 0), 0);
	assert_int_equal(send_to(NULL, SIGCONT, SI_USER, 0), 0);
	assert_int_equal(take(SIGMASK(SIGTSTP), NULL), 0);
	assert_int_equal(send_to(tasks[1], SIGTSTP, SI_USER, 0), 0);
	assert_int_equal(take(SIGMASK(SIGCONT), NULL), 0);
}

static void test_actions(void **state)
{
	static const int bad[] = { 0, -1, 65, SIGKILL, SIGSTOP, INT32_MAX, INT32_MIN };
	const struct sigact act_all = { .handler = HANDLER, .flags = ~0ull, .mask = ~0ull };
	struct siginfo_min info;
	struct sigact a;

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(signal_action(bad[i], &act_all, NULL), -EINVAL);
	assert_int_equal(signal_action(SIGKILL, NULL, &a), 0);
	assert_int_equal(signal_action(SIGUSR1, &act_all, NULL), 0);
	assert_int_equal(signal_action(SIGUSR1, NULL, &a), 0);
	assert_int_equal(a.mask, ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP)));
	/* One shot. */
	assert_int_equal(send_to(tasks[0], SIGUSR1, SI_USER, 0), 0);
	assert_int_equal(signal_next(&info, &a), SIGUSR1);
	assert_int_equal(a.handler, HANDLER);
	assert_int_equal(signal_action(SIGUSR1, NULL, &a), 0);
	assert_int_equal(a.handler, 0);
}

static void test_masks(void **state)
{
	struct siginfo_min info;
	struct sigact a;

	signal_set_blocked(~0ull);
	assert_int_equal(current()->blocked, ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP)));
	assert_int_equal(send_to(tasks[0], SIGTERM, SI_USER, 0), 0);
	assert_int_equal(kicks[0], 0);
	assert_false(signal_deliverable());
	assert_int_equal(signal_next(&info, &a), 0);
	assert_int_equal(signal_dequeue(SIGMASK(SIGKILL), &info), -EAGAIN);
	assert_int_equal(send_to(tasks[0], SIGKILL, SI_USER, 0), 0);
	assert_int_equal(kicks[0], 1);
	assert_int_equal(signal_next(&info, &a), SIGKILL);

	/* For one call only. */
	*(u64 *)fake_guest = 0;
	assert_int_equal(signal_set_temporary_mask((u64)fake_guest, 4), -EINVAL);
	assert_int_equal(signal_set_temporary_mask(8, 8), -EFAULT);
	assert_int_equal(signal_set_temporary_mask(0, 8), 0);
	assert_false(signal_deliverable());
	assert_int_equal(signal_set_temporary_mask((u64)fake_guest, 8), 0);
	assert_true(signal_deliverable());
	assert_true(gate_self()->pending & GATE_PENDING_WORK);
	signal_restore_mask();
	assert_false(signal_deliverable());
	signal_restore_mask();
	assert_int_equal(current()->blocked, ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP)));
}

static void test_faults(void **state)
{
	const struct siginfo_min info = { .signo = SIGSEGV, .code = 1, .addr = 0x123 };
	struct siginfo_min got;
	struct sigact a;

	/* Neither blocked nor ignored. */
	act(SIGSEGV, HANDLER, 0);
	signal_set_blocked(SIGMASK(SIGSEGV));
	signal_force(&info);
	assert_int_equal(signal_next(&got, &a), SIGSEGV);
	assert_int_equal(got.addr, 0x123);
	assert_int_equal(a.handler, 0);
	act(SIGSEGV, IGN, 0);
	signal_force(&info);
	assert_int_equal(signal_next(&got, &a), SIGSEGV);
	assert_int_equal(a.handler, 0);
}

static void test_who_is_told(void **state)
{
	assert_int_equal(send_to(NULL, SIGTERM, SI_USER, 0), 0);
	assert_int_equal(kicks[0], 1);
	assert_int_equal(send_to(tasks[2], SIGTERM, SI_USER, 0), 0);
	assert_int_equal(kicks[2], 1);
	/* The first task blocks it: another one; blocks it later: another one then. */
	signal_set_blocked(SIGMASK(SIGUSR1));
	assert_int_equal(send_to(NULL, SIGUSR1, SI_USER, 0), 0);
	assert_int_equal(kicks[0], 1);
	assert_int_equal(kicks[1], 1);
	signal_set_blocked(SIGMASK(SIGUSR1) | SIGMASK(SIGTERM));
	assert_int_equal(kicks[1], 2);
	/* The one that was to take them ends. */
	fake_host_enter(1);
	list_remove(&tasks[1]->node);
	signal_task_exit(tasks[1]);
	assert_int_equal(kicks[2], 3);
	list_append(&process.tasks, &tasks[1]->node);
	/* Nobody wants it. */
	for (u32 i = 0; i < TASKS; i++) {
		fake_host_enter(i);
		signal_set_blocked(~0ull);
	}
	memset(kicks, 0, sizeof(kicks));
	assert_int_equal(send_to(NULL, SIGUSR2, SI_USER, 0), 0);
	assert_int_equal(kicks[0] + kicks[1] + kicks[2], 0);
	/* Who kills shall not run on. */
	assert_int_equal(send_to(NULL, SIGKILL, SI_USER, 0), 0);
	assert_int_equal(kicks[2], 1);
}

/* ---- from outside ---- */

static const struct rakis_signal *outside;
static u32 outside_left;

static s64 host(const struct rakis_request *rq, u32 slot)
{
	if (rq->opcode != RAKIS_OP_SIGNAL_TAKE)
		return FAKE_PASS;
	if (!outside_left)
		return 0;
	outside_left--;
	memcpy((void *)rq->addr, outside++, sizeof(*outside));
	return 1;
}

static void test_host_is_not_believed(void **state)
{
	static const struct {
		struct rakis_signal s;
		int signo, code;
		u32 pid;
		u64 value;
	} cases[] = {
		{ { SIGTERM, SI_USER, 7 | 5ull << 32 }, SIGTERM, SI_USER, 7 },
		{ { SIGTERM, SI_QUEUE, 7, 99 }, SIGTERM, SI_QUEUE, 7, 99 },
		{ { SIGINT, SI_KERNEL, 7, 99 }, SIGINT, SI_KERNEL, 0 },
		/* no faults, timers or threads of our own */
		{ { SIGSEGV, 1, 7, 99 }, SIGSEGV, SI_USER, 7 },
		{ { SIGSEGV, SI_KERNEL, 7 }, SIGSEGV, SI_USER, 7 },
		{ { SIGUSR1, (u64)SI_TIMER, 7, 99 }, SIGUSR1, SI_USER, 7 },
		{ { 33, (u64)SI_TKILL, 100 }, 33, SI_USER, 0 },
		{ { SIGUSR1, 12345, 7, 99 }, SIGUSR1, SI_USER, 7 },
		/* no such signals */
		{ { 0 } }, { { 65 } }, { { ~0ull } }, { { 1ull << 32 | SIGTERM } }, { { 64 }, 64 },
	};
	struct siginfo_min info;

	fake_answer = host;
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		outside = &cases[i].s;
		outside_left = 1;
		signal_poll_host();
		assert_int_equal(take(~0ull, &info), cases[i].signo);
		if (!cases[i].signo)
			continue;
		assert_int_equal(info.code, cases[i].code);
		assert_int_equal(info.pid, cases[i].pid);
		assert_int_equal(info.value, cases[i].value);
	}
}

static void test_host_never_ends(void **state)
{
	static struct rakis_signal many[5000];

	fake_answer = host;
	for (u32 i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct rakis_signal){ 50, SI_QUEUE, 1 };
	outside = many;
	outside_left = ARRAY_SIZE(many);
	signal_poll_host();
	/* It is this thread's turn for other things, and it will look again. */
	assert_true(outside_left > 4000);
	assert_true(gate_self()->pending & GATE_PENDING_HOST);
	while (outside_left)
		signal_poll_host();
	assert_int_equal(process.signals_queued, MOST);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),
		TEST(test_standard_ones_merge),
		TEST(test_real_time_ones_queue),
		TEST(test_limit),
		TEST(test_timer_overruns),
		TEST(test_ignored),
		TEST(test_stop_and_continue),
		TEST(test_actions),
		TEST(test_masks),
		TEST(test_faults),
		TEST(test_who_is_told),
		TEST(test_host_is_not_believed),
		TEST(test_host_never_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
