/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that name files: paths cross as copies, what comes back is checked. */
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <asm/statfs.h>
#include "hostio/call.h"

/* Longest path, with its NUL: PATH_MAX of Linux. The host refuses longer ones too. */
static size_t path_size(const char *path)
{
	return words(strlen(path) + 1);
}

static u64 put_path(struct call *c, const char *path)
{
	return call_put(c, path, strlen(path) + 1);
}

/* A call with one path and no answer but the result. */
static void begin_path(struct call *c, u8 op, int dirfd, const char *path)
{
	call_begin(c, op, dirfd, path_size(path));
	c->rq.addr = put_path(c, path);
}

int host_openat(int dirfd, const char *path, u64 flags, u64 mode, struct statx *st)
{
	struct open_how how = { .flags = flags, .mode = mode };
	struct uptr answer = { 0 };
	struct call c;
	int fd;

	call_begin(&c, RAKIS_OP_OPENAT2, dirfd, path_size(path) + sizeof(how) + sizeof(*st));
	c.rq.addr = put_path(&c, path);
	c.rq.off = call_put(&c, &how, sizeof(how));
	c.rq.len = sizeof(how);
	c.rq.op_flags = flags & (O_CREAT | O_TRUNC);
	if (st) {
		answer = call_room(&c, sizeof(*st));
		c.rq.addr3 = uptr_number(answer);
	}
	fd = call_do(&c, 0);
	if (fd >= 0 && st)
		untrusted_read(st, answer, sizeof(*st));
	call_end(&c);
	return fd;
}

int host_statx(int dirfd, const char *path, u32 flags, u32 mask, struct statx *out)
{
	struct call c;
	struct uptr answer;
	int err;

	call_begin(&c, RAKIS_OP_STATX, dirfd, path_size(path) + sizeof(*out));
	c.rq.addr = put_path(&c, path);
	answer = call_room(&c, sizeof(*out));
	c.rq.off = uptr_number(answer);
	c.rq.len = mask;
	c.rq.op_flags = flags;
	err = call_do(&c, 0);
	if (!err)
		untrusted_read(out, answer, sizeof(*out));
	call_end(&c);
	return err;
}

int host_statfs(int fd, const char *path, struct statfs *out)
{
	struct call c;
	struct uptr answer;
	int err;

	call_begin(&c, RAKIS_OP_STATFS, fd, (path ? path_size(path) : 0) + words(sizeof(*out)));
	if (path)
		c.rq.addr = put_path(&c, path);
	answer = call_room(&c, sizeof(*out));
	c.rq.off = uptr_number(answer);
	err = call_do(&c, 0);
	if (!err)
		untrusted_read(out, answer, sizeof(*out));
	call_end(&c);
	return err;
}

/* Every record lies in the buffer, is aligned, and its name ends inside it. */
static bool dirents_are_valid(const u8 *buf, u32 n)
{
	u32 at = 0;

	while (at < n) {
		u16 reclen;

		if (n - at < 24)
			return false;
		memcpy(&reclen, buf + at + 16, sizeof(reclen));
		if (reclen < 24 || reclen % 8 || reclen > n - at || !memchr(buf + at + 19, 0, reclen - 19))
			return false;
		at += reclen;
	}
	return true;
}

int host_getdents(int fd, void *buf, size_t n, u64 pos)
{
	struct call c;
	int res;

	n = min(n, (size_t)(128u << 10));
	call_begin(&c, RAKIS_OP_GETDENTS, fd, max(n, (size_t)8));
	c.rq.addr = uptr_number(c.buf.p);
	c.rq.len = n;
	c.rq.off = pos;
	res = call_do(&c, n);
	if (res > 0) {
		untrusted_read(buf, c.buf.p, res);
		if (!dirents_are_valid(buf, res))
			res = -EIO;
	}
	call_end(&c);
	return res;
}

int host_readlinkat(int dirfd, const char *path, char *buf, size_t n)
{
	struct call c;
	struct uptr answer;
	int res;

	n = min(n, (size_t)4096);
	call_begin(&c, RAKIS_OP_READLINKAT, dirfd, path_size(path) + words(n));
	c.rq.addr = put_path(&c, path);
	answer = call_room(&c, n);
	c.rq.off = uptr_number(answer);
	c.rq.len = n;
	res = call_do(&c, n);
	if (res > 0)
		untrusted_read(buf, answer, res);
	call_end(&c);
	return res;
}

int host_fdpath(int fd, char *buf, size_t n)
{
	struct call c;
	int res;

	n = min(n, (size_t)8192);
	call_begin(&c, RAKIS_OP_FDPATH, fd, n);
	c.rq.addr = uptr_number(c.buf.p);
	c.rq.len = n - 1;
	res = call_do(&c, n - 1);
	if (res >= 0) {
		untrusted_read(buf, c.buf.p, res);
		buf[res] = 0;
	}
	call_end(&c);
	return res < 0 ? res : 0;
}

int host_mkdirat(int dirfd, const char *path, u32 mode)
{
	struct call c;

	begin_path(&c, RAKIS_OP_MKDIRAT, dirfd, path);
	c.rq.len = mode;
	return call_finish(&c, 0);
}

