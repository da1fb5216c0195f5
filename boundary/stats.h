/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters that both sides keep, in untrusted memory: the enclave adds to the first part,
 * the host to the second. They are for people; nothing is decided by them.
 * 64-bit words only; the enclave counts in trusted memory and stores the counters here when
 * RAKIS_OP_SIGNAL_TAKE says that somebody wants to see them, and at the end.
 *
 * The page is a memfd of the running instance, named RAKIS_STATS_NAME: who may open it
 * (/proc/PID/fd) adds 1 to `wanted`, sends RAKIS_STATS_SIGNAL, and reads when `shown` has
 * caught up.
 */
#ifndef RAKIS_BOUNDARY_STATS_H
#define RAKIS_BOUNDARY_STATS_H

#include <stdint.h>

/* X(name, text): counters of the enclave */
#define RAKIS_ENCLAVE_COUNTERS(X)				\
	X(syscalls,		"system calls")			\
	X(syscalls_trapped,	"  of them trapped, not patched")	\
	X(sites_patched,	"system call sites patched")	\
	X(sites_left,		"system call sites left to trap")	\
	X(requests_exit,	"requests by exit")		\
	X(requests_ring,	"requests by ring")		\
	X(reaps,		"completions taken")		\
	X(kicks,		"exits that submitted")		\
	X(spins,		"waits ended by spinning")	\
	X(parks,		"waits that parked")		\
	X(wakes,		"wake-ups sent outside")	\
	X(host_faults,		"host faults (answers refused)")	\
	X(unknown_syscalls,	"system calls unknown")		\
	X(signals,		"signals delivered")		\
	X(memory_most,		"most memory mapped, bytes")	\
	X(net_rx,		"datagrams received by AF_XDP")	\
	X(net_rx_bytes,		"  bytes of payload")		\
	X(net_tx,		"datagrams sent by AF_XDP")	\
	X(net_tx_bytes,		"  bytes of payload")		\
	X(net_kicks,		"exits to have them sent")	\
	X(net_routes,		"routes asked of the host")	\
	X(net_malformed,	"packets dropped: malformed")	\
	X(net_checksum,		"packets dropped: wrong checksum")	\
	X(net_unclaimed,	"packets dropped: for no socket")	\
	X(net_full,		"packets dropped: socket full")	\
	X(net_memory,		"packets dropped: no memory")	\
	X(net_bad_frames,	"AF_XDP descriptors refused")

/* X(name, text): counters of the host */
#define RAKIS_HOST_COUNTERS(X)					\
	X(exits,		"exits")			\
	X(exits_park,		"  of them to sleep")		\
	X(interrupts,		"interruptions from outside")	\
	X(faults,		"exceptions of the program")	\
	X(traps,		"trapped system calls")

#define RAKIS_STATS_SYSCALLS	512u
#define RAKIS_STATS_OPCODES	256u

#define RAKIS_STATS_VERSION	1u
#define RAKIS_STATS_NAME	"rakis-stats"
#define RAKIS_STATS_SIGNAL	63

struct rakis_stats {
	uint64_t version;
	uint64_t wanted, shown;
#define RAKIS_COUNTER(name, text) uint64_t name;
	struct { RAKIS_ENCLAVE_COUNTERS(RAKIS_COUNTER) } enclave;
	struct { RAKIS_HOST_COUNTERS(RAKIS_COUNTER) } host;
#undef RAKIS_COUNTER
	uint64_t by_syscall[RAKIS_STATS_SYSCALLS];	/* enclave */
	uint64_t by_opcode[RAKIS_STATS_OPCODES];	/* enclave: requests */
};

#endif
