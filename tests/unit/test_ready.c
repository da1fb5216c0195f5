/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness as events, transfers and polls tell it: the rules of fs/ready.h, step by step. */
#include "cmocka_first.h"
#include <linux/eventpoll.h>
#include "fake_host.h"
#include "fs/ready.h"

#define IN	(EPOLLIN | EPOLLRDNORM)
#define OUT	(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

enum what {
	END,
	EVENT,		/* comes from the host */
	SEQ,		/* a transfer or a poll begins */
	DRAINED,	/* a transfer ends: nothing was left */
	USED,		/* a transfer ends: data moved */
	CONFIRM,	/* a poll of `asked` ends */
};

struct one {
	enum what what;
	u32 bits, asked;	/* of the step */
	u32 now, unsure;	/* what is known afterwards */
};

static const struct one rules[][10] = {
	/* EAGAIN clears, an event sets. */
	{ { EVENT, IN, 0, IN, 0 }, { SEQ, 0, 0, IN, 0 }, { DRAINED, EPOLLIN, 0, 0, 0 },
	  { EVENT, IN, 0, IN, 0 } },
	/* One direction only. */
	{ { EVENT, IN | OUT, 0, IN | OUT, 0 }, { SEQ, 0, 0, IN | OUT, 0 },
	  { DRAINED, EPOLLOUT, 0, IN, 0 } },
	/* An event in between counts more. */
	{ { EVENT, IN, 0, IN, 0 }, { SEQ, 0, 0, IN, 0 }, { EVENT, IN, 0, IN, 0 },
	  { DRAINED, EPOLLIN, 0, IN, 0 } },
	/* What may be drained is to be confirmed, and an event confirms. */
	{ { EVENT, IN, 0, IN, 0 }, { USED, EPOLLIN, 0, IN, IN }, { EVENT, IN, 0, IN, 0 } },
	{ { EVENT, IN, 0, IN, 0 }, { USED, EPOLLOUT, 0, IN, 0 } },
	/* Confirmed or denied by a poll. */
	{ { EVENT, IN, 0, IN, 0 }, { USED, EPOLLIN, 0, IN, IN }, { SEQ, 0, 0, IN, IN },
	  { CONFIRM, IN, IN, IN, 0 } },
	{ { EVENT, IN, 0, IN, 0 }, { USED, EPOLLIN, 0, IN, IN }, { SEQ, 0, 0, IN, IN },
	  { CONFIRM, 0, IN, 0, 0 } },
	/* The poll is older than the event. */
	{ { EVENT, IN, 0, IN, 0 }, { SEQ, 0, 0, IN, 0 }, { EVENT, OUT, 0, IN | OUT, 0 },
	  { CONFIRM, 0, IN | OUT, IN | OUT, 0 } },
	/* Bits that were not asked for stay, and more than was asked is not believed. */
	{ { EVENT, IN | OUT, 0, IN | OUT, 0 }, { SEQ, 0, 0, IN | OUT, 0 },
	  { CONFIRM, 0, IN, OUT, 0 },
	  { CONFIRM, ~0u, IN, IN | OUT, 0 } },
	/* After the end nothing clears a bit without a poll. */
	{ { EVENT, IN | EPOLLHUP, 0, IN | EPOLLHUP, 0 }, { SEQ, 0, 0, IN | EPOLLHUP, 0 },
	  { DRAINED, EPOLLIN, 0, IN | EPOLLHUP, IN } },
	{ { EVENT, OUT | EPOLLERR, 0, OUT | EPOLLERR, 0 }, { SEQ, 0, 0, OUT | EPOLLERR, 0 },
	  { DRAINED, EPOLLOUT, 0, OUT | EPOLLERR, OUT } },
	/* Nothing known: nothing to clear or to doubt. */
	{ { SEQ, 0, 0, 0, 0 }, { DRAINED, EPOLLIN, 0, 0, 0 }, { USED, EPOLLIN, 0, 0, 0 } },
	/* A drained bit is no more in doubt either. */
	{ { EVENT, IN, 0, IN, 0 }, { USED, EPOLLIN, 0, IN, IN }, { SEQ, 0, 0, IN, IN },
	  { DRAINED, EPOLLIN, 0, 0, 0 } },
};

static void test_rules(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(rules); i++) {
		struct ready r;
		u64 seq = 0;

		ready_init(&r, 3);
		for (const struct one *s = rules[i]; s->what != END; s++) {
			u32 bits, unsure;

			switch (s->what) {
			case EVENT:
				ready_event(&r, s->bits);
				break;
			case SEQ:
				seq = ready_seq(&r);
				break;
			case DRAINED:
				ready_drained(&r, s->bits, seq);
				break;
			case USED:
				ready_used(&r, s->bits);
				break;
			default:
				ready_confirm(&r, s->asked, s->bits, seq);
			}
			bits = ready_bits(&r, &unsure);
			if (bits != s->now || unsure != s->unsure)
				fail_msg("rule %u, step %ld: %x, unsure %x", i,
					 (long)(s - rules[i]), bits, unsure);
		}
	}
}

static bool told;

static bool tell(struct waiter *w, u32 events)
{
	assert_int_equal(events, IN);
	told = true;
	return true;
}

static void test_who_is_told(void **state)
{
	struct waiter w;
	struct ready r;

	ready_init(&r, 3);
	waiter_init(&w, NULL);
	w.fn = tell;
	waiter_add(&r.queue, &w);
	ready_note(&r, IN);
	assert_false(told);
	ready_event(&r, IN);
	assert_true(told);
	waiter_remove(&w);
}

static void test_watch(void **state)
{
	struct ready r;
	u32 unsure;

	ready_init(&r, 3);
	/* What was known before the first watch is stale; a second one learns nothing new. */
	ready_event(&r, IN);
	ready_watch(&r, true);
	assert_int_equal(ready_bits(&r, &unsure), 0);
	ready_event(&r, OUT);
	ready_watch(&r, true);
	assert_int_equal(ready_bits(&r, &unsure), OUT);
	ready_watch(&r, false);
	ready_watch(&r, false);
	ready_watch(&r, true);
	assert_int_equal(ready_bits(&r, &unsure), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_rules, fake_host_setup),
		cmocka_unit_test_setup(test_who_is_told, fake_host_setup),
		cmocka_unit_test_setup(test_watch, fake_host_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
