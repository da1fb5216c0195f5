/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets in the per-thread block that GS points to (enclave/gate/gate.h has the
 * structure). They are shared because stubs in guest memory jump through one of them
 * and because in direct mode the host plays the processor's part: it fills what an
 * enclave's SSA frame would hold. In an enclave the host sees none of this.
 * Plain numbers: assembly includes this file.
 */
#ifndef RAKIS_BOUNDARY_GATE_THREAD_H
#define RAKIS_BOUNDARY_GATE_THREAD_H

#define GATE_SELF		0x00	/* the block's own address */
#define GATE_SYSCALL_ENTRY	0x08	/* where a patched site's stub jumps */
#define GATE_STACK_TOP		0x10	/* of the libOS stack of this thread */
#define GATE_GUEST_RSP		0x18	/* scratch of the entry path */
#define GATE_RETURN_RIP		0x20	/* scratch of the return path */
#define GATE_STACK_GUARD	0x28	/* -mstack-protector-guard-offset */
#define GATE_HOST_RSP		0x30	/* host's stack while inside */
#define GATE_HOST_FS		0x38	/* direct: host FS base while inside */
#define GATE_HOST_RBP		0x38	/* SGX: the host's, as it is to find it again */
#define GATE_HOST_CALL		0x40	/* direct: host function that takes exits */
#define GATE_HOST_RIP		0x40	/* SGX: where it is left to */
#define GATE_GUEST_FS		0x48	/* guest FS base */
#define GATE_PENDING		0x50	/* u32: GATE_PENDING_*: look before returning to the guest */
#define GATE_INSIDE		0x54	/* u32: 1 while the thread is inside */
#define GATE_SLOT		0x58	/* u64: number of this slot */
#define GATE_SCRATCH		0x60	/* SGX: scratch of the entry */
#define GATE_EXC_RIP		0x68	/* exception: where the thread was */
#define GATE_EXC_CAUSE		0x70	/* exception: enum gate_cause */
#define GATE_EXC_ADDR		0x78	/* exception: faulting address, or next RIP of a trapped syscall */
#define GATE_EXC_CODE		0x80	/* exception: page-fault error code, or si_code of the host */
#define GATE_TASK		0x88	/* struct task * */
#define GATE_PANIC_STACK	0x90	/* stack for faults of the libOS itself */
#define GATE_EXC_RAX		0x98	/* exception entry: scratch for rax */
#define GATE_EXC_FLAGS		0xa0	/* exception entry: guest's RFLAGS */

#define GATE_LIBOS_RSP		0xa8	/* SGX: libOS stack while outside */
#define GATE_STATE		0xb0	/* u32: 0 free */

#define GATE_PENDING_WORK	1	/* set by the libOS: signals to deliver, thread to end */
#define GATE_PENDING_HOST	2	/* set from outside: ask SIGNAL_TAKE, run timers */

/* GATE_EXC_CAUSE: x86 vectors, and causes that are none. */
#define GATE_CAUSE_DE		0	/* divide error */
#define GATE_CAUSE_DB		1	/* single step */
#define GATE_CAUSE_BP		3	/* int3 */
#define GATE_CAUSE_UD		6	/* invalid opcode */
#define GATE_CAUSE_GP		13	/* general protection */
#define GATE_CAUSE_PF		14	/* page fault */
#define GATE_CAUSE_MF		16	/* x87 */
#define GATE_CAUSE_AC		17	/* alignment */
#define GATE_CAUSE_XM		19	/* SSE */
#define GATE_CAUSE_SYSCALL	0x100	/* a syscall instruction that was not patched */
#define GATE_CAUSE_INTERRUPT	0x101	/* nothing wrong: look at what is pending */
#define GATE_CAUSE_BUS		0x102	/* file window past its end */

#endif
