/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Setting rings up, with liburing. Each gets a pool of provided buffers where the kernel
 * has them. For tests, --uring-mask hides parts of the kernel's io_uring: "off", "linux-5.15"
 * or "linux-6.1" (what those have), or a list of opcode numbers with commas.
 */
#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host/host.h"
#include "host/ring.h"

#define SQPOLL_IDLE	50		/* ms until the kernel's thread sleeps */
#define GROUP		0		/* of provided buffers */

static struct io_uring rings[RAKIS_URING_MOST];

/* The highest opcode that the mask leaves. */
static unsigned int last_opcode(void)
{
	const char *m = host.uring_mask;

	if (m && !strcmp(m, "linux-5.15"))
		return IORING_OP_LINKAT;
	if (m && !strcmp(m, "linux-6.1"))
		return IORING_OP_SENDMSG_ZC;
	return 255;
}

static void list_opcodes(struct io_uring *ring, uint64_t out[4])
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	unsigned int last = last_opcode();
	const char *m = host.uring_mask;
	char *end;

	memset(out, 0, 32);
	for (unsigned int op = 0; probe && op <= last && op <= probe->last_op; op++)
		if (io_uring_opcode_supported(probe, op))
			out[op / 64] |= 1ull << (op % 64);
	free(probe);
	for (; m && *m >= '0' && *m <= '9'; m = *end ? end + 1 : end) {
		unsigned long op = strtoul(m, &end, 10);

		if (op < 256)
			out[op / 64] &= ~(1ull << (op % 64));
	}
}

static bool kernel_is(unsigned int major)
{
	struct utsname uts;

	return !uname(&uts) && strtoul(uts.release, NULL, 10) >= major;
}

/* Buffers are address space until they are used. */
static void provide_buffers(struct io_uring *ring, struct rakis_uring *out)
{
	size_t array = RAKIS_URING_BUFS * sizeof(struct io_uring_buf);
	size_t bufs = (size_t)RAKIS_URING_BUFS * RAKIS_URING_BUF_SIZE;
	struct io_uring_buf_reg reg = { .ring_entries = RAKIS_URING_BUFS, .bgid = GROUP };
	char *p;

	/* Multishot receive cannot be probed; without it there is no use for the buffers. */
	if (!kernel_is(6) || last_opcode() < IORING_OP_SEND_ZC)
		return;
	p = mmap(NULL, array + bufs, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return;
	madvise(p, array + bufs, MADV_NOHUGEPAGE);
	reg.ring_addr = (uint64_t)p;
	if (io_uring_register_buf_ring(ring, &reg, 0)) {
		munmap(p, array + bufs);
		return;
	}
	out->buf_ring = (uint64_t)p;
	out->buf_entries = RAKIS_URING_BUFS;
	out->bufs = (uint64_t)p + array;
	out->features |= RAKIS_URING_RECV_MULTISHOT;
}

/* The newest flags first; older kernels refuse what they do not know. */
static int create(struct io_uring *ring, struct io_uring_params *p, int number)
{
	/*
	 * COOP_TASKRUN: a completion does not interrupt the thread that submitted, which would
	 * cost it half as much again (more in an enclave: each is an exit); it is told when the
	 * thread next enters the kernel, at the latest by the timer tick. (So is another thread
	 * that waits for it: tests/stress, busy-thread.)
	 */
	static const unsigned int variants[] = {
		IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL |
			IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
	};
	int err = -EINVAL;

	for (unsigned int i = 0; i < sizeof(variants) / sizeof(variants[0]) && err == -EINVAL; i++) {
		memset(p, 0, sizeof(*p));
		p->flags = variants[i];
		p->cq_entries = RAKIS_URING_CQ_ENTRIES;
		if (host.kick == KICK_SQPOLL) {
			p->flags |= IORING_SETUP_SQPOLL;
			p->sq_thread_idle = SQPOLL_IDLE;
			if (number) {
				p->flags |= IORING_SETUP_ATTACH_WQ;
				p->wq_fd = rings[0].ring_fd;
			}
		}
		err = io_uring_queue_init_params(RAKIS_URING_SQ_ENTRIES, ring, p);
	}
	return err;
}

static void describe(struct rakis_uring *out, const struct io_uring *ring,
		     const struct io_uring_params *p)
{
	out->sq_map = (uint64_t)ring->sq.ring_ptr;
	out->sq_map_size = ring->sq.ring_sz;
	out->sq_head = p->sq_off.head;
	out->sq_tail = p->sq_off.tail;
	out->sq_flags = p->sq_off.flags;
	out->sq_array = p->sq_off.array;
	out->sq_entries = p->sq_entries;
	out->cq_map = (uint64_t)ring->cq.ring_ptr;
	out->cq_map_size = ring->cq.ring_sz;
	out->cq_head = p->cq_off.head;
	out->cq_tail = p->cq_off.tail;
	out->cqes = p->cq_off.cqes;
	out->cq_entries = p->cq_entries;
	out->sqes = (uint64_t)ring->sq.sqes;
	out->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe);
	out->kick_inline = host.kick == KICK_INLINE;
	if (host.kick == KICK_SQPOLL) {
		uint64_t flags = (uint64_t)ring->sq.kflags;

		out->asleep = flags & ~7ull;
		out->asleep_mask = (uint64_t)IORING_SQ_NEED_WAKEUP << (flags & 4 ? 32 : 0);
	} else {
		out->asleep = (uint64_t)&monitor_asleep;
		out->asleep_mask = 1;
	}
}

