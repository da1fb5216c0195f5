/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's side of the door, the same in every environment: system calls of patched sites,
 * the way back, and where an interrupted thread goes on. What the thread's block holds of an
 * exception was put there by the host (direct.S) or by the look at the SSA frame (sgx.S).
 */
#include "boundary/boot.h"
#include "boundary/gate_thread.h"
#include "gate/asm.h"

	.text

/*
 * A patched system call: from its stub, with the guest's registers, rcx holding where to
 * go on. Builds struct regs at the top of this thread's libOS stack.
 */
	.globl	gate_syscall_entry
	.type	gate_syscall_entry, @function
gate_syscall_entry:
	mov	%rsp, %gs:GATE_GUEST_RSP
	mov	%gs:GATE_STACK_TOP, %rsp
	push	$0				/* pad */
	push	%gs:GATE_GUEST_RSP
	pushfq
	push	%rcx				/* rip */
	push	%rax				/* orig_rax */
	push_general %rax
	cld
	/* Alignment checks are the guest's business; the libOS would fault. */
	testl	$FLAGS_AC, REGS_FLAGS(%rsp)
	jnz	2f
1:	mov	%rsp, %rdi
	call	syscall_dispatch
	jmp	gate_return
2:	push	$FLAGS_CLEAN
	popfq
	jmp	1b

/*
 * Back to the guest. An interruption between gate_return_start and gate_return_end
 * resumes at gate_return_start with `pending` set: the frame is intact until the last
 * jump, so the way back can be begun again.
 */
	.globl	gate_return, gate_return_start, gate_return_end
	.type	gate_return, @function
gate_return:
gate_return_start:
	mov	%gs:GATE_STACK_TOP, %rsp
	lea	-REGS_SIZE(%rsp), %rsp
	cmpl	$0, %gs:GATE_PENDING
	jne	gate_return_end
	mov	REGS_RIP(%rsp), %rax
	mov	%rax, %gs:GATE_RETURN_RIP
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	lea	16(%rsp), %rsp			/* orig_rax, rip */
	popfq
	pop	%rsp
	jmp	*%gs:GATE_RETURN_RIP
gate_return_end:
	push	$FLAGS_CLEAN			/* an interruption may have come with the guest's */
	popfq
	mov	%rsp, %rdi
	call	return_work
	jmp	gate_return

/*
 * The guest was interrupted (exception, untrapped system call, signal from outside), or
 * the libOS faulted. All registers but rip are those of that moment; rip, cause and
 * details are in the thread's block.
 */
	.globl	gate_exception_entry
	.type	gate_exception_entry, @function
gate_exception_entry:
	mov	%rax, %gs:GATE_EXC_RAX
	mov	%rsp, %gs:GATE_GUEST_RSP
	mov	%gs:GATE_PANIC_STACK, %rsp
	pushfq
	pop	%gs:GATE_EXC_FLAGS
	push	$FLAGS_CLEAN			/* DF and AC are the guest's */
	popfq
	/* In the image: a copy to or from the guest that met a bad page, or a bug. */
	lea	__ehdr_start(%rip), %rax
	cmp	%rax, %gs:GATE_EXC_RIP
	jb	1f
	lea	_end(%rip), %rax
	cmp	%rax, %gs:GATE_EXC_RIP
	jb	2f
1:	mov	%gs:GATE_STACK_TOP, %rsp
	push	$0
	push	%gs:GATE_GUEST_RSP
	push	%gs:GATE_EXC_FLAGS
	push	%gs:GATE_EXC_RIP
	push	$-1				/* orig_rax: no system call */
	push_general %gs:GATE_EXC_RAX
	mov	%rsp, %rdi
	call	guest_exception
	jmp	gate_return

2:	lea	usercopy_start(%rip), %rax
	cmp	%rax, %gs:GATE_EXC_RIP
	jb	3f
	lea	usercopy_end(%rip), %rax
	cmp	%rax, %gs:GATE_EXC_RIP
	jae	3f
	/* Leaf functions without a frame: their caller gets "not all copied" (rcx: bytes left). */
	mov	%gs:GATE_GUEST_RSP, %rsp
	jmp	usercopy_fault

3:	mov	%gs:GATE_EXC_RIP, %rdi
	mov	%gs:GATE_EXC_ADDR, %rsi
	mov	%gs:GATE_EXC_CAUSE, %rdx
	call	gate_panic
	ud2

	.section .note.GNU-stack, "", @progbits
