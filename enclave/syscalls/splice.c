/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that move data between two descriptors. The data passes through the libOS. */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/hostfile.h"
#include "fs/poll.h"
#include "gate/usercopy.h"
#include "lib/string.h"
#include "syscalls/fd.h"
#include "syscalls/syscalls.h"

#define MOST		0x7ffff000ull
#define SPLICE_NONBLOCK	2u
#define SPLICE_FLAGS	15u

static bool is_pipe(struct file *f)
{
	return strcmp(f->ops->kind, "pipe") == 0 || hostfile_is_fifo(f);
}

static u32 type_of(struct file *f)
{
	struct statx st;

	return file_stat(f, STATX_TYPE, &st) ? 0 : st.stx_mode & S_IFMT;
}

/* file_copy() with positions of the guest: uaddresses, 0 for the file's own. */
static ssize_t copy_at(struct file *in, u64 uin, struct file *out, u64 uout, u64 len)
{
	u64 in_pos, out_pos;
	ssize_t n;

	if ((uin && get_user(in_pos, uin)) || (uout && get_user(out_pos, uout)))
		return -EFAULT;
	if ((uin && !in->ops->lseek) || (uout && !out->ops->lseek))
		return -ESPIPE;
	if ((uin && (s64)in_pos < 0) || (uout && (s64)out_pos < 0))
		return -EINVAL;
	n = file_copy(in, uin ? &in_pos : NULL, out, uout ? &out_pos : NULL, min(len, MOST));
	if (n >= 0 && ((uin && put_user(in_pos, uin)) || (uout && put_user(out_pos, uout))))
		return -EFAULT;
	return n;
}

static ssize_t do_sendfile(struct file *in, struct file *out, u64 uoff, u64 len)
{
	if (!file_readable(in) || !file_writable(out))
		return -EBADF;
	if (out->flags & O_APPEND || in->ops->getdents || (!in->ops->lseek && !is_pipe(in)))
		return -EINVAL;
	return copy_at(in, uoff, out, 0, len);
}

SYSCALL_DEFINE(sendfile)
{
	return WITH_FD(a2, in, WITH_FD(a1, out, do_sendfile(in, out, a3, a4)));
}

static ssize_t do_copy_range(struct file *in, u64 uin, struct file *out, u64 uout, u64 len,
			     u32 flags)
{
	u32 in_type = type_of(in), out_type = type_of(out);
	u64 from, to, id[2][2];
	s64 size;

	if (flags)
		return -EINVAL;
	if (in_type == S_IFDIR || out_type == S_IFDIR)
		return -EISDIR;
	if (in_type != S_IFREG || out_type != S_IFREG)
		return -EINVAL;
	if (!file_readable(in) || !file_writable(out) || out->flags & O_APPEND)
		return -EBADF;
	if (in->ops->identity && out->ops->identity) {
		in->ops->identity(in, id[0]);
		out->ops->identity(out, id[1]);
		from = uin ? 0 : in->pos;
		to = uout ? 0 : out->pos;
		if ((uin && get_user(from, uin)) || (uout && get_user(to, uout)))
			return -EFAULT;
		/* Not beyond the end: only what there is can overlap. */
		size = in->ops->map_size(in);
		if (size < 0)
			return size;
		len = (u64)size > from ? min(len, size - from) : 0;
		if (!memcmp(id[0], id[1], sizeof(id[0])) && len && from < to + len &&
		    to < from + len)
			return -EINVAL;
	}
	return copy_at(in, uin, out, uout, len);
}

SYSCALL_DEFINE(copy_file_range)
{
	return WITH_FD(a1, in, WITH_FD(a3, out, do_copy_range(in, a2, out, a4, a5, a6)));
}

static int ready_now(struct file *f, u32 events)
{
	struct poll_item item = { .file = f, .events = events | EPOLLERR | EPOLLHUP };
	int r = poll_files(&item, 1, 0);

	return r > 0 ? 0 : -EAGAIN;
}

static ssize_t do_splice(struct file *in, u64 uin, struct file *out, u64 uout, u64 len, u32 flags)
{
	bool from_pipe = is_pipe(in), to_pipe = is_pipe(out);

	if (flags & ~SPLICE_FLAGS || (!from_pipe && !to_pipe))
		return -EINVAL;
	if ((from_pipe && uin) || (to_pipe && uout))
		return -ESPIPE;
	if (out->flags & O_APPEND && !to_pipe)
		return -EINVAL;
	if (!len)
		return 0;
	if (flags & SPLICE_NONBLOCK &&
	    ((from_pipe && ready_now(in, EPOLLIN)) || (to_pipe && ready_now(out, EPOLLOUT))))
		return -EAGAIN;
	/* Into a pipe goes what it holds, so that a reader of its own is not waited for. */
	return copy_at(in, uin, out, uout, to_pipe ? min(len, 4096ul) : len);
}

SYSCALL_DEFINE(splice)
{
	return WITH_FD(a1, in, WITH_FD(a3, out, do_splice(in, a2, out, a4, a5, a6)));
}

static ssize_t do_vmsplice(struct file *f, u64 uiov, u64 n, u32 flags)
{
	struct iter it;
	ssize_t r;

	if (flags & ~SPLICE_FLAGS)
		return -EINVAL;
	if (!is_pipe(f))
		return -EBADF;
	if (flags & SPLICE_NONBLOCK && ready_now(f, file_writable(f) ? EPOLLOUT : EPOLLIN))
		return -EAGAIN;
	r = iter_import(&it, uiov, n);
	if (r)
		return r;
	r = file_writable(f) ? file_write(f, &it) : file_read(f, &it);
	iter_release(&it);
	return r;
}

SYSCALL_DEFINE(vmsplice)
{
	return WITH_FD(a1, f, do_vmsplice(f, a2, a3, a4));
}
