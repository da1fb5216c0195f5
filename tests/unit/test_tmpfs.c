/* SPDX-License-Identifier: Apache-2.0 */
/* tmpfs against a simple model of files and names, and the rules of directories. */
#include "cmocka_first.h"
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include "boundary/boot.h"
#include "fake_host.h"
#include "fs/vfs.h"
#include "lib/errno.h"

#define ROOT	"/dev/shm/"
#define NAMES	5
#define HANDLES	6
#define MOST	(5 * PAGE_SIZE)
#define STEPS	30000

static int start(void **state)
{
	struct rakis_boot boot = { 0 };

	fake_host_setup(state);
	vfs_init(&boot, "/", "test");
	return 0;
}

/* ---- calls by path ---- */

static int one(const char *path, int (*fn)(struct where *w, u64 a), u64 a)
{
	struct where *w;
	int err = where_kernel(&w, path, WHERE_NOFOLLOW);

	if (!err)
		err = fn(w, a);
	where_put(w);
	return err;
}

static int do_mkdir(struct where *w, u64 a)
{
	return vfs_mkdir(w, a);
}

static int do_unlink(struct where *w, u64 a)
{
	return vfs_unlink(w, a);
}

static int do_symlink(struct where *w, u64 a)
{
	return vfs_symlink(w, (const char *)a);
}

static int do_stat(struct where *w, u64 a)
{
	return vfs_stat(w, 0, STATX_BASIC_STATS, (struct statx *)a);
}

#define MKDIR(path) one(path, do_mkdir, 0755)
#define UNLINK(path) one(path, do_unlink, false)
#define RMDIR(path) one(path, do_unlink, true)

static int create(const char *path)
{
	struct file *f;
	int err = vfs_open(path, O_CREAT | O_EXCL | O_WRONLY, 0644, &f);

	if (!err)
		file_put(f);
	return err;
}

static int two(const char *from, const char *to, u32 flags, bool link)
{
	struct where *a, *b;
	int err = where_kernel(&a, from, WHERE_NOFOLLOW);

	if (err)
		return err;
	err = where_kernel(&b, to, WHERE_NOFOLLOW);
	if (!err)
		err = link ? vfs_link(a, b) : vfs_rename(a, b, flags);
	where_put(a);
	where_put(b);
	return err;
}

#define RENAME(from, to, flags) two(from, to, flags, false)
#define LINK(from, to) two(from, to, 0, true)

static u32 nlink(const char *path)
{
	struct statx st;

	return one(path, do_stat, (u64)&st) ? 0 : st.stx_nlink;
}

/* ---- data ---- */

struct inode {
	u32 names, handles;
	u64 size;
	u8 data[MOST];		/* what lies behind `size` is 0 */
};

static struct inode *names[NAMES], *held[HANDLES];
static struct file *files[HANDLES];
static u64 seed = 1;

static const char *name(u32 i)
{
	static char buf[4][16];
	static u32 next;
	char *s = buf[next++ % 4];

	memcpy(s, ROOT "x", sizeof(ROOT "x"));
	s[sizeof(ROOT) - 1] = 'a' + i;
	return s;
}

static void drop(struct inode *n)
{
	if (n && !n->names && !n->handles)
		free(n);
}

static void unname(u32 i)
{
	struct inode *n = names[i];

	names[i] = NULL;
	if (n)
		n->names--;
	drop(n);
}

static void give_up(u32 h)
{
	struct inode *n = held[h];

	if (!n)
		return;
	held[h] = NULL;
	n->handles--;
	file_put(files[h]);
	drop(n);
}

static void open_one(u32 i, u32 h)
{
	u32 flags = O_RDWR | (fake_below(&seed, 2) ? O_CREAT : 0) |
		    (fake_below(&seed, 4) ? 0 : O_TRUNC) | (fake_below(&seed, 4) ? 0 : O_EXCL);
	int err, want = 0;

	if (!names[i])
		want = flags & O_CREAT ? 0 : -ENOENT;
	else if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		want = -EEXIST;
	give_up(h);
	err = vfs_open(name(i), flags, 0600, &files[h]);
	assert_int_equal(err, want);
	if (err)
		return;
	if (!names[i]) {
		names[i] = calloc(1, sizeof(struct inode));
		names[i]->names = 1;
	} else if (flags & O_TRUNC) {
		memset(names[i]->data, 0, MOST);
		names[i]->size = 0;
	}
	held[h] = names[i];
	held[h]->handles++;
}

