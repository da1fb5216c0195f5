/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd(2): a counter that is read, added to, and waited for. */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include "fs/anon.h"
#include "fs/poll.h"
#include "lib/alloc.h"
#include "lib/errno.h"

/* linux/eventfd.h, which is newer than some systems' headers */
#define EFD_SEMAPHORE	1u
#define EFD_CLOEXEC	O_CLOEXEC
#define EFD_NONBLOCK	O_NONBLOCK

#define COUNT_MOST	(~0ull - 1)

struct eventfd {
	struct spinlock lock;
	struct wait_queue queue;
	_Atomic u64 count;
	bool semaphore;
};

static bool take(struct eventfd *e, u64 *value)
{
	bool ok;

	spin_lock(&e->lock);
	*value = e->semaphore && e->count ? 1 : e->count;
	e->count -= *value;
	ok = *value;
	spin_unlock(&e->lock);
	return ok;
}

static bool add(struct eventfd *e, u64 value)
{
	bool ok;

	spin_lock(&e->lock);
	ok = value <= COUNT_MOST - e->count;
	if (ok)
		e->count += value;
	spin_unlock(&e->lock);
	return ok;
}

static ssize_t eventfd_read(struct file *f, struct iter *it, u64 *pos)
{
	struct eventfd *e = f->priv;
	u64 value;
	int err;

	if (it->left < sizeof(value))
		return -EINVAL;
	if (!take(e, &value)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event(&e->queue, WAIT_FOREVER, take(e, &value));
		if (err)
			return err;
	}
	wake_up(&e->queue, EPOLLOUT);
	if (iter_write(it, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	return sizeof(value);
}

static ssize_t eventfd_write(struct file *f, struct iter *it, u64 *pos)
{
	struct eventfd *e = f->priv;
	u64 value;
	int err;

	if (it->left < sizeof(value))
		return -EINVAL;
	if (iter_read(it, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value == ~0ull)
		return -EINVAL;
	if (!add(e, value)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event(&e->queue, WAIT_FOREVER, add(e, value));
		if (err)
			return err;
	}
	wake_up(&e->queue, EPOLLIN);
	return sizeof(value);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	u64 count;

	poll_wait(pt, &e->queue);
	count = e->count;
	return (count ? EPOLLIN : 0) | (count < COUNT_MOST ? EPOLLOUT : 0);
}

static void eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops eventfd_ops = {
	.kind = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.stat = anon_stat,
	.lseek = anon_lseek,
	.own_position = true,
	.release = eventfd_release,
};

int eventfd_new(u64 count, u32 flags)
{
	struct eventfd *e;

	if (flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	e = kzalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	wait_queue_init(&e->queue);
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	return anon_fd(&eventfd_ops, flags, e, "anon_inode:[eventfd]");
}