static void publish(struct host_ring *r, const struct io_uring *ring)
{
	r->fd = ring->ring_fd;
	r->sq_head = (_Atomic uint32_t *)ring->sq.khead;
	r->sq_tail = (_Atomic uint32_t *)ring->sq.ktail;
	r->sq_flags = (_Atomic uint32_t *)ring->sq.kflags;
	r->cq_head = (_Atomic uint32_t *)ring->cq.khead;
	r->cq_tail = (_Atomic uint32_t *)ring->cq.ktail;
	r->cqes = ring->cq.cqes;
	r->cq_mask = *ring->cq.kring_mask;
}

static void say_why(int err)
{
	if (err == -EPERM || err == -EACCES)
		message("io_uring is forbidden here (sysctl kernel.io_uring_disabled, or a container's "
			"seccomp profile): all I/O goes by exit");
	else if (err == -ENOSYS)
		message("%s: all I/O goes by exit", host.uring_mask ? "io_uring is switched off" :
			"this kernel has no io_uring");
	else
		message("io_uring cannot be set up (%s): all I/O goes by exit", strerror(-err));
}

void kick_choose(void)
{
	cpu_set_t set;

	if (host.kick == KICK_AUTO)
		host.kick = !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) >= 4 ?
			KICK_MONITOR : KICK_INLINE;
}

int uring_set_up(int number, struct rakis_uring *out)
{
	struct rakis_uring filled = { 0 };
	struct io_uring_params p;
	struct io_uring *ring;
	int err;

	if (!out || number < 0 || (unsigned int)number != host_nrings || number >= (int)RAKIS_URING_MOST)
		return -EINVAL;
	ring = &rings[number];
	kick_choose();
	err = host.uring_mask && !strcmp(host.uring_mask, "off") ? -ENOSYS : create(ring, &p, number);
	if (!err && !(p.features & IORING_FEAT_EXT_ARG)) {
		io_uring_queue_exit(ring);
		err = -ENOSYS;
	}
	if (err) {
		if (!number)
			say_why(err);
		return err;
	}
	ring->ring_fd = ring->enter_ring_fd = own_fd(ring->ring_fd);
	describe(&filled, ring, &p);
	list_opcodes(ring, filled.opcodes);
	provide_buffers(ring, &filled);
	publish(&host_rings[number], ring);
	atomic_store_explicit(&host_nrings, number + 1, memory_order_release);
	if (!number && host.kick != KICK_SQPOLL && !monitor_pid && monitor_start()) {
		/* Without it, what is queued is told of by exits alone. */
		filled.asleep = 0;
		filled.kick_inline = 1;
		host.kick = KICK_INLINE;
	}
	*out = filled;
	return 0;
}
