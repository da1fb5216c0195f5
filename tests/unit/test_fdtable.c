/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptor table against a plain array, and with threads that close each other's files. */
#include "cmocka_first.h"
#include <linux/fcntl.h>
#include <pthread.h>
#include <string.h>
#include "fake_host.h"
#include "fs/file.h"
#include "lib/errno.h"

#define MOST	300
#define STEPS	40000
#define THREADS	4
#define ROUNDS	100000

static _Atomic int open_files, closed_calls;

static void release(struct file *f)
{
	/* To be seen if somebody still uses it. */
	f->priv = NULL;
	open_files--;
}

static void closed(struct file *f)
{
	closed_calls++;
}

static const struct file_ops ops = { .kind = "test", .release = release, .closed = closed };

static struct file *new_file(u32 flags)
{
	struct file *f = file_new(&ops, flags, &open_files);

	assert_non_null(f);
	open_files++;
	return f;
}

static int install(bool cloexec, int min)
{
	struct file *f = new_file(0);
	int fd = fd_install(f, cloexec, min);

	if (fd < 0)
		file_put(f);
	return fd;
}

static int setup(void **state)
{
	fake_host_setup(state);
	fd_close_range(0, ~0u, false);
	fd_limit = 1024;
	closed_calls = 0;
	return open_files;
}

static struct { struct file *f; bool cloexec; } model[MOST];

static int lowest(int min)
{
	while (min < MOST && model[min].f)
		min++;
	return min;
}

static void check(int fd)
{
	struct file *f = fd_get(fd);

	assert_ptr_equal(f, model[fd].f);
	assert_int_equal(fd_cloexec(fd), model[fd].f ? model[fd].cloexec : -EBADF);
	if (f) {
		assert_int_equal(f->refs, 2);
		assert_non_null(f->priv);
		file_put(f);
	}
}

static void step(u64 *seed)
{
	u32 op = fake_below(seed, 16);
	int fd = fake_below(seed, MOST), want;
	bool on = fake_below(seed, 2);
	struct file *f;

	if (op < 7) {
		int min = fake_below(seed, 2) ? 0 : fd;

		f = new_file(0);
		want = lowest(min);
		fd = fd_install(f, on, min);
		if (want >= MOST) {
			assert_int_equal(fd, -EMFILE);
			file_put(f);
			return;
		}
		assert_int_equal(fd, want);
	} else if (op < 12) {
		assert_int_equal(fd_close(fd), model[fd].f ? 0 : -EBADF);
		f = NULL;
	} else if (op < 14) {
		f = new_file(0);
		assert_int_equal(fd_replace(f, fd, on), fd);
	} else {
		assert_int_equal(fd_set_cloexec(fd, on), model[fd].f ? 0 : -EBADF);
		f = model[fd].f;
	}
	model[fd].f = f;
	model[fd].cloexec = on;
	check(fd);
	check(fake_below(seed, MOST));
}

static void test_against_the_model(void **state)
{
	int open = 0, cloexec = 0;
	u64 seed = 1;

	memset(model, 0, sizeof(model));
	fd_limit = MOST;
	for (u32 i = 0; i < STEPS; i++)
		step(&seed);
	for (int fd = 0; fd < MOST; fd++) {
		check(fd);
		open += model[fd].f != NULL;
		cloexec += model[fd].f && model[fd].cloexec;
	}
	assert_int_equal(open_files, open);
	assert_true(cloexec > 0 && cloexec < open);
}

static void test_bad_numbers(void **state)
{
	static const int bad[] = { -1, -100, 0, 5, 63, 64, 1024, 65536, INT32_MAX, INT32_MIN };

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_null(fd_get(bad[i]));
		assert_null(fd_get_path(bad[i]));
		assert_int_equal(fd_close(bad[i]), -EBADF);
		assert_int_equal(fd_cloexec(bad[i]), -EBADF);
		assert_int_equal(fd_set_cloexec(bad[i], true), -EBADF);
	}
}