static void write_one(u32 h, u64 off, u64 n)
{
	static u8 buf[MOST];
	struct inode *m = held[h];
	struct iter it;

	for (u64 k = 0; k < n; k++)
		buf[k] = fake_random(&seed);
	iter_kernel(&it, buf, n);
	assert_int_equal(file_pwrite(files[h], &it, off), n);
	if (!n)
		return;
	memcpy(m->data + off, buf, n);
	m->size = max(m->size, off + n);
}

static void read_one(u32 h, u64 off, u64 n)
{
	static u8 buf[MOST + 8];
	struct inode *m = held[h];
	u64 want = off < m->size ? min(n, m->size - off) : 0;
	struct iter it;

	memset(buf, 0xa5, sizeof(buf));
	iter_kernel(&it, buf, n);
	assert_int_equal(file_pread(files[h], &it, off), want);
	assert_memory_equal(buf, m->data + off, want);
	for (u32 k = 0; k < 8; k++)
		assert_int_equal(buf[want + k], 0xa5);
}

static void resize_one(u32 h, u64 size)
{
	struct inode *m = held[h];

	assert_int_equal(files[h]->ops->truncate(files[h], size), 0);
	if (size < m->size)
		memset(m->data + size, 0, MOST - size);
	m->size = size;
}

static void allocate_one(u32 h, u64 off, u64 n)
{
	static const u32 modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};
	u32 mode = modes[fake_below(&seed, ARRAY_SIZE(modes))];
	struct inode *m = held[h];

	assert_int_equal(files[h]->ops->fallocate(files[h], mode, off, n), 0);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		memset(m->data + off, 0, n);
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		m->size = max(m->size, off + n);
}

static void move_name(u32 i, u32 k)
{
	u32 flags = fake_below(&seed, 3);
	struct inode *n;
	int want = 0;

	if (!names[i] || (flags == RENAME_EXCHANGE && !names[k]))
		want = -ENOENT;
	else if (flags == RENAME_NOREPLACE && names[k])
		want = -EEXIST;
	assert_int_equal(RENAME(name(i), name(k), flags), want);
	if (want || names[i] == names[k])
		return;
	n = names[k];
	if (flags == RENAME_EXCHANGE) {
		names[k] = names[i];
		names[i] = n;
		return;
	}
	unname(k);
	names[k] = names[i];
	names[i] = NULL;
}

static void link_name(u32 i, u32 k)
{
	int want = !names[i] ? -ENOENT : names[k] ? -EEXIST : 0;

	assert_int_equal(LINK(name(i), name(k)), want);
	if (!want) {
		names[k] = names[i];
		names[k]->names++;
	}
}

static void check_stat(u32 h)
{
	struct statx st;

	assert_int_equal(file_stat(files[h], STATX_BASIC_STATS, &st), 0);
	assert_int_equal(st.stx_size, held[h]->size);
	assert_int_equal(st.stx_nlink, held[h]->names);
	assert_true(st.stx_blocks <= MOST / 512);
}

static void step(void)
{
	u32 i = fake_below(&seed, NAMES), k = fake_below(&seed, NAMES);
	u32 h = fake_below(&seed, HANDLES);
	u64 off = fake_below(&seed, MOST), n = fake_below(&seed, MOST - off);

	/* Edges of pages more often than not. */
	if (fake_below(&seed, 2))
		off = PAGE_DOWN(off);
	if (fake_below(&seed, 2))
		n = min(PAGE_UP(off + n), MOST) - off;
	switch (fake_below(&seed, 14)) {
	case 0:
		open_one(i, h);
		return;
	case 1:
		give_up(h);
		return;
	case 2:
		assert_int_equal(UNLINK(name(i)), names[i] ? 0 : -ENOENT);
		unname(i);
		return;
	case 3:
		move_name(i, k);
		return;
	case 4:
		link_name(i, k);
		return;
	}
	if (!held[h])
		return;
	switch (fake_below(&seed, 6)) {
	case 0:
	case 1:
		write_one(h, off, n);
		break;
	case 2:
		resize_one(h, off);
		break;
	case 3:
		if (n)
			allocate_one(h, off, n);
		break;
	default:
		read_one(h, off, n);
	}
	check_stat(h);
}

