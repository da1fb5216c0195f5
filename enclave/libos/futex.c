/* SPDX-License-Identifier: Apache-2.0 */
/*
 * futex(2). Waiters hang in buckets by address; the guest's word is looked at under the
 * bucket's lock, so a wake-up that follows a change of the word is never lost. Locks with
 * priority inheritance have no priorities here: they are handed over in order of arrival.
 */
#include <linux/futex.h>
#include "gate/usercopy.h"
#include "lib/errno.h"
#include "lib/lock.h"
#include "libos/futex.h"
#include "libos/task.h"
#include "libos/time.h"

#define BUCKETS		256u
#define ROBUST_LIMIT	2048	/* as Linux: a list may be a circle */

struct bucket {
	struct spinlock lock;
	/* Waiters here or about to be; raised before the word is looked at. */
	_Atomic u32 waiters;
	struct list list;
} __attribute__((aligned(64)));

/* On the waiter's stack; others touch it only under the lock of the bucket it is in. */
struct futex_waiter {
	struct list node;
	u64 key;
	u32 bitset;
	bool pi;		/* waits to own the lock */
	struct task *task;
	struct bucket *_Atomic bucket;	/* NULL: woken */
};

static struct bucket buckets[BUCKETS];
static _Atomic u32 pi_waiters;	/* in all buckets */

static struct bucket *bucket_of(u64 key)
{
	struct bucket *b = &buckets[(key >> 2) * 0x9e3779b97f4a7c15ull >> 56];

	_Static_assert(BUCKETS == 256, "the hash is 8 bits");
	return b;
}

static void bucket_lock(struct bucket *b)
{
	spin_lock(&b->lock);
	if (unlikely(!b->list.next))
		list_init(&b->list);
}

/* ---- queueing; all under the bucket's lock ---- */

static void enqueue(struct bucket *b, struct futex_waiter *w)
{
	list_append(&b->list, &w->node);
	atomic_store_explicit(&w->bucket, b, memory_order_relaxed);
}

static void unlink_waiter(struct bucket *b, struct futex_waiter *w)
{
	list_remove(&w->node);
	atomic_fetch_sub_explicit(&b->waiters, 1, memory_order_relaxed);
	if (w->pi)
		atomic_fetch_sub_explicit(&pi_waiters, 1, memory_order_relaxed);
}

/* Between wake_begin() and wake_end(). `w` may be gone after this. */
static void release(struct bucket *b, struct futex_waiter *w)
{
	struct task *t = w->task;

	unlink_waiter(b, w);
	task_wake(t);
	/* Release: pairs with the acquire of the waiter, which then drops `w`. */
	atomic_store_explicit(&w->bucket, NULL, memory_order_release);
}

static bool woken(struct futex_waiter *w)
{
	return !atomic_load_explicit(&w->bucket, memory_order_acquire);
}

/* The waiter gives up. False: it was woken after all. */
static bool give_up(struct futex_waiter *w)
{
	struct bucket *b;

	while ((b = atomic_load_explicit(&w->bucket, memory_order_acquire))) {
		bucket_lock(b);
		/* It may have been requeued meanwhile. */
		if (b == atomic_load_explicit(&w->bucket, memory_order_relaxed)) {
			unlink_waiter(b, w);
			spin_unlock(&b->lock);
			return true;
		}
		spin_unlock(&b->lock);
	}
	return false;
}

/* Sleep until woken: 0, or why not. */
static int sleep_until_woken(struct futex_waiter *w, u64 deadline)
{
	while (!woken(w)) {
		int r = wait_sleep(deadline);

		if (r)
			return give_up(w) ? r : 0;
		park_begin();
	}
	return 0;
}

/* Announce a waiter, before the word is read; unless it is enqueued, take it back. */
static struct bucket *wait_begin(struct futex_waiter *w)
{
	struct bucket *b = bucket_of(w->key);

	park_begin();
	/* Sequentially consistent: pairs with the fence in nobody_waits(). */
	atomic_fetch_add(&b->waiters, 1);
	bucket_lock(b);
	return b;
}

