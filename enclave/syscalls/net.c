/* SPDX-License-Identifier: Apache-2.0 */
/* The socket calls: between the guest's structures and sockets/. */
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/string.h"
#include "libos/time.h"
#include "libos/wait.h"
#include "sockets/socket.h"
#include "syscalls/syscalls.h"

/* ---- addresses ---- */

static int addr_from_user(struct host_addr *a, u64 uaddr, u64 len)
{
	if ((int)len < 0 || (u32)len > HOST_ADDR_MAX)
		return -EINVAL;
	a->len = len;
	return copy_from_user(a->data, uaddr, a->len);
}

/* Value-result length: what fits is copied, the full length is told. */
static int addr_to_user(const struct host_addr *a, u64 uaddr, u64 ulen)
{
	int len;

	if (get_user(len, ulen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	if (copy_to_user(uaddr, a->data, min(min((u32)len, a->len), HOST_ADDR_MAX)) ||
	    put_user(a->len, ulen))
		return -EFAULT;
	return 0;
}

/* ---- making and connecting ---- */

SYSCALL_DEFINE(socket)
{
	struct file *f;
	int err = socket_create(a1, a2, a3, &f);

	return err ? err : fd_install_or_put(f, (u32)a2 & SOCK_CLOEXEC);
}

SYSCALL_DEFINE(socketpair)
{
	bool cloexec = (u32)a2 & SOCK_CLOEXEC;
	struct file *f[2];
	int fds[2], err;

	err = socket_pair(a1, a2, a3, f);
	if (err)
		return err;
	fds[0] = fd_install_or_put(f[0], cloexec);
	if (fds[0] < 0) {
		file_put(f[1]);
		return fds[0];
	}
	fds[1] = fd_install_or_put(f[1], cloexec);
	err = fds[1] < 0 ? fds[1] : copy_to_user(a4, fds, sizeof(fds));
	if (err) {
		(void)!fd_close(fds[0]);
		if (fds[1] >= 0)
			(void)!fd_close(fds[1]);
	}
	return err;
}

static long with_addr(int fd, u64 uaddr, u64 len,
		      int (*fn)(struct socket *sk, const struct host_addr *a))
{
	struct host_addr a;
	struct socket *sk;
	int err = socket_get(fd, &sk);

	if (err)
		return err;
	err = addr_from_user(&a, uaddr, len);
	if (!err)
		err = fn(sk, &a);
	socket_put(sk);
	return err;
}

SYSCALL_DEFINE(bind)
{
	return with_addr(a1, a2, a3, socket_bind);
}

SYSCALL_DEFINE(connect)
{
	return with_addr(a1, a2, a3, socket_connect);
}

SYSCALL_DEFINE(listen)
{
	struct socket *sk;
	int err = socket_get(a1, &sk);

	if (err)
		return err;
	err = socket_listen(sk, a2);
	socket_put(sk);
	return err;
}

static long do_accept(int fd, u64 uaddr, u64 ulen, u32 flags)
{
	struct host_addr a;
	struct socket *sk;
	struct file *f;
	int err;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	err = socket_get(fd, &sk);
	if (err)
		return err;
	err = socket_accept(sk, flags, uaddr ? &a : NULL, &f);
	socket_put(sk);
	if (!err && uaddr) {
		err = addr_to_user(&a, uaddr, ulen);
		if (err)
			file_put(f);
	}
	return err ? err : fd_install_or_put(f, flags & SOCK_CLOEXEC);
}

SYSCALL_DEFINE(accept)
{
	return do_accept(a1, a2, a3, 0);
}

SYSCALL_DEFINE(accept4)
{
	return do_accept(a1, a2, a3, a4);
}

SYSCALL_DEFINE(shutdown)
{
	struct socket *sk;
	int err = socket_get(a1, &sk);

	if (err)
		return err;
	err = socket_shutdown(sk, a2);
	socket_put(sk);
	return err;
}

static long get_name(int fd, u64 uaddr, u64 ulen, int (*fn)(int hostfd, struct host_addr *a))
{
	struct host_addr a;
	struct socket *sk;
	int err = socket_get(fd, &sk);

	if (err)
		return err;
	err = fn(sk->hostfd, &a);
	socket_put(sk);
	return err ? err : addr_to_user(&a, uaddr, ulen);
}

SYSCALL_DEFINE(getsockname)
{
	return get_name(a1, a2, a3, host_getsockname);
}

SYSCALL_DEFINE(getpeername)
{
	return get_name(a1, a2, a3, host_getpeername);
}

SYSCALL_DEFINE(getsockopt)
{
	struct socket *sk;
	int err = socket_get(a1, &sk);

	if (err)
		return err;
	err = socket_getopt(sk, a2, a3, a4, a5);
	socket_put(sk);
	return err;
}

SYSCALL_DEFINE(setsockopt)
{
	struct socket *sk;
	int err = socket_get(a1, &sk);

	if (err)
		return err;
	err = socket_setopt(sk, a2, a3, a4, a5);
	socket_put(sk);
	return err;
}

/* ---- data ---- */

SYSCALL_DEFINE(sendto)
{
	struct host_msg m = { 0 };
	struct host_addr a;
	struct socket *sk;
	struct iter it;
	ssize_t n;

	if (iter_buf(&it, a2, a3))
		return -EFAULT;
	n = socket_get(a1, &sk);
	if (n)
		return n;
	m.data = &it;
	if (a5) {
		n = addr_from_user(&a, a5, a6);
		m.addr = &a;
	}
	if (!n)
		n = socket_send(sk, &m, a4);
	socket_put(sk);
	return n;
}

SYSCALL_DEFINE(recvfrom)
{
	struct host_msg m = { 0 };
	struct host_addr a;
	struct socket *sk;
	struct iter it;
	ssize_t n;
	int err;

	if (iter_buf(&it, a2, a3))
		return -EFAULT;
	n = socket_get(a1, &sk);
	if (n)
		return n;
	m.data = &it;
	m.addr = a5 ? &a : NULL;
	n = socket_recv(sk, &m, a4);
	socket_put(sk);
	if (n >= 0 && a5) {
		err = addr_to_user(&a, a5, a6);
		if (err)
			return err;
	}
	return n;
}

/* One message of the guest, brought in. */
struct message {
	struct user_msghdr u;
	struct host_msg m;
	struct host_addr addr;
	struct iter it;
	void *control;
	u8 small[256] __attribute__((aligned(8)));
};

static int message_begin(struct message *x, u64 umsg)
{
	if (get_user(x->u, umsg))
		return -EFAULT;
	if (!x->u.name)
		x->u.namelen = 0;
	if (x->u.namelen < 0)
		return -EINVAL;
	if (x->u.iovlen > IOV_MAX)
		return -EMSGSIZE;
	x->m = (struct host_msg){ .data = &x->it };
	x->control = x->small;
	return iter_import(&x->it, x->u.iov, x->u.iovlen);
}

static int message_control(struct message *x, u32 len)
{
	if (len > sizeof(x->small)) {
		x->control = kmalloc(len);
		if (!x->control)
			return -ENOMEM;
	}
	x->m.control = x->control;
	x->m.controllen = len;
	return 0;
}

static void message_end(struct message *x)
{
	if (x->control != x->small)
		kfree(x->control);
	iter_release(&x->it);
}

/* *whole: all of it was taken. */
static ssize_t send_message(struct socket *sk, u64 umsg, u32 flags, bool *whole)
{
	struct rights *rights = NULL;
	struct message x;
	ssize_t n = message_begin(&x, umsg);

	if (n)
		return n;
	if (x.u.namelen) {
		x.m.addr = &x.addr;
		n = addr_from_user(&x.addr, x.u.name, min((u32)x.u.namelen, HOST_ADDR_MAX));
	}
	if (!n && x.u.controllen) {
		n = x.u.controllen > HOST_CONTROL_MAX ? -ENOBUFS : message_control(&x, x.u.controllen);
		if (!n)
			n = copy_from_user(x.control, x.u.control, x.u.controllen);
		if (!n)
			n = control_to_host(sk, x.control, x.u.controllen, &rights);
	}
	if (!n)
		n = socket_send(sk, &x.m, flags);
	*whole = !x.it.left;
	rights_put(rights);
	message_end(&x);
	return n;
}

/* *told: the flags that the guest got. */
static ssize_t recv_message(struct socket *sk, u64 umsg, u32 flags, u32 *told)
{
	struct message x;
	ssize_t n = message_begin(&x, umsg);
	int err = 0;

	if (n)
		return n;
	x.m.addr = &x.addr;
	if (x.u.control && x.u.controllen)
		n = message_control(&x, min(x.u.controllen, (u64)HOST_CONTROL_MAX));
	if (!n)
		n = socket_recv(sk, &x.m, flags);
	if (n < 0)
		goto out;
	err = control_from_host(sk, &x.m, flags & MSG_CMSG_CLOEXEC);
	*told = (x.m.flags & ~MSG_CMSG_CLOEXEC) | (flags & MSG_CMSG_CLOEXEC);
	if (!err && x.u.name)
		err = addr_to_user(&x.addr, x.u.name, umsg + offsetof(struct user_msghdr, namelen));
	if (!err && x.m.controllen)
		err = copy_to_user(x.u.control, x.control, x.m.controllen);
	if (!err)
		err = put_user(*told, umsg + offsetof(struct user_msghdr, flags));
	if (!err)
		err = put_user((u64)x.m.controllen, umsg + offsetof(struct user_msghdr, controllen));
	if (err)
		n = err;
out:
	message_end(&x);
	return n;
}

SYSCALL_DEFINE(sendmsg)
{
	struct socket *sk;
	bool whole;
	ssize_t n;

	if (a3 & MSG_CMSG_COMPAT)
		return -EINVAL;
	n = socket_get(a1, &sk);
	if (n)
		return n;
	n = send_message(sk, a2, a3, &whole);
	socket_put(sk);
	return n;
}

SYSCALL_DEFINE(recvmsg)
{
	struct socket *sk;
	ssize_t n;
	u32 told;

	if (a3 & MSG_CMSG_COMPAT)
		return -EINVAL;
	n = socket_get(a1, &sk);
	if (n)
		return n;
	n = recv_message(sk, a2, a3, &told);
	socket_put(sk);
	return n;
}

SYSCALL_DEFINE(sendmmsg)
{
	u32 done = 0, count = min((u32)a3, (u32)IOV_MAX);
	struct socket *sk;
	bool whole = true;
	ssize_t n;

	if (a4 & MSG_CMSG_COMPAT)
		return -EINVAL;
	n = socket_get(a1, &sk);
	if (n)
		return n;
	while (done < count && whole) {
		u64 umsg = a2 + done * sizeof(struct user_mmsghdr);

		n = send_message(sk, umsg, a4, &whole);
		if (n >= 0)
			n = put_user((u32)n, umsg + offsetof(struct user_mmsghdr, len));
		if (n)
			break;
		done++;
	}
	socket_put(sk);
	return done ? done : n;
}

SYSCALL_DEFINE(recvmmsg)
{
	u64 deadline = WAIT_FOREVER;
	u32 flags = a4, told, done = 0;
	struct socket *sk;
	ssize_t n;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	n = get_deadline(a5, &deadline);
	if (n)
		return n;
	n = socket_get(a1, &sk);
	if (n)
		return n;
	while (done < (u32)a3) {
		u64 umsg = a2 + done * sizeof(struct user_mmsghdr);

		n = recv_message(sk, umsg, flags & ~MSG_WAITFORONE, &told);
		if (n >= 0)
			n = put_user((u32)n, umsg + offsetof(struct user_mmsghdr, len));
		if (n)
			break;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		/* The time is looked at after each message only, and urgent data ends it. */
		if (!deadline_left(deadline) || (told & MSG_OOB))
			break;
	}
	if (done && n)
		socket_keep_error(sk, n);
	socket_put(sk);
	if (done && a5 && put_timespec_ns(a5, deadline_left(deadline)))
		return -EFAULT;
	return done ? done : n;
}
