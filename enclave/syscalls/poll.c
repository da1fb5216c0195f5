/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers: waiting for many files, and the files that are made to be waited for. */
#include <asm/poll.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include "fs/anon.h"
#include "fs/epoll.h"
#include "fs/poll.h"
#include "gate/gate.h"
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/string.h"
#include "libos/task.h"
#include "libos/time.h"
#include "syscalls/syscalls.h"

#define ALWAYS	(POLLERR | POLLHUP)
#define FEW	16u

/* Deadlines: 0 does not wait. A relative time that is not 0 never gives 0. */
static u64 deadline_after(u64 ns)
{
	return ns ? now_ns() + ns : 0;
}

static u64 deadline_ms(int ms)
{
	return ms < 0 ? WAIT_FOREVER : deadline_after(ms * 1000000ull);
}

/* From a struct timespec at `uts`, if there is one. */
static int deadline_ts(u64 uts, u64 *deadline)
{
	u64 ns;
	int err;

	*deadline = WAIT_FOREVER;
	if (!uts)
		return 0;
	err = get_timespec_ns(uts, &ns);
	if (!err)
		*deadline = deadline_after(ns);
	return err;
}

/* ---- poll ---- */

static long do_poll(u64 ufds, u32 n, u64 deadline)
{
	struct poll_item few_items[FEW], *items = few_items;
	struct pollfd few_fds[FEW], *fds = few_fds;
	long r;

	if (n > fd_limit)
		return -EINVAL;
	if (n > FEW) {
		items = kmalloc(n * (sizeof(*items) + sizeof(*fds)));
		if (!items)
			return -ENOMEM;
		fds = (struct pollfd *)(items + n);
	}
	r = -EFAULT;
	if (copy_from_user(fds, ufds, n * sizeof(*fds)))
		goto out;
	for (u32 i = 0; i < n; i++) {
		items[i] = (struct poll_item){ .events = (u16)fds[i].events | ALWAYS };
		if (fds[i].fd < 0)
			continue;
		items[i].file = fd_get(fds[i].fd);
		if (!items[i].file)
			items[i].revents = POLLNVAL;
	}
	r = poll_files(items, n, deadline);
	for (u32 i = 0; i < n; i++) {
		if (items[i].file)
			file_put(items[i].file);
		if (put_user((u16)items[i].revents,
			     ufds + i * sizeof(*fds) + offsetof(struct pollfd, revents)))
			r = -EFAULT;
	}
out:
	if (items != few_items)
		kfree(items);
	return r;
}

static long poll_again(struct task *t)
{
	long r = do_poll(t->restart_args[0], t->restart_args[1], t->restart_deadline);

	return r == -ERESTARTNOHAND ? -ERESTART_RESTARTBLOCK : r;
}

SYSCALL_DEFINE(poll)
{
	u64 deadline = deadline_ms(a3);
	struct task *t = current();
	long r = do_poll(a1, a2, deadline);

	if (r != -ERESTARTNOHAND)
		return r;
	t->restart = poll_again;
	t->restart_deadline = deadline;
	t->restart_args[0] = a1;
	t->restart_args[1] = (u32)a2;
	return -ERESTART_RESTARTBLOCK;
}

/* ---- the end of ppoll, select, pselect: the mask, and the time that is left ---- */

static long finish(long r, u64 utime, bool timeval, u64 deadline)
{
	u64 left;
	int err;

	if (r != -ERESTARTNOHAND)
		signal_restore_mask();
	if (!utime || !deadline)
		return r;
	left = deadline_left(deadline);
	if (timeval) {
		s64 tv[2] = { left / NSEC_PER_SEC, left % NSEC_PER_SEC / 1000 };

		err = copy_to_user(utime, tv, sizeof(tv));
	} else {
		err = put_timespec_ns(utime, left);
	}
	/* A restart would wait for the whole time again. */
	return err && r == -ERESTARTNOHAND ? -EINTR : r;
}

SYSCALL_DEFINE(ppoll)
{
	u64 deadline;
	long r = deadline_ts(a3, &deadline);

	if (!r)
		r = signal_set_temporary_mask(a4, a5);
	if (r)
		return r;
	return finish(do_poll(a1, a2, deadline), a3, false, deadline);
}

/* ---- select ---- */

#define IN_SET	(POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define OUT_SET	(POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define EX_SET	POLLPRI

static const u32 set_events[3] = { IN_SET, OUT_SET, EX_SET };

struct fd_sets {
	u32 n, words;
	u64 user[3];
	u64 *want[3], *got[3];
	u32 nitems;
	struct poll_item *items;
	int *fds;
};

