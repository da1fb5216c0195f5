/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes: bytes arrive once and in order, small writes whole, with threads and without. */
#include "cmocka_first.h"
#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <pthread.h>
#include <string.h>
#include "fake_host.h"
#include "fs/anon.h"
#include "lib/errno.h"

#define STREAM	(16u << 20)	/* bytes sent by each test with threads */
#define WRITERS	3
#define PIPE_BUF 4096u
#define PIPE_SIZE (16 * PAGE_SIZE)

static struct file *ends[2];
static u32 broken_pipes;
static bool interrupted;

int signal_send_task(struct task *t, const struct siginfo_min *info)
{
	assert_int_equal(info->signo, 13);
	broken_pipes++;
	return 0;
}

bool signal_deliverable(void)
{
	return interrupted;
}

static int setup(void **state)
{
	fake_host_setup(state);
	broken_pipes = 0;
	interrupted = false;
	return pipe_new(ends, 0);
}

static int teardown(void **state)
{
	for (u32 i = 0; i < 2; i++)
		if (ends[i])
			file_put(ends[i]);
	return 0;
}

static void close_end(u32 i)
{
	file_put(ends[i]);
	ends[i] = NULL;
}

static ssize_t put(const void *data, size_t n)
{
	struct iter it;

	iter_kernel(&it, (void *)data, n);
	return file_write(ends[1], &it);
}

static ssize_t get(void *data, size_t n)
{
	struct iter it;

	iter_kernel(&it, data, n);
	return file_read(ends[0], &it);
}

static void nonblock(u32 end)
{
	assert_int_equal(file_set_flags(ends[end], O_NONBLOCK, O_NONBLOCK), 0);
}

/* ---- with threads ---- */

static void *write_stream(void *arg)
{
	u64 seed = 1, sizes = 2;
	u8 buf[3 * PAGE_SIZE];

	fake_host_enter(1);
	for (u32 done = 0; done < STREAM;) {
		u32 n = min(STREAM - done, 1 + fake_below(&sizes, sizeof(buf)) /
			    (1 + fake_below(&sizes, 200)));

		for (u32 i = 0; i < n; i++)
			buf[i] = fake_random(&seed);
		assert_int_equal(put(buf, n), n);
		done += n;
	}
	close_end(1);
	return NULL;
}

