/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll and the readiness of host-backed files, over a fake host that has levels and edges
 * as Linux has them, counts what it is asked, and may lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fake_threads.h"
#include "fs/anon.h"
#include "fs/epoll.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/stats.h"
#include "libos/time.h"

#define FILES		12
#define EVENTS_FD	1000
#define READ		(EPOLLIN | EPOLLRDHUP)

struct rakis_stats stats;

/* ---- the host ---- */

static struct host_file {
	u32 level;		/* what holds */
	u32 mask;		/* what is watched, 0: nothing */
	u64 token;
	bool edge;		/* something came since it was reaped */
} host[FILES];

static struct host_event lies[4];
static int nlies;
static int reaps, polls, watches;	/* requests */

int host_events_create(void) { return EVENTS_FD; }
int host_close(int fd) { return 0; }

int host_events_watch(int events, int fd, u32 mask, u64 token)
{
	assert_int_equal(events, EVENTS_FD);
	assert_in_range(fd, 0, FILES - 1);
	watches++;
	host[fd].mask = mask;
	host[fd].token = token;
	host[fd].edge = mask;
	return 0;
}

static u32 shown(int fd)
{
	return host[fd].level & (host[fd].mask | EPOLLERR | EPOLLHUP);
}

static bool events_ready(void)
{
	for (int i = 0; i < FILES; i++)
		if (host[i].edge && shown(i))
			return true;
	return nlies;
}

int host_events_reap(int events, struct host_event *out, u32 max, u64 wait_ns)
{
	u32 n = 0;

	reaps++;
	while (nlies)
		out[n++] = lies[--nlies];
	for (int i = 0; i < FILES; i++) {
		if (host[i].edge && shown(i))
			out[n++] = (struct host_event){ host[i].token, shown(i) };
		host[i].edge = false;
	}
	return n || wait_ns == HOST_NOWAIT ? (int)n : -EAGAIN;
}

int host_poll(struct host_pollfd *fds, u32 n, u64 wait_ns)
{
	int ready = 0;

	polls++;
	for (u32 i = 0; i < n; i++) {
		u32 bits = fds[i].fd == EVENTS_FD ? (events_ready() ? EPOLLIN : 0) : host[fds[i].fd].level;

		fds[i].revents = bits & ((u16)fds[i].events | EPOLLERR | EPOLLHUP);
		ready += fds[i].revents != 0;
	}
	return ready ? ready : -EAGAIN;
}

static void arrives(int fd, u32 bits)
{
	host[fd].level |= bits;
	host[fd].edge = true;
}

/* ---- files, and the rooms around ---- */

static struct file files[FILES], *epoll_file;
static struct ready ready[FILES];
void (*file_close_hook)(struct file *f);

static u32 file_poll(struct file *f, struct poll_table *pt)
{
	poll_host(pt, f->ready->hostfd);
	return 0;
}

static const struct file_ops ops = { .poll = file_poll };

struct file *file_new(const struct file_ops *o, u32 flags, void *priv)
{
	struct file *f = calloc(1, sizeof(*f));

	f->ops = o;
	f->priv = priv;
	return f;
}

struct file *anon_file(const struct file_ops *o, u32 flags, void *priv, const char *name)
{
	return file_new(o, flags, priv);
}

int fd_install_or_put(struct file *f, bool cloexec)
{
	epoll_file = f;
	return 0;
}

int anon_stat(struct file *f, u32 mask, struct statx *out) { return 0; }
s64 anon_lseek(struct file *f, s64 off, u32 whence) { return 0; }
void *kmalloc(size_t n) { return malloc(n); }
void *kzalloc(size_t n) { return calloc(1, n); }
void *krealloc(void *p, size_t n) { return realloc(p, n); }
void kfree(void *p) { free(p); }
bool signal_pending(void) { return false; }

int copy_to_user(u64 uaddr, const void *src, size_t n)
{
	if (uaddr < FAKE_BAD)
		return -EFAULT;
	memcpy((void *)uaddr, src, n);
	return 0;
}

/* ---- the tests ---- */

static struct epoll_event got[FILES];

static int setup(void **state)
{
	fake_setup(state);
	memset(host, 0, sizeof(host));
	nlies = 0;
	stats.enclave.host_faults = 0;
	for (int i = 0; i < FILES; i++) {
		ready_init(&ready[i], i);
		files[i] = (struct file){ .ops = &ops, .refs = 1, .ready = &ready[i] };
	}
	assert_int_equal(epoll_new(0), 0);
	return 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < FILES; i++)
		if (files[i].epoll_hook)
			file_close_hook(&files[i]);
	epoll_file->ops->release(epoll_file);
	free(epoll_file);
	return 0;
}

