/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes, as Linux builds them: a ring of slots with up to a page each. A write goes on in
 * the last slot only if its rest (length modulo the page size) fits there, so a write of
 * at most PIPE_BUF bytes is never split.
 */
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include "fs/anon.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "libos/task.h"

#define SLOTS		16u
#define SIZE_MOST	(1u << 20)	/* of F_SETPIPE_SZ, without privilege */
#define SIGPIPE		13
#define SI_USER		0

#define IN_BITS		(EPOLLIN | EPOLLRDNORM)
#define OUT_BITS	(EPOLLOUT | EPOLLWRNORM)

struct slot {
	u8 *page;
	u32 off, len;
};

struct pipe {
	struct mutex mutex;
	struct wait_queue readers_wait, writers_wait;
	struct slot *slots;
	_Atomic u32 nslots;		/* a power of two */
	_Atomic u32 head, tail;		/* filled at head, used from tail; free-running */
	_Atomic u32 readers, writers;	/* open files that are ends */
	_Atomic u32 refs;		/* open files */
	u8 *spare;			/* one page kept for the next slot */
	u32 ino;
};

static bool is_empty(const struct pipe *p)
{
	return p->head == p->tail;
}

static bool is_full(const struct pipe *p)
{
	return p->head - p->tail >= p->nslots;
}

static struct slot *slot_at(struct pipe *p, u32 i)
{
	return &p->slots[i & (p->nslots - 1)];
}

static void page_put(struct pipe *p, u8 *page)
{
	if (p->spare)
		kfree(page);
	else
		p->spare = page;
}

static ssize_t pipe_read(struct file *f, struct iter *it, u64 *pos)
{
	struct pipe *p = f->priv;
	bool made_room = false;
	ssize_t done = 0, n;

	if (!it->left)
		return 0;
	mutex_lock(&p->mutex);
	while (it->left) {
		if (!is_empty(p)) {
			struct slot *s = slot_at(p, p->tail);

			n = iter_write(it, s->page + s->off, min((u64)s->len, it->left));
			if (n <= 0) {
				done = done ? done : -EFAULT;
				break;
			}
			s->off += n;
			s->len -= n;
			done += n;
			if (!s->len) {
				made_room |= is_full(p);
				page_put(p, s->page);
				p->tail++;
			}
			continue;
		}
		if (done || !p->writers)
			break;
		if (f->flags & O_NONBLOCK) {
			done = -EAGAIN;
			break;
		}
		mutex_unlock(&p->mutex);
		n = wait_event(&p->readers_wait, WAIT_FOREVER, !is_empty(p) || !p->writers);
		mutex_lock(&p->mutex);
		if (n) {
			done = n;
			break;
		}
	}
	mutex_unlock(&p->mutex);
	if (made_room)
		wake_up(&p->writers_wait, OUT_BITS);
	return done;
}

/* The end of a write that fits behind what the last slot holds. */
static ssize_t merge(struct pipe *p, struct iter *it)
{
	u32 rest = it->left % PAGE_SIZE;
	struct slot *s = slot_at(p, p->head - 1);
	ssize_t n;

	if (!rest || is_empty(p) || s->off + s->len + rest > PAGE_SIZE)
		return 0;
	n = iter_read(it, s->page + s->off + s->len, rest);
	if (n < (ssize_t)rest)
		return -EFAULT;
	s->len += n;
	return n;
}

static ssize_t fill_slot(struct pipe *p, struct iter *it)
{
	u32 want = min(it->left, PAGE_SIZE);
	u8 *page = p->spare ? p->spare : kmalloc(PAGE_SIZE);
	ssize_t n;

	p->spare = NULL;
	if (!page)
		return -ENOMEM;
	n = iter_read(it, page, want);
	if (n < (ssize_t)want) {
		page_put(p, page);
		return -EFAULT;
	}
	*slot_at(p, p->head) = (struct slot){ .page = page, .len = n };
	p->head++;
	return n;
}

static ssize_t no_readers(ssize_t done)
{
	struct siginfo_min info = {
		.signo = SIGPIPE, .code = SI_USER, .pid = process.pid, .uid = process.uid,
	};

	(void)!signal_send_task(current(), &info);
	return done ? done : -EPIPE;
}

static ssize_t pipe_write(struct file *f, struct iter *it, u64 *pos)
{
	struct pipe *p = f->priv;
	bool broken = false;
	ssize_t done = 0, told = 0, n;

	if (!it->left)
		return 0;
	mutex_lock(&p->mutex);
	if (p->readers) {
		done = merge(p, it);
		if (done < 0)
			goto out;
	}
	while (it->left || !p->readers) {
		if (!p->readers) {
			broken = true;
			break;
		}
		if (!is_full(p)) {
			n = fill_slot(p, it);
			if (n < 0) {
				done = done ? done : n;
				break;
			}
			done += n;
			continue;
		}
		if (f->flags & O_NONBLOCK) {
			done = done ? done : -EAGAIN;
			break;
		}
		mutex_unlock(&p->mutex);
		if (done > told)
			wake_up(&p->readers_wait, IN_BITS);
		told = done;
		n = wait_event(&p->writers_wait, WAIT_FOREVER, !is_full(p) || !p->readers);
		mutex_lock(&p->mutex);
		if (n) {
			done = done ? done : n;
			break;
		}
	}
out:
	mutex_unlock(&p->mutex);
	/* For every write: edge-triggered waiters count them. */
	if (done > told)
		wake_up(&p->readers_wait, IN_BITS);
	return broken ? no_readers(done) : done;
}

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	u32 bits = 0;

	if (file_readable(f)) {
		poll_wait(pt, &p->readers_wait);
		bits |= (is_empty(p) ? 0 : IN_BITS) | (p->writers ? 0 : EPOLLHUP);
	}
	if (file_writable(f)) {
		poll_wait(pt, &p->writers_wait);
		bits |= (is_full(p) ? 0 : OUT_BITS) | (p->readers ? 0 : EPOLLERR);
	}
	return bits;
}

