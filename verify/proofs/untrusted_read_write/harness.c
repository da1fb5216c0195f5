/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/gate.h"
#include "gate/usercopy.h"
#include "lib/errno.h"
#include "fastpath/untrusted.h"
#include "copy_model.h"
#include "fastpath/untrusted.c"

int main(void)
{
	/* Exactly as large as it is said to be. */
	size_t n = any_u64();
	u8 *dst;

	ASSUME(n <= 1ull << 40);
	dst = __CPROVER_allocate(n, 0);
	any_outside(n, 8);
	untrusted_read(dst, (struct uptr){ outside }, n);
	untrusted_write((struct uptr){ outside }, dst, n);
	REACHED(n % 8 && n > 1ull << 39);
	REACHED(n < 8);
	return 0;
}