static int ctl(int op, int fd, u32 events)
{
	struct epoll_event ev = { .events = events, .data = fd };

	return epoll_control(epoll_file, op, &files[fd], fd, &ev);
}

/* What one epoll_wait that does not wait reports, and what it costs. */
static int wait_now(void)
{
	reaps = polls = watches = 0;
	return epoll_wait(epoll_file, (u64)got, FILES, 0);
}

static void costs(int r, int p)
{
	assert_int_equal(reaps, r);
	assert_int_equal(polls, p);
}

static void test_ready(void **state)
{
	struct ready r;
	u32 unsure;
	u64 seq;

	ready_init(&r, 0);
	ready_event(&r, EPOLLIN | EPOLLOUT);
	seq = ready_seq(&r);
	ready_drained(&r, EPOLLIN, seq);
	assert_int_equal(ready_bits(&r, &unsure), EPOLLOUT);
	/* An event that came in between wins. */
	ready_event(&r, EPOLLIN);
	ready_drained(&r, EPOLLIN, seq);
	assert_int_equal(ready_bits(&r, &unsure), EPOLLIN | EPOLLOUT);
	assert_int_equal(unsure, 0);
	ready_used(&r, EPOLLIN);
	ready_bits(&r, &unsure);
	assert_int_equal(unsure, EPOLLIN);
	ready_confirm(&r, EPOLLIN, 0, seq);
	assert_int_equal(ready_bits(&r, &unsure), EPOLLIN | EPOLLOUT);
	ready_confirm(&r, EPOLLIN, 0, ready_seq(&r));
	assert_int_equal(ready_bits(&r, &unsure), EPOLLOUT);
	/* Behind the end nothing is drained. */
	ready_event(&r, EPOLLIN | EPOLLRDHUP);
	ready_drained(&r, EPOLLIN, ready_seq(&r));
	assert_int_equal(ready_bits(&r, &unsure) & EPOLLIN, EPOLLIN);
	assert_int_equal(unsure, EPOLLIN);
}

static void test_cost(void **state)
{
	u64 seq;

	for (int i = 0; i < 4; i++)
		assert_int_equal(ctl(EPOLL_CTL_ADD, i, EPOLLIN), 0);
	assert_int_equal(wait_now(), 0);
	costs(1, 0);
	arrives(0, EPOLLIN);
	arrives(1, EPOLLIN);
	assert_int_equal(wait_now(), 2);
	costs(1, 0);
	/* Known to be ready still: one look for the others. */
	assert_int_equal(wait_now(), 2);
	costs(1, 0);
	/* Drained: they cost nothing any more. */
	for (int i = 0; i < 2; i++) {
		seq = ready_seq(&ready[i]);
		host[i].level = 0;
		ready_drained(&ready[i], EPOLLIN, seq);
	}
	assert_int_equal(wait_now(), 0);
	costs(1, 0);
	/* Perhaps drained: one question for all of them, and one for the news only if there are any. */
	for (int i = 0; i < 4; i++)
		arrives(i, EPOLLIN);
	assert_int_equal(wait_now(), 4);
	costs(1, 0);
	for (int i = 0; i < 4; i++)
		ready_used(&ready[i], EPOLLIN);
	host[3].level = 0;
	assert_int_equal(wait_now(), 3);
	costs(0, 1);
}

static void test_no_host(void **state)
{
	/* Without host-backed files there is no exit at all. */
	assert_int_equal(wait_now(), 0);
	costs(0, 0);
}

static void test_mask(void **state)
{
	assert_int_equal(ctl(EPOLL_CTL_ADD, 0, EPOLLIN), 0);
	assert_int_equal(host[0].mask & (READ | EPOLLOUT), READ);
	arrives(0, EPOLLOUT);
	assert_int_equal(wait_now(), 0);
	assert_int_equal(ctl(EPOLL_CTL_MOD, 0, EPOLLIN | EPOLLOUT), 0);
	assert_int_equal(wait_now(), 1);
	assert_int_equal(got[0].events, EPOLLOUT);
	/* No longer asked for: it is dropped when it comes in vain. */
	assert_int_equal(ctl(EPOLL_CTL_MOD, 0, EPOLLIN), 0);
	assert_int_equal(watches, 0);
	arrives(0, EPOLLOUT);
	assert_int_equal(wait_now(), 0);
	assert_int_equal(watches, 1);
	assert_int_equal(host[0].mask & EPOLLOUT, 0);
}

