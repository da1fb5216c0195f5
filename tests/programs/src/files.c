/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files: what open, read, write, links, directories, locks and /proc do on Linux. Each
 * check prints a line when it fails; the program ends with 0 if none did.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

static int failures;

#define CHECK(cond) do {							\
	if (!(cond)) {								\
		printf("FAIL line %d: %s (errno %d)\n", __LINE__, #cond, errno);	\
		failures++;							\
	}									\
} while (0)

/* The call fails with just this errno. */
#define FAILS(call, code) do {							\
	errno = 0;								\
	long r_ = (long)(call);							\
	if (r_ != -1 || errno != (code)) {					\
		printf("FAIL line %d: %s = %ld, errno %d, not %d\n",		\
		       __LINE__, #call, r_, errno, (code));			\
		failures++;							\
	}									\
} while (0)

static int make_file(const char *name, const char *text)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

static int holds(const char *name, const char *text)
{
	char buf[256] = "";
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	return n >= 0 && strcmp(buf, text) == 0;
}

static void test_open_flags(void)
{
	struct stat st;
	int fd, fd2;

	umask(022);
	fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0666);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0644);
	FAILS(open("a", O_CREAT | O_EXCL | O_RDWR, 0666), EEXIST);
	CHECK(write(fd, "hello", 5) == 5);
	fd2 = open("a", O_WRONLY | O_APPEND);
	CHECK(write(fd2, "+1", 2) == 2 && lseek(fd2, 0, SEEK_CUR) == 7);
	CHECK(lseek(fd2, 0, SEEK_SET) == 0 && write(fd2, "+2", 2) == 2);
	CHECK(holds("a", "hello+1+2"));
	CHECK(lseek(fd, 0, SEEK_CUR) == 5);
	FAILS(read(fd2, &st, 1), EBADF);
	CHECK((fcntl(fd2, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_WRONLY | O_APPEND));
	CHECK(fcntl(fd2, F_SETFL, 0) == 0 && pwrite(fd2, "J", 1, 0) == 1 &&
	      holds("a", "Jello+1+2"));
	CHECK(fcntl(fd, F_GETFD) == 0);
	close(fd2);
	fd2 = open("a", O_RDONLY | O_CLOEXEC);
	CHECK(fcntl(fd2, F_GETFD) == FD_CLOEXEC && (fcntl(fd2, F_GETFL) & O_CLOEXEC) == 0);
	FAILS(write(fd2, "x", 1), EBADF);
	FAILS(ftruncate(fd2, 0), EINVAL);
	close(fd2);
	fd2 = open("a", O_WRONLY | O_TRUNC);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 0);
	close(fd2);
	close(fd);
	FAILS(open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
	FAILS(open("a/", O_RDONLY), ENOTDIR);
	FAILS(open("a/b", O_RDONLY), ENOTDIR);
	FAILS(open("nothing", O_RDONLY), ENOENT);
	FAILS(open("", O_RDONLY), ENOENT);
	FAILS(open(".", O_WRONLY), EISDIR);
	fd = open("a", O_PATH);
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && (fcntl(fd, F_GETFL) & O_PATH));
	FAILS(read(fd, &st, 1), EBADF);
	FAILS(fchmod(fd, 0600), EBADF);
	close(fd);
	umask(077);
	CHECK(mkdir("m", 0777) == 0 && stat("m", &st) == 0 && (st.st_mode & 0777) == 0700);
	CHECK(umask(022) == 077 && rmdir("m") == 0);
	CHECK(creat("c", 0600) >= 0 && unlink("c") == 0);
}

