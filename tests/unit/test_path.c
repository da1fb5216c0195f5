/* SPDX-License-Identifier: Apache-2.0 */
/* Paths: their normal form, the mount they lead to, and links of an internal mount. */
#include "cmocka_first.h"
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include "boundary/boot.h"
#include "fake_fault.h"
#include "fake_host.h"
#include "fs/vfs.h"
#include "lib/errno.h"

#define CWD "/home/user"

/* The host has a working directory, descriptor 5. */
static s64 host(const struct rakis_request *rq, u32 slot)
{
	switch (rq->opcode) {
	case RAKIS_OP_OPENAT2:
		return 5;
	case RAKIS_OP_FDPATH:
		memcpy((void *)rq->addr, CWD, sizeof(CWD));
		return sizeof(CWD) - 1;
	case RAKIS_OP_FCHDIR:
		return 0;
	default:
		return FAKE_PASS;
	}
}

static int start(void **state)
{
	struct rakis_boot boot = { 0 };

	fake_host_setup(state);
	fake_answer = host;
	vfs_init(&boot, CWD, "test");
	/* The longest prefix counts, not the last mount. */
	return mount_add("/m/n", &dev_mount_ops, NULL, false) || mount_add("/m", &proc_mount_ops, NULL, false);
}

static int setup(void **state)
{
	fake_host_setup(state);
	fake_answer = host;
	return 0;
}

struct expected {
	const char *path, *full, *mount, *in_mount;
	bool want_dir;
};

static void expect(const struct where *w, const struct expected *e)
{
	if (strcmp(w->full, e->full) || strcmp(w->mnt->prefix, e->mount) ||
	    strcmp(w->path, e->in_mount) || w->want_dir != e->want_dir)
		fail_msg("%s: %s, mount %s, there %s, %sdirectory", e->path, w->full,
			 w->mnt->prefix, w->path, w->want_dir ? "" : "no ");
}

