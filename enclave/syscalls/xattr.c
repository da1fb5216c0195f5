/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes: each of four calls by path, by path of a link, by descriptor. */
#include <linux/limits.h>
#include <linux/xattr.h>

#include "fs/vfs.h"
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "syscalls/fd.h"
#include "syscalls/syscalls.h"

enum by { BY_PATH, BY_LINK, BY_FD };

static int apply(enum by by, u64 what, const struct xattr_call *x)
{
	struct where *w;
	int r;

	if (by == BY_FD)
		return WITH_FD(what, f, file_xattr(f, x));
	r = where_get(&w, VFS_FDCWD, what, by == BY_LINK ? WHERE_NOFOLLOW : 0);
	if (!r)
		r = vfs_xattr(w, x);
	where_put(w);
	return r;
}

static long do_xattr(enum by by, int op, u64 what, u64 uname, u64 uvalue, u64 size, u32 flags)
{
	char name[XATTR_NAME_MAX + 1] = "";
	struct xattr_call x = { .op = op, .name = name, .flags = flags };
	ssize_t n;
	int r;

	if (op == XATTR_SET && (flags & ~(XATTR_CREATE | XATTR_REPLACE)))
		return -EINVAL;
	if (op == XATTR_SET && size > XATTR_SIZE_MAX)
		return -E2BIG;
	if (op != XATTR_LIST) {
		n = strncpy_from_user(name, uname, sizeof(name));
		if (n == 0 || n == -ENAMETOOLONG)
			return -ERANGE;
		if (n < 0)
			return n;
	}
	x.size = op == XATTR_REMOVE ? 0 : min(size, (u64)XATTR_SIZE_MAX);
	if (x.size) {
		x.value = kmalloc(x.size);
		if (!x.value)
			return -ENOMEM;
		if (op == XATTR_SET && copy_from_user(x.value, uvalue, x.size)) {
			kfree(x.value);
			return -EFAULT;
		}
	}
	r = apply(by, what, &x);
	if (r > 0 && x.size && op != XATTR_SET && copy_to_user(uvalue, x.value, r))
		r = -EFAULT;
	kfree(x.value);
	return r;
}

SYSCALL_DEFINE(getxattr)	{ return do_xattr(BY_PATH, XATTR_GET, a1, a2, a3, a4, 0); }
SYSCALL_DEFINE(lgetxattr)	{ return do_xattr(BY_LINK, XATTR_GET, a1, a2, a3, a4, 0); }
SYSCALL_DEFINE(fgetxattr)	{ return do_xattr(BY_FD, XATTR_GET, a1, a2, a3, a4, 0); }
SYSCALL_DEFINE(setxattr)	{ return do_xattr(BY_PATH, XATTR_SET, a1, a2, a3, a4, a5); }
SYSCALL_DEFINE(lsetxattr)	{ return do_xattr(BY_LINK, XATTR_SET, a1, a2, a3, a4, a5); }
SYSCALL_DEFINE(fsetxattr)	{ return do_xattr(BY_FD, XATTR_SET, a1, a2, a3, a4, a5); }
SYSCALL_DEFINE(listxattr)	{ return do_xattr(BY_PATH, XATTR_LIST, a1, 0, a2, a3, 0); }
SYSCALL_DEFINE(llistxattr)	{ return do_xattr(BY_LINK, XATTR_LIST, a1, 0, a2, a3, 0); }
SYSCALL_DEFINE(flistxattr)	{ return do_xattr(BY_FD, XATTR_LIST, a1, 0, a2, a3, 0); }
SYSCALL_DEFINE(removexattr)	{ return do_xattr(BY_PATH, XATTR_REMOVE, a1, a2, 0, 0, 0); }
SYSCALL_DEFINE(lremovexattr)	{ return do_xattr(BY_LINK, XATTR_REMOVE, a1, a2, 0, 0, 0); }
SYSCALL_DEFINE(fremovexattr)	{ return do_xattr(BY_FD, XATTR_REMOVE, a1, a2, 0, 0, 0); }