static void test_names(void)
{
	char long_name[300], buf[64];
	struct stat st, st2;
	int fd, dir;

	close(make_file("f", "first"));
	close(make_file("g", "second"));
	CHECK(link("f", "f2") == 0 && stat("f", &st) == 0 && st.st_nlink == 2);
	CHECK(rename("f", "f2") == 0 && access("f", F_OK) == 0);	/* the same file: nothing */
	CHECK(rename("g", "f") == 0 && holds("f", "second") && holds("f2", "first"));
	FAILS(access("g", F_OK), ENOENT);
	fd = open("f", O_RDWR);
	CHECK(unlink("f") == 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
	CHECK(pread(fd, buf, 6, 0) == 6 && memcmp(buf, "second", 6) == 0);
	close(fd);
	FAILS(unlink("f"), ENOENT);
	CHECK(mkdir("d", 0755) == 0);
	FAILS(mkdir("d", 0755), EEXIST);
	FAILS(unlink("d"), EISDIR);
	FAILS(rmdir("f2"), ENOTDIR);
	close(make_file("d/x", ""));
	FAILS(rmdir("d"), ENOTEMPTY);
	FAILS(rename("f2", "d"), EISDIR);
	FAILS(rename("d", "f2"), ENOTDIR);
	FAILS(rename("d", "d/sub"), EINVAL);
	CHECK(syscall(SYS_renameat2, AT_FDCWD, "d/x", AT_FDCWD, "f2", 1) == -1 && errno == EEXIST);
	CHECK(syscall(SYS_renameat2, AT_FDCWD, "d/x", AT_FDCWD, "f2", 2) == 0 &&
	      holds("d/x", "first"));

	CHECK(symlink("f2", "s") == 0 && readlink("s", buf, sizeof(buf)) == 2 &&
	      memcmp(buf, "f2", 2) == 0);
	CHECK(readlink("s", buf, 1) == 1);
	FAILS(readlink("f2", buf, sizeof(buf)), EINVAL);
	FAILS(readlink("s", buf, 0), EINVAL);
	CHECK(lstat("s", &st) == 0 && S_ISLNK(st.st_mode) && stat("s", &st) == 0 &&
	      S_ISREG(st.st_mode));
	FAILS(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK(symlink("l2", "l1") == 0 && symlink("l1", "l2") == 0);
	FAILS(open("l1", O_RDONLY), ELOOP);
	FAILS(stat("l1", &st), ELOOP);
	CHECK(unlink("l1") == 0 && unlink("l2") == 0);
	memset(long_name, 'n', sizeof(long_name));
	long_name[255] = '\0';
	fd = open(long_name, O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0 && unlink(long_name) == 0);
	close(fd);
	long_name[255] = 'n';
	long_name[256] = '\0';
	FAILS(open(long_name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	FAILS(symlink("", "e"), ENOENT);

	dir = open("d", O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0);
	fd = openat(dir, "y", O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0 && fstatat(dir, "y", &st, 0) == 0 && stat("d/y", &st2) == 0 &&
	      st.st_ino == st2.st_ino);
	CHECK(faccessat(dir, "../f2", R_OK, 0) == 0);
	CHECK(mkdirat(dir, "sub", 0700) == 0 && unlinkat(dir, "sub", AT_REMOVEDIR) == 0);
	FAILS(openat(fd, "x", O_RDONLY), ENOTDIR);
	FAILS(openat(999, "x", O_RDONLY), EBADF);
	FAILS(unlinkat(dir, "y", 0x40000), EINVAL);
	CHECK(linkat(dir, "y", AT_FDCWD, "y2", 0) == 0 && unlink("y2") == 0 &&
	      unlinkat(dir, "y", 0) == 0);
	CHECK(fstatat(dir, "", &st, AT_EMPTY_PATH) == 0 && S_ISDIR(st.st_mode));
	close(fd);
	close(dir);
	CHECK(mkfifo("fifo", 0600) == 0 && stat("fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	FAILS(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	CHECK(unlink("fifo") == 0 && unlink("d/x") == 0 && rmdir("d") == 0 && unlink("f2") == 0 &&
	      unlink("s") == 0);
}

static void test_positions(void)
{
	int fd = make_file("p", "0123456789"), fd2, fd3;
	char buf[8] = "";

	fd2 = dup(fd);
	CHECK(lseek(fd, 2, SEEK_SET) == 2 && read(fd2, buf, 2) == 2 && memcmp(buf, "23", 2) == 0);
	CHECK(lseek(fd, 0, SEEK_CUR) == 4);
	fd3 = open("p", O_RDONLY);
	CHECK(lseek(fd3, 0, SEEK_CUR) == 0 && pread(fd3, buf, 3, 8) == 2 &&
	      lseek(fd3, 0, SEEK_CUR) == 0);
	CHECK(lseek(fd3, -1, SEEK_END) == 9 && read(fd3, buf, 4) == 1 && read(fd3, buf, 4) == 0);
	FAILS(lseek(fd3, -1, SEEK_SET), EINVAL);
	FAILS(lseek(fd3, 0, 99), EINVAL);
	CHECK(dup2(fd3, fd2) == fd2 && lseek(fd2, 0, SEEK_CUR) == 10 && dup2(fd2, fd2) == fd2);
	FAILS(dup2(999, fd2), EBADF);
	FAILS(dup3(fd, fd, 0), EINVAL);
	CHECK(dup3(fd, fd2, O_CLOEXEC) == fd2 && fcntl(fd2, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(fd, F_DUPFD, 100) == 100 && fcntl(fd, F_DUPFD_CLOEXEC, 100) == 101);
	CHECK(fcntl(101, F_GETFD) == FD_CLOEXEC);
	CHECK(syscall(SYS_close_range, 100, 101, 0) == 0);
	FAILS(fcntl(100, F_GETFD), EBADF);
	close(fd3);
	close(fd2);
	CHECK(lseek(fd, 100, SEEK_SET) == 100 && write(fd, "!", 1) == 1 &&
	      lseek(fd, 0, SEEK_END) == 101);
	CHECK(pread(fd, buf, 1, 50) == 1 && buf[0] == 0);
	CHECK(ftruncate(fd, 5) == 0 && lseek(fd, 0, SEEK_END) == 5 && truncate("p", 8) == 0);
	CHECK(pread(fd, buf, 8, 0) == 8 && memcmp(buf, "01234\0\0\0", 8) == 0);
	FAILS(truncate("p", -1), EINVAL);
	close(fd);
	unlink("p");
}

/* Over what the file has, again and again, through descriptors of all kinds. */
static void test_overwriting(void)
{
	enum { BLOCK = 512, BLOCKS = 64 };
	static char data[BLOCK], back[BLOCK * BLOCKS];
	int fd = open("w", O_WRONLY | O_CREAT | O_TRUNC, 0644), other, all = 1;
	struct stat st;

	for (int pass = 0; pass < 5; pass++) {
		CHECK(lseek(fd, 0, SEEK_SET) == 0);
		for (int i = 0; i < BLOCKS; i++) {
			memset(data, pass * BLOCKS + i, BLOCK);
			all &= write(fd, data, BLOCK) == BLOCK;
		}
	}
	/* Neighbours of what is not aligned stay as they are. */
	for (int i = 0; i < 16; i++)
		all &= pwrite(fd, "xyz", 3, 5 * i) == 3;
	CHECK(all);
	other = open("w", O_RDWR);
	CHECK(fstat(other, &st) == 0 && st.st_size == sizeof(back));
	CHECK(pread(other, back, sizeof(back), 0) == sizeof(back));
	CHECK(!memcmp(back, "xyz\0\0xyz\0\0xyz\0", 14));
	for (int i = BLOCK; i < (int)sizeof(back); i++)
		all &= back[i] == (char)(4 * BLOCKS + i / BLOCK);
	CHECK(all);
	/* Past the end of a file that was cut short. */
	for (int i = 0; i < 8; i++)
		CHECK(pwrite(other, data, BLOCK, 8 * i) == BLOCK);
	CHECK(ftruncate(fd, 10) == 0);
	CHECK(pwrite(other, data, 8, 96) == 8);
	CHECK(fstat(other, &st) == 0 && st.st_size == 104);
	CHECK(pread(fd, back, 1, 0) == -1 && errno == EBADF);
	CHECK(pread(other, back, 104, 0) == 104 && !back[10] && !back[95] && back[96] == data[0]);
	/* What another descriptor did since the file was opened shows. */
	close(other);
	other = open("w", O_RDONLY);
	CHECK(write(fd, data, BLOCK) == BLOCK);
	CHECK(fstat(other, &st) == 0 && st.st_size == BLOCKS * BLOCK + BLOCK);
	close(other);
	close(fd);
	unlink("w");
}

static void test_vectors(void)
{
	int fd = make_file("v", ""), pipes[2];
	char a[4], b[4];
	struct iovec out[] = { { "abc", 3 }, { "", 0 }, { "defg", 4 } };
	struct iovec in[] = { { a, 4 }, { b, 4 } };
	static struct iovec many[1025];
	struct iovec bad[] = { { a, 1 }, { a, (size_t)-1 } };

	CHECK(writev(fd, out, 3) == 7 && holds("v", "abcdefg"));
	CHECK(preadv(fd, in, 2, 0) == 7 && memcmp(a, "abcd", 4) == 0 && memcmp(b, "efg", 3) == 0);
	CHECK(preadv(fd, in, 2, 6) == 1 && a[0] == 'g');
	CHECK(pwritev(fd, out, 1, 7) == 3 && holds("v", "abcdefgabc"));
	CHECK(preadv2(fd, in, 1, 0, 0) == 4 && lseek(fd, 0, SEEK_CUR) == 7);
	CHECK(preadv2(fd, in, 1, -1, 0) == 3 && lseek(fd, 0, SEEK_CUR) == 10);
	FAILS(syscall(SYS_readv, fd, many, -1), EINVAL);
	FAILS(syscall(SYS_readv, fd, many, 1025), EINVAL);
	FAILS(syscall(SYS_readv, fd, bad, 2), EINVAL);
	CHECK(pipe(pipes) == 0 && write(pipes[1], "12345", 5) == 5);
	CHECK(readv(pipes[0], in, 2) == 5 && b[0] == '5');
	FAILS(preadv(pipes[0], in, 2, 0), ESPIPE);
	FAILS(lseek(pipes[0], 0, SEEK_CUR), ESPIPE);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
	unlink("v");
}

static void test_directory(void)
{
	char seen[500] = "", name[32];
	struct dirent *e;
	long middle = -1;
	int n = 0, again = 0;
	DIR *d;

	CHECK(mkdir("big", 0755) == 0);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "big/file-%03d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	d = opendir("big");
	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		CHECK(e->d_type == DT_REG || e->d_type == DT_UNKNOWN);
		seen[atoi(e->d_name + 5)]++;
		if (++n == 250)
			middle = telldir(d);
	}
	CHECK(n == 500 && memchr(seen, 0, sizeof(seen)) == NULL &&
	      memchr(seen, 2, sizeof(seen)) == NULL);
	seekdir(d, middle);
	while (readdir(d))
		again++;
	CHECK(again >= 250 && again <= 252);
	rewinddir(d);
	for (n = 0; (e = readdir(d)) != NULL; n++)
		;
	CHECK(n == 502);
	CHECK(lseek(dirfd(d), 0, SEEK_SET) == 0);
	FAILS(syscall(SYS_getdents64, dirfd(d), seen, 8), EINVAL);
	closedir(d);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "big/file-%03d", i);
		CHECK(unlink(name) == 0);
	}
	CHECK(rmdir("big") == 0);
}

static void test_unnamed(void)
{
	struct stat st;
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0600), fd2;

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		return;			/* not every file system has it */
	CHECK(fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
	CHECK(write(fd, "tmp", 3) == 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0 &&
	      holds("named", "tmp"));
	fd2 = open(path, O_RDONLY);
	CHECK(fd2 >= 0 && lseek(fd2, 0, SEEK_CUR) == 0);
	close(fd2);
	close(fd);
	CHECK(unlink("named") == 0);
	FAILS(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}

static void test_copying(void)
{
	enum { SIZE = 300000 };
	int in = open("in", O_RDWR | O_CREAT, 0600), out = open("out", O_RDWR | O_CREAT, 0600);
	char *data = malloc(SIZE), *back = malloc(SIZE);
	int pipes[2], socks[2], n;
	off_t off = 1000;
	loff_t from = 0, to = 5;

	for (n = 0; n < SIZE; n++)
		data[n] = n * 7 + n / 251;
	CHECK(write(in, data, SIZE) == SIZE);
	n = 0;
	while (off < SIZE) {
		ssize_t r = sendfile(out, in, &off, SIZE);

		CHECK(r > 0);
		if (r <= 0)
			break;
		n += r;
	}
	CHECK(n == SIZE - 1000 && lseek(in, 0, SEEK_CUR) == SIZE && lseek(out, 0, SEEK_CUR) == n);
	CHECK(pread(out, back, SIZE, 0) == n && memcmp(back, data + 1000, n) == 0);
	CHECK(sendfile(out, in, NULL, 10) == 0 && lseek(in, 5, SEEK_SET) == 5);
	CHECK(sendfile(out, in, NULL, 10) == 10 && lseek(in, 0, SEEK_CUR) == 15);

	CHECK(ftruncate(out, 0) == 0);
	CHECK(copy_file_range(in, &from, out, &to, 1000, 0) == 1000 && from == 1000 && to == 1005);
	CHECK(pread(out, back, 1000, 5) == 1000 && memcmp(back, data, 1000) == 0);
	from = 0, to = 10;
	FAILS(copy_file_range(in, &from, in, &to, 100, 0), EINVAL);
	FAILS(copy_file_range(in, &from, out, &to, 100, 1), EINVAL);

	CHECK(pipe(pipes) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, socks) == 0);
	from = 100;
	CHECK(splice(in, &from, pipes[1], NULL, 4000, 0) == 4000 && from == 4100);
	CHECK(splice(pipes[0], NULL, socks[0], NULL, 4000, 0) == 4000);
	CHECK(read(socks[1], back, SIZE) == 4000 && memcmp(back, data + 100, 4000) == 0);
	FAILS(splice(pipes[0], NULL, socks[0], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
	FAILS(splice(in, NULL, out, NULL, 10, 0), EINVAL);
	CHECK(sendfile(socks[0], in, &off, 10) == 0);
	off = 0;
	CHECK(sendfile(socks[0], in, &off, 10) == 10 && off == 10);
	FAILS(sendfile(out, socks[0], NULL, 10), EINVAL);
	CHECK(posix_fadvise(in, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
	CHECK(posix_fadvise(pipes[0], 0, 0, POSIX_FADV_NORMAL) == ESPIPE);
	CHECK(fsync(in) == 0 && fdatasync(out) == 0);
	FAILS(fsync(pipes[0]), EINVAL);
	CHECK(posix_fallocate(out, 0, 100000) == 0 && lseek(out, 0, SEEK_END) == 100000);
	close(pipes[0]), close(pipes[1]), close(socks[0]), close(socks[1]), close(in), close(out);
	unlink("in"), unlink("out");
	free(data), free(back);
}

static void test_locks(void)
{
	int fd = make_file("lock", "0123456789"), fd2 = open("lock", O_RDWR);
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 5 };

	CHECK(fcntl(fd, F_SETLK, &fl) == 0);
	CHECK(fcntl(fd2, F_GETLK, &fl) == 0 && fl.l_type == F_UNLCK);	/* one process */
	fl.l_type = 99;
	FAILS(fcntl(fd, F_SETLK, &fl), EINVAL);
	/* Locks of open files conflict within a process too. */
	fl = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = -1, .l_len = 1 };
	CHECK(lseek(fd, 8, SEEK_SET) == 8 && fcntl(fd, F_OFD_SETLK, &fl) == 0);
	fl = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 7, .l_len = 1 };
	FAILS(fcntl(fd2, F_OFD_SETLK, &fl), EAGAIN);
	fl.l_start = 6;
	CHECK(fcntl(fd2, F_OFD_SETLK, &fl) == 0);
	CHECK(flock(fd, LOCK_EX) == 0);
	FAILS(flock(fd2, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK(flock(fd, LOCK_UN) == 0 && flock(fd2, LOCK_SH | LOCK_NB) == 0 &&
	      flock(fd, LOCK_SH) == 0);
	FAILS(flock(fd, 77), EINVAL);
	close(fd);
	close(fd2);
	unlink("lock");
}

static void test_attributes(void)
{
	int fd = make_file("t", "x");
	struct timespec ts[2] = { { 1000000000, 123456789 }, { 1100000000, 5 } };
	struct statfs fs;
	struct statx stx;
	struct stat st;

	CHECK(futimens(fd, ts) == 0 && fstat(fd, &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec == 1100000000);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	CHECK(utimensat(AT_FDCWD, "t", ts, 0) == 0 && stat("t", &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1500000000);
	ts[0].tv_nsec = 1000000000;
	FAILS(utimensat(AT_FDCWD, "t", ts, 0), EINVAL);
	CHECK(utimensat(AT_FDCWD, "t", NULL, 0) == 0);
	CHECK(chmod("t", 04711) == 0 && stat("t", &st) == 0 && (st.st_mode & 07777) == 04711);
	CHECK(fchmod(fd, 0640) == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0640);
	CHECK(chown("t", -1, -1) == 0 && fchown(fd, getuid(), getgid()) == 0);
	CHECK(statx(AT_FDCWD, "t", 0, STATX_BASIC_STATS, &stx) == 0 && stx.stx_size == 1 &&
	      stx.stx_ino == st.st_ino && S_ISREG(stx.stx_mode));
	FAILS(statx(AT_FDCWD, "t", 0x100000, STATX_BASIC_STATS, &stx), EINVAL);
	CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &stx) == 0 && stx.stx_size == 1);
	CHECK(access("t", R_OK | W_OK) == 0);
	FAILS(access("t", 99), EINVAL);
	CHECK(statfs("t", &fs) == 0 && fs.f_bsize > 0 && fstatfs(fd, &fs) == 0);
	if (setxattr("t", "user.rakis", "value", 5, 0) == 0) {
		char v[16], list[256];

		CHECK(getxattr("t", "user.rakis", v, sizeof(v)) == 5 && memcmp(v, "value", 5) == 0);
		CHECK(fgetxattr(fd, "user.rakis", NULL, 0) == 5);
		FAILS(getxattr("t", "user.rakis", v, 2), ERANGE);
		CHECK(listxattr("t", list, sizeof(list)) >= 11);
		CHECK(removexattr("t", "user.rakis") == 0);
		FAILS(getxattr("t", "user.rakis", v, sizeof(v)), ENODATA);
	}
	close(fd);
	unlink("t");
}

static void test_proc(void)
{
	char path[64], target[4096], exe[4096], cwd[4096];
	int fd = make_file("q", "contents"), fd2, n, self = 0;
	unsigned long a, b, total = 0;
	struct stat st, st2;
	struct dirent *e;
	FILE *f;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target) - 1);
	CHECK(n > 0 && getcwd(cwd, sizeof(cwd)));
	target[n > 0 ? n : 0] = '\0';
	CHECK(strncmp(target, cwd, strlen(cwd)) == 0 && strcmp(target + strlen(cwd), "/q") == 0);
	CHECK(stat(path, &st) == 0 && fstat(fd, &st2) == 0 && st.st_ino == st2.st_ino);
	CHECK(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
	fd2 = open(path, O_RDONLY);
	CHECK(fd2 >= 0 && read(fd2, target, 8) == 8 && memcmp(target, "contents", 8) == 0);
	close(fd2);
	d = opendir("/proc/self/fd");
	while (d && (e = readdir(d)) != NULL)
		self += atoi(e->d_name) == fd && e->d_name[0] != '.';
	CHECK(d && self == 1);
	closedir(d);
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	CHECK(n > 0 && exe[0] == '/');
	exe[n > 0 ? n : 0] = '\0';
	CHECK(stat("/proc/self/exe", &st) == 0 && stat(exe, &st2) == 0 && st.st_ino == st2.st_ino);
	fd2 = open("/proc/self/exe", O_RDONLY);
	CHECK(read(fd2, target, 4) == 4 && memcmp(target, "\177ELF", 4) == 0);
	close(fd2);
	n = readlink("/proc/self/cwd", target, sizeof(target) - 1);
	CHECK(n > 0 && strncmp(target, cwd, n) == 0);
	CHECK(stat("/proc/self/cwd/q", &st) == 0 && S_ISREG(st.st_mode));
	snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	f = fopen(path, "r");
	CHECK(f && fscanf(f, "%d (%4095[^)])", &n, target) == 2 && n == getpid());
	if (f)
		fclose(f);
	f = fopen("/proc/self/maps", "r");
	for (n = 0; f && fgets(target, sizeof(target), f); )
		n += sscanf(target, "%lx-%lx", &a, &b) == 2 && a <= (unsigned long)&total &&
		     (unsigned long)&total < b;
	CHECK(f && n == 1);
	if (f)
		fclose(f);
	f = fopen("/proc/meminfo", "r");
	CHECK(f && fscanf(f, "MemTotal: %lu", &total) == 1 && total > 1000);
	if (f)
		fclose(f);
	f = fopen("/proc/self/status", "r");
	for (n = 0; f && fgets(target, sizeof(target), f); )
		n += strncmp(target, "VmRSS:", 6) == 0 || strncmp(target, "Threads:", 8) == 0;
	CHECK(f && n == 2);
	if (f)
		fclose(f);
	fd2 = open("/proc/self/cmdline", O_RDONLY);
	CHECK(fd2 >= 0 && read(fd2, target, sizeof(target)) > 0 && lseek(fd2, 0, SEEK_SET) == 0);
	close(fd2);
	CHECK(access("/proc/self/nothing", F_OK) == -1 && errno == ENOENT);
	CHECK(chdir("/proc/self") == 0 && access("status", R_OK) == 0 &&
	      access("../self/fd", X_OK) == 0);
	CHECK(chdir(cwd) == 0);
	close(fd);
	unlink("q");
}

static void test_devices(void)
{
	char buf[64], none[64] = "";
	struct stat st;
	int fd = open("/dev/null", O_RDWR);

	CHECK(write(fd, "x", 1) == 1 && read(fd, buf, 1) == 0 && fstat(fd, &st) == 0 &&
	      S_ISCHR(st.st_mode));
	close(fd);
	fd = open("/dev/zero", O_RDWR);
	memset(buf, 1, sizeof(buf));
	CHECK(read(fd, buf, sizeof(buf)) == sizeof(buf) && memcmp(buf, none, sizeof(buf)) == 0);
	close(fd);
	fd = open("/dev/full", O_WRONLY);
	FAILS(write(fd, "x", 1), ENOSPC);
	close(fd);
	fd = open("/dev/urandom", O_RDONLY);
	CHECK(read(fd, buf, sizeof(buf)) == sizeof(buf) && memcmp(buf, none, sizeof(buf)) != 0);
	close(fd);
	CHECK(stat("/dev/fd", &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(access("/dev/stdin", F_OK) == 0);
}

/* /dev/shm is a file system of memory; so are memfds. */
static void test_memory_files(void)
{
	char name[40], other[64], buf[8];
	struct stat st;
	char *p;
	int fd, fd2;

	snprintf(name, sizeof(name), "/rakis-files-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 10000) == 0 && fstat(fd, &st) == 0 && st.st_size == 10000);
	CHECK(pwrite(fd, "end", 3, 9997) == 3 && pread(fd, buf, 8, 9992) == 8 &&
	      memcmp(buf, "\0\0\0\0\0end", 8) == 0);
	p = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && memcmp(p + 9997, "end", 3) == 0);
	memcpy(p, "mapped", 6);
	CHECK(msync(p, 10000, MS_SYNC) == 0 && pread(fd, buf, 6, 0) == 6 &&
	      memcmp(buf, "mapped", 6) == 0);
	munmap(p, 10000);
	fd2 = shm_open(name, O_RDONLY, 0);
	CHECK(fd2 >= 0 && read(fd2, buf, 6) == 6 && memcmp(buf, "mapped", 6) == 0);
	snprintf(other, sizeof(other), "/dev/shm%s", name);
	CHECK(stat(other, &st) == 0 && S_ISREG(st.st_mode));
	CHECK(shm_unlink(name) == 0 && fstat(fd2, &st) == 0 && st.st_nlink == 0);
	FAILS(shm_unlink(name), ENOENT);
	close(fd), close(fd2);

	CHECK(mkdir(other, 0700) == 0 && chdir(other) == 0);
	close(make_file("a", "one"));
	CHECK(mkdir("d", 0755) == 0 && rename("a", "d/b") == 0 && holds("d/b", "one"));
	CHECK(symlink("d/b", "s") == 0 && holds("s", "one") && symlink("../../null", "n") == 0);
	CHECK(link("d/b", "c") == 0 && stat("c", &st) == 0 && st.st_nlink == 2 && holds("n", ""));
	FAILS(rmdir("d"), ENOTEMPTY);
	FAILS(rename("d", "d/e"), EINVAL);
	CHECK(unlink("d/b") == 0 && holds("c", "one") && rmdir("d") == 0);
	CHECK(unlink("c") == 0 && unlink("s") == 0 && unlink("n") == 0 && chdir("/") == 0 &&
	      rmdir(other) == 0);

	fd = memfd_create("test", MFD_ALLOW_SEALING);
	CHECK(fd >= 0 && write(fd, "data", 4) == 4 && fcntl(fd, F_GET_SEALS) == 0);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	FAILS(ftruncate(fd, 1), EPERM);
	FAILS(ftruncate(fd, 100), EPERM);
	close(fd);
}

static void test_removed_cwd(const char *home)
{
	char buf[4096];

	CHECK(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && getcwd(buf, sizeof(buf)));
	CHECK(strcmp(strrchr(buf, '/'), "/gone") == 0);
	CHECK(syscall(SYS_getcwd, buf, 2) == -1 && errno == ERANGE);
	CHECK(rmdir("../gone") == 0);
	CHECK(syscall(SYS_getcwd, buf, sizeof(buf)) == -1 && errno == ENOENT);
	FAILS(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
	CHECK(chdir(home) == 0);
	FAILS(chdir("nowhere"), ENOENT);
	close(make_file("plain", ""));
	FAILS(chdir("plain"), ENOTDIR);
	unlink("plain");
}

/* One line each: the errno for arguments that are wrong in one way. */
static void test_errors(void)
{
	char *volatile bad = (char *)8;		/* never mapped */
	struct stat st;
	char buf[8];
	int dir = open(".", O_RDONLY), fd = make_file("e", "text");

	FAILS(read(-1, buf, 1), EBADF);
	FAILS(read(12345, buf, 1), EBADF);
	FAILS(write(-1, buf, 1), EBADF);
	FAILS(close(12345), EBADF);
	FAILS(fstat(-1, &st), EBADF);
	FAILS(lseek(-1, 0, SEEK_SET), EBADF);
	FAILS(fsync(-1), EBADF);
	FAILS(fcntl(-1, F_GETFD), EBADF);
	FAILS(dup(-1), EBADF);
	FAILS(fchdir(-1), EBADF);
	FAILS(ioctl(-1, FIONREAD, buf), EBADF);
	FAILS(read(dir, buf, 1), EISDIR);
	FAILS(pwrite(fd, buf, 1, -1), EINVAL);
	FAILS(pread(fd, buf, 1, -1), EINVAL);
	FAILS(pwrite(fd, bad, 4, 0), EFAULT);
	FAILS(pread(fd, bad, 4, 0), EFAULT);
	FAILS(open(bad, O_RDONLY), EFAULT);
	FAILS(syscall(SYS_stat, bad, &st), EFAULT);
	FAILS(syscall(SYS_stat, "e", bad), EFAULT);
	FAILS(readlink(bad, buf, 8), EFAULT);
	FAILS(syscall(SYS_getcwd, bad, 4096), EFAULT);
	FAILS(syscall(SYS_getdents64, dir, bad, 1000), EFAULT);
	FAILS(syscall(SYS_getdents64, fd, buf, 8), ENOTDIR);
	FAILS(ioctl(fd, TCGETS, buf), ENOTTY);
	FAILS(fallocate(fd, 0, 0, 0), EINVAL);
	FAILS(fcntl(fd, F_DUPFD, 1 << 30), EINVAL);
	FAILS(fcntl(fd, 9999, 0), EINVAL);
	FAILS(mkdir("e/x", 0700), ENOTDIR);
	FAILS(rmdir("nothing"), ENOENT);
	FAILS(link("nothing", "n"), ENOENT);
	FAILS(link("e", "e"), EEXIST);
	FAILS(rename("nothing", "n"), ENOENT);
	FAILS(chmod("nothing", 0), ENOENT);
	FAILS(mknod("dir", S_IFDIR | 0700, 0), EPERM);
	CHECK(ioctl(fd, FIONREAD, buf) == 0);
	close(dir);
	close(fd);
	unlink("e");
}

static void test_many(void)
{
	struct rlimit lim;
	int fds[2000], n = 0, opened;

	CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0);
	lim.rlim_cur = lim.rlim_max < 256 ? lim.rlim_max : 256;
	CHECK(setrlimit(RLIMIT_NOFILE, &lim) == 0);
	while (n < 2000 && (fds[n] = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	CHECK(errno == EMFILE && n > 200 && n < 256 && fds[n - 1] == 255);
	opened = n;
	close(fds[10]);
	CHECK(open("/dev/null", O_RDONLY) == fds[10]);
	while (n--)
		close(fds[n]);
	CHECK(opened > 0);
}

int main(void)
{
	char home[] = "/tmp/rakis-files-XXXXXX", real[4096];
	static const struct { const char *name; void (*run)(void); } tests[] = {
		{ "open flags", test_open_flags }, { "names", test_names },
		{ "positions", test_positions }, { "overwriting", test_overwriting },
		{ "vectors", test_vectors },
		{ "directory", test_directory }, { "unnamed", test_unnamed },
		{ "copying", test_copying }, { "locks", test_locks },
		{ "attributes", test_attributes }, { "proc", test_proc },
		{ "devices", test_devices }, { "memory files", test_memory_files },
		{ "errors", test_errors }, { "many", test_many },
	};

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mkdtemp(home) || chdir(home) || !getcwd(real, sizeof(real))) {
		perror(home);
		return 1;
	}
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		int before = failures;

		tests[i].run();
		printf("%s: %s\n", tests[i].name, failures == before ? "ok" : "FAILED");
		if (chdir(home))
			return 1;
	}
	test_removed_cwd(real);
	unlink("a");
	if (chdir("/") || rmdir(home)) {
		perror(home);
		failures++;
	}
	printf("%s\n", failures ? "FAILED" : "all ok");
	return failures != 0;
}