static void test_normal_form(void **state)
{
	static const struct expected cases[] = {
		/* The host gets the path as it was given. */
		{ "/", "/", "", "/", true }, { "//", "/", "", "//", true },
		{ "/.", "/", "", "/.", true },
		{ "/..", "/", "", "/..", true }, { "/../../a", "/a", "", "/../../a" },
		{ "/a", "/a", "", "/a" }, { "/a/", "/a", "", "/a/", true },
		{ "/a//", "/a", "", "/a//", true },
		{ "/a/b/../c", "/a/c", "", "/a/b/../c" }, { "/a/./b", "/a/b", "", "/a/./b" },
		{ "//a///b/.//.././c", "/a/c", "", "//a///b/.//.././c" },
		{ "/a/..", "/", "", "/a/..", true }, { "/a/.", "/a", "", "/a/.", true },
		{ "/...", "/...", "", "/..." }, { "/..a/b..", "/..a/b..", "", "/..a/b.." },
		{ "/.a/.b.", "/.a/.b.", "", "/.a/.b." },
		{ "a", CWD "/a", "", "a" }, { "./a/", CWD "/a", "", "./a/", true },
		{ ".", CWD, "", ".", true }, { "..", "/home", "", "..", true },
		{ "../../..", "/", "", "../../..", true },
		/* Internal mounts get what is below them. */
		{ "/proc", "/proc", "/proc", "" }, { "/proc/", "/proc", "/proc", "", true },
		{ "//proc//self/./fd", "/proc/self/fd", "/proc", "self/fd" },
		{ "/procx", "/procx", "", "/procx" }, { "/pro", "/pro", "", "/pro" },
		{ "/proc.", "/proc.", "", "/proc." },
		{ "/proc/..", "/", "", "/proc/..", true },
		{ "/proc/../proc/a", "/proc/a", "/proc", "a" },
		{ "/a/../proc/1", "/proc/1", "/proc", "1" },
		{ "../../proc/1/", "/proc/1", "/proc", "1", true },
		{ "/a/proc", "/a/proc", "", "/a/proc" },
		{ "/dev/null", "/dev/null", "/dev", "null" },
		{ "/dev/shm", "/dev/shm", "/dev/shm", "" },
		{ "/dev/shmx", "/dev/shmx", "/dev", "shmx" },
		{ "/dev/./shm//x/", "/dev/shm/x", "/dev/shm", "x", true },
		{ "/m/n/x", "/m/n/x", "/m/n", "x" }, { "/m/nx", "/m/nx", "/m", "nx" },
		{ "/dev/shm/..", "/dev", "/dev", "", true },
		{ "/dev/shm/../null", "/dev/null", "/dev", "null" },
		{ "/dev/shm/../../etc", "/etc", "", "/dev/shm/../../etc" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct where *w;

		assert_int_equal(where_kernel(&w, cases[i].path, 0), 0);
		expect(w, &cases[i]);
		where_put(w);
	}
}

static struct where *at(const char *path, u32 flags)
{
	struct where *w;

	assert_int_equal(where_kernel(&w, path, flags), 0);
	return w;
}

static void make_link(const char *path, const char *target)
{
	struct where *w = at(path, WHERE_NOFOLLOW);

	assert_int_equal(vfs_symlink(w, target), 0);
	where_put(w);
}

static void make_dir(const char *path)
{
	struct where *w = at(path, 0);

	assert_int_equal(vfs_mkdir(w, 0755), 0);
	where_put(w);
}

static void test_links(void **state)
{
	static const struct { struct expected e; u32 flags; } cases[] = {
		{ { "/dev/shm/rel", "/dev/shm/d/f", "/dev/shm", "d/f" }, 0 },
		{ { "/dev/shm/rel", "/dev/shm/rel", "/dev/shm", "rel" }, WHERE_NOFOLLOW },
		{ { "/dev/shm/d/up", "/dev/shm/f", "/dev/shm", "f" }, 0 },
		{ { "/dev/shm/dir/g", "/dev/shm/d/g", "/dev/shm", "d/g" }, WHERE_NOFOLLOW },
		{ { "/dev/shm/dir/", "/dev/shm/d", "/dev/shm", "d", true }, WHERE_NOFOLLOW },
		{ { "/dev/shm/chain/x", "/dev/shm/d/x", "/dev/shm", "d/x" }, 0 },
		/* to the host, whose kernel must then see the whole path */
		{ { "/dev/shm/abs", "/etc/passwd", "", "/etc/passwd" }, 0 },
		{ { "/dev/shm/etc/group", "/etc/group", "", "/etc/group" }, 0 },
		{ { "/dev/shm/etc/", "/etc/", "", "/etc/", true }, 0 },
		{ { "/dev/shm/slash", "/etc/", "", "/etc/", true }, 0 },
		{ { "/dev/shm/root", "/", "", "/", true }, 0 },
		{ { "/dev/shm/out", "/etc", "", "/etc" }, 0 },
		{ { "/dev/shm/null", "/dev/null", "/dev", "null" }, 0 },
		{ { "/dev/shm/self/exe", "/proc/self/exe", "/proc", "self/exe" }, 0 },
		{ { "/dev/shm/missing", "/dev/shm/none/there", "/dev/shm", "none/there" }, 0 },
	};
	struct where *w;

	make_dir("/dev/shm/d");
	make_link("/dev/shm/rel", "d/f");
	make_link("/dev/shm/d/up", "../f");
	make_link("/dev/shm/dir", "d");
	make_link("/dev/shm/chain", "./dir");
	make_link("/dev/shm/abs", "/etc/passwd");
	make_link("/dev/shm/etc", "/etc");
	make_link("/dev/shm/slash", "/etc/");
	make_link("/dev/shm/root", "/");
	make_link("/dev/shm/out", "../../etc");
	make_link("/dev/shm/null", "../null");
	make_link("/dev/shm/self", "/proc/self");
	make_link("/dev/shm/missing", "none/there");
	make_link("/dev/shm/me", "me");
	make_link("/dev/shm/ping", "pong");
	make_link("/dev/shm/pong", "ping");
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		w = at(cases[i].e.path, cases[i].flags);
		expect(w, &cases[i].e);
		where_put(w);
	}
	assert_int_equal(where_kernel(&w, "/dev/shm/me", 0), -ELOOP);
	assert_int_equal(where_kernel(&w, "/dev/shm/me/x", WHERE_NOFOLLOW), -ELOOP);
	assert_int_equal(where_kernel(&w, "/dev/shm/ping", 0), -ELOOP);
	assert_null(w);
}

static void test_too_long(void **state)
{
	static char path[VFS_PATH_MAX + 8];
	struct where *w;

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	assert_int_equal(where_kernel(&w, "", 0), -ENOENT);
	assert_int_equal(where_kernel(&w, path, 0), -ENAMETOOLONG);
	path[VFS_PATH_MAX] = 0;
	assert_int_equal(where_kernel(&w, path, 0), -ENAMETOOLONG);
	path[VFS_PATH_MAX - 1] = 0;
	w = at(path, 0);
	assert_string_equal(w->full, path);
	where_put(w);
	/* Relative: the host has the last word, we only do not know its name. */
	path[0] = 'x';
	w = at(path, 0);
	assert_string_equal(w->full, "");
	assert_string_equal(w->path, path);
	assert_null(where_name(w));
	where_put(w);
	/* By a link. */
	memcpy(path, "/dev/shm/", 9);
	path[VFS_PATH_MAX - 8] = 0;
	make_link("/dev/shm/l", path + 9);
	assert_int_equal(where_kernel(&w, "/dev/shm/l/too/long", 0), -ENAMETOOLONG);
}

