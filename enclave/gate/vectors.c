/* SPDX-License-Identifier: Apache-2.0 */
/* Saving the guest's vector registers: what is in use of SSE, AVX and AVX-512. */
#include "gate/gate.h"
#include "gate/vectors.h"

#define XFEATURES	0xe6u	/* without x87, which nothing here uses */

/* The parts of the state that there are; XSAVE itself takes only what XCR0 has. */
void vectors_begin(void)
{
	__asm__ volatile("xsave64 %0" : "+m"(*gate_vectors_room()) : "a"(XFEATURES), "d"(0));
}

void vectors_end(void)
{
	__asm__ volatile("xrstor64 %0" :: "m"(*gate_vectors_room()), "a"(XFEATURES), "d"(0));
}
