/* SPDX-License-Identifier: Apache-2.0 */
#include "fastpath/untrusted.c"
#include "proof.h"

int main(void)
{
	u64 base = any_u64(), size = any_u64(), addr = any_u64(), len = any_u64(), at = any_u64();
	struct uptr p;
	bool ok, apart;

	/* What layout_is_valid() allows, and the image alone, ahead of that. */
	ASSUME(!(base & 7) && size && base + size > base);
	untrusted_init(base, size);
	ok = uptr_check(addr, len, &p);

	apart = (addr < base && addr + len <= base) || addr >= base + size;
	PROVE(ok == (addr && !(addr & 7) && addr + len >= addr && apart));
	PROVE(p.addr_ == (ok ? addr : 0));
	/* Words that hold a byte of the range lie outside, too: the last one may be partly used. */
	if (ok && at < len) {
		u64 word = (addr + at) & ~7ull;

		PROVE(word >= base + size || word + 8 <= base);
	}
	REACHED(ok && addr + len == base && at < len);
	REACHED(ok && addr == base + size);
	REACHED(!ok && addr < base && addr + len > base + size);
	REACHED(!ok && addr + len < addr);
	return 0;
}