static void wait_abort(struct bucket *b)
{
	atomic_fetch_sub_explicit(&b->waiters, 1, memory_order_relaxed);
	spin_unlock(&b->lock);
}

/* The guest changed the word, then comes here: a waiter not yet seen will see that change. */
static bool nobody_waits(struct bucket *b)
{
	atomic_thread_fence(memory_order_seq_cst);
	return !atomic_load_explicit(&b->waiters, memory_order_relaxed);
}

/* ---- wait and wake ---- */

static long wait_for(u64 uaddr, u32 val, u32 bitset, u64 deadline)
{
	struct futex_waiter w = { .key = uaddr, .bitset = bitset, .task = current() };
	struct bucket *b = wait_begin(&w);
	u32 now;
	int r = user_load32(uaddr, &now);

	if (!r && now != val)
		r = -EAGAIN;
	if (r) {
		wait_abort(b);
		return r;
	}
	enqueue(b, &w);
	spin_unlock(&b->lock);
	return sleep_until_woken(&w, deadline);
}

static long futex_wait(u64 uaddr, u32 val, u32 bitset, u64 deadline);

static long futex_wait_restart(struct task *t)
{
	return futex_wait(t->restart_args[0], t->restart_args[1], t->restart_args[2],
			  t->restart_deadline);
}

static long futex_wait(u64 uaddr, u32 val, u32 bitset, u64 deadline)
{
	struct task *t = current();
	long r;

	if (!bitset)
		return -EINVAL;
	r = wait_for(uaddr, val, bitset, deadline);
	if (r == -ERESTARTSYS && deadline != WAIT_FOREVER) {
		t->restart = futex_wait_restart;
		t->restart_deadline = deadline;
		t->restart_args[0] = uaddr;
		t->restart_args[1] = val;
		t->restart_args[2] = bitset;
		r = -ERESTART_RESTARTBLOCK;
	}
	return r;
}

/* Wake up to n of `key`, bucket locked. -EINVAL: those are waiting for a lock. */
static int wake_locked(struct bucket *b, u64 key, int n, u32 bitset)
{
	struct futex_waiter *w, *tmp;
	int done = 0;

	list_for_each_safe(w, tmp, &b->list, node) {
		if (w->key != key)
			continue;
		if (w->pi)
			return -EINVAL;
		if (!(w->bitset & bitset))
			continue;
		release(b, w);
		if (++done >= n)
			break;
	}
	return done;
}

long futex_wake(u64 uaddr, int n, u32 bitset)
{
	struct bucket *b = bucket_of(uaddr);
	long r;

	if (!bitset)
		return -EINVAL;
	if (nobody_waits(b))
		return 0;
	wake_begin();
	bucket_lock(b);
	r = wake_locked(b, uaddr, n, bitset);
	spin_unlock(&b->lock);
	wake_end();
	return r;
}

static void lock_two(struct bucket *a, struct bucket *b)
{
	bucket_lock(min(a, b));
	if (a != b)
		bucket_lock(max(a, b));
}

