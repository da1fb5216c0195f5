/* SPDX-License-Identifier: Apache-2.0 */
/* Circular doubly linked list; the node lives in its element. Not locked. */
#ifndef RAKIS_LIB_LIST_H
#define RAKIS_LIB_LIST_H

#include "lib/types.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_(struct list *n, struct list *prev, struct list *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

/* Add `n` at the front of `l`. */
static inline void list_push(struct list *l, struct list *n)
{
	list_insert_(n, l, l->next);
}

/* Add `n` at the back of `l`; used on an element, insert before it. */
static inline void list_append(struct list *l, struct list *n)
{
	list_insert_(n, l->prev, l);
}

/* Unlink; the node is left empty, so that removing it again is harmless. */
static inline void list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* Move all of `from` to the back of `to`. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first(l, type, member) list_entry((l)->next, type, member)
#define list_for_each(pos, l, member)						\
	for (pos = list_entry((l)->next, __typeof__(*pos), member);		\
	     &pos->member != (l);						\
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
/* `pos` may be removed inside the loop. */
#define list_for_each_safe(pos, tmp, l, member)					\
	for (pos = list_entry((l)->next, __typeof__(*pos), member),		\
	     tmp = list_entry(pos->member.next, __typeof__(*pos), member);	\
	     &pos->member != (l);						\
	     pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

#endif
