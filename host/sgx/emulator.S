/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulator's ENCLU: the function that stands for __vdso_sgx_enter_enclave(), the way in,
 * the way out, and the entry of signal handlers in threads that may be inside.
 */
#include "boundary/sgx.h"
#include "host/sgx/emulator.h"

#define USER_CS		0x33
#define USER_DS		0x2b
#define FLAGS_CLEAN	2

/* struct sgx_enclave_run of <asm/sgx.h> */
#define RUN_TCS		0
#define RUN_FUNCTION	8
#define RUN_VECTOR	12
#define RUN_ERROR	14
#define RUN_ADDRESS	16

	.macro push_general
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	sub	$16, %rsp			/* gs, fs */
	.endm

	.text

/* (rdi, rsi, rdx, function, r8, r9, run): all that the one of the kernel's does without a
 * user_handler. */
	.globl	emulator_enter
	.type	emulator_enter, @function
emulator_enter:
	push	%rbp
	mov	%rsp, %rbp
	push	%rbx
	mov	%ecx, %eax
	mov	16(%rbp), %rcx
	mov	RUN_TCS(%rcx), %rbx
	lea	emulator_aep(%rip), %rcx
	.globl	emulator_aep
emulator_aep:
	jmp	emulator_enclu			/* ENCLU */
	/* EEXIT comes here. */
	.globl	emulator_after
emulator_after:
	mov	16(%rbp), %rbx
	movl	$SGX_EEXIT, RUN_FUNCTION(%rbx)
1:	xor	%eax, %eax
	pop	%rbx
	leave
	ret
	/* An exception at ENCLU or inside: what the kernel puts into registers. */
	.globl	emulator_fixup
emulator_fixup:
	mov	16(%rbp), %rbx
	mov	%eax, RUN_FUNCTION(%rbx)
	mov	%di, RUN_VECTOR(%rbx)
	mov	%si, RUN_ERROR(%rbx)
	mov	%rdx, RUN_ADDRESS(%rbx)
	jmp	1b

/*
 * EENTER and ERESUME. Only r10 and r11 change before `phase` says that there is a frame: a
 * signal up to there has the thread begin anew at the AEP.
 */
	.globl	emulator_enclu
	.type	emulator_enclu, @function
emulator_enclu:
	push	$USER_DS
	push	%rsp
	pushfq
	addq	$8, 8(%rsp)
	push	$USER_CS
	push	$0				/* rip */
	push	%rax
	push_general
	mov	%fs:emulator_self@tpoff, %r11
	mov	%rsp, EMULATOR_FRAME(%r11)
	mov	%rsp, EMULATOR_HOST_SP(%r11)
	movl	$PHASE_TRY, EMULATOR_PHASE(%r11)
	.globl	emulator_enclu_saved
emulator_enclu_saved:
	mov	%r11, %rdi
	and	$-16, %rsp
	/* IRET faults with NT, and code in C wants DF and AC clear. */
	push	$FLAGS_CLEAN
	popfq
	call	emulator_leaf

/* Go on with the registers of the frame at rax. */
emulator_load:
	mov	%rax, %rsp
	pop	%rax
	wrfsbase %rax
	pop	%rax
	wrgsbase %rax
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	iretq

/*
 * EEXIT, by a jump from inside. It sets rcx and leaves the other registers and the flags as
 * they are, so there is rcx to work with, and rax, whose value is known.
 */
	.globl	emulator_eexit
	.type	emulator_eexit, @function
emulator_eexit:
	rdgsbase %rcx
	mov	$12, %eax
	shrx	%rax, %rcx, %rcx
	mov	emulator_by_gs(%rip), %rax
	mov	(%rax, %rcx, 8), %rcx
	mov	%rsp, EMULATOR_EXIT_SP(%rcx)
	mov	EMULATOR_HOST_SP(%rcx), %rsp
	push	$USER_DS
	push	EMULATOR_EXIT_SP(%rcx)
	pushfq
	push	$USER_CS
	push	%rbx				/* rip */
	push	$SGX_EEXIT			/* rax */
	push_general
	push	$FLAGS_CLEAN
	popfq
	mov	EMULATOR_HOST_FS(%rcx), %rax
	wrfsbase %rax
	mov	EMULATOR_HOST_GS(%rcx), %rax
	wrgsbase %rax
	movl	$PHASE_OUT, EMULATOR_PHASE(%rcx)
	.globl	emulator_eexit_saved
emulator_eexit_saved:
	mov	%rcx, %rdi
	mov	%rsp, %rsi
	and	$-16, %rsp
	call	emulator_leave
	jmp	emulator_load

/*
 * The kernel's entry for signals. The FS base may be the guest's, and nothing but the signal
 * stack tells which thread this is.
 */
	.globl	emulator_signal_entry
	.type	emulator_signal_entry, @function
emulator_signal_entry:
	mov	%rsp, %rax
	sub	emulator_stacks(%rip), %rax
	cmp	emulator_stacks_size(%rip), %rax
	jb	1f
	xor	%ecx, %ecx			/* a thread that never enters */
	jmp	signal_handler
1:	push	%rbx
	push	%r12
	sub	$8, %rsp
	mov	%rsp, %rax
	and	$-EMULATOR_STACK, %rax
	rdfsbase %rbx
	rdgsbase %r12
	mov	EMULATOR_HOST_FS(%rax), %rcx
	wrfsbase %rcx
	mov	EMULATOR_HOST_GS(%rax), %rcx
	wrgsbase %rcx
	mov	%rbx, %rcx
	mov	%r12, %r8
	call	emulator_signal
	test	%al, %al
	jnz	2f
	wrfsbase %rbx
	wrgsbase %r12
2:	add	$8, %rsp
	pop	%r12
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
