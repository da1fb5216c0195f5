/* SPDX-License-Identifier: Apache-2.0 */
/* The exception entry of the gate, as a signal handler: a fault in usercopy.S ends the copy. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>
#include "fake_fault.h"

extern const char usercopy_start[], usercopy_end[], usercopy_fault[];

static void on_fault(int sig, siginfo_t *info, void *context)
{
	greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	if (*rip >= (greg_t)usercopy_start && *rip < (greg_t)usercopy_end)
		*rip = (greg_t)usercopy_fault;
	else
		signal(sig, SIG_DFL);
}

void fake_catch_faults(void)
{
	const struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGSEGV, &act, NULL))
		abort();
}
