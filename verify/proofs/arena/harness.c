/* SPDX-License-Identifier: Apache-2.0 */
#include "hostio/arena.c"
#include "untrusted_model.h"

void (*lock_yield)(void);

void spin_contended(struct spinlock *l)
{
	PROVE(!"a lock is left held");
}

/* Of class c: free entries name blocks, no two the same, none that `held`, which somebody has. */
static bool holds_for(u8 c, u32 i, u32 j, u32 held)
{
	u16 *stack = free_stack[c];
	u32 n = pool[c].nfree;

	return n <= classes[c].count && IMPLIES(i < n, stack[i] < classes[c].count) &&
	       IMPLIES(i < n && j < n && i != j, stack[i] != stack[j]) &&
	       IMPLIES(i < n, stack[i] != held);
}

static void check(u8 c)
{
	u32 i = any_u32(), j = any_u32(), held = any_u32(), keep = any_u32(), top, n;
	struct arena_buf b;
	u64 from, number;

	ASSUME(held < classes[c].count);
	pool[c].nfree = n = any_u32();
	from = any_u64();
	ASSUME(from && !(from & 7) && from + (u64)classes[c].size * classes[c].count >= from);
	pool[c].base.addr_ = from;
	top = n - 1;
	ASSUME(holds_for(c, i, j, held) && holds_for(c, j, i, held));
	ASSUME(IMPLIES(n, holds_for(c, top, i, held)));
	ASSUME(IMPLIES(n, holds_for(c, top, j, held)));

	if (any_bool()) {
		if (take(&b, c, keep)) {
			/* A whole block of the class, and nobody else's. */
			number = (b.p.addr_ - from) / classes[c].size;
			PROVE((b.p.addr_ - from) % classes[c].size == 0 && number < classes[c].count);
			PROVE(b.size == classes[c].size && b.class == c && n > keep);
			PROVE(number != held && pool[c].nfree == n - 1);
			PROVE(holds_for(c, i, j, number) && holds_for(c, i, j, held));
			REACHED(n == classes[c].count);
			REACHED(n == 1);
		} else {
			PROVE(pool[c].nfree == n && n <= keep);
		}
		PROVE(!pool[c].lock.held);
	} else {
		/* Somebody has one: fewer than all are free. */
		ASSUME(n < classes[c].count);
		b = (struct arena_buf){ .p = { from + (u64)held * classes[c].size },
					.size = classes[c].size, .class = c };
		arena_put(&b);
		PROVE(pool[c].nfree == n + 1 && free_stack[c][n] == held);
		PROVE(holds_for(c, i, j, ~0u) && !pool[c].lock.held && !b.p.addr_);
		REACHED(n == classes[c].count - 1);
	}
}

int main(void)
{
	u32 size = any_u32();

	/* Its stack in any order. */
	__CPROVER_havoc_object(free3);
	check(3);
	ASSUME(size <= RAKIS_REQ_MAX_BYTES);
	PROVE(classes[class_of(size)].size >= size);
	return 0;
}
