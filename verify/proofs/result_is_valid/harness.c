/* SPDX-License-Identifier: Apache-2.0 */
#include "hostio/result.c"
#include "proof.h"

int main(void)
{
	u8 opcode = any_u8(), flags = any_u8();
	u32 most = any_u32();
	s64 res = any_s64();
	bool ok = result_is_valid(opcode, flags, most, res), waits = flags & RAKIS_REQ_WAIT;
	u8 kind = opcode < RAKIS_OP_END ? rules[opcode].kind : NEVER;

	/* It fits the 32 bits that callers keep; an error is one of Linux's that programs know. */
	PROVE(IMPLIES(ok, res >= -191 && res <= INT32_MAX));
	PROVE(IMPLIES(ok, opcode < RAKIS_OP_END && kind != NEVER));
	if (ok && res >= 0) {
		PROVE(IMPLIES(kind == ZERO, res == 0));
		/* No more than was asked for: callers copy so many bytes, or entries. */
		PROVE(IMPLIES(kind == COUNT, res <= most));
		PROVE(IMPLIES(kind == MASK, ((u32)res & ~most) == 0));
	}
	if (ok && res < 0)
		PROVE((rules[opcode].errnos.bits[-res / 64] >> (-res % 64) & 1) ||
		      (waits && (res == -EINTR || res == -EAGAIN)));
	/* Whatever waits may be woken. */
	PROVE(IMPLIES(kind != NEVER && waits, result_is_valid(opcode, flags, most, -EINTR)));
	REACHED(ok && kind == COUNT && res == most);
	REACHED(ok && res == -121);
	REACHED(!ok && kind == COUNT && res == most + 1ll);
	REACHED(!ok && opcode >= RAKIS_OP_END);
	return 0;
}
