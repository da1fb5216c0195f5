/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/gate.h"
#include "gate/usercopy.h"
#include "lib/errno.h"
#include "fastpath/untrusted.h"
#include "copy_model.h"
#include "fastpath/untrusted.c"

int main(void)
{
	size_t n = any_u64();
	struct uptr p;
	int in, out, any;

	guest = any_u64();
	guest_len = n;
	any_outside(n, 1);
	p = (struct uptr){ outside };
	if (any_bool()) {
		any = untrusted_read_user_any(guest, p, n);
		PROVE(any == 0 || any == -EFAULT);
		REACHED(any == 0 && outside % 8 == 3 && n == 21);
		REACHED(any == 0 && n > 1ull << 32);
		return 0;
	}
	ASSUME(!(outside & 7));
	in = untrusted_read_user(guest, p, n);
	out = untrusted_write_user(p, guest, n);
	PROVE((in == 0 || in == -EFAULT) && (out == 0 || out == -EFAULT));
	/* Nothing but the guest's part of the range. */
	PROVE(IMPLIES(in == 0 || out == 0, guest_range_ok(guest, n)));
	REACHED(in == 0 && n % 8);
	REACHED(out == 0 && n > 1ull << 32);
	REACHED(in && out);
	return 0;
}
