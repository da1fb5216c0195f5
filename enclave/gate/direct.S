/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate without an enclave: the host calls gate_entry as a function, and exits are
 * calls of a host function. Everything that an enclave's hardware would do at the door
 * is done here or, for exceptions, by the host's signal handler.
 */
#include "boundary/boot.h"
#include "boundary/gate_thread.h"

#define REGS_SIZE	160	/* struct regs */
#define REGS_RIP	128
#define REGS_FLAGS	136
#define FLAGS_AC	0x40000
#define FLAGS_CLEAN	2

	.macro push_callee_saved
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	.endm

	.macro pop_callee_saved
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	.endm

	/* The general registers of struct regs; rax is given, as it may be elsewhere. */
	.macro push_general rax
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	\rax
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	.endm

	.text

/*
 * gate_entry(struct gate_thread *thread, const struct rakis_boot *boot, host_call)
 * On the host's stack, with the host's FS. Returns to the host when the thread ends.
 */
	.globl	gate_entry
	.type	gate_entry, @function
gate_entry:
	push_callee_saved
	sub	$8, %rsp
	wrgsbase %rdi
	mov	%rdi, %gs:GATE_SELF
	mov	%rdx, %gs:GATE_HOST_CALL
	rdfsbase %rax
	mov	%rax, %gs:GATE_HOST_FS
	mov	%rsp, %gs:GATE_HOST_RSP
	/* The libOS stack ends where this block begins. */
	mov	%rdi, %gs:GATE_STACK_TOP
	lea	RAKIS_PAGE_SIZE(%rdi), %rax
	mov	%rax, %gs:GATE_PANIC_STACK
	lea	gate_syscall_entry(%rip), %rax
	mov	%rax, %gs:GATE_SYSCALL_ENTRY
	/* A canary of its own for each thread; retry as the manual asks. */
1:	rdrand	%rax
	jnc	1b
	xor	%al, %al
	mov	%rax, %gs:GATE_STACK_GUARD
	movl	$1, %gs:GATE_INSIDE
	lea	-REGS_SIZE(%rdi), %rsp		/* struct regs goes above */
	xor	%ebp, %ebp
	cld
	call	gate_main
	ud2

/* gate_thread_end(): the stack must not be used once the slot is free. */
	.globl	gate_thread_end
	.type	gate_thread_end, @function
gate_thread_end:
	mov	%gs:GATE_SELF, %rdi
	mov	%gs:GATE_HOST_RSP, %rsp
	mov	%gs:GATE_HOST_FS, %rax
	wrfsbase %rax
	movl	$0, %gs:GATE_INSIDE
	xor	%eax, %eax
	wrgsbase %rax
	movl	$0, GATE_STATE(%rdi)		/* GATE_FREE */
	add	$8, %rsp
	pop_callee_saved
	ret

/* int64_t gate_exit(reason, arg): the host's answer. */
	.globl	gate_exit
	.type	gate_exit, @function
gate_exit:
	push_callee_saved
	/* The guest may have set its FS base itself. */
	rdfsbase %rax
	mov	%rax, %gs:GATE_GUEST_FS
	mov	%rsp, %rbx
	mov	%gs:GATE_HOST_FS, %rax
	mov	%gs:GATE_HOST_RSP, %rsp
	wrfsbase %rax
	movl	$0, %gs:GATE_INSIDE
	mov	%gs:GATE_SLOT, %rdx
	call	*%gs:GATE_HOST_CALL
	movl	$1, %gs:GATE_INSIDE
	mov	%gs:GATE_GUEST_FS, %rdx
	wrfsbase %rdx
	mov	%rbx, %rsp
	cld
	pop_callee_saved
	ret

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
	.globl	gate_return
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
	mov	%rsp, %rdi
	cld
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

/* How the host finds these places (struct rakis_gate_note). */
	.section .note.rakis, "a", @note
	.balign	4
	.long	6, 2f - 1f, RAKIS_NOTE_GATE
	.asciz	"RAKIS"
	.balign	4
1:	.long	RAKIS_BOUNDARY_VERSION
	.long	gate_exception_entry - .
	.long	gate_return_start - .
	.long	gate_return_end - .
	.long	RAKIS_SLOT_SIZE - RAKIS_PAGE_SIZE
2:
	.section .note.GNU-stack, "", @progbits