static void test_against_the_model(void **state)
{
	for (u32 i = 0; i < STEPS; i++)
		step();
	for (u32 h = 0; h < HANDLES; h++)
		give_up(h);
	for (u32 i = 0; i < NAMES; i++) {
		assert_int_equal(UNLINK(name(i)), names[i] ? 0 : -ENOENT);
		unname(i);
	}
}

static void test_far_apart(void **state)
{
	static const u64 places[] = {
		0, (2ul << 20) - 1, (1ul << 32) - 3, 1ul << 36, (1ul << 40) - 2,
	};
	struct file *f;
	struct iter it;
	struct statx st;
	u8 buf[2];

	assert_int_equal(vfs_open(ROOT "sparse", O_CREAT | O_RDWR, 0600, &f), 0);
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		memcpy(buf, "ab", 2);
		iter_kernel(&it, buf, 2);
		assert_int_equal(file_pwrite(f, &it, places[i]), 2);
	}
	assert_int_equal(file_stat(f, STATX_BASIC_STATS, &st), 0);
	assert_int_equal(st.stx_size, 1ul << 40);
	assert_true(st.stx_blocks <= 9 * 8);
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		iter_kernel(&it, buf, 2);
		assert_int_equal(file_pread(f, &it, places[i]), 2);
		assert_memory_equal(buf, "ab", 2);
	}
	iter_kernel(&it, buf, 2);
	assert_int_equal(file_pwrite(f, &it, 1ul << 40), -EFBIG);
	assert_int_equal(f->ops->truncate(f, (1ul << 40) + 1), -EFBIG);
	file_put(f);
	assert_int_equal(UNLINK(ROOT "sparse"), 0);
}

static void test_append(void **state)
{
	struct file *f, *g;
	struct iter it;
	char buf[8] = "abcdefg";

	assert_int_equal(vfs_open(ROOT "log", O_CREAT | O_RDWR | O_APPEND, 0600, &f), 0);
	assert_int_equal(vfs_open(ROOT "log", O_WRONLY | O_APPEND, 0, &g), 0);
	for (u32 i = 0; i < 4; i++) {
		iter_kernel(&it, buf + i, 1);
		assert_int_equal(file_write(i % 2 ? f : g, &it), 1);
	}
	/* Even where the caller names a place. */
	iter_kernel(&it, "z", 1);
	assert_int_equal(file_pwrite(g, &it, 0), 1);
	memset(buf, 0, sizeof(buf));
	iter_kernel(&it, buf, 8);
	assert_int_equal(file_pread(f, &it, 0), 5);
	assert_string_equal(buf, "abcdz");
	file_put(f);
	file_put(g);
	assert_int_equal(UNLINK(ROOT "log"), 0);
}

