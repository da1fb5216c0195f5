/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptor table. One spin lock, held for a few instructions: an uncontended
 * look-up costs two locked operations, and a close in another thread is always safe.
 */
#include <linux/fcntl.h>

#include "fs/file.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/lock.h"
#include "lib/string.h"

u64 fd_limit = 1024;

static struct {
	struct spinlock lock;
	u32 size;			/* a multiple of 64 */
	u32 next;			/* none below is free */
	struct file **files;
	u64 *used, *cloexec;
} table;

static bool bit_test(const u64 *map, u32 i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static void bit_put(u64 *map, u32 i, bool on)
{
	if (on)
		map[i / 64] |= 1ull << (i % 64);
	else
		map[i / 64] &= ~(1ull << (i % 64));
}

/* Make room for descriptor `fd`. */
static int grow(u32 fd)
{
	struct file **files;
	void *old = NULL;
	u32 size = 64;
	u64 *maps;

	if (fd >= FD_LIMIT)
		return -EMFILE;
	while (size <= fd)
		size *= 2;
	files = kzalloc(size * sizeof(*files) + size / 64 * 2 * sizeof(u64));
	if (!files)
		return -ENOMEM;
	maps = (u64 *)(files + size);
	spin_lock(&table.lock);
	if (size > table.size) {
		if (table.size) {
			memcpy(files, table.files, table.size * sizeof(*files));
			memcpy(maps, table.used, table.size / 8);
			memcpy(maps + size / 64, table.cloexec, table.size / 8);
		}
		old = table.files;
		table.files = files;
		table.used = maps;
		table.cloexec = maps + size / 64;
		table.size = size;
	} else {
		old = files;
	}
	spin_unlock(&table.lock);
	kfree(old);
	return 0;
}

static u32 find_free(u32 from)
{
	for (u32 w = from / 64; w < table.size / 64; w++) {
		u64 free = ~table.used[w];

		if (w == from / 64)
			free &= ~0ull << (from % 64);
		if (free)
			return w * 64 + __builtin_ctzll(free);
	}
	return max(from, table.size);
}

static void set_slot(u32 fd, struct file *f, bool cloexec)
{
	table.files[fd] = f;
	bit_put(table.used, fd, f);
	bit_put(table.cloexec, fd, f && cloexec);
	if (!f && fd < table.next)
		table.next = fd;
}

static struct file *slot(int fd)
{
	return (u32)fd < table.size ? table.files[fd] : NULL;
}

struct file *fd_get_path(int fd)
{
	struct file *f;

	spin_lock(&table.lock);
	f = slot(fd);
	if (f)
		file_get(f);
	spin_unlock(&table.lock);
	return f;
}

struct file *fd_get(int fd)
{
	struct file *f = fd_get_path(fd);

	if (f && unlikely(f->flags & O_PATH)) {
		file_put(f);
		return NULL;
	}
	return f;
}

int fd_install(struct file *f, bool cloexec, int min)
{
	u32 limit = min(fd_limit, (u64)FD_LIMIT), fd;
	int err;

	for (;;) {
		spin_lock(&table.lock);
		fd = find_free(max((u32)min, table.next));
		if (fd < table.size && fd < limit)
			break;
		spin_unlock(&table.lock);
		if (fd >= limit)
			return -EMFILE;
		err = grow(fd);
		if (err)
			return err;
	}
	set_slot(fd, f, cloexec);
	if ((u32)min <= table.next)
		table.next = fd + 1;
	spin_unlock(&table.lock);
	return fd;
}

int fd_install_or_put(struct file *f, bool cloexec)
{
	int fd = fd_install(f, cloexec, 0);

	if (fd < 0)
		file_put(f);
	return fd;
}

/* A descriptor no longer names `f`. */
static void dropped(struct file *f)
{
	if (f->ops->closed && !(f->flags & O_PATH))
		f->ops->closed(f);
	file_put(f);
}

int fd_close(int fd)
{
	struct file *f;

	spin_lock(&table.lock);
	f = slot(fd);
	if (f)
		set_slot(fd, NULL, false);
	spin_unlock(&table.lock);
	if (!f)
		return -EBADF;
	dropped(f);
	return 0;
}

int fd_replace(struct file *f, int fd, bool cloexec)
{
	struct file *old;
	int err;

	if ((u64)(u32)fd >= fd_limit)
		return -EBADF;
	if ((u32)fd >= table.size) {
		err = grow(fd);
		if (err)
			return err == -EMFILE ? -EBADF : err;
	}
	spin_lock(&table.lock);
	old = slot(fd);
	set_slot(fd, f, cloexec);
	spin_unlock(&table.lock);
	if (old)
		dropped(old);
	return fd;
}

int fd_install_at(struct file *f, int fd)
{
	int err = fd_replace(f, fd, false);

	return err < 0 ? err : 0;
}

int fd_cloexec(int fd)
{
	int on = -EBADF;

	spin_lock(&table.lock);
	if (slot(fd))
		on = bit_test(table.cloexec, fd);
	spin_unlock(&table.lock);
	return on;
}

int fd_set_cloexec(int fd, bool on)
{
	int err = -EBADF;

	spin_lock(&table.lock);
	if (slot(fd)) {
		bit_put(table.cloexec, fd, on);
		err = 0;
	}
	spin_unlock(&table.lock);
	return err;
}

void fd_close_range(u32 first, u32 last, bool cloexec_only)
{
	for (u32 fd = first; fd <= last && fd < table.size; fd++) {
		if (cloexec_only)
			(void)!fd_set_cloexec(fd, true);
		else
			(void)!fd_close(fd);
	}
}

void fd_for_each(void (*fn)(int fd, struct file *f, void *arg), void *arg)
{
	for (u32 fd = 0; fd < table.size; fd++) {
		struct file *f = fd_get_path(fd);

		if (f) {
			fn(fd, f, arg);
			file_put(f);
		}
	}
}