static void test_lies(void **state)
{
	u64 token;

	assert_int_equal(ctl(EPOLL_CTL_ADD, 0, EPOLLIN), 0);
	assert_int_equal(wait_now(), 0);
	token = host[0].token;
	lies[0] = (struct host_event){ token + 1000, EPOLLIN };			/* no such slot */
	lies[1] = (struct host_event){ token + (1ull << 32), EPOLLIN };		/* not yet given */
	lies[2] = (struct host_event){ token, EPOLLOUT | 1u << 20 };		/* not asked for */
	nlies = 3;
	assert_int_equal(wait_now(), 0);
	assert_int_equal(stats.enclave.host_faults, 2);
	/* One of a watch that is gone is no fault, and nothing. */
	assert_int_equal(ctl(EPOLL_CTL_DEL, 0, 0), 0);
	assert_int_equal(ctl(EPOLL_CTL_ADD, 1, EPOLLIN), 0);
	lies[0] = (struct host_event){ token, EPOLLIN };
	nlies = 1;
	assert_int_equal(wait_now(), 0);
	assert_int_equal(stats.enclave.host_faults, 2);
	assert_int_equal(epoll_wait(epoll_file, 8, FILES, 0), 0);
	arrives(1, EPOLLIN);
	assert_int_equal(epoll_wait(epoll_file, 8, FILES, 0), -EFAULT);
	assert_int_equal(wait_now(), 1);
}

/* Whatever happens, level-triggered items are reported exactly while their files are ready,
 * edge-triggered ones never without, and always after something came. */
static void test_random(void **state)
{
	u32 events[FILES] = { 0 };
	bool came[FILES] = { false };

	srand(7);
	for (int step = 0; step < 200000; step++) {
		int fd = rand() % FILES;
		u64 seq = ready_seq(&ready[fd]);

		switch (rand() % 8) {
		case 0:
		case 1:
			arrives(fd, EPOLLIN);
			came[fd] = true;
			break;
		case 2:			/* all is read, and EAGAIN met */
			host[fd].level &= ~EPOLLIN;
			ready_drained(&ready[fd], EPOLLIN, seq);
			came[fd] = false;
			break;
		case 3:			/* some is read, perhaps all */
			if (!(host[fd].level & EPOLLIN))
				break;
			if (rand() % 2)
				host[fd].level &= ~EPOLLIN;
			ready_used(&ready[fd], EPOLLIN);
			break;
		case 4:
			if (events[fd]) {
				assert_int_equal(ctl(EPOLL_CTL_DEL, fd, 0), 0);
				events[fd] = 0;
			} else {
				events[fd] = EPOLLIN | (rand() % 2 ? EPOLLET : 0);
				assert_int_equal(ctl(EPOLL_CTL_ADD, fd, events[fd]), 0);
				came[fd] = host[fd].level & EPOLLIN;
			}
			break;
		case 5:
			if (!events[fd])
				break;
			events[fd] ^= rand() % 2 ? EPOLLET : 0;
			assert_int_equal(ctl(EPOLL_CTL_MOD, fd, events[fd]), 0);
			came[fd] = host[fd].level & EPOLLIN;
			break;
		default: {
			bool told[FILES] = { false };
			int n = wait_now();

			assert_true(n >= 0);
			assert_true(reaps + polls <= 2);
			for (int i = 0; i < n; i++) {
				assert_false(told[got[i].data]);
				told[got[i].data] = true;
			}
			for (int i = 0; i < FILES; i++) {
				bool level = events[i] && host[i].level & EPOLLIN;

				if (!(events[i] & EPOLLET))
					assert_int_equal(told[i], level);
				else if (told[i])
					assert_true(level);
				else
					assert_false(level && came[i]);
				came[i] = false;
			}
		}
		}
	}
	for (int i = 0; i < FILES; i++)
		assert_int_equal(ready[i].watches, events[i] != 0);
}

static void waiter(int id)
{
	assert_int_equal(epoll_wait(epoll_file, (u64)got, 1, now_ns() + 20 * NSEC_PER_SEC), 1);
}

/* A thread that sleeps inside, since nothing was watched, goes to ask the host. */
static void test_first_watch(void **state)
{
	host[0].level = EPOLLIN;
	fake_start(1, waiter);
	fake_wait_parked(1);
	assert_int_equal(ctl(EPOLL_CTL_ADD, 0, EPOLLIN), 0);
	fake_join(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mask, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_watch, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
