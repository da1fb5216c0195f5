/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "boundary/xsk.h"
#include "bpf/steer.h"
#include "host/net/queue.h"

#define UMEM_SIZE	((size_t)RAKIS_XSK_FRAMES * RAKIS_XSK_FRAME_SIZE)
#define TRIES		50		/* of 20 ms: the kernel lets go of a closed socket's queue late */

uint32_t queue_count(const char *iface, uint32_t most)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq ifr = { .ifr_data = (void *)&channels };
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t n = most;

	strncpy(ifr.ifr_name, iface, sizeof(ifr.ifr_name) - 1);
	if (sock >= 0 && !ioctl(sock, SIOCETHTOOL, &ifr))
		n = channels.combined_count + channels.rx_count;
	if (sock >= 0)
		close(sock);
	return !n ? 1 : n < STEER_QUEUES ? n : STEER_QUEUES;
}

static int make_umem(void **map)
{
	int fd = memfd_create("rakis-umem", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	*map = MAP_FAILED;
	if (!ftruncate(fd, UMEM_SIZE) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		*map = mmap(NULL, UMEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*map == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	return fd;
}

static int set(int fd, int name, const void *value, socklen_t size)
{
	return setsockopt(fd, SOL_XDP, name, value, size) ? -errno : 0;
}

static int set_up(int fd, void *umem)
{
	struct xdp_umem_reg reg = { .addr = (uint64_t)umem, .len = UMEM_SIZE,
				    .chunk_size = RAKIS_XSK_FRAME_SIZE };
	static const int rings[] = { XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING };
	int entries = RAKIS_XSK_ENTRIES;
	int err = set(fd, XDP_UMEM_REG, &reg, sizeof(reg));

	for (unsigned int i = 0; i < 4 && !err; i++)
		err = set(fd, rings[i], &entries, sizeof(entries));
	return err;
}

static int bind_queue(int fd, int ifindex, uint32_t number)
{
	/* The kernel asks the driver for zero-copy first, and copies where it has none. */
	struct sockaddr_xdp addr = { .sxdp_family = AF_XDP, .sxdp_flags = XDP_USE_NEED_WAKEUP,
				     .sxdp_ifindex = ifindex, .sxdp_queue_id = number };
	struct timespec moment = { .tv_nsec = 20000000 };

	for (int i = 0; i < TRIES; i++) {
		if (!bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
			return 0;
		if (errno != EBUSY)
			break;
		nanosleep(&moment, NULL);
	}
	return -errno;
}

int queue_make(int ifindex, uint32_t number, int fds[2])
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	void *umem = NULL;
	int err;

	/* Who has CAP_IPC_LOCK needs no limit; who has CAP_SYS_RESOURCE can lift it. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	fds[0] = fds[1] = -1;
	fds[1] = make_umem(&umem);
	if (fds[1] < 0)
		return fds[1];
	fds[0] = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	err = fds[0] < 0 ? -errno : set_up(fds[0], umem);
	if (!err)
		err = bind_queue(fds[0], ifindex, number);
	munmap(umem, UMEM_SIZE);
	if (err) {
		if (fds[0] >= 0)
			close(fds[0]);
		close(fds[1]);
	}
	return err;
}
