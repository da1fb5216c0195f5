/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which window. A window is used by one reader at a time (`busy`); another reader of
 * the same file makes a request, rather than wait. When all windows are taken, the one that
 * was used least recently is taken away from its file.
 */
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
	u64 heard;		/* host_heard then */
	bool writable;
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

static int request(struct window *w, int fd, u64 least, bool writable)
{
	struct rakis_request rq = {
		.opcode = RAKIS_OP_WINDOW, .fd = fd, .off = w->off, .len = least,
		.addr = uptr_number(address(w)), .op_flags = writable,
	};

	return host_call(&rq, RAKIS_WINDOW_SIZE);
}

/* How much of the file lies in the window; if more than `least`, it is mapped. */
static bool ask(struct window *w, struct window_user *u, int fd, u64 least)
{
	u64 sizes = atomic_load(&sizes_asked), heard = atomic_load(&host_heard);
	int res = request(w, fd, least, u->writes);

	if (res < 0)
		return false;
	w->valid = res;
	w->sizes = sizes;
	w->heard = heard;
	if (w->valid < RAKIS_WINDOW_SIZE)
		u->end = min(u->end, w->off + w->valid);
	return true;
}

static bool ask_size(struct window *w, struct window_user *u, int fd)
{
	return ask(w, u, fd, RAKIS_WINDOW_SIZE);
}

static void unmap(struct window *w)
{
	struct window_user *u = atomic_exchange(&w->user, NULL);

	if (!u)
		return;
	atomic_store(&u->window, 0);
	(void)!request(w, -1, 0, false);
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
	if (!ask(w, u, fd, pos - w->off)) {
		u->never = true;
		goto no;
	}
	if (w->valid <= pos - w->off)
		goto no;
	w->mapped = PAGE_UP(w->valid);
	w->writable = u->writes;
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
	if (unlikely(w->sizes != atomic_load_explicit(&sizes_asked, memory_order_relaxed)) && !ask_size(w, u, fd))
		goto no;
	if (pos - w->off < RAKIS_WINDOW_SIZE) {
		/* At the end of the file as it was: where is it now? */
		if (unlikely(pos - w->off >= w->valid) && !ask_size(w, u, fd))
			goto no;
		if (likely(pos - w->off < min(w->valid, w->mapped) && w->writable >= u->writes))
			return w;
		if (w->valid <= w->mapped && w->writable >= u->writes)
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

/* The window that holds `pos`, taken; made if the file is used enough. */
static struct window *get_window(struct window_user *u, int fd, u64 len, u64 pos)
{
	struct window *w = find_window(u, fd, pos);

	if (w)
		return w;
	if (atomic_load_explicit(&u->window, memory_order_relaxed) ||
	    (u->reads++ < READS_BEFORE && len < LARGE_READ))
		return NULL;
	return open_window(u, fd, pos);
}

/* Used for `n` bytes, or an error: a bad buffer, or pages that are gone; the host will say. */
static ssize_t put_window(struct window *w, ssize_t n)
{
	w->reads++;
	w->used = atomic_fetch_add_explicit(&clock, 1, memory_order_relaxed);
	if (n < 0) {
		n = 0;
		unmap(w);
	}
	give(w);
	return n;
}

ssize_t window_read(struct window_user *u, int fd, struct iter *it, u64 pos)
{
	struct window *w;

	if (uptr_is_null(base) || u->never || it->kernel)
		return 0;
	w = get_window(u, fd, it->left, pos);
	if (!w)
		return 0;
	pos -= w->off;
	return put_window(w, iter_from_window(it, uptr_add(address(w), pos),
					      min(it->left, min(w->valid, w->mapped) - pos)));
}

/* Whole words only: next to others another process may be writing. */
ssize_t window_write(struct window_user *u, int fd, struct iter *it, u64 pos, u64 now)
{
	u64 heard = atomic_load(&host_heard), room;
	struct window *w;

	if (uptr_is_null(base) || u->never || it->kernel || it->niov != 1 || (pos | it->left) & 7 ||
	    now - u->time >= WINDOW_TICK || u->heard != heard)
		return 0;
	u->writes = true;
	w = get_window(u, fd, it->left, pos);
	if (!w)
		return 0;
	if (w->heard != heard && !ask_size(w, u, fd))
		goto no;
	pos -= w->off;
	room = min(w->valid, w->mapped) & ~7ull;
	if (pos >= room)
		goto no;
	return put_window(w, iter_to_arena(it, uptr_add(address(w), pos), min(it->left, room - pos)));
no:
	give(w);
	return 0;
}

void window_wrote(struct window_user *u, u64 end, u64 now)
{
	u->end = max(u->end, end);
	if (!now)
		return;
	u->heard = atomic_load(&host_heard);
	u->time = now;
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