static void test_limits(void **state)
{
	static const int out[] = { -1, 10, 11, 65536, INT32_MAX, INT32_MIN };
	struct file *f = new_file(0);

	fd_limit = 10;
	for (u32 i = 0; i < ARRAY_SIZE(out); i++)
		assert_int_equal(fd_replace(f, out[i], false), -EBADF);
	assert_int_equal(fd_replace(f, 9, false), 9);
	for (int fd = 0; fd < 9; fd++)
		assert_int_equal(install(false, 0), fd);
	assert_int_equal(install(false, 0), -EMFILE);
	assert_int_equal(install(false, 9), -EMFILE);
	assert_int_equal(install(false, 1000), -EMFILE);
	/* A lower limit leaves alone what is open above it. */
	fd_limit = 3;
	assert_int_equal(fd_cloexec(9), 0);
	assert_int_equal(fd_close(9), 0);
	assert_int_equal(fd_close(2), 0);
	assert_int_equal(install(false, 0), 2);
	assert_int_equal(install(false, 0), -EMFILE);
	/* More than the table can have. */
	fd_limit = 1u << 20;
	assert_int_equal(install(false, FD_LIMIT - 1), FD_LIMIT - 1);
	assert_int_equal(install(false, FD_LIMIT - 1), -EMFILE);
	f = new_file(0);
	assert_int_equal(fd_replace(f, FD_LIMIT, false), -EBADF);
	file_put(f);
}

static void test_path_only(void **state)
{
	struct file *f = new_file(O_PATH);
	int fd = fd_install_or_put(f, true);

	assert_null(fd_get(fd));
	assert_ptr_equal(fd_get_path(fd), f);
	file_put(f);
	assert_int_equal(fd_close(fd), 0);
	assert_int_equal(closed_calls, 0);
	assert_int_equal(fd_close(fd_install_or_put(new_file(0), true)), 0);
	assert_int_equal(closed_calls, 1);
	fd_limit = 0;
	assert_int_equal(fd_install_or_put(new_file(0), true), -EMFILE);
	assert_int_equal(open_files, 0);
}

static void note(int fd, struct file *f, void *arg)
{
	*(u64 *)arg |= 1ull << fd;
}

static void test_ranges(void **state)
{
	static const struct { u32 first, last; u64 left; } cases[] = {
		{ 0, ~0u, 0 }, { 3, ~0u, 7 }, { 3, 5, 0xffc7 }, { 15, 15, 0x7fff },
		{ 16, ~0u, 0xffff },
		{ 5, 4, 0xffff }, { 1u << 31, ~0u, 0xffff }, { ~0u, ~0u, 0xffff },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 left = 0, cloexec = 0;

		for (int fd = 0; fd < 16; fd++)
			assert_int_equal(fd_replace(new_file(0), fd, false), fd);
		fd_close_range(cases[i].first, cases[i].last, true);
		for (int fd = 0; fd < 16; fd++)
			cloexec |= (u64)(fd_cloexec(fd) == 0) << fd;
		assert_int_equal(cloexec, cases[i].left);
		fd_close_range(cases[i].first, cases[i].last, false);
		fd_for_each(note, &left);
		assert_int_equal(left, cases[i].left);
		assert_int_equal(open_files, __builtin_popcountll(left));
	}
}

/* Few descriptors, so that threads meet. What one got stays good until it is put. */
static void *meet(void *arg)
{
	u64 seed = (u64)arg;

	fake_host_enter((u32)(u64)arg);
	for (u32 i = 0; i < ROUNDS; i++) {
		int fd = fake_below(&seed, 2);
		struct file *f;

		switch (fake_below(&seed, 4)) {
		case 0:
			(void)!fd_install_or_put(new_file(0), false);
			break;
		case 1:
			(void)!fd_close(fd);
			break;
		case 2:
			assert_int_equal(fd_replace(new_file(0), fd, true), fd);
			break;
		default:
			f = fd_get(fd);
			if (f) {
				for (u32 k = 0; k < 5; k++)
					assert_ptr_equal(*(void *volatile *)&f->priv, &open_files);
				file_put(f);
			}
		}
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];

	for (u64 i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, meet, (void *)(i + 1)), 0);
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	fd_close_range(0, ~0u, false);
	assert_int_equal(open_files, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_against_the_model, setup),
		cmocka_unit_test_setup(test_bad_numbers, setup),
		cmocka_unit_test_setup(test_limits, setup),
		cmocka_unit_test_setup(test_path_only, setup),
		cmocka_unit_test_setup(test_ranges, setup),
		cmocka_unit_test_setup(test_threads, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
