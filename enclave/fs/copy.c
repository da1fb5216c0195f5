/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving data from file to file. From a file with a position, only what was written counts
 * as read. What was taken from a stream must be written: so first the target has room,
 * and then it is pressed until all is there.
 */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "fs/file.h"
#include "fs/poll.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/task.h"
#include "libos/time.h"

#define PIECE		(128ul << 10)
#define PIECE_NONBLOCK	4096ul		/* fits what is writable by poll (PIPE_BUF) */
#define RETRY_NS	1000000u

static ssize_t write_out(struct file *out, u64 *pos, void *buf, size_t n)
{
	struct iter it;
	ssize_t done;

	iter_kernel(&it, buf, n);
	done = pos ? file_pwrite(out, &it, *pos) : file_write(out, &it);
	if (pos && done > 0)
		*pos += done;
	return done;
}

static int has_room(struct file *out)
{
	struct poll_item item = { .file = out, .events = EPOLLOUT | EPOLLERR | EPOLLHUP };
	bool wait = !(out->flags & O_NONBLOCK);
	int r = poll_files(&item, 1, wait ? WAIT_FOREVER : 0);

	if (r == -ERESTARTNOHAND)
		return -ERESTARTSYS;
	return r < 0 ? r : r ? 0 : -EAGAIN;
}

/* All of it, whatever comes: it is gone from where it was. */
static ssize_t press(struct file *out, u64 *pos, u8 *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t w = write_out(out, pos, buf + done, n - done);

		if (w >= 0) {
			done += w;
			continue;
		}
		if ((w != -EAGAIN && w != -ERESTARTSYS) || process.exiting)
			return w;
		park_begin();
		park(RETRY_NS);
	}
	return done;
}

static ssize_t copy_stream(struct file *in, struct file *out, u64 *out_pos, u64 len, u8 *buf)
{
	size_t most = out->ops->poll && out->flags & O_NONBLOCK ? PIECE_NONBLOCK : PIECE;
	struct iter it;
	ssize_t n = out->ops->poll ? has_room(out) : 0;

	if (n)
		return n;
	iter_kernel(&it, buf, min(len, most));
	n = file_read(in, &it);
	return n > 0 ? press(out, out_pos, buf, n) : n;
}

static ssize_t copy_from(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, u64 len,
			 u8 *buf)
{
	ssize_t done = 0, n = 0, w;

	while (len) {
		struct iter it;

		iter_kernel(&it, buf, min(len, PIECE));
		n = file_pread(in, &it, *in_pos);
		if (n <= 0)
			break;
		w = write_out(out, out_pos, buf, n);
		if (w <= 0) {
			n = w;
			break;
		}
		*in_pos += w;
		done += w;
		len -= w;
		if (w < n)
			break;
	}
	return done ? done : n;
}

ssize_t file_copy(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, u64 len)
{
	bool own = !in_pos && in->ops->lseek;
	u8 *buf;
	ssize_t n;
	s64 pos;

	if (!file_readable(in) || !file_writable(out))
		return -EBADF;
	if (!len)
		return 0;
	buf = kmalloc(PIECE);
	if (!buf)
		return -ENOMEM;
	if (in_pos) {
		n = copy_from(in, in_pos, out, out_pos, len, buf);
	} else if (own) {
		n = pos = file_lseek(in, 0, SEEK_CUR);
		if (pos >= 0)
			n = copy_from(in, (u64 *)&pos, out, out_pos, len, buf);
		/* In the same file, writing has moved the position that was read from. */
		if (n > 0 && (in != out || out_pos) && file_lseek(in, pos, SEEK_SET) < 0)
			n = -EIO;
	} else {
		n = copy_stream(in, out, out_pos, len, buf);
	}
	kfree(buf);
	return n;
}
