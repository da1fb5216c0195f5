/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets. A struct socket is what file->priv of a socket points to; how its data moves is
 * behind socket_ops, so that another transport is another table. Everything a call must do
 * whatever the transport (waiting, timeouts, signals, WAITALL, readiness) is in socket.c.
 *
 * The host's descriptor is always non-blocking: the guest's O_NONBLOCK is in file->flags,
 * its SO_RCVTIMEO and SO_SNDTIMEO here. All functions return 0 or more, or a negative errno
 * (-ERESTARTSYS among them).
 */
#ifndef RAKIS_SOCKETS_SOCKET_H
#define RAKIS_SOCKETS_SOCKET_H

#include "fs/file.h"
#include "fs/poll.h"
#include "fs/ready.h"
#include "hostio/hostio.h"
#include "lib/types.h"
#include "sockets/abi.h"

struct socket;

/* One try, or one wait of at most wait_ns, with hostio's meaning of the answers. */
struct socket_ops {
	ssize_t (*send)(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns);
	ssize_t (*recv)(struct socket *sk, struct host_msg *m, u32 flags, u64 wait_ns);
	int (*bind)(struct socket *sk, const struct host_addr *a);
	int (*connect)(struct socket *sk, const struct host_addr *a, u64 wait_ns);
	u32 (*poll)(struct socket *sk, struct poll_table *pt);	/* EPOLL* bits known inside */
	int (*shutdown)(struct socket *sk, int how);
	void (*close)(struct socket *sk);	/* and frees it, now or when all is sent */
};

extern const struct socket_ops host_socket_ops;	/* msg.c: all by the host's socket */

struct stream;
struct udp;

struct socket {
	const struct socket_ops *_Atomic ops;
	struct file *file;
	int hostfd;
	int domain, type, proto;
	u32 ino;
	_Atomic u64 rcvtimeo, sndtimeo;	/* ns; HOST_FOREVER: none */
	_Atomic int rcvlowat;
	_Atomic int error;		/* errno that met a call which had moved data: for the next one */
	_Atomic bool connecting;
	struct ready ready;

	/* stream.c */
	struct stream *_Atomic stream;	/* NULL: not yet, or never */
	bool own;			/* TCP, made by the guest, and rings are there */
	_Atomic bool pinned;		/* socket_pin() */
	_Atomic bool connected, listening;
	_Atomic bool no_send, full;	/* before it is a stream: SHUT_WR came; no room at the host */
	_Atomic int linger;		/* s; negative: none */
	_Atomic u32 sndbuf;		/* as set by the guest; 0: not set */

	struct udp *udp;		/* udp.c; NULL: the host's socket is all it is */
};

bool is_socket(const struct file *f);
/* Of a descriptor, with a reference on (*sk)->file. -EBADF, -ENOTSOCK. */
int socket_get(int fd, struct socket **sk) __must_check;
static inline bool socket_is_tcp(const struct socket *sk)
{
	return sk->type == SOCK_STREAM && (sk->domain == AF_INET || sk->domain == AF_INET6);
}

static inline void socket_put(struct socket *sk)
{
	file_put(sk->file);
}

/* `type` with the guest's SOCK_NONBLOCK; the file is new, with one reference. */
int socket_create(int domain, int type, int proto, struct file **out) __must_check;
int socket_pair(int domain, int type, int proto, struct file *out[2]) __must_check;
/* Wrap a socket that the host has: inherited, or received. NULL: no memory, or none. */
struct file *socket_from_host(int hostfd, u32 flags) __must_check;

int socket_bind(struct socket *sk, const struct host_addr *a) __must_check;
int socket_listen(struct socket *sk, int backlog) __must_check;
int socket_connect(struct socket *sk, const struct host_addr *a) __must_check;
/* `flags`: the guest's SOCK_NONBLOCK; `a` may be NULL. */
int socket_accept(struct socket *sk, u32 flags, struct host_addr *a, struct file **out) __must_check;
int socket_shutdown(struct socket *sk, int how) __must_check;

