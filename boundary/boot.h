/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host tells the trusted image when it first enters it, how the enclave's
 * range is laid out, and the note by which the host finds the image's doors.
 *
 * The range, from low to high, every part page-aligned:
 *
 *   [base, heap)		the guest's memory
 *   [heap, slots)		the libOS's own heap
 *   [slots, image)		one block of slot_size bytes for each thread slot
 *   [image, base + size)	the trusted image
 *
 * struct rakis_layout decides what the trusted part believes of its own memory: in an
 * enclave it is measured. struct rakis_boot is untrusted: it is copied once, and each
 * field is checked before use.
 */
#ifndef RAKIS_BOUNDARY_BOOT_H
#define RAKIS_BOUNDARY_BOOT_H

/* Plain numbers first: assembly includes this file for them. */
#define RAKIS_BOUNDARY_VERSION	1
#define RAKIS_PAGE_SIZE		4096
#define RAKIS_SLOT_SIZE		65536
#define RAKIS_SLOT_COUNT	1024
#define RAKIS_NOTE_GATE		1	/* struct rakis_gate_note */
#define RAKIS_NOTE_SGX		2	/* boundary/sgx.h */

#ifndef __ASSEMBLER__
#include <stdint.h>

struct rakis_layout {
	uint64_t base;
	uint64_t size;
	uint64_t heap;
	uint64_t slots;
	uint64_t slot_size;	/* guard page, libOS stack, struct gate_thread in the last page */
	uint64_t slot_count;
	uint64_t image;
	uint64_t image_size;
};

/* Where the host maps pages of files, for RAKIS_OP_WINDOW; addresses only until then. */
#define RAKIS_WINDOWS		64
#define RAKIS_WINDOW_SIZE	(64ull << 20)

enum rakis_io_mode { RAKIS_IO_EXIT, RAKIS_IO_RING };

#define RAKIS_BOOT_TRACE	1u	/* print every system call */

struct rakis_boot {
	uint64_t version;	/* RAKIS_BOUNDARY_VERSION */
	struct rakis_layout layout;

	uint64_t arena;		/* untrusted memory for requests; page-aligned */
	uint64_t arena_size;
	uint64_t windows;	/* RAKIS_WINDOWS stretches of RAKIS_WINDOW_SIZE bytes, one after the other */
	uint64_t stats;		/* struct rakis_stats, untrusted, written by the enclave */

	uint64_t io_mode;	/* enum rakis_io_mode */
	uint64_t flags;		/* RAKIS_BOOT_* */
	uint64_t log_level;	/* enum rakis_log_level */

	/*
	 * Strings, one after the other, each with its NUL: program path as given,
	 * then argc arguments, then envc environment entries, then the working
	 * directory, then the host name. With a manifest its own program, arguments and
	 * environment count; the host's say only what they leave open: of the arguments those
	 * behind its own.
	 */
	uint64_t strings;
	uint64_t strings_size;
	uint64_t argc;
	uint64_t envc;

	uint64_t pid, ppid, pgid, sid;
	uint64_t uid, euid, gid, egid;
	uint64_t groups;	/* address of u32[ngroups] */
	uint64_t ngroups;
	uint64_t umask;

	uint64_t cpus;		/* number of processors the process may use */
	uint64_t total_memory;	/* of the machine, bytes */
	uint64_t hwcap, hwcap2;
	uint64_t tsc_hz;	/* 0: unknown, no vDSO time */
	uint64_t ignored;	/* signals ignored at start: bit n-1 for signal n */
	uint64_t blocked;	/* signals blocked at start */
	uint64_t rooted;	/* 1: --root: the host's /proc and /sys are not under the root */

	uint64_t inherited;	/* address of u32[ninherited]: open descriptors to hand to the guest */
	uint64_t ninherited;

	uint64_t cpuid;		/* struct rakis_cpuid[ncpuid]: the table of section 7 of the plan */
	uint64_t ncpuid;

	uint64_t xsks;		/* AF_XDP sockets that NET_SETUP has for this run; 0: no fast path for UDP */
	uint64_t net_page;	/* struct rakis_net_page (boundary/xsk.h), untrusted; 0 without */

	/*
	 * With a manifest: struct rakis_manifest (boundary/policy.h), the descriptor of the tables
	 * file, and 32 bytes that keys of encrypted mounts come from (0: none given). In an enclave
	 * the manifest is the measured one, the key the sealing key, whatever stands here.
	 */
	uint64_t manifest, manifest_size;
	uint64_t tables;
	uint64_t file_key;

	uint64_t kernel_release;	/* major << 16 | minor << 8 of the host's kernel */
};

struct rakis_cpuid {
	uint32_t leaf, subleaf;
	uint32_t eax, ebx, ecx, edx;
};

/*
 * ELF note of the image, name "RAKIS", type RAKIS_NOTE_GATE. Each field is the
 * distance from the field itself to the place it names.
 */
struct rakis_gate_note {
	uint32_t version;
	int32_t exception_entry;	/* where an interrupted thread is resumed */
	int32_t return_start;		/* [start, end): the restartable way back to the guest */
	int32_t return_end;
	int32_t thread_offset;		/* a plain number: struct gate_thread's offset in a slot */
};

#endif
#endif
