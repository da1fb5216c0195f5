/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate without an enclave: the host calls gate_entry as a function, and exits are
 * calls of a host function. Everything that an enclave's hardware would do at the door
 * is done here or, for exceptions, by the host's signal handler.
 */
#include "boundary/boot.h"
#include "boundary/gate_thread.h"
#include "gate/asm.h"

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
	ud2				/* it came back: no thread was asked for here */

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