int host_unlinkat(int dirfd, const char *path, u32 flags)
{
	struct call c;

	begin_path(&c, RAKIS_OP_UNLINKAT, dirfd, path);
	c.rq.op_flags = flags;
	return call_finish(&c, 0);
}

/* rename and link: two paths, two directories. */
static int two_paths(u8 op, int olddir, const char *old, int newdir, const char *new, u32 flags)
{
	struct call c;

	call_begin(&c, op, olddir, path_size(old) + path_size(new));
	c.rq.addr = put_path(&c, old);
	c.rq.off = put_path(&c, new);
	c.rq.len = newdir;
	c.rq.op_flags = flags;
	return call_finish(&c, 0);
}

int host_renameat(int olddir, const char *old, int newdir, const char *new, u32 flags)
{
	return two_paths(RAKIS_OP_RENAMEAT, olddir, old, newdir, new, flags);
}

int host_linkat(int olddir, const char *old, int newdir, const char *new, u32 flags)
{
	return two_paths(RAKIS_OP_LINKAT, olddir, old, newdir, new, flags);
}

int host_symlinkat(const char *target, int dirfd, const char *path)
{
	return two_paths(RAKIS_OP_SYMLINKAT, dirfd, target, 0, path, 0);
}

int host_mknodat(int dirfd, const char *path, u32 mode, u64 dev)
{
	struct call c;

	begin_path(&c, RAKIS_OP_MKNODAT, dirfd, path);
	c.rq.len = mode;
	c.rq.off = dev;
	return call_finish(&c, 0);
}

int host_fchmodat(int dirfd, const char *path, u32 mode, u32 flags)
{
	struct call c;

	begin_path(&c, RAKIS_OP_FCHMODAT, dirfd, path);
	c.rq.len = mode;
	c.rq.op_flags = flags;
	return call_finish(&c, 0);
}

int host_fchownat(int dirfd, const char *path, u32 uid, u32 gid, u32 flags)
{
	struct call c;

	begin_path(&c, RAKIS_OP_FCHOWNAT, dirfd, path);
	c.rq.len = uid;
	c.rq.file_index = gid;
	c.rq.op_flags = flags;
	return call_finish(&c, 0);
}

int host_utimensat(int dirfd, const char *path, const s64 times[4], u32 flags)
{
	struct call c;

	call_begin(&c, RAKIS_OP_UTIMENSAT, dirfd, (path ? path_size(path) : 0) + 4 * sizeof(s64));
	if (path)
		c.rq.addr = put_path(&c, path);
	if (times)
		c.rq.off = call_put(&c, times, 4 * sizeof(s64));
	c.rq.op_flags = flags;
	return call_finish(&c, 0);
}

int host_faccessat(int dirfd, const char *path, u32 mode, u32 flags)
{
	struct call c;

	begin_path(&c, RAKIS_OP_FACCESSAT, dirfd, path);
	c.rq.len = mode;
	c.rq.op_flags = flags;
	return call_finish(&c, 0);
}

/* Values of extended attributes are at most 64 KB (XATTR_SIZE_MAX). */
#define XATTR_MOST (64u << 10)

static void begin_xattr(struct call *c, u8 op, int fd, const char *path, bool nofollow,
			const char *name, size_t room)
{
	call_begin(c, op, fd, (path ? path_size(path) : 0) + (name ? path_size(name) : 0) + words(room) + 8);
	if (path)
		c->rq.addr = put_path(c, path);
	if (name)
		c->rq.off = put_path(c, name);
	c->rq.op_flags = nofollow;
}

static int read_xattr(u8 op, int fd, const char *path, bool nofollow, const char *name,
		      void *val, size_t n)
{
	struct call c;
	struct uptr answer;
	int res;

	n = min(n, (size_t)XATTR_MOST);
	begin_xattr(&c, op, fd, path, nofollow, name, n);
	answer = call_room(&c, max(n, (size_t)8));
	c.rq.addr3 = uptr_number(answer);
	c.rq.len = n;
	res = call_do(&c, 0);
	if (res > 0 && n) {
		if ((size_t)res > n)
			res = -EIO;
		else
			untrusted_read(val, answer, res);
	}
	call_end(&c);
	return res;
}

int host_getxattr(int fd, const char *path, bool nofollow, const char *name, void *val, size_t n)
{
	return read_xattr(RAKIS_OP_GETXATTR, fd, path, nofollow, name, val, n);
}

int host_listxattr(int fd, const char *path, bool nofollow, char *list, size_t n)
{
	return read_xattr(RAKIS_OP_LISTXATTR, fd, path, nofollow, NULL, list, n);
}

int host_setxattr(int fd, const char *path, bool nofollow, const char *name, const void *val,
		  size_t n, u32 flags)
{
	struct call c;

	if (n > XATTR_MOST)
		return -E2BIG;
	begin_xattr(&c, RAKIS_OP_SETXATTR, fd, path, nofollow, name, n);
	c.rq.addr3 = call_put(&c, val, n);
	c.rq.len = n;
	c.rq.file_index = flags;
	return call_finish(&c, 0);
}

int host_removexattr(int fd, const char *path, bool nofollow, const char *name)
{
	struct call c;

	begin_xattr(&c, RAKIS_OP_REMOVEXATTR, fd, path, nofollow, name, 0);
	return call_finish(&c, 0);
}
