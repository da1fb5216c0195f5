/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host threads that enter. Each has a signal stack, and has the kernel refuse system calls
 * from everywhere but the host's own code, which lies above the enclave's range: Syscall
 * User Dispatch then hands those of the guest to signals.c.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "boundary/sgx.h"
#include "host/executor.h"
#include "host/host.h"
#include "host/sgx/sgx.h"
#include "host/thread.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH	59
#define PR_SYS_DISPATCH_ON		1
#endif

#define USER_SPACE_END	0x7ffffffff000ull
#define STACK_SIZE	(256u << 10)
#define SIGNAL_STACK	(64u << 10)

typedef void gate_entry(uint64_t block, const void *boot, void *call);

/* What a slot needs before its first thread comes. */
static int prepare(uint64_t slot)
{
	uint64_t base = host.layout.slots + slot * host.layout.slot_size;
	struct thread *t = thread_of(slot);
	int fd;

	if (t->guarded)
		return 0;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -EAGAIN;
	if (!host.sgx && mprotect((void *)base, RAKIS_PAGE_SIZE, PROT_NONE)) {
		close(fd);
		return -EAGAIN;
	}
	t->wake_fd = fd;
	t->slot = slot;
	t->block = base + (host.sgx ? RAKIS_SLOT_BLOCK : host.thread_offset);
	t->guarded = 1;
	return 0;
}

static size_t signal_stack_size(void)
{
	size_t least = getauxval(AT_MINSIGSTKSZ) + (32u << 10);

	return least > SIGNAL_STACK ? least : SIGNAL_STACK;
}

static void guard_syscalls(void)
{
	uint64_t end = host.layout.base + host.layout.size;

	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, end, USER_SPACE_END - end,
		  NULL))
		die(EXIT_RAKIS, "the kernel refuses Syscall User Dispatch (%m); "
		    "Linux 5.11 or later is needed");
}

/* What the gate of direct mode finds through GS; an enclave knows for itself. */
static void fill_block(struct thread *t)
{
	uint64_t fs;

	__asm__("mov %%fs:0, %0" : "=r"(fs));
	*(uint64_t *)(t->block + GATE_SLOT) = t->slot;
	*(uint64_t *)(t->block + GATE_HOST_FS) = fs;
}

/* Through the gate and, when the guest's thread has ended, out again. All signals are
 * blocked before and behind it. */
static void enter(struct thread *t, const void *boot)
{
	stack_t ss = { .ss_size = signal_stack_size() };

	ss.ss_sp = __builtin_alloca(ss.ss_size);
	sigaltstack(&ss, NULL);
	self = t;
	if (host.sgx)
		sgx_thread_begin(t);
	else
		fill_block(t);
	/* A processor with SGX refuses them inside of itself. */
	if (host.sgx != SGX_DEVICE_DRIVER)
		guard_syscalls();
	atomic_store(&t->tid, (int)syscall(SYS_gettid));
	signals_unblock();
	if (host.sgx)
		sgx_thread(t, boot);
	else
		((gate_entry *)host.entry)(t->block, boot, (void *)host_call);
	signals_block();
	/* The slot may have its next thread already: only what is still this thread's is undone. */
	int tid = syscall(SYS_gettid);
	atomic_compare_exchange_strong(&t->tid, &tid, 0);
	self = NULL;
	if (host.sgx)
		sgx_thread_end(t);
	/* What this thread was told to look at, another must. */
	if (poked || !signal_queue_is_empty())
		thread_interrupt_any();
}

static void *thread_main(void *arg)
{
	enter(arg, NULL);
	return NULL;
}

int thread_spawn(uint64_t slot)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int err;

	if (!thread_of(slot))
		return -EINVAL;
	err = prepare(slot);
	if (err)
		return err;
	/* It must not take a signal before it can handle one. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE + signal_stack_size());
	err = pthread_create(&thread, &attr, thread_main, thread_of(slot));
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err ? -EAGAIN : 0;
}

void threads_start(const void *boot)
{
	if (prepare(0))
		die(EXIT_RAKIS, "cannot set up the first thread: %m");
	enter(thread_of(0), boot);
	/* The first thread of a process stays while others run; all signals are for those. */
	for (;;)
		pause();
}
