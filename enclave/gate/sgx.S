/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate of an enclave. EENTER comes to gate_entry, EEXIT leaves at one place, and an
 * asynchronous exit (AEX) is looked at by a second entry, on SSA frame 1. boundary/sgx.h says
 * what passes. SDM: volume 3D, chapters "Enclave operation" and "Enclave exiting events".
 *
 * What the processor vouches for at an entry is RAX (CSSA), RBX, RCX, and the bases of FS and
 * GS from the TCS. Everything else is the host's, flags and stack pointer included.
 *
 * GATE_INSIDE is where the slot's thread stands; a TCS has one logical processor at a time, so
 * nobody else changes it. An entry that it does not allow goes out again at once.
 */
#include "boundary/boot.h"
#include "boundary/gate_thread.h"
#include "boundary/sgx.h"
#include "gate/asm.h"

/* From the thread's block to the other parts of its slot. */
#define SSA		(RAKIS_SLOT_SSA - RAKIS_SLOT_BLOCK)
#define XSTATE		(RAKIS_SLOT_XSTATE - RAKIS_SLOT_BLOCK)

/* GATE_INSIDE */
#define NOBODY		0
#define INSIDE		1
#define OUTSIDE		2		/* in an EXIT_REQUEST */

#define FLAGS_TF	0x100
#define POLICY_XFRM	(__ehdr_start - RAKIS_POLICY_SIZE + RAKIS_POLICY_XFRM)

	/* edx:eax: the components of the extended state that there are. */
	.macro all_components
	mov	POLICY_XFRM(%rip), %eax
	xor	%edx, %edx
	.endm

	/* In: where the host wants its thread back (r9 RSP, r10 RBP, rbx RIP), r8 its flags. */
	.macro come_in
	mov	%r9, %gs:GATE_HOST_RSP
	mov	%r10, %gs:GATE_HOST_RBP
	mov	%rbx, %gs:GATE_HOST_RIP
	movl	$INSIDE, %gs:GATE_INSIDE
	/* What is pending outside, in a bit that has the same place inside. */
	and	$GATE_PENDING_HOST, %r8d
	lock or	%r8d, %gs:GATE_PENDING
	.endm

	.macro recall_host
	mov	%gs:GATE_HOST_RSP, %r9
	mov	%gs:GATE_HOST_RBP, %r10
	mov	%gs:GATE_HOST_RIP, %rbx
	.endm

	.text

/* OENTRY of every TCS: rdi command, rsi argument, r8 flags. */
	.globl	gate_entry
	.type	gate_entry, @function
gate_entry:
	/*
	 * DF and AC are the host's (CVE-2019-14565 and its like), RSP as well. One word of the
	 * block serves as a stack; a look may interrupt this and do the same with the same word.
	 */
	mov	%rsp, %r9
	mov	%rbp, %r10
	mov	%rcx, %rbx
	rdgsbase %r11
	lea	GATE_SCRATCH + 8(%r11), %rsp
	push	$FLAGS_CLEAN
	popfq
	test	%eax, %eax
	jnz	look
	cmp	$RAKIS_ENTER_START, %rdi
	je	start
	cmp	$RAKIS_ENTER_RETURN, %rdi
	jne	refuse
	cmpl	$OUTSIDE, %gs:GATE_INSIDE
	jne	refuse
	lfence				/* no speculation past what was checked */

	/* Back from gate_exit(): rsi is its answer. */
	come_in
	all_components
	xrstor64 XSTATE(%r11)
	mov	%gs:GATE_GUEST_FS, %rdx
	wrfsbase %rdx
	mov	%rsi, %rax
	mov	%gs:GATE_LIBOS_RSP, %rsp
	pop_callee_saved
	ret

start:
	cmpl	$NOBODY, %gs:GATE_INSIDE
	jne	refuse
	lfence
	come_in
	mov	%r11, %gs:GATE_SELF
	/* The libOS stack ends where this block begins. */
	mov	%r11, %gs:GATE_STACK_TOP
	lea	RAKIS_PAGE_SIZE(%r11), %rax
	mov	%rax, %gs:GATE_PANIC_STACK
	lea	gate_syscall_entry(%rip), %rax
	mov	%rax, %gs:GATE_SYSCALL_ENTRY
	/* A canary of its own for each thread; retry as the manual asks. */
1:	rdrand	%rax
	jnc	1b
	xor	%al, %al
	mov	%rax, %gs:GATE_STACK_GUARD
	/* x87, MXCSR and vector registers are the host's ("Faulty Point Unit"). */
	all_components
	xrstor64 clean_state(%rip)
	mov	%r11, %rdi
	lea	-REGS_SIZE(%r11), %rsp		/* struct regs goes above */
	xor	%ebp, %ebp
	call	gate_main
	/* It came back: no thread was asked for here. */
	recall_host
	movl	$NOBODY, %gs:GATE_INSIDE
refuse:
	mov	$RAKIS_EXIT_REFUSED, %edi
	xor	%esi, %esi

/*
 * The only way out. EEXIT clears nothing: what is in the registers is seen outside.
 * rdi and rsi are for the host, r9, r10 and rbx were its own; after CSSA 0 the extended state
 * is clean.
 */
