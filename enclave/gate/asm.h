/* SPDX-License-Identifier: Apache-2.0 */
/* What the assembly of the gate shares. */
#ifndef RAKIS_GATE_ASM_H
#define RAKIS_GATE_ASM_H

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

#endif
