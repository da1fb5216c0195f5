/* SPDX-License-Identifier: Apache-2.0 */
/* The built vDSO, as data of the image. */
	.section .rodata.vdso, "a", @progbits
	.globl	vdso_image, vdso_image_end
	.hidden	vdso_image, vdso_image_end
	.balign	4096
vdso_image:
	.incbin	VDSO_FILE
vdso_image_end:
	.section .note.GNU-stack, "", @progbits
