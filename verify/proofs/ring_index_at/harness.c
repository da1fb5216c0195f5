/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_model.h"

int main(void)
{
	u64 size = any_u64(), off = any_u64();
	struct uptr map = model_any(size);
	struct ring_index idx;
	bool ok = ring_index_at(&idx, map, size, off);

	/* Accepted exactly if aligned and the word that holds it lies within. */
	PROVE(ok == (!(off & 3) && size >= 8 && (off & ~7ull) <= size - 8));
	if (ok) {
		PROVE(model_is_open(idx.word.addr_, 8) && !(idx.word.addr_ & 7));
		PROVE(idx.shift == 0 || idx.shift == 32);
		PROVE(idx.word.addr_ + idx.shift / 8 == map.addr_ + off);
	}
	REACHED(ok);
	REACHED(!ok);
	return 0;
}
