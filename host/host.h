/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the untrusted half shares among its own files: options, the state of this run,
 * and how it reports.
 */
#ifndef RAKIS_HOST_HOST_H
#define RAKIS_HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "boundary/boot.h"
#include "boundary/request.h"
#include "boundary/stats.h"

/* Exit statuses of RAKIS itself; any other is the program's. */
enum {
	EXIT_USAGE = 2,
	EXIT_RAKIS = 125,		/* RAKIS could not do its part */
	EXIT_CANNOT_RUN = 126,		/* the program is there, but not one that can run */
	EXIT_NOT_FOUND = 127,
};

/* Who tells the kernel that a ring has work. */
enum kick {
	KICK_AUTO,			/* by the number of processors */
	KICK_INLINE,			/* whoever leaves the enclave */
	KICK_MONITOR,			/* a thread that watches the rings */
	KICK_SQPOLL,			/* a thread of the kernel */
};

enum sgx_mode { SGX_NONE, SGX_DEVICE_DRIVER, SGX_EMULATE };

struct run_options {
	const char *root;		/* NULL: the host's */
	const char *stats_file;		/* NULL: standard error */
	char **env;			/* whole environment of the program */
	char **argv;			/* argv[0]: the program as given */
	int argc;
	uint64_t memory;		/* bytes of the enclave's range; 0: default */
	uint64_t io_mode;		/* enum rakis_io_mode */
	uint32_t log_level;		/* enum rakis_log_level */
	int kick;			/* enum kick */
	const char *uring_mask;		/* for tests: what to hide of the kernel's io_uring; or NULL */
	const char *net;		/* interface for UDP by AF_XDP; or NULL */
	uint32_t net_queues;		/* 0: as many as it has */
	bool stats, trace;
	bool allow_host;		/* an enclave without a manifest */
	int sgx;			/* enum sgx_mode */
	uint64_t sgx_cost;		/* cycles that the emulator charges for a round trip */
	const char *sgx_signed;		/* directory with what rakis sign wrote; or NULL */
	const char *sgx_key;		/* NULL: the development key */
	uint64_t threads;		/* in an enclave; 0: default */
	const char *manifest;		/* or NULL; it fills in: */
	const char *program;		/* its path for the guest, */
	const char *program_host;	/* and where the host has it */
	const uint8_t *file_key;	/* RAKIS_FILE_KEY bytes, for encrypted mounts; or NULL */
};

struct recording;

/* This run. Written before the first entry, then only read. */
struct host {
	struct rakis_layout layout;
	int sgx;			/* enum sgx_mode; without: */
	uint64_t entry;			/* addresses in the image */
	uint64_t exception_entry;
	uint64_t return_start, return_end;
	uint64_t thread_offset;

	uint64_t arena, arena_size;
	uint64_t windows;		/* RAKIS_WINDOWS of them; 0: none */
	struct rakis_stats *stats;
	uint32_t nxsks;			/* AF_XDP sockets for UDP; 0: none */
	const void *manifest;		/* struct rakis_manifest; without an enclave only */
	uint64_t manifest_size;
	int tables;			/* descriptor of its tables file */
	struct recording *record;		/* for rakis init; or NULL */
	int kick;			/* enum kick */
	const char *uring_mask;
	bool print_stats;		/* at the end */
	int stats_fd;			/* -1: standard error */
	bool stats_json;

	int log_fd;			/* standard error, whatever becomes of descriptor 2 */
	int proc_fd;			/* /proc/self/fd, from before a change of root; or -1 */
	int mem_fd;			/* /proc/self/mem, which writes where mprotect forbids; or -1 */
	uint64_t nofile[2];		/* the program's RLIMIT_NOFILE: soft, hard */
};

extern struct host host;

/* One line on standard error: "rakis: " and the text. */
void message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, then the end of this process. */
void die(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

/* A descriptor of RAKIS's own: moved out of the program's way, closed on exec. */
int own_fd(int fd);

/* Run the program; does not return. */
void run(struct run_options *opt) __attribute__((noreturn));

/* "512M" and the like; 0 if it is no size. */
uint64_t parse_size(const char *text);

/* ---- manifest/use.c ---- */

/* Read opt->manifest and fill in what it says. */
void manifest_use(struct run_options *opt);

/* ---- program.c: which file a run starts with ---- */

struct program {
	char path[4096];		/* where it was found */
	bool fixed;			/* linked at fixed addresses [low, high) */
	uint64_t low, high;
};

/* Search, look through `#!` lines, and check; ends the process if it cannot run. */
void program_find(struct program *p, const char *name, char *const *env);

/* ---- root.c ---- */

/* Make `dir` the root directory and keep the working directory if it lies below. */
void root_change(const char *dir);

/* ---- layout.c, image.c ---- */

/* Choose and reserve the range. */
void layout_reserve(const struct program *p, uint64_t memory, uint64_t image_size);

#define IMAGE_DIRECT		"rakis-enclave"
#define IMAGE_SGX		"rakis-enclave-sgx"
#define IMAGE_SEGMENTS_MOST	16

struct image;
/* Find it by its name. */
struct image *image_open(const char *name);
uint64_t image_size(const struct image *im);
uint64_t image_entry(const struct image *im);	/* offset in the image */

/* Pages [start, end) of the image. */
struct image_segment {
	uint64_t start, end;
	bool read, write, exec;
};

/* Its nth segment; false: there are no more. */
bool image_segment(const struct image *im, size_t n, struct image_segment *s);
/* The whole image, image_size() bytes, as it lies in memory. */
void image_read(const struct image *im, uint8_t *to);
/* Map it at the top of the range and find its doors. */
void image_map(struct image *im);
/* Could a range be reserved? NULL, or what is wrong. */
const char *layout_try(void);

/* ---- machine.c: what the boot structure tells about the processor ---- */

void tsc_begin(void);			/* call early: the calibration runs beside start-up */
uint64_t tsc_hz(void);
size_t cpuid_table(struct rakis_cpuid *out, size_t max);
/* What the processor or kernel lacks to run anything, or NULL. Also finds xsave_size. */
const char *machine_lacks(void);

/* ---- boot.c ---- */

/* What the program inherits, as it is now: before RAKIS opens or changes anything. */
void boot_record(void);
const struct rakis_boot *boot_make(const struct run_options *opt, const struct program *p);

/* ---- stats.c ---- */

void stats_print(FILE *f, const struct rakis_stats *s, bool json);
void stats_at_end(void);

#endif
