/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small enclave for test_emulator.c: one page of code, position-independent. rdi says what to
 * do; it leaves with rdi and rsi for the test. The page before the code is for data.
 */
#define EEXIT	4
#define DATA	sgx_enclave_start - 4096

	.text
	.balign	64
	.globl	sgx_enclave_start, sgx_enclave_fault, sgx_enclave_end
sgx_enclave_start:
	mov	%rcx, %rbx
	cmp	$1, %rdi
	je	fault
	cmp	$2, %rdi
	je	look
	cmp	$3, %rdi
	je	keys
	cmp	$4, %rdi
	je	operands

	/* 0: what it came with: CSSA, and the first words at FS and GS. */
	mov	%rax, %rdi
	mov	%fs:0, %rsi
	add	%gs:8, %rsi
leave:	mov	$EEXIT, %eax
	enclu
	ud2

	/* 1: CPUID, with values in registers that must be there afterwards. */
fault:	mov	$0x1111, %r12
	mov	$0x2222, %eax
	movq	%rax, %xmm3
	mov	$0x3333, %r8
	mov	$0x77, %eax
	mov	%rbx, %r13
sgx_enclave_fault:
	cpuid
	mov	%r13, %rbx
	movq	%xmm3, %rsi
	add	%r12, %rsi
	add	%r8, %rsi
	add	%rax, %rsi
	mov	$100, %edi
	jmp	leave

	/* 2, at CSSA 1: over the instruction; frame 0 is the second page before the code. */
look:	lea	DATA - 4096 * 2(%rip), %rdx
	addq	$2, 4096 - 184 + 136(%rdx)
	mov	4096 - 184 + 160(%rdx), %esi
	mov	%rax, %rdi
	jmp	leave

	/* 3: report for itself (TARGETINFO at 0, data at 512, REPORT at 1024 of the data), then the
	 * key to check it (KEYREQUEST at 2048, key at 3072), then a sealing key (at 3088). */
keys:	mov	%rbx, %r13
	lea	DATA(%rip), %rbx
	lea	512(%rbx), %rcx
	lea	1024(%rbx), %rdx
	xor	%eax, %eax
	.byte	0x0f, 0x01, 0xd7
	lea	2048(%rbx), %r14
	lea	3072(%rbx), %rcx
	mov	%r14, %rbx
	mov	$1, %eax
	.byte	0x0f, 0x01, 0xd7
	mov	%rax, %rdi
	movw	$4, (%rbx)
	add	$16, %rcx
	mov	$1, %eax
	.byte	0x0f, 0x01, 0xd7
	or	%rax, %rdi
	movw	$9, (%rbx)
	mov	$1, %eax
	.byte	0x0f, 0x01, 0xd7
	mov	%rax, %rsi
	mov	%r13, %rbx
	jmp	leave

	/* 4: a report to where rsi says. */
operands:
	mov	%rbx, %r13
	lea	DATA(%rip), %rbx
	lea	512(%rbx), %rcx
	mov	%rsi, %rdx
	xor	%eax, %eax
	.byte	0x0f, 0x01, 0xd7
	mov	%r13, %rbx
	mov	$200, %edi
	jmp	leave
sgx_enclave_end:

	/* Enters as the host does; the enclave keeps rsp, rbp and rbx only. */
	.globl	sgx_enclave_enter
	.type	sgx_enclave_enter, @function
sgx_enclave_enter:			/* (rdi, rsi, function, run, out[2]) */
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%r8
	push	%rcx
	push	%rcx				/* the run, on the stack; keeps it aligned with the call */
	mov	%rdx, %rcx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	call	emulator_enter
	pop	%rcx
	pop	%rcx
	pop	%r8
	mov	%rdi, (%r8)
	mov	%rsi, 8(%r8)
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .note.GNU-stack, "", @progbits
