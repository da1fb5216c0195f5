/* SPDX-License-Identifier: Apache-2.0 */
/* Making sockets, their state, and what they are as files. Data: msg.c. */
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/stat.h>
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/policy.h"
#include "lib/string.h"
#include "libos/signal.h"
#include "libos/task.h"
#include "libos/time.h"
#include "sockets/socket.h"

/* ---- waiting ---- */

void wait_start(struct socket_wait *w, struct socket *sk, bool block, u64 timeout_ns)
{
	w->block = block && !(sk->file->flags & O_NONBLOCK) && timeout_ns != 0;
	w->deadline = w->block && timeout_ns != HOST_FOREVER ? now_ns() + timeout_ns : WAIT_FOREVER;
}

u64 wait_left(const struct socket_wait *w)
{
	return w->block ? deadline_left(w->deadline) : HOST_NOWAIT;
}

bool wait_again(const struct socket_wait *w, ssize_t *res)
{
	if (*res != -EINTR)
		return false;
	park_begin();
	host_pending_work();
	if (!signal_pending())
		return true;
	if (w->deadline == WAIT_FOREVER)
		*res = -ERESTARTSYS;
	return false;
}

int socket_take_error(struct socket *sk)
{
	return sk->error ? atomic_exchange(&sk->error, 0) : 0;
}

void socket_keep_error(struct socket *sk, ssize_t err)
{
	switch (err) {
	case -ECONNRESET:
	case -ECONNREFUSED:
	case -ETIMEDOUT:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		sk->error = err;
		if (socket_is_stream(sk))
			wake_up(&sk->ready.queue, EPOLLERR);
		else
			ready_event(&sk->ready, EPOLLERR);
	}
}

/* Connecting and the like: what was known of readiness must be asked again. */
static void state_changed(struct socket *sk)
{
	ready_used(&sk->ready, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
}

/* ---- as a file ---- */

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *sk = f->priv;

	if (sk->own && !sk->stream && pt && pt->wait)
		stream_waited_for(sk, pt);
	return (sk->error ? EPOLLERR | EPOLLIN : 0) | sk->ops->poll(sk, pt);
}

static int socket_stat(struct file *f, u32 mask, struct statx *out)
{
	struct socket *sk = f->priv;

	memset(out, 0, sizeof(*out));
	out->stx_mask = STATX_BASIC_STATS;
	out->stx_blksize = PAGE_SIZE;
	out->stx_nlink = 1;
	out->stx_uid = process.euid;
	out->stx_gid = process.egid;
	out->stx_mode = S_IFSOCK | 0777;
	out->stx_ino = sk->ino;
	out->stx_dev_minor = 8;		/* sockfs: an anonymous device */
	return 0;
}

static int socket_statfs(struct file *f, struct statfs *out)
{
	return host_statfs(((struct socket *)f->priv)->hostfd, NULL, out);
}

static int socket_host_fd(struct file *f)
{
	return ((struct socket *)f->priv)->hostfd;
}

static void socket_release(struct file *f)
{
	struct socket *sk = f->priv;

	sk->ops->close(sk);
}

static const struct file_ops socket_file_ops = {
	.kind = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.stat = socket_stat,
	.statfs = socket_statfs,
	.ioctl = socket_ioctl,
	.host_fd = socket_host_fd,
	.release = socket_release,
};

bool is_socket(const struct file *f)
{
	return f->ops == &socket_file_ops;
}

int socket_get(int fd, struct socket **sk)
{
	struct file *f = fd_get(fd);

	if (!f)
		return -EBADF;
	if (f->ops != &socket_file_ops) {
		file_put(f);
		return -ENOTSOCK;
	}
	*sk = f->priv;
	return 0;
}

/* ---- making ---- */

/* On failure `hostfd` stays the caller's. */
static struct file *wrap(int hostfd, int domain, int type, int proto, u32 flags)
{
	static _Atomic u32 last_ino;
	struct socket *sk = kzalloc(sizeof(*sk));
	struct file *f;

	if (!sk)
		return NULL;
	if (domain == AF_UNIX && type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (!proto && (domain == AF_INET || domain == AF_INET6)) {
		if (type == SOCK_STREAM)
			proto = IPPROTO_TCP;
		else if (type == SOCK_DGRAM)
			proto = IPPROTO_UDP;
	}
	sk->ops = &host_socket_ops;
	sk->hostfd = hostfd;
	sk->domain = domain;
	sk->type = type;
	sk->proto = proto;
	sk->ino = ++last_ino;
	sk->rcvtimeo = sk->sndtimeo = HOST_FOREVER;
	sk->rcvlowat = 1;
	sk->linger = -1;
	ready_init(&sk->ready, hostfd);
	f = file_new(&socket_file_ops, O_RDWR | (flags & O_NONBLOCK), sk);
	if (!f) {
		kfree(sk);
		return NULL;
	}
	sk->file = f;
	f->ready = &sk->ready;
	f->path = kasprintf("socket:[%u]", sk->ino);
	return f;
}

static struct file *wrap_or_close(int hostfd, int domain, int type, int proto, u32 flags)
{
	struct file *f = wrap(hostfd, domain, type, proto, flags);

