/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and structures of the socket calls that the kernel's UAPI headers leave to libc. */
#ifndef RAKIS_SOCKETS_ABI_H
#define RAKIS_SOCKETS_ABI_H

#include <asm/fcntl.h>
#include <asm/socket.h>
#include "lib/errno.h"
#include "lib/types.h"

#define AF_UNSPEC	0
#define AF_UNIX		1
#define AF_INET		2
#define AF_INET6	10
#define AF_NETLINK	16
#define AF_XDP		44

#define SOCK_STREAM	1
#define SOCK_DGRAM	2
#define SOCK_RAW	3
#define SOCK_SEQPACKET	5
#define SOCK_TYPE_MASK	0xf
#define SOCK_CLOEXEC	O_CLOEXEC
#define SOCK_NONBLOCK	O_NONBLOCK

#define MSG_OOB		0x1u
#define MSG_PEEK	0x2u
#define MSG_DONTROUTE	0x4u
#define MSG_CTRUNC	0x8u
#define MSG_TRUNC	0x20u
#define MSG_DONTWAIT	0x40u
#define MSG_EOR		0x80u
#define MSG_WAITALL	0x100u
#define MSG_CONFIRM	0x800u
#define MSG_ERRQUEUE	0x2000u
#define MSG_NOSIGNAL	0x4000u
#define MSG_MORE	0x8000u
#define MSG_WAITFORONE	0x10000u
#define MSG_SOCK_DEVMEM	0x2000000u
#define MSG_ZEROCOPY	0x4000000u
#define MSG_FASTOPEN	0x20000000u
#define MSG_CMSG_CLOEXEC 0x40000000u
#define MSG_CMSG_COMPAT	0x80000000u

#define SCM_RIGHTS	1
#define SCM_PIDFD	4
#define SCM_MAX_FD	253u

#define SOL_IPV6	41
#define SOL_SCTP	132
#define SOL_PACKET	263

struct user_msghdr {
	u64 name;
	s32 namelen;
	u32 pad0;
	u64 iov;
	u64 iovlen;
	u64 control;
	u64 controllen;
	u32 flags;
	u32 pad1;
};

struct user_mmsghdr {
	struct user_msghdr hdr;
	u32 len;
	u32 pad;
};

/* Head of a control message; its data follows, the next one begins 8-byte aligned. */
struct cmsg {
	u64 len;		/* head included */
	s32 level;
	s32 type;
};

#define CMSG_HEAD	sizeof(struct cmsg)

/* The message at `off`, or NULL at the end. -EINVAL in *err if it does not fit. */
static inline struct cmsg *cmsg_at(void *control, u32 len, u32 off, int *err)
{
	struct cmsg *c = (struct cmsg *)((u8 *)control + off);

	if (off >= len || len - off < CMSG_HEAD)
		return NULL;
	if (c->len < CMSG_HEAD || c->len > len - off) {
		*err = -EINVAL;
		return NULL;
	}
	return c;
}

#endif
