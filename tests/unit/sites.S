/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System call sites of all kinds, for test_patch_table.c. Each function has one site, to
 * which the number at NAME_site leads (a symbol at the site itself would be a target); the
 * table in the test says what must be made of it.
 */
	.macro	fn name
	.balign	16
	.globl	\name
	.type	\name, @function
\name:	.cfi_startproc
	.endm

	.macro	end name
	.cfi_endproc
	.size	\name, . - \name
	.endm

	.macro	site name
.Lsite_\name:
	syscall
	.pushsection .rodata, "a", @progbits
	.globl	\name\()_site
\name\()_site:
	.long	.Lsite_\name - .
	.popsection
	.endm

	.text

/* The usual one: five bytes before it. */
	fn	plain
	mov	$39, %eax
	site	plain
	ret
	end	plain

/* Two bytes before it: the instruction before those goes along. */
	fn	pair
	mov	%rdi, %rsi
	xor	%eax, %eax
	site	pair
	ret
	end	pair

/* Nothing usable before it: what is behind it moves. */
	fn	behind
	call	1f
1:	pop	%rax
	mov	$39, %eax
	jmp	2f
2:	site	behind
	cmp	$-4095, %rax
	jae	3f
	ret
3:	neg	%eax
	ret
	end	behind

/* A loop that comes back to the call itself: only what is behind it can move. */
	fn	again
	mov	$39, %eax
1:	site	again
	test	%rax, %rax
	js	1b
	ret
	end	again

/* A branch to the very first displaced byte is fine. */
	fn	entry
	test	%edi, %edi
	je	1f
	nop
1:	mov	$39, %eax
	site	entry
	ret
	end	entry

/* What is before it uses its own address; behind it there is a return. */
	fn	relative
1:	lea	1b(%rip), %rax
	site	relative
	ret
	end	relative

/* Branches from another function into what would move, short and long. */
	fn	invaded
	mov	$39, %eax
	nop
.Linvaded:
	nop
	site	invaded
	ret
	end	invaded

	fn	invaded_far
	mov	$39, %eax
	nop
.Linvaded_far:
	nop
	site	invaded_far
	ret
	end	invaded_far

	fn	invader
	jmp	.Linvaded
	.byte	0x0f, 0x85
	.long	.Linvaded_far - . - 4
	end	invader

/* A jump table: nothing but the immediate load is sure not to be one of its targets. */
	fn	table
	lea	1f(%rip), %rax
	add	%rdi, %rax
	jmp	*%rax
1:	mov	$39, %eax
	site	table
	ret
	end	table

	fn	table_register
	lea	1f(%rip), %rax
	add	%rdi, %rax
	jmp	*%rax
1:	mov	%rsi, %rax
	site	table_register
	cmp	$-4095, %rax
	ret
	end	table_register

/* The bytes 0f 05 without the instruction. */
	fn	no_site
	mov	$0x050f, %eax
	ret
	end	no_site

	.section .note.GNU-stack, "", @progbits
