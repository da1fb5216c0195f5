/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control messages. Most pass as they are, once their structure is known to be sound; the
 * descriptors in SCM_RIGHTS are the guest's on one side and the host's on the other.
 */
#include <linux/stat.h>
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "sockets/socket.h"

struct rights {
	u32 n;
	struct file *files[SCM_MAX_FD];
};

void rights_put(struct rights *r)
{
	if (!r)
		return;
	for (u32 i = 0; i < r->n; i++)
		file_put(r->files[i]);
	kfree(r);
}

static bool is_rights(const struct cmsg *c)
{
	return c->level == SOL_SOCKET && c->type == SCM_RIGHTS;
}

static int add_rights(struct rights *r, struct cmsg *c)
{
	static _Atomic bool told;
	u32 n = (c->len - CMSG_HEAD) / sizeof(int);
	int *fds = (int *)(c + 1);

	if (n > SCM_MAX_FD - r->n)
		return -EINVAL;
	for (u32 i = 0; i < n; i++) {
		struct file *f = fd_get_path(fds[i]);

		if (!f)
			return -EBADF;
		r->files[r->n++] = f;
		if (socket_pass(f))
			return -EINVAL;
		fds[i] = file_host_fd(f);
		if (fds[i] < 0) {
			if (!atomic_exchange(&told, true))
				log_warn("a %s cannot be passed over a socket (SCM_RIGHTS): EINVAL",
					 f->ops->kind);
			return -EINVAL;
		}
	}
	return 0;
}

int control_to_host(struct socket *sk, void *control, u32 len, struct rights **rights)
{
	struct cmsg *c;
	int err = 0;

	*rights = NULL;
	for (u32 off = 0; (c = cmsg_at(control, len, off, &err)); off += ALIGN_UP(c->len, 8)) {
		if (sk->domain != AF_UNIX || !is_rights(c))
			continue;
		if (!*rights)
			*rights = kzalloc(sizeof(**rights));
		if (!*rights)
			return -ENOMEM;
		err = add_rights(*rights, c);
		if (err)
			break;
	}
	return err;
}

/* A descriptor that the host received, as one of the guest's. It is used up, whatever comes. */
static int install(int hostfd, bool cloexec)
{
	struct file *f = NULL;
	struct statx st;
	int flags;

	if (hostfd < 0)
		return -EIO;
	flags = host_fcntl(hostfd, F_GETFL, 0);
	if (flags >= 0 && host_statx(hostfd, "", 0x1000 /* AT_EMPTY_PATH */, STATX_TYPE, &st) == 0)
		f = (st.stx_mode & S_IFMT) == S_IFSOCK ? socket_from_host(hostfd, flags) :
			host_file_new(hostfd, flags, NULL, true);
	if (!f) {
		host_close(hostfd);
		return -ENOMEM;
	}
	return fd_install_or_put(f, cloexec);
}

/* As many as there is room for; the rest is dropped, as Linux does. */
static void take_rights(struct cmsg *c, bool cloexec, u32 *flags)
{
	u32 n = (c->len - CMSG_HEAD) / sizeof(int), got = 0;
	int *fds = (int *)(c + 1);

	for (u32 i = 0; i < n; i++) {
		int fd = got == i ? install(fds[i], cloexec) : -EMFILE;

		if (fd >= 0)
			fds[got++] = fd;
		else if (got < i)
			host_close(fds[i]);
	}
	if (got < n)
		*flags |= MSG_CTRUNC;
	c->len = got ? CMSG_HEAD + got * sizeof(int) : 0;
}

int control_from_host(struct socket *sk, struct host_msg *m, bool cloexec)
{
	u32 in = 0, out = 0, space;
	struct cmsg *c;
	int err = 0;

	while ((c = cmsg_at(m->control, m->controllen, in, &err))) {
		space = min(ALIGN_UP(c->len, 8), (u64)(m->controllen - in));
		in += space;
		if (c->level == SOL_SOCKET && (c->type == SCM_RIGHTS || c->type == SCM_PIDFD)) {
			if (sk->domain != AF_UNIX || c->type == SCM_PIDFD)
				return -EIO;
			take_rights(c, cloexec, &m->flags);
			space = min(ALIGN_UP(c->len, 8), (u64)space);
		}
		/* What follows moves up if fewer descriptors came through. */
		memmove((u8 *)m->control + out, c, space);
		out += space;
	}
	m->controllen = out;
	return err ? -EIO : 0;
}