static void test_directories(void **state)
{
	assert_int_equal(MKDIR(ROOT "d"), 0);
	assert_int_equal(MKDIR(ROOT "d"), -EEXIST);
	assert_int_equal(MKDIR(ROOT "none/d"), -ENOENT);
	assert_int_equal(MKDIR(ROOT "d/e/"), 0);
	assert_int_equal(nlink(ROOT "d"), 3);
	assert_int_equal(create(ROOT "d/f"), 0);
	assert_int_equal(create(ROOT "d/f"), -EEXIST);
	assert_int_equal(create(ROOT "d/g/"), -EISDIR);
	assert_int_equal(create(ROOT "d/f/x"), -ENOTDIR);
	assert_int_equal(MKDIR(ROOT "d/f/x"), -ENOTDIR);
	assert_int_equal(UNLINK(ROOT "d"), -EISDIR);
	assert_int_equal(UNLINK(ROOT "d/f/"), -ENOTDIR);
	assert_int_equal(RMDIR(ROOT "d/f"), -ENOTDIR);
	assert_int_equal(RMDIR(ROOT "d"), -ENOTEMPTY);
	assert_int_equal(RMDIR(ROOT), -EBUSY);
	assert_int_equal(LINK(ROOT "d", ROOT "l"), -EPERM);
	assert_int_equal(LINK(ROOT "d/f", "/dev/x"), -EXDEV);

	/* Directories move with what is in them, but not into themselves. */
	assert_int_equal(RENAME(ROOT "d", ROOT "d/e/x", 0), -EINVAL);
	assert_int_equal(RENAME(ROOT "d", ROOT "d/x", 0), -EINVAL);
	assert_int_equal(RENAME(ROOT "d", ROOT "d", 0), 0);
	assert_int_equal(RENAME(ROOT "d/e", ROOT "e", 0), 0);
	assert_int_equal(nlink(ROOT "d"), 2);
	assert_int_equal(RENAME(ROOT "d", ROOT "e/d", 0), 0);
	assert_int_equal(nlink(ROOT "e"), 3);
	assert_int_equal(nlink(ROOT "e/d/f"), 1);
	/* Like replaces like, and only an empty directory goes. */
	assert_int_equal(MKDIR(ROOT "new"), 0);
	assert_int_equal(RENAME(ROOT "new", ROOT "e", 0), -ENOTEMPTY);
	assert_int_equal(RENAME(ROOT "new", ROOT "e/d/f", 0), -ENOTDIR);
	assert_int_equal(RENAME(ROOT "e/d/f", ROOT "new", 0), -EISDIR);
	assert_int_equal(RENAME(ROOT "e/d/f", ROOT "f/", 0), -ENOTDIR);
	assert_int_equal(RENAME(ROOT "e/d", ROOT "new", 0), 0);
	assert_int_equal(nlink(ROOT "e"), 2);
	assert_int_equal(nlink(ROOT "new/f"), 1);
	assert_int_equal(RENAME(ROOT "new", ROOT "e", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(RENAME(ROOT "new", ROOT "new", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(RENAME(ROOT "new", ROOT "y", RENAME_WHITEOUT), -EINVAL);
	assert_int_equal(RENAME(ROOT "new", "/dev/y", 0), -EXDEV);

	assert_int_equal(MKDIR(ROOT "e/s"), 0);
	assert_int_equal(RENAME(ROOT "e/s", ROOT "new/f", RENAME_EXCHANGE), 0);
	assert_int_equal(nlink(ROOT "e"), 2);
	assert_int_equal(nlink(ROOT "new"), 3);
	assert_int_equal(RENAME(ROOT "new/f", ROOT "new", RENAME_EXCHANGE), -EINVAL);
	assert_int_equal(UNLINK(ROOT "e/s"), 0);
	assert_int_equal(RMDIR(ROOT "new/f"), 0);
	assert_int_equal(RMDIR(ROOT "new"), 0);
	assert_int_equal(RMDIR(ROOT "e"), 0);
	assert_int_equal(nlink(ROOT), 2);
}

static void test_long_names(void **state)
{
	char path[sizeof(ROOT) + 256] = ROOT;

	memset(path + sizeof(ROOT) - 1, 'n', 256);
	assert_int_equal(create(path), -ENAMETOOLONG);
	path[sizeof(ROOT) + 254] = 0;
	assert_int_equal(create(path), 0);
	assert_int_equal(UNLINK(path), 0);
}

static u32 list(struct file *f, char *found)
{
	u8 buf[56];
	u32 count = 0;
	int n;

	while ((n = f->ops->getdents(f, buf, sizeof(buf))) > 0) {
		for (int at = 0; at < n; count++) {
			u16 reclen;

			memcpy(&reclen, buf + at + 16, 2);
			assert_true(reclen >= 24 && reclen % 8 == 0 && at + reclen <= n);
			if (buf[at + 19] != '.')
				*found++ = buf[at + 19];
			at += reclen;
		}
	}
	assert_int_equal(n, 0);
	*found = 0;
	return count;
}

static void test_listing(void **state)
{
	char found[16];
	struct file *f;
	u8 small[16];

	assert_int_equal(MKDIR(ROOT "dir"), 0);
	assert_int_equal(create(ROOT "dir/a"), 0);
	assert_int_equal(MKDIR(ROOT "dir/b"), 0);
	assert_int_equal(one(ROOT "dir/c", do_symlink, (u64)"target"), 0);
	assert_int_equal(vfs_open(ROOT "dir", O_RDONLY | O_DIRECTORY, 0, &f), 0);
	assert_int_equal(f->ops->getdents(f, small, sizeof(small)), -EINVAL);
	assert_int_equal(list(f, found), 5);
	assert_string_equal(found, "abc");
	assert_int_equal(list(f, found), 0);
	assert_int_equal(UNLINK(ROOT "dir/a"), 0);
	assert_int_equal(file_lseek(f, 0, SEEK_SET), 0);
	assert_int_equal(list(f, found), 4);
	assert_int_equal(UNLINK(ROOT "dir/c"), 0);
	assert_int_equal(RMDIR(ROOT "dir/b"), 0);
	assert_int_equal(RMDIR(ROOT "dir"), 0);
	/* Removed, but open. */
	assert_int_equal(file_lseek(f, 0, SEEK_SET), 0);
	(void)list(f, found);
	file_put(f);
}

static void test_unnamed(void **state)
{
	struct where *from, *to;
	struct file *f;
	struct statx st;

	assert_int_equal(vfs_open("/dev/shm", O_TMPFILE | O_RDWR, 0600, &f), 0);
	assert_int_equal(file_stat(f, STATX_BASIC_STATS, &st), 0);
	assert_int_equal(st.stx_nlink, 0);
	assert_int_equal(where_kernel(&from, ROOT "any", 0), 0);
	assert_int_equal(where_kernel(&to, ROOT "named", 0), 0);
	file_get(f);
	from->file = f;
	assert_int_equal(vfs_link(from, to), 0);
	where_put(from);
	where_put(to);
	file_put(f);
	assert_int_equal(nlink(ROOT "named"), 1);
	assert_int_equal(UNLINK(ROOT "named"), 0);
	assert_int_equal(vfs_open("/dev/shm", O_TMPFILE | O_RDONLY, 0600, &f), -EINVAL);
	assert_int_equal(vfs_open(ROOT "none", O_TMPFILE | O_RDWR, 0600, &f), -ENOENT);
}

static void test_seals(void **state)
{
	struct file *f;
	struct iter it;

	assert_int_equal(memfd_new("m", 0, &f), 0);
	assert_int_equal(f->ops->fcntl(f, F_GET_SEALS, 0), F_SEAL_SEAL);
	assert_int_equal(f->ops->fcntl(f, F_ADD_SEALS, F_SEAL_GROW), -EPERM);
	file_put(f);
	assert_int_equal(memfd_new("m", MFD_ALLOW_SEALING, &f), 0);
	assert_int_equal(f->ops->truncate(f, 8192), 0);
	assert_int_equal(f->ops->fcntl(f, F_ADD_SEALS, 1 << 9), -EINVAL);
	assert_int_equal(f->ops->fcntl(f, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_int_equal(f->ops->truncate(f, 8193), -EPERM);
	assert_int_equal(f->ops->truncate(f, 8000), 0);
	assert_int_equal(f->ops->fcntl(f, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(f->ops->truncate(f, 7999), -EPERM);
	iter_kernel(&it, "abc", 3);
	assert_int_equal(file_pwrite(f, &it, 0), 3);
	iter_kernel(&it, "abc", 3);
	assert_int_equal(file_pwrite(f, &it, 7999), -EPERM);
	assert_int_equal(f->ops->fcntl(f, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), 0);
	iter_kernel(&it, "abc", 3);
	assert_int_equal(file_pwrite(f, &it, 0), -EPERM);
	assert_int_equal(f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8),
			 -EPERM);
	assert_int_equal(f->ops->fcntl(f, F_ADD_SEALS, F_SEAL_WRITE), -EPERM);
	file_put(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_the_model),
		cmocka_unit_test(test_far_apart),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_unnamed),
		cmocka_unit_test(test_seals),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
