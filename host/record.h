/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run asks of the host, for rakis init: shared with the process that started it, which
 * reads it when the run has ended, however that was.
 */
#ifndef RAKIS_HOST_RECORD_H
#define RAKIS_HOST_RECORD_H

#include <stdint.h>

#include "boundary/request.h"

#define RECORD_SEEN	(1u << 16)
#define RECORD_ROOM	(16u << 20)

enum record_kind { RECORD_USED = 'u', RECORD_LISTED = 'l', RECORD_WRITTEN = 'w' };

struct recording {
	_Atomic uint64_t used;		/* bytes of text; beyond its end: some was lost */
	_Atomic uint64_t threads;	/* most slots in use, as their numbers tell */
	_Atomic uint64_t memory;	/* most bytes mapped, if the run came to its end */
	_Atomic uint64_t network;	/* sockets made */
	_Atomic uint64_t seen[RECORD_SEEN];	/* hashes of what is there already */
	char text[RECORD_ROOM];		/* enum record_kind, absolute path, NUL; and so on */
};

/* The request was performed and answered `res`. Only calls the kernel, without the C library. */
void record_request(struct recording *r, const struct rakis_request *rq, int64_t res);

#endif