static void test_from_the_guest(void **state)
{
	char *end = (char *)fake_guest + FAKE_HOLE;
	const u64 hole = (u64)end;
	struct where *w;
	struct file *f;
	int fd;

	fake_catch_faults();
	memcpy(end - 6, "/proc", 6);
	assert_int_equal(where_get(&w, VFS_FDCWD, hole - 6, 0), 0);
	expect(w, &(struct expected){ "/proc", "/proc", "/proc", "" });
	where_put(w);
	end[-1] = 'x';
	assert_int_equal(where_get(&w, VFS_FDCWD, hole - 6, 0), -EFAULT);
	assert_int_equal(where_get(&w, VFS_FDCWD, 0, 0), -EFAULT);
	memset(fake_guest, 'x', VFS_PATH_MAX);
	assert_int_equal(where_get(&w, VFS_FDCWD, (u64)fake_guest, 0), -ENAMETOOLONG);
	fake_guest[0] = 0;
	assert_int_equal(where_get(&w, VFS_FDCWD, (u64)fake_guest, 0), -ENOENT);
	assert_int_equal(where_get(&w, 77, (u64)fake_guest, 0), -ENOENT);
	assert_int_equal(where_get(&w, 77, (u64)fake_guest, WHERE_EMPTY), -EBADF);
	assert_int_equal(where_get(&w, VFS_FDCWD, (u64)fake_guest, WHERE_EMPTY), 0);
	expect(w, &(struct expected){ "", CWD, "", ".", true });
	where_put(w);

	/* By descriptor: of an internal directory, of a file, of none. */
	make_dir("/dev/shm/at");
	assert_int_equal(vfs_open("/dev/shm/at", O_RDONLY | O_DIRECTORY, 0, &f), 0);
	fd = fd_install_or_put(f, false);
	memcpy(fake_guest, "../y", 5);
	assert_int_equal(where_get(&w, fd, (u64)fake_guest, 0), 0);
	expect(w, &(struct expected){ "../y", "/dev/shm/y", "/dev/shm", "y" });
	where_put(w);
	assert_int_equal(where_get(&w, 77, (u64)fake_guest, 0), -EBADF);
	fake_guest[0] = 0;
	assert_int_equal(where_get(&w, fd, (u64)fake_guest, WHERE_EMPTY), 0);
	assert_ptr_equal(w->file, f);
	where_put(w);
	assert_int_equal(fd_close(fd), 0);
	assert_int_equal(vfs_open("/dev/shm/at/file", O_CREAT | O_RDWR, 0600, &f), 0);
	fd = fd_install_or_put(f, false);
	fake_guest[0] = 'x';
	assert_int_equal(where_get(&w, fd, (u64)fake_guest, 0), -ENOTDIR);
	assert_int_equal(fd_close(fd), 0);
}

static void test_cwd_inside(void **state)
{
	static char path[VFS_PATH_MAX];
	struct where *w, *long_one;
	char buf[64];

	assert_int_equal(vfs_getcwd(buf, 5), -ERANGE);
	assert_int_equal(vfs_getcwd(buf, sizeof(buf)), sizeof(CWD));
	assert_string_equal(buf, CWD);
	make_dir("/dev/shm/cwd");
	w = at("/dev/shm/cwd", 0);
	assert_int_equal(vfs_chdir(w), 0);
	where_put(w);
	assert_int_equal(vfs_getcwd(buf, sizeof(buf)), sizeof("/dev/shm/cwd"));
	w = at("../a", 0);
	expect(w, &(struct expected){ "../a", "/dev/shm/a", "/dev/shm", "a" });
	where_put(w);
	/* The host does not know this directory: it needs the whole path. */
	w = at("../../../etc/", 0);
	expect(w, &(struct expected){ "../../../etc/", "/etc/", "", "/etc/", true });
	/* Nor could it tell where a longer one begins. */
	memset(path, 'x', sizeof(path) - 2);
	path[sizeof(path) - 2] = '/';
	assert_int_equal(where_kernel(&long_one, path, 0), -ENAMETOOLONG);
	assert_int_equal(vfs_chdir(w), 0);
	where_put(w);
	assert_int_equal(vfs_getcwd(buf, sizeof(buf)), sizeof(CWD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_normal_form, setup),
		cmocka_unit_test_setup(test_links, setup),
		cmocka_unit_test_setup(test_too_long, setup),
		cmocka_unit_test_setup(test_from_the_guest, setup),
		cmocka_unit_test_setup(test_cwd_inside, setup),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
