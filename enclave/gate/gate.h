/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the enclave. Assembly (direct.S, sgx.S) enters, exits, and takes system
 * calls and exceptions of the guest; this header is what the C side knows of it.
 */
#ifndef RAKIS_GATE_GATE_H
#define RAKIS_GATE_GATE_H

#include "boundary/boot.h"
#include "boundary/gate_thread.h"
#include "lib/types.h"

struct task;

/* Registers of the guest, at the top of the thread's libOS stack while it is inside. */
struct regs {
	u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	u64 rax, rcx, rdx, rsi, rdi;
	u64 orig_rax;		/* number of the system call; ~0 for an exception */
	u64 rip, flags, rsp;
	u64 pad;
};

/* Per-thread block; GS points to it. Offsets are those of boundary/gate_thread.h. */
struct gate_thread {
	struct gate_thread *self;
	u64 syscall_entry;
	u64 stack_top;
	u64 guest_rsp;
	u64 return_rip;
	u64 stack_guard;
	u64 host_rsp;
	u64 host_fs;		/* or RBP */
	u64 host_call;		/* or RIP */
	u64 guest_fs;
	_Atomic u32 pending;
	u32 inside;
	u64 slot;
	u64 scratch;
	u64 exc_rip;
	u64 exc_cause;
	u64 exc_addr;
	u64 exc_code;
	struct task *task;
	u64 panic_stack;
	u64 exc_rax;
	u64 exc_flags;
	u64 libos_rsp;
	_Atomic u32 state;	/* enum gate_state */
	_Atomic u32 notified;	/* hostio/park.c */
	_Atomic u32 parked;
	u32 spin;
	u32 ring;		/* hostio/async.c: number of its home ring + 1, or 0 */
	u32 depends;		/* rings that its next park depends on */
	u32 reaping;		/* hostio/async.c */
	u32 taken, batch;	/* completions since the last park; how many are worth a moment */
	u32 wake_depth;		/* libos/wait.c: wake-ups put off until locks are released */
	struct gate_thread *wake_list;
	struct gate_thread *_Atomic wake_next;
};

enum gate_state { GATE_FREE, GATE_STARTING, GATE_RUNNING };

#ifdef RAKIS_UNIT
/* As user code, GS is not ours. */
extern __thread struct gate_thread *unit_gate_self;

static inline struct gate_thread *gate_self(void)
{
	return unit_gate_self;
}

static inline struct task *gate_task(void)
{
	return unit_gate_self->task;
}
#else
static inline struct gate_thread *gate_self(void)
{
	struct gate_thread *t;

	__asm__("mov %%gs:0, %0" : "=r"(t));
	return t;
}

/* The running thread's task. */
static inline struct task *gate_task(void)
{
	struct task *t;

	__asm__ volatile("mov %%gs:%c1, %0" : "=r"(t) : "i"(GATE_TASK));
	return t;
}
#endif

/* Base of the guest's TLS. It holds while the guest and the libOS run, not outside. */
static inline void gate_set_guest_fs(u64 base)
{
	__asm__ volatile("wrfsbase %0" :: "r"(base));
}

static inline u64 gate_guest_fs(void)
{
	u64 base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

/* Leave the enclave, let the host do `arg` for `reason`, come back with its answer. */
int64_t gate_exit(u64 reason, u64 arg);

enum gate_exit_reason {
	GATE_EXIT_REQUEST,	/* arg: address of the struct rakis_request in the arena */
	GATE_EXIT_THREAD,	/* the thread ends; never comes back */
};

/* End this thread: leaves its stack, then marks its slot free. */
void gate_thread_end(void) __noreturn;

/* Load all guest registers from `regs` (at the top of this stack) and run the guest. */
void gate_return(void) __noreturn;

static inline struct regs *gate_regs(void)
{
	return (struct regs *)(gate_self()->stack_top - sizeof(struct regs));
}

/*
 * Slots: one per host thread that may be inside. gate_slot_alloc() reserves a free one
 * (-EAGAIN: none left), gate_slot() gives its block; the libOS fills ->task, asks the
 * host to SPAWN it, and the new thread comes in through libos_thread_start().
 */
int gate_slot_alloc(void) __must_check;
void gate_slot_free(int slot);		/* only if it was never spawned */
struct gate_thread *gate_slot(int slot);

/* What the gate calls. */
/* First entry. `host_boot` is the host's word for where its struct rakis_boot is: unchecked. */
void libos_start(struct gate_thread *thread, u64 host_boot) __noreturn;
void libos_thread_start(struct task *task) __noreturn;
void syscall_dispatch(struct regs *regs);
void syscall_count_trapped(void);	/* ahead of it, for a call that came by exception */
/* Before the guest goes on: signals, timers, end of the process. Called with pending != 0. */
void return_work(struct regs *regs);
/* The guest's exception or interruption; cause and details are in gate_self()->exc_*. */
void guest_exception(struct regs *regs);

/* Layout of this enclave, checked at start. */
extern struct rakis_layout gate_layout;

/* What differs between the gates besides the door itself: direct.c, sgx.c. */
extern const bool gate_sealed;		/* the host cannot reach into the range: an enclave */
extern const u64 gate_slot_size;
/* The layout that was measured; direct: what the host says. */
const struct rakis_layout *gate_measured_layout(const struct rakis_boot *boot);
/* The manifest that was measured: NULL without one, and in direct mode. */
const void *gate_measured_manifest(u64 *size);
/* 32 bytes that only enclaves of the same signer get on this machine; false: no enclave. */
bool gate_sealing_key(u8 key[32]) __must_check;
/* The extended state that a guest can have: a mask of components, and the bytes that XSAVE
 * writes for it. */
u64 gate_xstate_mask(void);
u32 gate_xstate_size(void);
/* Of the running thread, for vectors.c: zeros at first, 64-byte aligned. */
struct gate_vectors {
	u8 area[2688];		/* as far as AVX-512 (SDM, volume 1, "XSAVE-managed state") */
};
struct gate_vectors *gate_vectors_room(void);

/* True if [addr, addr + len) lies in the guest's part of the range. Wrap-safe. */
static inline bool guest_range_ok(u64 addr, u64 len)
{
	return addr >= gate_layout.base && addr <= gate_layout.heap &&
	       len <= gate_layout.heap - addr;
}

#endif
