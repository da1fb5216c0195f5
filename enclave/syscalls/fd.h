/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor for the length of one call. */
#ifndef RAKIS_SYSCALLS_FD_H
#define RAKIS_SYSCALLS_FD_H

#include "fs/file.h"
#include "lib/errno.h"

/* `result` is evaluated with `f` the open file of descriptor `fd`; else -EBADF. */
#define WITH_FD(fd, f, result) ({						\
	struct file *f = fd_get((int)(fd));					\
	long ret_ = -EBADF;							\
	if (f) {								\
		ret_ = (result);						\
		file_put(f);							\
	}									\
	ret_;									\
})

#endif