static int sets_get(struct fd_sets *s)
{
	u64 last = s->n % 64 ? ~(~0ull << s->n % 64) : ~0ull;

	for (int k = 0; k < 3; k++) {
		if (!s->user[k] || !s->words)
			continue;
		if (copy_from_user(s->want[k], s->user[k], s->words * 8))
			return -EFAULT;
		s->want[k][s->words - 1] &= last;
	}
	return 0;
}

/* An item for each descriptor that is in a set. */
static int sets_items(struct fd_sets *s)
{
	u32 count = 0;

	for (u32 w = 0; w < s->words; w++)
		count += __builtin_popcountll(s->want[0][w] | s->want[1][w] | s->want[2][w]);
	if (!count)
		return 0;
	s->items = kmalloc(count * (sizeof(*s->items) + sizeof(*s->fds)));
	if (!s->items)
		return -ENOMEM;
	s->fds = (int *)(s->items + count);
	for (u32 w = 0; w < s->words; w++) {
		u64 any = s->want[0][w] | s->want[1][w] | s->want[2][w];

		for (; any; any &= any - 1) {
			struct poll_item *i = &s->items[s->nitems];
			u64 bit = any & -any;
			int fd = w * 64 + __builtin_ctzll(any);

			*i = (struct poll_item){ .file = fd_get(fd) };
			if (!i->file)
				return -EBADF;
			for (int k = 0; k < 3; k++)
				i->events |= s->want[k][w] & bit ? set_events[k] : 0;
			s->fds[s->nitems++] = fd;
		}
	}
	return 0;
}

static long sets_put(struct fd_sets *s)
{
	long count = 0;

	for (u32 i = 0; i < s->nitems; i++) {
		u32 w = s->fds[i] / 64;
		u64 bit = 1ull << s->fds[i] % 64;

		for (int k = 0; k < 3; k++)
			if (s->want[k][w] & bit && s->items[i].revents & set_events[k]) {
				s->got[k][w] |= bit;
				count++;
			}
	}
	for (int k = 0; k < 3; k++)
		if (s->user[k] && copy_to_user(s->user[k], s->got[k], s->words * 8))
			return -EFAULT;
	return count;
}

static long do_select(int n, u64 in, u64 out, u64 ex, u64 deadline)
{
	struct fd_sets s = { .user = { in, out, ex } };
	u64 few[6 * 4] = { 0 }, *bits = few;
	long r;

	if (n < 0)
		return -EINVAL;
	s.n = min((u32)n, FD_LIMIT);
	s.words = (s.n + 63) / 64;
	if (s.words > 4) {
		bits = kzalloc(6 * s.words * sizeof(u64));
		if (!bits)
			return -ENOMEM;
	}
	for (u32 k = 0; k < 3; k++) {
		s.want[k] = bits + k * s.words;
		s.got[k] = bits + (k + 3) * s.words;
	}
	r = sets_get(&s);
	if (!r)
		r = sets_items(&s);
	if (!r)
		r = poll_files(s.items, s.nitems, deadline);
	if (r >= 0)
		r = sets_put(&s);
	for (u32 i = 0; i < s.nitems; i++)
		file_put(s.items[i].file);
	kfree(s.items);
	if (bits != few)
		kfree(bits);
	return r;
}

SYSCALL_DEFINE(select)
{
	u64 deadline = WAIT_FOREVER;
	s64 tv[2];

	if (a5) {
		if (copy_from_user(tv, a5, sizeof(tv)))
			return -EFAULT;
		if (tv[0] < 0 || tv[1] < 0)
			return -EINVAL;
		/* Microseconds may be more than a second; more than for ever is for ever. */
		if ((u64)tv[0] > INT64_MAX / NSEC_PER_SEC / 2 || (u64)tv[1] > INT64_MAX / 2000)
			deadline = INT64_MAX;
		else
			deadline = deadline_after(tv[0] * NSEC_PER_SEC + tv[1] * 1000);
	}
	return finish(do_select(a1, a2, a3, a4, deadline), a5, true, deadline);
}

SYSCALL_DEFINE(pselect6)
{
	u64 deadline, mask[2] = { 0, 0 };
	long r;

	if (a6 && copy_from_user(mask, a6, sizeof(mask)))
		return -EFAULT;
	r = deadline_ts(a5, &deadline);
	if (!r)
		r = signal_set_temporary_mask(mask[0], mask[1]);
	if (r)
		return r;
	return finish(do_select(a1, a2, a3, a4, deadline), a5, false, deadline);
}

/* ---- epoll ---- */

SYSCALL_DEFINE(epoll_create)
{
	return (int)a1 <= 0 ? -EINVAL : epoll_new(0);
}

SYSCALL_DEFINE(epoll_create1)
{
	return epoll_new(a1);
}

