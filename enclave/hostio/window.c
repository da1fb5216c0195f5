/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which window. A window is used by one reader at a time (`busy`); another reader of
 * the same file makes a request, rather than wait. When all windows are taken, the one that
 * was used least recently is taken away from its file.
 */
#include <linux/fcntl.h>
#include <linux/stat.h>
#include "boundary/boot.h"
#include "hostio/call.h"
#include "hostio/window.h"
#include "lib/lock.h"

/* A mapping costs a few requests: only for a file that is read again and again, */
#define READS_BEFORE	3u
/* or at once for this much. */
#define LARGE_READ	(256u << 10)
/* A window that moves without this many reads in between does not pay; so many times. */
#define READS_TO_PAY	32u
#define MOVES_MOST	8u

struct window {
	_Atomic u32 busy;
	struct window_user *_Atomic user;
	u64 off;		/* of the file, where the window begins */
	u64 valid;		/* bytes of it that lie within the file, as far as we know */
	u64 mapped;		/* bytes of it that have pages */
	u64 sizes;		/* `sizes_asked` when `valid` was found out */
	u64 used;		/* clock of the last read */
	u32 reads;		/* since it was mapped */
};

static struct window windows[RAKIS_WINDOWS];
static struct uptr base;
static _Atomic u64 clock, sizes_asked;

void window_init(u64 host_base)
{
	if (!uptr_check(host_base, RAKIS_WINDOWS * RAKIS_WINDOW_SIZE, &base))
		base = (struct uptr){ 0 };
}

void window_forget_sizes(void)
{
	atomic_fetch_add(&sizes_asked, 1);
}

static struct uptr address(const struct window *w)
{
	return uptr_add(base, (w - windows) * RAKIS_WINDOW_SIZE);
}

static bool take(struct window *w)
{
	/* Acquire: pairs with the release in give(). */
	return !atomic_exchange_explicit(&w->busy, 1, memory_order_acquire);
}

static void give(struct window *w)
{
	atomic_store_explicit(&w->busy, 0, memory_order_release);
}

static int map(struct window *w, int fd, u64 off, u64 len)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_WINDOW, .fd = fd, .off = off, .len = len,
		.addr = uptr_number(address(w)),
	};

	return host_call(&rq, 0);
}

static void unmap(struct window *w)
{
	struct window_user *u = atomic_exchange(&w->user, NULL);

	if (!u)
		return;
	atomic_store(&u->window, 0);
	(void)!map(w, -1, 0, RAKIS_WINDOW_SIZE);
}

/* The size of the file now; where the window ends within it. */
static int ask_size(struct window *w, int fd)
{
	u64 asked = atomic_load(&sizes_asked);
	struct statx st;
	int err = host_statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &st);

	if (err)
		return err;
	w->valid = st.stx_size > w->off ? min(st.stx_size - w->off, RAKIS_WINDOW_SIZE) : 0;
	w->sizes = asked;
	return 0;
}

/* A window for `u`, taken: a free one, or the one that was idle for longest. */
static struct window *choose(void)
{
	struct window *oldest = NULL;

	for (struct window *w = windows; w < windows + RAKIS_WINDOWS; w++) {
		if (!atomic_load_explicit(&w->user, memory_order_relaxed) && take(w)) {
			if (!atomic_load_explicit(&w->user, memory_order_relaxed))
				return w;
			give(w);
		}
		if (!oldest || w->used < oldest->used)
			oldest = w;
	}
	if (!take(oldest))
		return NULL;
	unmap(oldest);
	return oldest;
}

/* Put the window at `pos` of the file. On success it is taken. */
static struct window *open_window(struct window_user *u, int fd, u64 pos)
{
	struct window *w;

	if (u->moves == MOVES_MOST) {
		u->never = true;
		return NULL;
	}
	w = choose();
	if (!w)
		return NULL;
	w->off = pos & ~(RAKIS_WINDOW_SIZE - 1);
	if (ask_size(w, fd) || w->valid <= pos - w->off)
		goto no;
	w->mapped = PAGE_UP(w->valid);
	if (map(w, fd, w->off, w->mapped)) {
		u->never = true;
		goto no;
	}
	w->reads = 0;
	atomic_store(&w->user, u);
	atomic_store(&u->window, w - windows + 1);
	return w;
no:
	give(w);
	return NULL;
}

/* The file's window if it holds `pos`, taken. */
static struct window *find_window(struct window_user *u, int fd, u64 pos)
{
	u32 n = atomic_load_explicit(&u->window, memory_order_acquire);
	struct window *w;

	if (!n)
		return NULL;
	w = &windows[n - 1];
	if (!take(w))
		return NULL;
	/* It may have been taken away meanwhile. */
	if (atomic_load_explicit(&w->user, memory_order_relaxed) != u)
		goto no;
	if (unlikely(w->sizes != atomic_load_explicit(&sizes_asked, memory_order_relaxed)) && ask_size(w, fd))
		goto no;
	if (pos - w->off < RAKIS_WINDOW_SIZE) {
		/* At the end of the file as it was: where is it now? */
		if (unlikely(pos - w->off >= w->valid) && ask_size(w, fd))
			goto no;
		if (likely(pos - w->off < min(w->valid, w->mapped)))
			return w;
		if (w->valid <= w->mapped)
			goto no;
	} else {
		u->moves += w->reads < READS_TO_PAY;
		u->reads = READS_BEFORE;
	}
	unmap(w);
no:
	give(w);
	return NULL;
}

ssize_t window_read(struct window_user *u, int fd, struct iter *it, u64 pos)
{
	struct window *w;
	ssize_t n;

	if (uptr_is_null(base) || u->never || it->kernel)
		return 0;
	w = find_window(u, fd, pos);
	if (!w) {
		if (atomic_load_explicit(&u->window, memory_order_relaxed) ||
		    (u->reads++ < READS_BEFORE && it->left < LARGE_READ))
			return 0;
		w = open_window(u, fd, pos);
		if (!w)
			return 0;
	}
	pos -= w->off;
	n = iter_from_window(it, uptr_add(address(w), pos), min(it->left, min(w->valid, w->mapped) - pos));
	w->reads++;
	w->used = atomic_fetch_add_explicit(&clock, 1, memory_order_relaxed);
	if (n < 0) {
		/* A bad buffer, or pages that are gone: the host will say. */
		n = 0;
		unmap(w);
	}
	give(w);
	return n;
}

void window_drop(struct window_user *u)
{
	u32 n = atomic_load(&u->window);
	struct window *w;

	if (!n)
		return;
	w = &windows[n - 1];
	/* Who took it from this file holds it for a moment only. */
	while (!take(w))
		lock_yield();
	if (atomic_load(&w->user) == u)
		unmap(w);
	give(w);
}
