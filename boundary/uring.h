/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring pair that the host has set up (RAKIS_OP_URING_SETUP fills it in). All of it is
 * untrusted: the enclave checks each address and offset before use, and refuses the ring
 * if one is odd. Words of 64 bits only. Offsets count from the start of their mapping.
 */
#ifndef RAKIS_BOUNDARY_URING_H
#define RAKIS_BOUNDARY_URING_H

#include <stdint.h>

#define RAKIS_URING_MOST	8u	/* rings of one process */
#define RAKIS_URING_SQ_ENTRIES	256u
#define RAKIS_URING_CQ_ENTRIES	4096u
#define RAKIS_URING_BUFS	1024u	/* provided buffers of a ring */
#define RAKIS_URING_BUF_SIZE	(16u << 10)

/*
 * user_data: index of the request in flight, generation in the upper half, and this mark on
 * completions that are no reason to end a sleep.
 */
#define RAKIS_URING_QUIET	(1ull << 31)

/* What the kernel has besides opcodes. */
#define RAKIS_URING_RECV_MULTISHOT	1u

struct rakis_uring {
	uint64_t sq_map, sq_map_size;
	uint64_t sq_head, sq_tail, sq_flags, sq_array;
	uint64_t sq_entries;
	uint64_t cq_map, cq_map_size;
	uint64_t cq_head, cq_tail, cqes;
	uint64_t cq_entries;
	uint64_t sqes, sqes_size;

	uint64_t buf_ring;		/* array of the provided buffers' entries; 0: none */
	uint64_t buf_entries;
	uint64_t bufs;			/* buf_entries * RAKIS_URING_BUF_SIZE bytes */

	uint64_t opcodes[4];		/* a bit for each that this kernel's io_uring has */
	uint64_t features;		/* RAKIS_URING_* */

	/*
	 * Who submits. 1: each exit of the enclave takes along what is queued. 0: somebody
	 * watches the submission queue. While the word at `asleep` has one of the bits of
	 * `asleep_mask`, whoever may have to submit without an exit is asleep: a request that
	 * does not go out with a park soon is to be told by RAKIS_OP_KICK.
	 */
	uint64_t kick_inline;
	uint64_t asleep, asleep_mask;
};

#endif
