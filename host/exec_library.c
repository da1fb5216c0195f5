/* SPDX-License-Identifier: Apache-2.0 */
/* The rare requests that use the C library and other code with vector registers. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "host/executor.h"
#include "host/host.h"
#include "host/net/net.h"
#include "host/patch_table.h"
#include "host/record.h"
#include "host/ring.h"
#include "host/thread.h"

static void end(int status, int sig) __attribute__((noreturn));
static void end(int status, int sig)
{
	if (host.record)
		host.record->memory = host.stats->enclave.memory_most;
	if (host.print_stats)
		stats_at_end();
	(void)!monitor_stop();
	if (sig)
		signal_end(sig);
	_exit(status);
}

/* The text is one line or several, with its newline or without. */
static int64_t log_text(const char *text, uint32_t len)
{
	if (!text)
		return -EINVAL;
	while (len && text[len - 1] == '\n')
		len--;
	message("%.*s", (int)len, text);
	return 0;
}

int64_t exec_library(void *thread, void *request)
{
	const struct rakis_request *rq = request;
	struct rakis_patch *table;

	switch (rq->opcode) {
	case RAKIS_OP_SPAWN:
		return thread_spawn(rq->fd);
	case RAKIS_OP_SIGNAL_IGNORE:
		signal_forward(rq->fd, rq->len);
		return 0;
	case RAKIS_OP_STOP:
		signal_stop(rq->fd);
		return 0;
	case RAKIS_OP_EXIT:
		end(rq->fd, rq->len);
	case RAKIS_OP_LOG:
		return log_text(arena_at(rq->addr, rq->len), rq->len);
	case RAKIS_OP_URING_SETUP:
		return uring_set_up(rq->fd, arena_at(rq->addr, sizeof(struct rakis_uring)));
	case RAKIS_OP_NET_SETUP:
		return net_set_up(rq->fd, arena_at(rq->addr, sizeof(struct rakis_xsk)));
	case RAKIS_OP_NET_CLAIM:
		return net_claim(rq->fd, rq->op_flags);
	case RAKIS_OP_NET_ROUTE:
		return net_route(arena_at(rq->addr, sizeof(struct rakis_route)));
	case RAKIS_OP_PATCH_TABLE:
		table = arena_at(rq->addr, rq->len * (uint64_t)sizeof(*table));
		return table ? patch_table(rq->fd, table, rq->len, rq->off) : -EINVAL;
	}
	return -ENOSYS;
}