static void unlock_two(struct bucket *a, struct bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* REQUEUE, CMP_REQUEUE: wake some, let others wait on uaddr2 instead. */
static long futex_requeue(u64 uaddr, u64 uaddr2, int nwake, int nmove, const u32 *expected)
{
	struct bucket *from = bucket_of(uaddr), *to = bucket_of(uaddr2);
	struct futex_waiter *w, *tmp;
	long done = 0;
	u32 now;

	if (nwake < 0 || nmove < 0)
		return -EINVAL;
	wake_begin();
	lock_two(from, to);
	if (expected) {
		done = user_load32(uaddr, &now);
		if (!done && now != *expected)
			done = -EAGAIN;
		if (done)
			goto out;
	}
	list_for_each_safe(w, tmp, &from->list, node) {
		if (done - nwake >= nmove)
			break;
		if (w->key != uaddr)
			continue;
		if (w->pi) {
			done = -EINVAL;
			break;
		}
		if (++done <= nwake) {
			release(from, w);
			continue;
		}
		w->key = uaddr2;
		if (from == to)
			continue;
		unlink_waiter(from, w);
		/* Sequentially consistent as in wait_begin(): it waits there from now on. */
		atomic_fetch_add(&to->waiters, 1);
		enqueue(to, w);
	}
out:
	unlock_two(from, to);
	wake_end();
	return done;
}

/* ---- WAKE_OP ---- */

static s32 sign_extend12(u32 v)
{
	return (s32)(v << 20) >> 20;
}

static int modify(u64 uaddr, u32 encoded, u32 *old)
{
	u32 arg = sign_extend12(encoded >> 12 & 0xfff), new, seen;
	int r = user_load32(uaddr, old);

	if (encoded & (u32)FUTEX_OP_OPARG_SHIFT << 28)
		arg = 1u << (arg & 31);
	while (!r) {
		switch (encoded >> 28 & 7) {
		case FUTEX_OP_SET:
			new = arg;
			break;
		case FUTEX_OP_ADD:
			new = *old + arg;
			break;
		case FUTEX_OP_OR:
			new = *old | arg;
			break;
		case FUTEX_OP_ANDN:
			new = *old & ~arg;
			break;
		case FUTEX_OP_XOR:
			new = *old ^ arg;
			break;
		default:
			return -ENOSYS;
		}
		r = user_cmpxchg32(uaddr, *old, new, &seen);
		if (r || seen == *old)
			break;
		*old = seen;
	}
	return r;
}

static int compare(u32 encoded, u32 old)
{
	s32 a = old, b = sign_extend12(encoded & 0xfff);

	switch (encoded >> 24 & 15) {
	case FUTEX_OP_CMP_EQ:
		return a == b;
	case FUTEX_OP_CMP_NE:
		return a != b;
	case FUTEX_OP_CMP_LT:
		return a < b;
	case FUTEX_OP_CMP_LE:
		return a <= b;
	case FUTEX_OP_CMP_GT:
		return a > b;
	case FUTEX_OP_CMP_GE:
		return a >= b;
	default:
		return -ENOSYS;
	}
}

static long futex_wake_op(u64 uaddr, u64 uaddr2, int n, int n2, u32 encoded)
{
	struct bucket *b = bucket_of(uaddr), *b2 = bucket_of(uaddr2);
	long r, more;
	u32 old;

	wake_begin();
	lock_two(b, b2);
	r = modify(uaddr2, encoded, &old);
	if (!r)
		r = compare(encoded, old);
	if (r >= 0) {
		more = r;
		r = wake_locked(b, uaddr, n, FUTEX_BITSET_MATCH_ANY);
		if (r >= 0 && more) {
			more = wake_locked(b2, uaddr2, n2, FUTEX_BITSET_MATCH_ANY);
			r = more < 0 ? more : r + more;
		}
	}
	unlock_two(b, b2);
	wake_end();
	return r;
}

/* ---- locks with an owner (PI) ---- */

static struct futex_waiter *first_pi(struct bucket *b, u64 key, struct futex_waiter *after)
{
	struct list *at = after ? after->node.next : b->list.next;

	for (; at != &b->list; at = at->next) {
		struct futex_waiter *w = list_entry(at, struct futex_waiter, node);

		if (w->key == key && w->pi)
			return w;
	}
	return NULL;
}

/*
 * Give the lock at `key`, whose word is `word`, to the first who waits. The guest's own
 * unlock leaves a word with FUTEX_WAITERS alone, so nobody but bucket holders changes it.
 */
static int hand_over(struct bucket *b, u64 key, u32 word, u32 died)
{
	struct futex_waiter *w = first_pi(b, key, NULL);
	u32 new = 0, seen;
	int r;

	if (w)
		new = w->task->tid | died | (first_pi(b, key, w) ? FUTEX_WAITERS : 0);
	else if (died)
		new = (word & FUTEX_WAITERS) | died;
	r = user_cmpxchg32(key, word, new, &seen);
	if (r)
		return r;
	if (seen != word)
		return -EAGAIN;
	if (w)
		release(b, w);
	return 0;
}

/* One try, bucket locked: 0 owned, 1 to be waited for, or an error (-EAGAIN: word moved). */
static int try_lock_pi(struct bucket *b, u64 uaddr, bool may_wait)
{
	u32 tid = current()->tid, word, new, seen;
	struct task *owner;
	int r = user_load32(uaddr, &word);

	if (r)
		return r;
	if ((word & FUTEX_TID_MASK) == tid)
		return -EDEADLK;
	if (!(word & FUTEX_TID_MASK)) {
		/* Free, or its owner died and robust-list code says so. */
		new = tid | (word & FUTEX_OWNER_DIED) |
		      (first_pi(b, uaddr, NULL) ? FUTEX_WAITERS : 0);
		r = user_cmpxchg32(uaddr, word, new, &seen);
		return r ? r : seen == word ? 0 : -EAGAIN;
	}
	owner = task_find(word & FUTEX_TID_MASK);
	if (!owner)
		return -ESRCH;
	task_put(owner);
	if (!may_wait)
		return -EWOULDBLOCK;
	if (word & FUTEX_WAITERS)
		return 1;
	/* From here on the owner's unlock comes to us. */
	r = user_cmpxchg32(uaddr, word, word | FUTEX_WAITERS, &seen);
	return r ? r : seen == word ? 1 : -EAGAIN;
}

static long futex_lock_pi(u64 uaddr, u64 deadline, bool may_wait)
{
	struct futex_waiter w = { .key = uaddr, .pi = true, .task = current() };
	struct bucket *b = wait_begin(&w);
	long r;

	/*
	 * Before the owner is looked for: an owner that is found has yet to leave, and will
	 * see this count in futex_task_gone().
	 */
	atomic_fetch_add(&pi_waiters, 1);
	do {
		r = try_lock_pi(b, uaddr, may_wait);
	} while (r == -EAGAIN && may_wait);
	if (r != 1) {
		atomic_fetch_sub_explicit(&pi_waiters, 1, memory_order_relaxed);
		wait_abort(b);
		return r;
	}
	enqueue(b, &w);
	spin_unlock(&b->lock);
	r = sleep_until_woken(&w, deadline);
	return r == -ERESTARTSYS ? -ERESTARTNOINTR : r;
}

static long futex_unlock_pi(u64 uaddr)
{
	struct bucket *b = bucket_of(uaddr);
	u32 word;
	long r;

	wake_begin();
	bucket_lock(b);
	do {
		r = user_load32(uaddr, &word);
		if (!r && (word & FUTEX_TID_MASK) != current()->tid)
			r = -EPERM;
		if (!r)
			r = hand_over(b, uaddr, word, 0);
	} while (r == -EAGAIN);
	spin_unlock(&b->lock);
	wake_end();
	return r;
}

void futex_task_gone(u32 tid)
{
	struct futex_waiter *w;
	u32 word;

	for (u32 i = 0; i < BUCKETS && atomic_load(&pi_waiters); i++) {
		struct bucket *b = &buckets[i];

		if (!atomic_load(&b->waiters))
			continue;
		wake_begin();
		bucket_lock(b);
again:
		list_for_each(w, &b->list, node) {
			if (w->pi && !user_load32(w->key, &word) &&
			    (word & FUTEX_TID_MASK) == tid &&
			    !hand_over(b, w->key, word, FUTEX_OWNER_DIED))
				goto again;
		}
		spin_unlock(&b->lock);
		wake_end();
	}
}

/* ---- robust lists ---- */

/* One lock on the list of a task that died: mark it if the task holds it. False: stop. */
static bool handle_death(u64 uaddr, u32 tid, bool pi, bool pending)
{
	struct bucket *b = bucket_of(uaddr);
	u32 word, seen;
	int r;

	if (uaddr % 4 || user_load32(uaddr, &word))
		return false;
	if (pi) {
		wake_begin();
		bucket_lock(b);
		do {
			r = user_load32(uaddr, &word);
			if (!r && (word & FUTEX_TID_MASK) == tid)
				r = hand_over(b, uaddr, word, FUTEX_OWNER_DIED);
		} while (r == -EAGAIN);
		spin_unlock(&b->lock);
		wake_end();
		return !r;
	}
	/*
	 * Unlocked, and died before it could wake: the next waiter must be woken, or it may
	 * sleep for ever.
	 */
	if (pending && !word) {
		futex_wake(uaddr, 1, FUTEX_BITSET_MATCH_ANY);
		return true;
	}
	for (;;) {
		if ((word & FUTEX_TID_MASK) != tid)
			return true;
		if (user_cmpxchg32(uaddr, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
			return false;
		if (seen == word)
			break;
		word = seen;
	}
	if (word & FUTEX_WAITERS)
		futex_wake(uaddr, 1, FUTEX_BITSET_MATCH_ANY);
	return true;
}

void futex_task_exit(struct task *t)
{
	struct robust_list_head head;
	u64 entry, next, pending, end = t->robust_list;

	if (!end || copy_from_user(&head, end, sizeof(head)))
		return;
	/* Bit 0 of an entry says that it is a PI lock. */
	entry = (u64)head.list.next;
	pending = (u64)head.list_op_pending;
	for (int i = 0; (entry & ~1ull) != end && i < ROBUST_LIMIT; i++) {
		int r = get_user(next, entry & ~1ull);

		if ((entry & ~1ull) != (pending & ~1ull) &&
		    !handle_death((entry & ~1ull) + head.futex_offset, t->tid, entry & 1, false))
			return;
		if (r)
			return;
		entry = next;
	}
	if (pending & ~1ull)
		handle_death((pending & ~1ull) + head.futex_offset, t->tid, pending & 1, true);
}

/* ---- the call ---- */

/* Absolute deadline of a call with a timeout at `utime`. No sum overflows: ns is below 2^63. */
static int futex_deadline(int cmd, bool realtime, u64 utime, u64 *deadline)
{
	u64 ns, now = now_ns(), real;
	int r;

	*deadline = WAIT_FOREVER;
	if (!utime)
		return 0;
	r = get_timespec_ns(utime, &ns);
	if (r)
		return r;
	if (cmd == FUTEX_WAIT) {
		*deadline = now + ns;
	} else if (realtime) {
		real = realtime_ns();
		*deadline = ns > real ? now + (ns - real) : 0;
	} else {
		*deadline = ns;
	}
	return 0;
}

long do_futex(u64 uaddr, int op, u32 val, u64 utime, u64 uaddr2, u32 val3)
{
	int cmd = op & FUTEX_CMD_MASK, r;
	bool realtime = op & FUTEX_CLOCK_REALTIME;
	u64 deadline = WAIT_FOREVER;

	if (realtime && cmd != FUTEX_WAIT_BITSET && cmd != FUTEX_LOCK_PI2 &&
	    cmd != FUTEX_WAIT_REQUEUE_PI)
		return -ENOSYS;
	if (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI ||
	    cmd == FUTEX_LOCK_PI2) {
		r = futex_deadline(cmd, realtime || cmd == FUTEX_LOCK_PI, utime, &deadline);
		if (r)
			return r;
	}
	if (uaddr % 4)
		return -EINVAL;
	if (uaddr >> 47)
		return -EFAULT;
	switch (cmd) {
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_WAKE_OP:
		if (uaddr2 % 4)
			return -EINVAL;
		if (uaddr2 >> 47)
			return -EFAULT;
	}

	switch (cmd) {
	case FUTEX_WAIT:
		return futex_wait(uaddr, val, FUTEX_BITSET_MATCH_ANY, deadline);
	case FUTEX_WAIT_BITSET:
		return futex_wait(uaddr, val, val3, deadline);
	case FUTEX_WAKE:
		return futex_wake(uaddr, val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, uaddr2, val, utime, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, uaddr2, val, utime, &val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, uaddr2, val, utime, val3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return futex_lock_pi(uaddr, deadline, true);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(uaddr, 0, false);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(uaddr);
	default:
		/* FUTEX_WAIT_REQUEUE_PI and its partner: glibc has done without since 2.25. */
		return -ENOSYS;
	}
}
