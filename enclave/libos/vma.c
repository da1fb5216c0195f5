/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of VMAs: an AVL tree by address, whose nodes know the largest hole within
 * their subtree, so that a place for a mapping is found in logarithmic time. Recursion
 * is bounded by the tree's height, 1.44 log2 of the number of VMAs.
 */
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/stats.h"
#include "libos/vma.h"

/* ---- the tree ---- */

static u32 height(const struct vma *t)
{
	return t ? t->height : 0;
}

/* Compute what t knows of its subtree. */
static struct vma *pull(struct vma *t)
{
	const struct vma *l = t->left, *r = t->right;

	t->height = 1 + max(height(l), height(r));
	t->min = l ? l->min : t->start;
	t->max = r ? r->max : t->end;
	t->gap = 0;
	if (l)
		t->gap = max(l->gap, t->start - l->max);
	if (r)
		t->gap = max(t->gap, max(r->gap, r->min - t->end));
	return t;
}

static struct vma *rotate_left(struct vma *t)
{
	struct vma *r = t->right;

	t->right = r->left;
	r->left = pull(t);
	return pull(r);
}

static struct vma *rotate_right(struct vma *t)
{
	struct vma *l = t->left;

	t->left = l->right;
	l->right = pull(t);
	return pull(l);
}

static struct vma *balance(struct vma *t)
{
	int lean = (int)height(t->left) - (int)height(t->right);

	if (lean > 1) {
		if (height(t->left->left) < height(t->left->right))
			t->left = rotate_left(t->left);
		return rotate_right(t);
	}
	if (lean < -1) {
		if (height(t->right->right) < height(t->right->left))
			t->right = rotate_right(t->right);
		return rotate_left(t);
	}
	return pull(t);
}

static struct vma *insert(struct vma *t, struct vma *v)
{
	if (!t)
		return pull(v);
	if (v->start < t->start)
		t->left = insert(t->left, v);
	else
		t->right = insert(t->right, v);
	return balance(t);
}

static struct vma *take_first(struct vma *t, struct vma **first)
{
	if (!t->left) {
		*first = t;
		return t->right;
	}
	t->left = take_first(t->left, first);
	return balance(t);
}

static struct vma *take(struct vma *t, struct vma *v)
{
	struct vma *next, *rest;

	if (v->start < t->start) {
		t->left = take(t->left, v);
		return balance(t);
	}
	if (v != t) {
		t->right = take(t->right, v);
		return balance(t);
	}
	if (!t->right)
		return t->left;
	rest = take_first(t->right, &next);
	next->left = t->left;
	next->right = rest;
	return balance(next);
}

/* v's bounds have changed, its place in the order has not. */
static void refresh(struct vma *t, struct vma *v)
{
	if (t != v)
		refresh(v->start < t->start ? t->left : t->right, v);
	pull(t);
}

struct vma *vma_find(u64 addr)
{
	struct vma *best = NULL;

	for (struct vma *t = mm.root; t;) {
		if (t->end > addr) {
			best = t;
			t = t->left;
		} else {
			t = t->right;
		}
	}
	return best;
}

struct vma *vma_at(u64 addr)
{
	struct vma *v = vma_find(addr);

	return v && v->start <= addr ? v : NULL;
}

bool vma_is_free(u64 start, u64 end)
{
	struct vma *v = vma_find(start);

	return !v || v->start >= end;
}

/* The highest place in [low, high), of which the subtree t has the VMAs. */
static u64 gap_in(const struct vma *t, u64 low, u64 high, u64 len)
{
	u64 at;

	if (high <= low || high - low < len)
		return 0;
	if (!t)
		return high - len;
	if (t->gap < len && (t->min < low || t->min - low < len) &&
	    (t->max > high || high - t->max < len))
		return 0;
	at = gap_in(t->right, max(low, t->end), high, len);
	return at ? at : gap_in(t->left, low, min(high, t->start), len);
}

u64 vma_gap(u64 low, u64 high, u64 len)
{
	return gap_in(mm.root, low, high, len);
}

/* ---- VMAs ---- */

struct vma *vma_new(u64 start, u64 end)
{
	struct vma *v = kzalloc(sizeof(*v));

	if (v) {
		v->start = start;
		v->end = end;
	}
	return v;
}

static void count(u64 more)
{
	mm.bytes += more;
	if (mm.bytes > stats.enclave.memory_most)
		STAT_ADD(memory_most, mm.bytes - stats.enclave.memory_most);
}

void vma_insert(struct vma *v)
{
	v->left = v->right = NULL;
	mm.root = insert(mm.root, v);
	count(v->end - v->start);
}

void vma_delete(struct vma *v)
{
	mm.root = take(mm.root, v);
	mm.bytes -= v->end - v->start;
	if (v->map)
		mapping_put(v->map);
	kfree(v);
}

void vma_resize(struct vma *v, u64 end)
{
	count(end - v->end);
	v->end = end;
	refresh(mm.root, v);
}

int vma_cut(u64 at)
{
	struct vma *v = vma_at(at), *high;

	if (!v || v->start == at)
		return 0;
	high = kmalloc(sizeof(*high));
	if (!high)
		return -ENOMEM;
	*high = *v;
	high->start = at;
	if (v->map) {
		high->off += at - v->start;
		v->map->refs++;
	}
	vma_resize(v, at);
	vma_insert(high);
	return 0;
}

static bool joins(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->prot == b->prot && a->flags == b->flags &&
	       a->shared == b->shared && a->map == b->map && a->name == b->name &&
	       a->used == b->used &&
	       (!a->map || a->off + (a->end - a->start) == b->off);
}

static struct vma *join(struct vma *a, struct vma *b)
{
	u64 end = b->end;

	vma_delete(b);
	vma_resize(a, end);
	return a;
}

struct vma *vma_merge(struct vma *v)
{
	struct vma *other = vma_at(v->end);

	if (other && joins(v, other))
		join(v, other);
	other = vma_at(v->start - 1);
	return other && joins(other, v) ? join(other, v) : v;
}
