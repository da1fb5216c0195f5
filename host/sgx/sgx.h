/* SPDX-License-Identifier: Apache-2.0 */
/* What the rest of the host calls for a run in an enclave. */
#ifndef RAKIS_HOST_SGX_SGX_H
#define RAKIS_HOST_SGX_SGX_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

struct compiled;
struct image;
struct program;
struct run_options;
struct thread;

/* Lay out, sign or take what is signed, build the enclave; fills in host.layout. */
void sgx_start(const struct run_options *opt, const struct program *program,
	       const struct image *image);

/* What rakis sign writes. */
#define FILE_SIGSTRUCT	"rakis.sig"
#define FILE_POLICY	"rakis.policy"		/* struct rakis_policy, and the manifest behind it */
#define FILE_TABLES	"rakis.tables"		/* boundary/policy.h */

/* Write DIR/rakis.sig and DIR/rakis.policy, what --signed of a run takes; DIR/rakis.tables too. */
struct sign_options {
	const char *key;		/* NULL: the development key */
	const char *dir;
	const char *dump;		/* list of all pages, for tests; or NULL */
	uint64_t memory, threads;	/* 0: default */
	const struct compiled *compiled;	/* the manifest (host/manifest/manifest.h), or NULL */
};
void sgx_sign(const struct sign_options *opt);

/*
 * The calling thread is the one of this slot: with all signals blocked, before and behind
 * sgx_thread(), which goes in and returns when the thread of the guest has ended.
 */
void sgx_thread_begin(struct thread *t);
void sgx_thread(struct thread *t, const void *boot);
void sgx_thread_end(struct thread *t);

/*
 * From a signal handler: a signal came that has nothing to do with what this thread does.
 * True: the thread was inside, and knows.
 */
bool sgx_interrupted(struct thread *t, greg_t *regs);
/* A debug exception or breakpoint, which the kernel does not report otherwise. */
bool sgx_debug_exception(struct thread *t, const greg_t *regs);

/* Can enclaves be had here, of the processor or of the emulator? What there is, or is missing. */
bool sgx_probe(char *text, size_t size);
bool emulator_probe(char *text, size_t size);

/* The kernel's entry for signals under the emulator. */
void emulator_signal_entry(int sig, void *info, void *context);

#endif
