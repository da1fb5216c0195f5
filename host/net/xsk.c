/* SPDX-License-Identifier: Apache-2.0 */
/* A queue's AF_XDP socket in this process: its rings and frames mapped, and described. */
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "host/host.h"
#include "host/net/client.h"
#include "host/net/net.h"
#include "host/ring.h"
#include "host/xsk.h"

#define UMEM_SIZE	((size_t)RAKIS_XSK_FRAMES * RAKIS_XSK_FRAME_SIZE)

static struct rakis_xsk described[RAKIS_XSK_MOST];

static int map_ring(struct rakis_xsk_ring *out, int fd, const struct xdp_ring_offset *off,
		    size_t desc_size, uint64_t page_offset)
{
	size_t size = off->desc + RAKIS_XSK_ENTRIES * desc_size;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, page_offset);

	if (p == MAP_FAILED)
		return -errno;
	*out = (struct rakis_xsk_ring){
		.map = (uint64_t)p, .map_size = size, .producer = off->producer,
		.consumer = off->consumer, .flags = off->flags, .descs = off->desc,
		.entries = RAKIS_XSK_ENTRIES,
	};
	return 0;
}

int xsk_map(uint32_t i)
{
	struct xdp_mmap_offsets off;
	struct xdp_options options = { 0 };
	socklen_t off_size = sizeof(off), options_size = sizeof(options);
	int fd = net.queues[i].xsk;
	struct rakis_xsk *out = &described[i];
	void *umem;
	int err;

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &off_size) || off_size != sizeof(off))
		return -EPROTO;
	umem = mmap(NULL, UMEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, net.queues[i].umem, 0);
	if (umem == MAP_FAILED)
		return -errno;
	out->umem = (uint64_t)umem;
	out->umem_size = UMEM_SIZE;
	err = map_ring(&out->fill, fd, &off.fr, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING);
	if (!err)
		err = map_ring(&out->completion, fd, &off.cr, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING);
	if (!err)
		err = map_ring(&out->rx, fd, &off.rx, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING);
	if (!err)
		err = map_ring(&out->tx, fd, &off.tx, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
	getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &options_size);
	out->zero_copy = (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
	out->verify = net.queues[i].verify;
	return err;
}

static _Atomic uint32_t *word(const struct rakis_xsk_ring *ring, uint64_t offset)
{
	return (_Atomic uint32_t *)(ring->map + offset);
}

int net_set_up(int number, struct rakis_xsk *out)
{
	struct rakis_xsk *x = &described[number];
	int err;

	if (!out || number < 0 || (uint32_t)number >= net.nqueues || (uint32_t)number != host_nxsks)
		return -EINVAL;
	host_xsks[number] = (struct host_xsk){
		.fd = net.queues[number].xsk,
		.tx_producer = word(&x->tx, x->tx.producer), .tx_consumer = word(&x->tx, x->tx.consumer),
		.tx_flags = word(&x->tx, x->tx.flags), .fill_flags = word(&x->fill, x->fill.flags),
		.rx_producer = word(&x->rx, x->rx.producer), .rx_consumer = word(&x->rx, x->rx.consumer),
	};
	kick_choose();
	atomic_store_explicit(&host_nxsks, number + 1, memory_order_release);
	if (!number) {
		err = watch_start();
		if (err)
			return err;
	}
	/* The kernel's io_uring thread does not look at these. */
	x->kick_inline = host.kick != KICK_MONITOR;
	x->asleep = (uint64_t)&monitor_asleep;
	x->asleep_mask = 1;
	if (!monitor_pid && monitor_start()) {
		x->kick_inline = 1;
		x->asleep = 0;
	}
	*out = *x;
	return 0;
}
