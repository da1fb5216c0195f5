/* SPDX-License-Identifier: Apache-2.0 */
/* Several wake-ups at once: noted in a section, sent at its end. */
#include "hostio/park.h"

/* Ends a wake list; not NULL, since a NULL `wake_next` says "on no list". */
#define WAKE_END ((struct gate_thread *)1)

void wake_begin(void)
{
	struct gate_thread *self = gate_self();

	if (self->wake_depth++ == 0)
		self->wake_list = WAKE_END;
}

void wake_end(void)
{
	struct gate_thread *self = gate_self(), *t, *next;

	if (--self->wake_depth)
		return;
	for (t = self->wake_list; t != WAKE_END; t = next) {
		/*
		 * Free for other lists before the wake-up is sent: who finds it on this one
		 * relies on a wake-up that is still to come.
		 */
		next = atomic_exchange(&t->wake_next, NULL);
		park_wake(t);
	}
}

/* Blocks of threads never go away, so a list of them needs no references. */
void wake_thread(struct gate_thread *t)
{
	struct gate_thread *self = gate_self(), *expected = NULL;

	if (!self->wake_depth)
		park_wake(t);
	else if (atomic_compare_exchange_strong(&t->wake_next, &expected, self->wake_list))
		self->wake_list = t;
}
