/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only instructions that touch memory whose address the guest gave. Leaf functions
 * without a stack frame that keep in rcx how much is left to do: if one faults, the
 * exception entry (direct.S, sgx.S) jumps to usercopy_fault with the registers of the fault.
 * Each returns what was not done: 0 if all went well.
 */
	.text
	.globl	usercopy_start, usercopy_end, usercopy_fault
usercopy_start:

/* u64 usercopy_bytes(void *dst, const void *src, u64 n) */
	.globl	usercopy_bytes
	.type	usercopy_bytes, @function
usercopy_bytes:
	mov	%rdx, %rcx
	rep movsb
	xor	%eax, %eax
	ret

/* u64 usercopy_words(void *dst, const void *src, u64 words): 8 bytes at a time */
	.globl	usercopy_words
	.type	usercopy_words, @function
usercopy_words:
	mov	%rdx, %rcx
	rep movsq
	xor	%eax, %eax
	ret

/* u64 usercopy_8(void *dst, const void *src) */
	.globl	usercopy_8
	.type	usercopy_8, @function
usercopy_8:
	mov	$8, %ecx
	mov	(%rsi), %rax
	mov	%rax, (%rdi)
	xor	%eax, %eax
	ret

/* u64 usercopy_16(void *dst, const void *src) */
	.globl	usercopy_16
	.type	usercopy_16, @function
usercopy_16:
	mov	$16, %ecx
	mov	(%rsi), %rax
	mov	8(%rsi), %rdx
	mov	%rax, (%rdi)
	mov	%rdx, 8(%rdi)
	xor	%eax, %eax
	ret

/* u64 usercopy_zero(void *dst, u64 n) */
	.globl	usercopy_zero
	.type	usercopy_zero, @function
usercopy_zero:
	mov	%rsi, %rcx
	xor	%eax, %eax
	rep stosb
	ret

/* u64 usercopy_load32(const u32 *src, u32 *out) */
	.globl	usercopy_load32
	.type	usercopy_load32, @function
usercopy_load32:
	mov	$4, %ecx
	mov	(%rdi), %eax
	mov	%eax, (%rsi)
	xor	%eax, %eax
	ret

/* u64 usercopy_cmpxchg32(u32 *p, u32 old, u32 new, u32 *seen) */
	.globl	usercopy_cmpxchg32
	.type	usercopy_cmpxchg32, @function
usercopy_cmpxchg32:
	mov	%rcx, %r8
	mov	$4, %ecx
	mov	%esi, %eax
	lock cmpxchg %edx, (%rdi)
	mov	%eax, (%r8)
	xor	%eax, %eax
	ret

usercopy_end:

usercopy_fault:
	mov	%rcx, %rax
	ret

	.section .note.GNU-stack, "", @progbits
