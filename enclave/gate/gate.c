/* SPDX-License-Identifier: Apache-2.0 */
/* The C side of the door: first entry, relocation, thread slots. */
#include <linux/elf.h>
#include "boundary/boot.h"
#include "gate/gate.h"
#include "lib/errno.h"
#include "lib/log.h"

/* From the linker. */
extern const char __ehdr_start[];
extern const Elf64_Dyn _DYNAMIC[];

#define CHECK_OFFSET(field, off) \
	_Static_assert(offsetof(struct gate_thread, field) == (off), #field)
CHECK_OFFSET(self, GATE_SELF);
CHECK_OFFSET(syscall_entry, GATE_SYSCALL_ENTRY);
CHECK_OFFSET(stack_top, GATE_STACK_TOP);
CHECK_OFFSET(guest_rsp, GATE_GUEST_RSP);
CHECK_OFFSET(return_rip, GATE_RETURN_RIP);
CHECK_OFFSET(stack_guard, GATE_STACK_GUARD);
CHECK_OFFSET(host_rsp, GATE_HOST_RSP);
CHECK_OFFSET(host_fs, GATE_HOST_FS);
CHECK_OFFSET(host_call, GATE_HOST_CALL);
CHECK_OFFSET(guest_fs, GATE_GUEST_FS);
CHECK_OFFSET(pending, GATE_PENDING);
CHECK_OFFSET(inside, GATE_INSIDE);
CHECK_OFFSET(slot, GATE_SLOT);
CHECK_OFFSET(exc_rip, GATE_EXC_RIP);
CHECK_OFFSET(exc_cause, GATE_EXC_CAUSE);
CHECK_OFFSET(exc_addr, GATE_EXC_ADDR);
CHECK_OFFSET(exc_code, GATE_EXC_CODE);
CHECK_OFFSET(task, GATE_TASK);
CHECK_OFFSET(panic_stack, GATE_PANIC_STACK);
CHECK_OFFSET(exc_rax, GATE_EXC_RAX);
CHECK_OFFSET(exc_flags, GATE_EXC_FLAGS);
CHECK_OFFSET(libos_rsp, GATE_LIBOS_RSP);
CHECK_OFFSET(state, GATE_STATE);
_Static_assert(sizeof(struct regs) == 160, "REGS_SIZE of the assembly");

struct rakis_layout gate_layout;

/* The image starts once; every later entry is a thread that the libOS asked for. */
static _Atomic u32 started;

/* The image is linked at 0 and has RELATIVE relocations only (the build checks it). */
__attribute__((no_stack_protector))
static void relocate(void)
{
	u64 base = (u64)__ehdr_start;
	const Elf64_Rela *rela = NULL;
	u64 size = 0;

	for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_RELA)
			rela = (const Elf64_Rela *)(base + d->d_un.d_ptr);
		else if (d->d_tag == DT_RELASZ)
			size = d->d_un.d_val;
	}
	for (u64 i = 0; i < size / sizeof(*rela); i++)
		*(u64 *)(base + rela[i].r_offset) = base + rela[i].r_addend;
}

/* From gate_entry, on the thread's libOS stack. Returns if no thread was asked for. */
void gate_main(struct gate_thread *thread, u64 host_boot);
__attribute__((no_stack_protector))
void gate_main(struct gate_thread *thread, u64 host_boot)
{
	u32 expected = GATE_STARTING;

	if (!atomic_exchange(&started, 1)) {
		relocate();
		atomic_store_explicit(&thread->state, GATE_RUNNING, memory_order_relaxed);
		libos_start(thread, host_boot);
	}
	/* Acquire: what the parent wrote before it asked the host to spawn. */
	if (!atomic_compare_exchange_strong_explicit(&thread->state, &expected, GATE_RUNNING,
			memory_order_acquire, memory_order_relaxed))
		return;
	libos_thread_start(thread->task);
}

struct gate_thread *gate_slot(int slot)
{
	return (struct gate_thread *)(gate_layout.slots + (slot + 1ull) * gate_slot_size -
				      RAKIS_PAGE_SIZE);
}

int gate_slot_alloc(void)
{
	for (u32 i = 1; i < gate_layout.slot_count; i++) {
		struct gate_thread *t = gate_slot(i);
		u32 expected = GATE_FREE;

		/* Acquire: pairs with the store in gate_thread_end, after which the stack is unused. */
		if (atomic_load_explicit(&t->state, memory_order_relaxed) == GATE_FREE &&
		    atomic_compare_exchange_strong_explicit(&t->state, &expected, GATE_STARTING,
				memory_order_acquire, memory_order_relaxed)) {
			t->slot = i;
			atomic_store_explicit(&t->pending, 0, memory_order_relaxed);
			atomic_store_explicit(&t->notified, 0, memory_order_relaxed);
			atomic_store_explicit(&t->parked, 0, memory_order_relaxed);
			return i;
		}
	}
	return -EAGAIN;
}

void gate_slot_free(int slot)
{
	atomic_store_explicit(&gate_slot(slot)->state, GATE_FREE, memory_order_release);
}

/* A fault of the libOS's own code. */
void gate_panic(u64 rip, u64 addr, u64 cause) __noreturn;
void gate_panic(u64 rip, u64 addr, u64 cause)
{
	panic("internal error: cause %lu at image+0x%lx, address 0x%lx, please report this",
	      cause, rip - (u64)__ehdr_start, addr);
}

/* -fstack-protector: the canary at GATE_STACK_GUARD was overwritten. */
void __stack_chk_fail(void) __noreturn;
void __stack_chk_fail(void)
{
	panic("internal error: stack overflow, please report this");
}
