/* SPDX-License-Identifier: Apache-2.0 */
/* Part of the executor (no vector registers). */
#include <errno.h>
#include <linux/if_xdp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "host/executor.h"
#include "host/xsk.h"

struct host_xsk host_xsks[RAKIS_XSK_MOST];
_Atomic uint32_t host_nxsks;

static _Bool needs(const _Atomic uint32_t *flags)
{
	return atomic_load_explicit(flags, memory_order_relaxed) & XDP_RING_NEED_WAKEUP;
}

_Bool xsk_kick(const struct host_xsk *x)
{
	_Bool any = 0;

	if (needs(x->fill_flags)) {
		sys(recvfrom, x->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
		any = 1;
	}
	/* Where frames are copied the kernel takes some tens a call, EAGAIN says there are more. */
	for (uint32_t n = xsk_queued(x), left; n && needs(x->tx_flags); n = left) {
		long res = sys(sendto, x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0);

		any = 1;
		left = xsk_queued(x);
		if (res != -EAGAIN || left >= n)
			break;
	}
	return any;
}
