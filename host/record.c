/* SPDX-License-Identifier: Apache-2.0 */
/* Which files were used, and how: seen at the requests, each name once. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "host/executor.h"
#include "host/host.h"
#include "host/record.h"

#define PATH_ROOM	4096
#define PROBES		64

/* Not yet there? (Two threads may both be told so: then it is there twice.) */
static bool is_new(struct recording *r, char kind, const char *path)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ (unsigned char)kind;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3ull;
	hash |= 1;
	for (uint32_t i = 0; i < PROBES; i++) {
		_Atomic uint64_t *slot = &r->seen[(hash / 2 + i) % RECORD_SEEN];
		uint64_t old = atomic_load_explicit(slot, memory_order_relaxed);

		if (old == hash)
			return false;
		if (!old) {
			atomic_store_explicit(slot, hash, memory_order_relaxed);
			break;
		}
	}
	return true;
}

static void note(struct recording *r, char kind, const char *path)
{
	uint64_t n = 0, at;

	if (*path != '/' || !is_new(r, kind, path))
		return;
	while (path[n])
		n++;
	at = atomic_fetch_add(&r->used, n + 2);
	if (at + n + 2 > RECORD_ROOM)
		return;
	for (uint64_t i = 0; i <= n; i++)
		r->text[at + 1 + i] = path[i];
	r->text[at] = kind;
}

/* The path of a descriptor (AT_FDCWD too); its length, 0 if it has none. */
static long name_of(int fd, char out[PATH_ROOM])
{
	char name[12];
	long n;

	if (fd == AT_FDCWD)
		n = sys(getcwd, out, PATH_ROOM) - 1;
	else
		n = host.proc_fd < 0 ? 0 : sys(readlinkat, host.proc_fd, fd_name(name, fd), out, PATH_ROOM - 1);
	if (n <= 0 || n >= PATH_ROOM)
		return 0;
	out[n] = 0;
	return n;
}

static void note_at(struct recording *r, char kind, int dirfd, uint64_t addr)
{
	const char *path = arena_at(addr, PATH_ROOM);
	char full[PATH_ROOM];
	long n = 0;

	if (!path || !*path)
		return;
	if (*path != '/') {
		n = name_of(dirfd, full);
		if (!n || n + 1 >= PATH_ROOM)
			return;
		full[n++] = '/';
	}
	while (*path && n + 1 < PATH_ROOM)
		full[n++] = *path++;
	full[n] = 0;
	if (!*path)
		note(r, kind, full);
}

static char opened_as(const struct rakis_request *rq)
{
	const struct open_how *how = arena_at(rq->off, sizeof(*how));
	uint64_t flags = how ? how->flags : 0;

	if (flags & O_PATH)
		return RECORD_USED;
	return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC) ? RECORD_WRITTEN : RECORD_USED;
}

static void at_most(_Atomic uint64_t *most, uint64_t n)
{
	uint64_t old = atomic_load(most);

	while (old < n && !atomic_compare_exchange_weak(most, &old, n))
		;
}

void record_request(struct recording *r, const struct rakis_request *rq, int64_t res)
{
	char path[PATH_ROOM];

	if (res < 0)
		return;
	switch (rq->opcode) {
	case RAKIS_OP_OPENAT2:
		note_at(r, opened_as(rq), rq->fd, rq->addr);
		break;
	case RAKIS_OP_STATX:
	case RAKIS_OP_FACCESSAT:
	case RAKIS_OP_READLINKAT:
		note_at(r, RECORD_USED, rq->fd, rq->addr);
		break;
	case RAKIS_OP_RENAMEAT:
		note_at(r, RECORD_WRITTEN, rq->fd, rq->addr);
		note_at(r, RECORD_WRITTEN, (int)rq->len, rq->off);
		break;
	case RAKIS_OP_LINKAT:
		note_at(r, RECORD_WRITTEN, (int)rq->len, rq->off);
		break;
	case RAKIS_OP_SYMLINKAT:
		note_at(r, RECORD_WRITTEN, rq->fd, rq->off);
		break;
	case RAKIS_OP_UNLINKAT:
	case RAKIS_OP_MKDIRAT:
	case RAKIS_OP_MKNODAT:
	case RAKIS_OP_FCHMODAT:
	case RAKIS_OP_FCHOWNAT:
	case RAKIS_OP_UTIMENSAT:
		if (rq->addr)
			note_at(r, RECORD_WRITTEN, rq->fd, rq->addr);
		break;
	case RAKIS_OP_GETDENTS:
		if (name_of(rq->fd, path))
			note(r, RECORD_LISTED, path);
		break;
	case RAKIS_OP_SOCKET:
		atomic_fetch_add(&r->network, 1);
		break;
	case RAKIS_OP_SPAWN:
		at_most(&r->threads, (uint64_t)rq->fd + 1);
		break;
	}
}
