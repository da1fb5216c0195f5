/* SPDX-License-Identifier: Apache-2.0 */
/* Where the enclave's exits arrive. */
#include <errno.h>
#include <stddef.h>

#include "host/executor.h"
#include "host/host.h"
#include "host/record.h"
#include "host/ring.h"
#include "host/thread.h"

#define EXIT_REQUEST 0		/* the only reason to leave */

void *arena_at(uint64_t addr, uint64_t len)
{
	if (addr < host.arena || len > host.arena_size || addr - host.arena > host.arena_size - len)
		return NULL;
	return (void *)addr;
}

static void count_exit(const struct rakis_request *rq)
{
	__atomic_fetch_add(&host.stats->host.exits, 1, __ATOMIC_RELAXED);
	if ((rq->flags & RAKIS_REQ_WAIT) || rq->opcode == RAKIS_OP_PARK)
		__atomic_fetch_add(&host.stats->host.exits_park, 1, __ATOMIC_RELAXED);
}

int64_t host_call(uint64_t reason, uint64_t arg, uint64_t slot)
{
	const struct rakis_request *shared = arena_at(arg, sizeof(*shared));
	struct thread *t = thread_of(slot);
	struct rakis_request rq;
	int64_t res;

	if (reason != EXIT_REQUEST || !shared || !t)
		return -EINVAL;
	rq = *shared;
	count_exit(&rq);
	rings_begin(t, &rq);
	if (rq.opcode == RAKIS_OP_KICK)
		return 0;
	res = exec_wait(t, &rq);
	if (res == NOT_MINE)
		res = exec_file(t, &rq);
	if (res == NOT_MINE)
		res = exec_socket(t, &rq);
	if (res == NOT_MINE)
		res = exec_system(t, &rq);
	if (res == NOT_MINE)
		res = with_fpu(exec_library, t, &rq);
	if (host.record)
		record_request(host.record, &rq, res);
	return res;
}
