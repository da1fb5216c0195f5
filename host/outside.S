/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host cannot say in C: the entry of signal handlers, which may find the guest's
 * FS base in place; a system call that a wake-up cannot slip past; and calling code that
 * uses vector registers while those hold the guest's values.
 */
#include "boundary/gate_thread.h"

#define EINTR	4

	.text

/*
 * signal_entry(sig, info, context). GS is 0 in threads that are not in the gate. The host's
 * FS base is in the block while GS is set, on both sides of the door.
 */
	.globl	signal_entry
	.type	signal_entry, @function
signal_entry:
	rdgsbase %rcx
	test	%rcx, %rcx
	jz	1f
	push	%rbx
	rdfsbase %rbx
	mov	GATE_HOST_FS(%rcx), %rax
	wrfsbase %rax
	call	signal_handler
	wrfsbase %rbx
	pop	%rbx
	ret
1:	jmp	signal_handler

/* call_unless(stop, nr, a, b, c, d, e, f) */
	.globl	call_unless
	.type	call_unless, @function
call_unless:
	/* rdi is overwritten below and r11 by the call, after its last use here. */
	mov	%rdi, %r11
	mov	%rsi, %rax
	mov	%rdx, %rdi
	mov	%rcx, %rsi
	mov	%r8, %rdx
	mov	%r9, %r10
	mov	8(%rsp), %r8
	mov	16(%rsp), %r9
	.globl	call_unless_start
call_unless_start:
	cmpl	$0, (%r11)
	jne	call_unless_cancel
	syscall
	.globl	call_unless_end
call_unless_end:
	ret
	.globl	call_unless_cancel
call_unless_cancel:
	mov	$-EINTR, %rax
	ret

/* with_fpu(fn, a, b) */
	.globl	with_fpu
	.type	with_fpu, @function
with_fpu:
	push	%rbp
	mov	%rsp, %rbp
	push	%rbx
	push	%r12
	mov	%rdi, %r8
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	sub	xsave_size(%rip), %rsp
	and	$-64, %rsp
	mov	%rsp, %rbx
	/* XRSTOR wants the parts of the header that XSAVE does not write to be 0. */
	xor	%eax, %eax
	.irp	at, 512, 520, 528, 536, 544, 552, 560, 568
	mov	%rax, \at(%rbx)
	.endr
	mov	$-1, %eax
	mov	$-1, %edx
	xsave64	(%rbx)
	fninit
	ldmxcsr	default_mxcsr(%rip)
	call	*%r8
	mov	%rax, %r12
	mov	$-1, %eax
	mov	$-1, %edx
	xrstor64 (%rbx)
	mov	%r12, %rax
	lea	-16(%rbp), %rsp
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret

	.section .rodata
	.balign	4
default_mxcsr:
	.long	0x1f80

	.section .note.GNU-stack, "", @progbits
