/* SPDX-License-Identifier: Apache-2.0 */
#include "bufring_model.h"

int main(void)
{
	struct rakis_uring host;
	struct bufring b;
	int err = bufring_init(&b, &host);
	u32 id = any_id();

	PROVE(err == 0 || err == -EINVAL);
	if (!err) {
		PROVE(holds_for(&b, id) && !is_lent(&b, id) && b.nlent == 0 && b.started == 0);
		PROVE(b.entries == (host.buf_ring ? host.buf_entries : 0));
		if (b.entries) {
			/* Both were judged, whole, and are apart. */
			PROVE(model_is_open(b.array.addr_, b.entries * 16ull));
			PROVE(model_is_open(b.bufs.addr_, (u64)b.entries * RAKIS_URING_BUF_SIZE));
			PROVE(b.array.addr_ + b.entries * 16ull <= b.bufs.addr_ ||
			      b.bufs.addr_ + (u64)b.entries * RAKIS_URING_BUF_SIZE <= b.array.addr_);
		}
	}
	REACHED(!err && b.entries == RAKIS_URING_BUFS);
	REACHED(!err && !b.entries);
	REACHED(err);
	return 0;
}