SYSCALL_DEFINE(epoll_ctl)
{
	struct file *epoll, *target;
	struct epoll_event ev = { 0 };
	long r = -EBADF;

	if ((int)a2 != EPOLL_CTL_DEL && copy_from_user(&ev, a4, sizeof(ev)))
		return -EFAULT;
	epoll = fd_get(a1);
	if (!epoll)
		return -EBADF;
	target = fd_get(a3);
	if (target) {
		r = epoll_control(epoll, a2, target, a3, &ev);
		file_put(target);
	}
	file_put(epoll);
	return r;
}

static long do_epoll_wait(int epfd, u64 uevents, int max, u64 deadline)
{
	struct file *f;
	long r;

	if (max <= 0 || max > INT32_MAX / (int)sizeof(struct epoll_event))
		return -EINVAL;
	if (!guest_range_ok(uevents, max * sizeof(struct epoll_event)))
		return -EFAULT;
	f = fd_get(epfd);
	if (!f)
		return -EBADF;
	r = is_epoll(f) ? epoll_wait(f, uevents, max, deadline) : -EINVAL;
	file_put(f);
	return r;
}

SYSCALL_DEFINE(epoll_wait)
{
	return do_epoll_wait(a1, a2, a3, deadline_ms(a4));
}

static long masked_epoll_wait(u64 epfd, u64 uevents, u64 max, u64 deadline, u64 umask, u64 size)
{
	long r = signal_set_temporary_mask(umask, size);

	if (r)
		return r;
	r = do_epoll_wait(epfd, uevents, max, deadline);
	if (r != -EINTR)
		signal_restore_mask();
	return r;
}

SYSCALL_DEFINE(epoll_pwait)
{
	return masked_epoll_wait(a1, a2, a3, deadline_ms(a4), a5, a6);
}

SYSCALL_DEFINE(epoll_pwait2)
{
	u64 deadline;
	int err = deadline_ts(a4, &deadline);

	return err ? err : masked_epoll_wait(a1, a2, a3, deadline, a5, a6);
}

/* ---- files to wait for ---- */

static long do_pipe(u64 ufds, u32 flags)
{
	struct file *ends[2];
	int fds[2], err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	err = pipe_new(ends, flags & O_NONBLOCK);
	if (err)
		return err;
	fds[0] = fd_install_or_put(ends[0], flags & O_CLOEXEC);
	fds[1] = fd_install_or_put(ends[1], flags & O_CLOEXEC);
	if (fds[0] >= 0 && fds[1] >= 0) {
		if (!copy_to_user(ufds, fds, sizeof(fds)))
			return 0;
		err = -EFAULT;
	}
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			(void)!fd_close(fds[i]);
		else
			err = fds[i];
	}
	return err;
}

SYSCALL_DEFINE(pipe)
{
	return do_pipe(a1, 0);
}

SYSCALL_DEFINE(pipe2)
{
	return do_pipe(a1, a2);
}

SYSCALL_DEFINE(eventfd)
{
	return eventfd_new((u32)a1, 0);
}

SYSCALL_DEFINE(eventfd2)
{
	return eventfd_new((u32)a1, a2);
}

SYSCALL_DEFINE(timerfd_create)
{
	return timerfd_new(a1, a2);
}

/* struct itimerspec: interval, then value */
static int put_itimer(u64 uaddr, const struct itimer_ns *t)
{
	int err = put_timespec_ns(uaddr, t->interval);

	return err ? err : put_timespec_ns(uaddr + 16, t->value);
}

SYSCALL_DEFINE(timerfd_settime)
{
	struct itimer_ns new, old;
	struct file *f;
	int err = get_timespec_ns(a3, &new.interval);

	if (!err)
		err = get_timespec_ns(a3 + 16, &new.value);
	if (err)
		return err;
	f = fd_get(a1);
	if (!f)
		return -EBADF;
	err = timerfd_set(f, a2, &new, &old);
	file_put(f);
	if (!err && a4)
		err = put_itimer(a4, &old);
	return err;
}

SYSCALL_DEFINE(timerfd_gettime)
{
	struct file *f = fd_get(a1);
	struct itimer_ns t;
	int err;

	if (!f)
		return -EBADF;
	err = timerfd_get(f, &t);
	file_put(f);
	return err ? err : put_itimer(a2, &t);
}

static long do_signalfd(int fd, u64 umask, u64 size, u32 flags)
{
	struct file *f;
	u64 mask;
	int err;

	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user(mask, umask))
		return -EFAULT;
	if (fd == -1)
		return signalfd_new(mask, flags);
	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	f = fd_get(fd);
	if (!f)
		return -EBADF;
	err = signalfd_set(f, mask);
	file_put(f);
	return err ? err : fd;
}

SYSCALL_DEFINE(signalfd)
{
	return do_signalfd(a1, a2, a3, 0);
}

SYSCALL_DEFINE(signalfd4)
{
	return do_signalfd(a1, a2, a3, a4);
}
