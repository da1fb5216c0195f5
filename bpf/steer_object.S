/* SPDX-License-Identifier: Apache-2.0 */
/* The steering program as data, for host/net/steer.c. */
	.section .rodata.steer, "a", @progbits
	.globl	steer_object, steer_object_end
	.hidden	steer_object, steer_object_end
	.balign	16
steer_object:
	.incbin	STEER_FILE
steer_object_end:
	.section .note.GNU-stack, "", @progbits
