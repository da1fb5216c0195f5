/* SPDX-License-Identifier: Apache-2.0 */
/* signalfd(2): signals of a mask, read as records instead of delivered. */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/signalfd.h>
#include "fs/anon.h"
#include "fs/poll.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/task.h"

struct signalfd {
	_Atomic sigset mask;
};

static const struct file_ops signalfd_ops;

static void fill(struct signalfd_siginfo *out, const struct siginfo_min *info)
{
	*out = (struct signalfd_siginfo){
		.ssi_signo = info->signo,
		.ssi_code = info->code,
	};
	if (info->code == SI_TIMER) {
		out->ssi_tid = info->timerid;
		out->ssi_overrun = info->overrun;
	} else if (info->code > 0 && info->code != SI_KERNEL) {
		out->ssi_addr = info->addr;		/* a fault's */
		out->ssi_trapno = info->trapno;
	} else {
		out->ssi_pid = info->pid;
		out->ssi_uid = info->uid;
	}
	if (info->code < 0) {
		out->ssi_ptr = info->value;
		out->ssi_int = info->value;
	}
}

static ssize_t signalfd_read(struct file *f, struct iter *it, u64 *pos)
{
	struct signalfd *s = f->priv;
	struct signalfd_siginfo out;
	struct siginfo_min info;
	ssize_t done = 0;
	int err;

	if (it->left < sizeof(out))
		return -EINVAL;
	while (it->left >= sizeof(out)) {
		err = signal_dequeue(s->mask, &info);
		if (err && done)
			break;
		if (err && f->flags & O_NONBLOCK)
			return -EAGAIN;
		if (err)
			err = wait_event(&signal_queue, WAIT_FOREVER,
					 !signal_dequeue(s->mask, &info));
		if (err)
			return err;
		fill(&out, &info);
		if (iter_write(it, &out, sizeof(out)) != sizeof(out))
			return done ? done : -EFAULT;
		done += sizeof(out);
	}
	return done;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->priv;
	sigset pending;

	poll_wait(pt, &signal_queue);
	pending = *(volatile sigset *)&current()->signals.pending |
		  *(volatile sigset *)&process.signals.pending;
	return pending & s->mask ? EPOLLIN : 0;
}

static void signalfd_release(struct file *f)
{
	kfree(f->priv);
}

static const struct file_ops signalfd_ops = {
	.kind = "signalfd",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.stat = anon_stat,
	.lseek = anon_lseek,
	.own_position = true,
	.release = signalfd_release,
};

int signalfd_set(struct file *f, u64 mask)
{
	struct signalfd *s = f->priv;

	if (f->ops != &signalfd_ops)
		return -EINVAL;
	s->mask = mask & ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP));
	wake_up_all(&signal_queue, EPOLLIN);
	return 0;
}

int signalfd_new(u64 mask, u32 flags)
{
	struct signalfd *s;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))		/* SFD_CLOEXEC, SFD_NONBLOCK */
		return -EINVAL;
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->mask = mask & ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP));
	return anon_fd(&signalfd_ops, flags, s, "anon_inode:[signalfd]");
}