leave:
	mov	%r9, %rsp
	mov	%r10, %rbp
	mov	$SGX_EEXIT, %eax
	xor	%edx, %edx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	xor	%ecx, %ecx		/* and the flags */
eexit:	enclu
	ud2

/* int64_t gate_exit(reason, arg): the host's answer. */
	.globl	gate_exit
	.type	gate_exit, @function
gate_exit:
	push_callee_saved
	mov	%rsp, %gs:GATE_LIBOS_RSP
	/* The guest may have set its FS base itself. */
	rdfsbase %rax
	mov	%rax, %gs:GATE_GUEST_FS
	/* The libOS uses no vector register: they hold the guest's values. */
	rdgsbase %r11
	all_components
	xsave64	XSTATE(%r11)
	xrstor64 clean_state(%rip)
	recall_host
	movl	$OUTSIDE, %gs:GATE_INSIDE
	jmp	leave

/* gate_thread_end(): no memory of the slot is used once it is free. */
	.globl	gate_thread_end
	.type	gate_thread_end, @function
gate_thread_end:
	all_components
	xrstor64 clean_state(%rip)
	recall_host
	mov	$RAKIS_EXIT_THREAD, %edi
	xor	%esi, %esi
	movl	$NOBODY, %gs:GATE_INSIDE
	movl	$0, %gs:GATE_STATE		/* GATE_FREE */
	jmp	leave

/*
 * CSSA 1: an AEX left the thread in SSA frame 0. Like the host's signal handler in direct mode,
 * this notes the exception, or that something is pending, and where the thread is to go on.
 * No stack, no memory but frame 0 and the block; another AEX meanwhile has frame 1, and there
 * is no frame for an entry on top of it. The extended state stays the host's.
 *
 * r13 is where the thread was, r14 how far that is into the image.
 */
look:
	lea	SSA(%r11), %r12
	mov	SGX_GPR_RIP(%r12), %r13
	lea	__ehdr_start(%rip), %rax
	lea	_end(%rip), %rdx
	sub	%rax, %rdx			/* the size of the image */
	mov	%r13, %r14
	sub	%rax, %r14
	/* Is it within the restartable way back? */
	lea	gate_return_start(%rip), %rax
	lea	gate_return_end(%rip), %r15
	sub	%rax, %r15
	mov	%r13, %r8
	sub	%rax, %r8
	mov	$RAKIS_LOOK_NOTED, %esi
	cmp	$RAKIS_ENTER_EXCEPTION, %rdi
	je	exception
	cmp	$RAKIS_ENTER_INTERRUPT, %rdi
	jne	refuse

	lock orl $GATE_PENDING_HOST, %gs:GATE_PENDING
	mov	$GATE_CAUSE_INTERRUPT, %ecx
	cmp	%rdx, %r14
	jae	raise
	cmp	%r15, %r8
	jae	resume
	mov	%rax, SGX_GPR_RIP(%r12)
	jmp	taken

exception:
	/* Only what the processor noted (CVE-2024-25371), and once. */
	mov	SGX_GPR_EXITINFO(%r12), %ecx
	mov	$RAKIS_LOOK_NONE, %esi
	test	%ecx, %ecx
	jns	resume				/* SGX_EXITINFO_VALID is the sign */
	lfence
	movl	$0, SGX_GPR_EXITINFO(%r12)
	movzbl	%cl, %ecx
	cmp	$GATE_CAUSE_DB, %ecx
	jne	1f
	/* A guest that single-steps came into the image with its trap flag. */
	cmp	%rdx, %r14
	jae	raise
	mov	$RAKIS_LOOK_NOTED, %esi
	cmp	%r15, %r8
	jb	resume
	andl	$~FLAGS_TF, SGX_GPR_RFLAGS(%r12)
	jmp	resume
1:	cmp	$GATE_CAUSE_PF, %ecx
	jne	raise
	mov	SGX_EXINFO_MADDR(%r12), %rax
	mov	%rax, %gs:GATE_EXC_ADDR
	mov	SGX_EXINFO_ERRCD(%r12), %eax
	mov	%rax, %gs:GATE_EXC_CODE
raise:
	mov	%r13, %gs:GATE_EXC_RIP
	mov	%rcx, %gs:GATE_EXC_CAUSE
	lea	gate_exception_entry(%rip), %rax
	mov	%rax, SGX_GPR_RIP(%r12)
taken:
	mov	$RAKIS_LOOK_TAKEN, %esi
resume:
	mov	$RAKIS_EXIT_RESUME, %edi
	jmp	leave

	.section .rodata
	.balign	64
clean_state:
	/* As XRSTOR wants it for the initial state of all: MXCSR is loaded in any case. */
	.zero	24
	.long	0x1f80
	.zero	576 - 28

	.section .note.rakis, "a", @note
	.balign	4
	.long	6, 2f - 1f, RAKIS_NOTE_SGX
	.asciz	"RAKIS"
	.balign	4
1:	.long	RAKIS_BOUNDARY_VERSION
	.long	eexit - .
2:
	.section .note.GNU-stack, "", @progbits