	if (!f)
		host_close(hostfd);
	return f;
}

static int check_kind(int domain, int type)
{
	if (type & ~(SOCK_TYPE_MASK | SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	/* Its set-up is all pointers to memory shared with the kernel. */
	return domain == AF_XDP ? -EAFNOSUPPORT : 0;
}

int socket_create(int domain, int type, int proto, struct file **out)
{
	int fd, err = check_kind(domain, type);
	struct socket *sk;

	if (err)
		return err;
	if (!policy_allows(RAKIS_MANIFEST_NETWORK)) {
		static _Atomic bool told;

		if (!atomic_exchange(&told, true))
			log_warn("the program asks for a socket, which the manifest does not allow: `network: yes` would");
		return -EACCES;
	}
	fd = host_socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
	if (fd < 0)
		return fd;
	*out = wrap_or_close(fd, domain, type & SOCK_TYPE_MASK, proto, type);
	if (!*out)
		return -ENOMEM;
	sk = (*out)->priv;
	sk->own = stream_may_own(domain, sk->type, sk->proto);
	udp_start(sk);
	return 0;
}

int socket_pair(int domain, int type, int proto, struct file *out[2])
{
	int fds[2], err = check_kind(domain, type);

	if (err)
		return err;
	err = host_socketpair(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, proto, fds);
	if (err)
		return err;
	for (int i = 0; i < 2; i++)
		out[i] = wrap_or_close(fds[i], domain, type & SOCK_TYPE_MASK, proto, type);
	if (out[0] && out[1])
		return 0;
	for (int i = 0; i < 2; i++)
		if (out[i])
			file_put(out[i]);
	return -ENOMEM;
}

struct file *socket_from_host(int hostfd, u32 flags)
{
	int domain, type, proto;

	if (host_getsockopt(hostfd, SOL_SOCKET, SO_DOMAIN, &domain, 4) != 4 ||
	    host_getsockopt(hostfd, SOL_SOCKET, SO_TYPE, &type, 4) != 4 ||
	    host_getsockopt(hostfd, SOL_SOCKET, SO_PROTOCOL, &proto, 4) != 4)
		return NULL;
	return wrap(hostfd, domain, type, proto, flags);
}

/* ---- state ---- */

int socket_bind(struct socket *sk, const struct host_addr *a)
{
	/* A name in the file system gets the mode of the socket's own inode. */
	if (sk->domain == AF_UNIX && a->len > 2 && a->data[2]) {
		int err = host_fchmodat(sk->hostfd, "", 0777 & ~process.umask, 0);

		if (err)
			return err;
	}
	return sk->ops->bind(sk, a);
}

int socket_listen(struct socket *sk, int backlog)
{
	int err = host_listen(sk->hostfd, backlog);

	if (!err)
		stream_listening(sk);
	state_changed(sk);
	return err;
}

int socket_connect(struct socket *sk, const struct host_addr *a)
{
	struct socket_wait w;
	ssize_t err;

	if (sk->own)
		stream_note_connect(a);
	wait_start(&w, sk, true, sk->sndtimeo);
	do
		err = sk->ops->connect(sk, a, wait_left(&w));
	while (wait_again(&w, &err));
	state_changed(sk);
	if (sk->domain == AF_UNIX)
		return err;
	if (err == -EAGAIN && w.block)		/* SO_SNDTIMEO is over; the handshake goes on */
		err = sk->connecting ? -EALREADY : -EINPROGRESS;
	if (!err)
		sk->connected = true;
	sk->connecting = err == -EINPROGRESS || err == -EALREADY ||
			 err == -ERESTARTSYS || err == -EINTR;
	return err;
}

int socket_accept(struct socket *sk, u32 flags, struct host_addr *a, struct file **out)
{
	struct socket_wait w;
	struct socket *new;
	ssize_t fd;
	u64 seq;

	wait_start(&w, sk, true, sk->rcvtimeo);
	do {
		seq = ready_seq(&sk->ready);
		fd = host_accept(sk->hostfd, a, SOCK_CLOEXEC | SOCK_NONBLOCK, wait_left(&w));
	} while (wait_again(&w, &fd));
	if (fd == -EAGAIN)
		ready_drained(&sk->ready, EPOLLIN, seq);
	if (fd < 0)
		return fd;
	ready_used(&sk->ready, EPOLLIN);
	*out = wrap_or_close(fd, sk->domain, sk->type, sk->proto, flags);
	if (!*out)
		return -ENOMEM;
	if (sk->domain != AF_UNIX) {		/* Linux clones the listener */
		new = (*out)->priv;
		new->rcvtimeo = sk->rcvtimeo;
		new->sndtimeo = sk->sndtimeo;
		new->rcvlowat = sk->rcvlowat;
		new->linger = sk->linger;
		new->sndbuf = sk->sndbuf;
		new->pinned = sk->pinned;
		new->own = sk->own;
		new->connected = true;
	}
	return 0;
}

int socket_shutdown(struct socket *sk, int how)
{
	int err = sk->ops->shutdown(sk, how);

	if (!err && how)
		sk->no_send = true;
	return err;
}
