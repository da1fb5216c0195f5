/* SPDX-License-Identifier: Apache-2.0 */
/* Calls __vdso_sgx_enter_enclave(), or the emulator's, which keep rsp, rbx and rbp only. */
#include "boundary/sgx.h"
#include "host/sgx/door.h"

#define EINTR	4

	.text
	.globl	sgx_door
	.type	sgx_door, @function
sgx_door:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	sub	$8, %rsp
	push	$0				/* keeps the stack aligned */
	push	DOOR_RUN(%rdi)
	mov	DOOR_ARG(%rdi), %rsi
	mov	DOOR_FUNCTION(%rdi), %ecx
	mov	DOOR_CALL(%rdi), %rax
	mov	DOOR_LOOK(%rdi), %r10
	mov	DOOR_COMMAND(%rdi), %rdi
	xor	%edx, %edx
	xor	%r9d, %r9d
	xor	%r8d, %r8d
	xchg	%r8d, (%r10)
	.globl	sgx_door_told
sgx_door_told:
	cmp	$SGX_ERESUME, %ecx
	jne	1f
	test	%r8d, %r8d
	jnz	2f
1:	call	*%rax
	.globl	sgx_door_back
sgx_door_back:
	mov	24(%rsp), %rcx
	mov	%rdi, DOOR_COMMAND(%rcx)
	mov	%rsi, DOOR_ARG(%rcx)
	xor	%eax, %eax
3:	add	$32, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
2:	mov	$-EINTR, %eax
	jmp	3b

	.section .note.GNU-stack, "", @progbits