static int pipe_ioctl(struct file *f, u32 cmd, u64 uarg)
{
	struct pipe *p = f->priv;
	int n = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->mutex);
	for (u32 i = p->tail; i != p->head; i++)
		n += slot_at(p, i)->len;
	mutex_unlock(&p->mutex);
	return put_user(n, uarg);
}

static long set_size(struct pipe *p, u64 size)
{
	u32 nslots = 1, used;
	struct slot *slots;

	if (size > 1u << 31)
		return -EINVAL;
	while (nslots * PAGE_SIZE < size)
		nslots *= 2;
	if (nslots > p->nslots && nslots * PAGE_SIZE > SIZE_MOST)
		return -EPERM;
	slots = kmalloc(nslots * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	mutex_lock(&p->mutex);
	used = p->head - p->tail;
	if (used > nslots) {
		mutex_unlock(&p->mutex);
		kfree(slots);
		return -EBUSY;
	}
	for (u32 i = 0; i < used; i++)
		slots[i] = *slot_at(p, p->tail + i);
	kfree(p->slots);
	p->slots = slots;
	p->nslots = nslots;
	p->tail = 0;
	p->head = used;
	mutex_unlock(&p->mutex);
	wake_up(&p->writers_wait, OUT_BITS);
	return nslots * PAGE_SIZE;
}

static long pipe_fcntl(struct file *f, u32 cmd, u64 arg)
{
	struct pipe *p = f->priv;

	switch (cmd) {
	case F_GETPIPE_SZ:
		return p->nslots * PAGE_SIZE;
	case F_SETPIPE_SZ:
		return set_size(p, (u32)arg);
	default:
		return -EINVAL;
	}
}

static int pipe_set_flags(struct file *f, u32 flags)
{
	return flags & O_DIRECT ? -EINVAL : 0;
}

static int pipe_stat(struct file *f, u32 mask, struct statx *out)
{
	struct pipe *p = f->priv;

	statx_fill(out, DEV_ANON, p->ino, S_IFIFO | 0600, 0);
	return 0;
}

static void end_count(struct file *f, int by)
{
	struct pipe *p = f->priv;

	if (file_readable(f))
		p->readers += by;
	if (file_writable(f))
		p->writers += by;
}

static void pipe_free(struct pipe *p)
{
	for (u32 i = p->tail; i != p->head; i++)
		kfree(slot_at(p, i)->page);
	kfree(p->spare);
	kfree(p->slots);
	kfree(p);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;

	mutex_lock(&p->mutex);
	end_count(f, -1);
	mutex_unlock(&p->mutex);
	if (!p->writers)
		wake_up_all(&p->readers_wait, IN_BITS | EPOLLHUP);
	if (!p->readers)
		wake_up_all(&p->writers_wait, OUT_BITS | EPOLLERR);
	if (atomic_fetch_sub(&p->refs, 1) == 1)
		pipe_free(p);
}

static int pipe_reopen(struct file *f, u32 flags, struct file **out);

static const struct file_ops pipe_ops = {
	.kind = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.fcntl = pipe_fcntl,
	.set_flags = pipe_set_flags,
	.stat = pipe_stat,
	.reopen = pipe_reopen,
	.release = pipe_release,
};

static struct file *end_new(struct pipe *p, u32 flags)
{
	char name[32];
	struct file *f;

	snprintf(name, sizeof(name), "pipe:[%u]", p->ino);
	f = anon_file(&pipe_ops, flags, p, name);
	if (f) {
		p->refs++;
		end_count(f, 1);
	}
	return f;
}

static int pipe_reopen(struct file *f, u32 flags, struct file **out)
{
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	*out = end_new(f->priv, flags);
	return *out ? 0 : -ENOMEM;
}

int pipe_new(struct file *ends[2], u32 flags)
{
	static _Atomic u32 last_ino = 1;
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	mutex_init(&p->mutex);
	wait_queue_init(&p->readers_wait);
	wait_queue_init(&p->writers_wait);
	p->slots = kmalloc(SLOTS * sizeof(*p->slots));
	p->nslots = SLOTS;
	p->ino = ++last_ino;
	if (!p->slots)
		goto fail;
	ends[0] = end_new(p, O_RDONLY | flags);
	if (!ends[0])
		goto fail;
	ends[1] = end_new(p, O_WRONLY | flags);
	if (!ends[1]) {
		file_put(ends[0]);	/* and the pipe with it */
		return -ENOMEM;
	}
	return 0;
fail:
	pipe_free(p);
	return -ENOMEM;
}