/*
 * One blocking call:
 *	wait_start(&w, sk, block, timeout);
 *	do
 *		res = what may wait for wait_left(&w) ns;
 *	while (wait_again(&w, &res));
 */
struct socket_wait {
	u64 deadline;
	bool block;
};

void wait_start(struct socket_wait *w, struct socket *sk, bool block, u64 timeout_ns);
u64 wait_left(const struct socket_wait *w);
/* After -EINTR: true if no signal came. False: *res is what the call returns. */
bool wait_again(const struct socket_wait *w, ssize_t *res) __must_check;

/*
 * Move a message. m->addr may be NULL; m->controllen 0: no control. recv sets addr->len,
 * controllen and flags. Control is in the host's terms: control.c translates it.
 * (msg.c)
 */
ssize_t socket_send(struct socket *sk, struct host_msg *m, u32 flags) __must_check;
ssize_t socket_recv(struct socket *sk, struct host_msg *m, u32 flags) __must_check;

/*
 * By ring (stream.c). Sockets that only the host's can be, and all of them without rings, stay
 * as they are. stream_switch(): it is about to be waited for; true if it has become a stream.
 */
bool stream_switch(struct socket *sk);
bool stream_waited_for(struct socket *sk, struct poll_table *pt);
bool socket_is_stream(struct socket *sk);
bool stream_may_own(int domain, int type, int proto);
/* Something was asked for that only the host's own receive knows: it never becomes a stream, or
 * goes back as far. */
void socket_pin(struct socket *sk);
void stream_listening(struct socket *sk);		/* listen() was called */
void stream_note_connect(const struct host_addr *a);
int stream_take_error(struct socket *sk);
void stream_settle(struct socket *sk);			/* what was sent is with the host, if it takes it */
void stream_limit(struct socket *sk, u32 bytes);	/* SO_SNDBUF */
u32 stream_unread(struct socket *sk);
u32 stream_unsent(struct socket *sk);
/* Where a file is about to be passed out: -EINVAL if something of a stream is in here. */
int socket_pass(struct file *f) __must_check;
void stream_exit(void);					/* the process ends: all that was sent goes */

/* UDP with a fast path (udp.c). */
void udp_start(struct socket *sk);			/* a new socket becomes one, if it may */
void udp_option_set(struct socket *sk, int level, int name, const u8 *val, int len);
void udp_kernel_only(struct socket *sk);
bool udp_unread(struct socket *sk, u32 *bytes);		/* of the next datagram, if it is here */

/* file_ops of a socket; the guest's read and write. */
ssize_t socket_read(struct file *f, struct iter *it, u64 *pos) __must_check;
ssize_t socket_write(struct file *f, struct iter *it, u64 *pos) __must_check;

/* The errno kept for the next call, negative, or 0; it is given once. */
int socket_take_error(struct socket *sk);
/* Keep `err` (negative) if it is of those that belong to the socket. */
void socket_keep_error(struct socket *sk, ssize_t err);

/* options.c; values in guest memory */
int socket_getopt(struct socket *sk, int level, int name, u64 uval, u64 ulen) __must_check;
int socket_setopt(struct socket *sk, int level, int name, u64 uval, int len) __must_check;
/* ioctl.c: file_ops.ioctl */
int socket_ioctl(struct file *f, u32 cmd, u64 uarg);

/* control.c: descriptors in control messages, translated in place. */
struct rights;				/* files that must stay open until the message is sent */
int control_to_host(struct socket *sk, void *control, u32 len, struct rights **rights) __must_check;
void rights_put(struct rights *r);
/* What the host filled; may set MSG_CTRUNC in m->flags. -EIO if it is malformed. */
int control_from_host(struct socket *sk, struct host_msg *m, bool cloexec) __must_check;

#endif