static void test_stream(void **state)
{
	u64 seed = 1, sizes = 3;
	u8 buf[2 * PAGE_SIZE];
	u32 done = 0;
	pthread_t writer;
	ssize_t n;

	assert_int_equal(pthread_create(&writer, NULL, write_stream, NULL), 0);
	while ((n = get(buf, 1 + fake_below(&sizes, sizeof(buf)))) > 0) {
		for (u32 i = 0; i < n; i++)
			assert_int_equal(buf[i], (u8)fake_random(&seed));
		done += n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(done, STREAM);
	pthread_join(writer, NULL);
}

/* A record: its length, then that many bytes of the writer's mark, PIPE_BUF at most in all. */
static void *write_records(void *arg)
{
	u32 mark = (u32)(u64)arg, n = 0;
	u64 seed = mark;
	u8 buf[PIPE_BUF];

	fake_host_enter(mark);
	for (u32 done = 0; done < STREAM / WRITERS; done += n) {
		n = fake_below(&seed, 3) ? 3 + fake_below(&seed, 300) :
		    PIPE_BUF - fake_below(&seed, 5);
		memset(buf, mark, n);
		memcpy(buf, &(u16){ n }, 2);
		assert_int_equal(put(buf, n), n);
	}
	return NULL;
}

static bool get_all(u8 *buf, u32 n)
{
	for (u32 done = 0; done < n;) {
		ssize_t got = get(buf + done, n - done);

		if (got <= 0)
			return false;
		done += got;
	}
	return true;
}

static void *close_when_done(void *arg)
{
	pthread_t *writers = arg;

	fake_host_enter(WRITERS + 1);
	for (u32 i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	close_end(1);
	return NULL;
}

static void test_small_writes_are_whole(void **state)
{
	pthread_t writers[WRITERS], closer;
	u8 buf[PIPE_BUF];
	u32 total = 0;
	u16 n;

	for (u64 i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_records,
						(void *)(i + 1)), 0);
	assert_int_equal(pthread_create(&closer, NULL, close_when_done, writers), 0);
	while (get_all((u8 *)&n, 2)) {
		assert_true(n >= 3 && n <= PIPE_BUF);
		assert_true(get_all(buf, n - 2));
		assert_true(buf[0] >= 1 && buf[0] <= WRITERS);
		for (u32 i = 1; i < n - 2u; i++)
			assert_int_equal(buf[i], buf[0]);
		total += n;
	}
	pthread_join(closer, NULL);
	assert_true(total >= STREAM - WRITERS);
}

/* ---- without ---- */

static void test_full_and_empty(void **state)
{
	static u8 buf[PIPE_SIZE + PAGE_SIZE];

	nonblock(0);
	nonblock(1);
	assert_int_equal(get(buf, 1), -EAGAIN);
	assert_int_equal(get(buf, 0), 0);
	assert_int_equal(put(buf, 0), 0);
	/* Large writes may be partial, small ones not. */
	assert_int_equal(put(buf, sizeof(buf)), PIPE_SIZE);
	assert_int_equal(put(buf, 1), -EAGAIN);
	assert_int_equal(get(buf, 100), 100);
	assert_int_equal(put(buf, PIPE_BUF), -EAGAIN);
	assert_int_equal(get(buf, PAGE_SIZE - 100), PAGE_SIZE - 100);
	assert_int_equal(put(buf, PIPE_BUF), PIPE_BUF);
	assert_int_equal(put(buf, PIPE_BUF), -EAGAIN);
	assert_int_equal(get(buf, sizeof(buf)), PIPE_SIZE);
	assert_int_equal(get(buf, 1), -EAGAIN);
	/* Small ones share a page, also one that was read from; else they begin another. */
	assert_int_equal(put(buf, 3000), 3000);
	assert_int_equal(get(buf, 1000), 1000);
	assert_int_equal(put(buf, 1096), 1096);
	assert_int_equal(put(buf, 1), 1);
	assert_int_equal(get(buf, sizeof(buf)), 3097);
	for (u32 i = 0; i < PIPE_SIZE; i++)
		assert_int_equal(put(buf, 1), 1);
	assert_int_equal(put(buf, 1), -EAGAIN);
}

static void test_ends_close(void **state)
{
	u8 buf[8];

	assert_int_equal(put("ab", 2), 2);
	assert_int_equal(ends[0]->ops->poll(ends[0], NULL), EPOLLIN | EPOLLRDNORM);
	close_end(1);
	assert_int_equal(ends[0]->ops->poll(ends[0], NULL), EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	assert_int_equal(get(buf, 1), 1);
	assert_int_equal(get(buf, 8), 1);
	assert_int_equal(get(buf, 8), 0);
	assert_int_equal(ends[0]->ops->poll(ends[0], NULL), EPOLLHUP);
	close_end(0);

	assert_int_equal(pipe_new(ends, 0), 0);
	assert_int_equal(ends[1]->ops->poll(ends[1], NULL), EPOLLOUT | EPOLLWRNORM);
	close_end(0);
	assert_int_equal(ends[1]->ops->poll(ends[1], NULL), EPOLLOUT | EPOLLWRNORM | EPOLLERR);
	assert_int_equal(put("a", 1), -EPIPE);
	assert_int_equal(broken_pipes, 1);
	assert_int_equal(put("a", 0), 0);
	assert_int_equal(broken_pipes, 1);
}

static void test_signal_ends_the_wait(void **state)
{
	static u8 buf[PIPE_SIZE + 5];

	interrupted = true;
	gate_self()->pending = GATE_PENDING_WORK;
	assert_int_equal(get(buf, 1), -ERESTARTSYS);
	/* What was written counts. */
	assert_int_equal(put(buf, sizeof(buf)), PIPE_SIZE);
	assert_int_equal(put(buf, 1), -ERESTARTSYS);
}

static void test_wrong_end(void **state)
{
	struct iter it;
	u8 buf[8];

	iter_kernel(&it, buf, 8);
	assert_int_equal(file_read(ends[1], &it), -EBADF);
	assert_int_equal(file_write(ends[0], &it), -EBADF);
	assert_int_equal(file_lseek(ends[0], 0, 0), -ESPIPE);
	assert_int_equal(file_pread(ends[0], &it, 0), -ESPIPE);
}

static void test_size(void **state)
{
	static u8 buf[PIPE_SIZE];
	struct file *f = ends[0];

	nonblock(1);
	assert_int_equal(f->ops->fcntl(f, F_GETPIPE_SZ, 0), PIPE_SIZE);
	assert_int_equal(f->ops->fcntl(f, F_SETPIPE_SZ, 1), PAGE_SIZE);
	assert_int_equal(put(buf, PIPE_SIZE), PAGE_SIZE);
	assert_int_equal(get(buf, 1), 1);
	assert_int_equal(get(buf, PIPE_SIZE), PAGE_SIZE - 1);
	assert_int_equal(put(buf, PIPE_SIZE), PAGE_SIZE);
	assert_int_equal(f->ops->fcntl(f, F_SETPIPE_SZ, 3 * PAGE_SIZE), 4 * PAGE_SIZE);
	memset(buf, 1, PAGE_SIZE);
	assert_int_equal(put(buf, PIPE_SIZE), 3 * PAGE_SIZE);
	assert_int_equal(f->ops->fcntl(f, F_SETPIPE_SZ, PAGE_SIZE), -EBUSY);
	assert_int_equal(f->ops->fcntl(f, F_SETPIPE_SZ, (1u << 20) + 1), -EPERM);
	/* The ring has gone round when it is replaced. */
	assert_int_equal(get(buf, PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(buf[0], 0);
	memset(buf, 2, PAGE_SIZE);
	assert_int_equal(put(buf, PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(f->ops->fcntl(f, F_SETPIPE_SZ, 1u << 20), 1u << 20);
	assert_int_equal(f->ops->ioctl(f, FIONREAD, (u64)fake_guest), 0);
	assert_int_equal(*(int *)fake_guest, 4 * PAGE_SIZE);
	assert_int_equal(get(buf, PIPE_SIZE), 4 * PAGE_SIZE);
	assert_int_equal(buf[0], 1);
	assert_int_equal(buf[PAGE_SIZE], 0);
	assert_int_equal(buf[4 * PAGE_SIZE - 1], 2);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stream),
		TEST(test_small_writes_are_whole),
		TEST(test_full_and_empty),
		TEST(test_ends_close),
		TEST(test_signal_ends_the_wait),
		TEST(test_wrong_end),
		TEST(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
