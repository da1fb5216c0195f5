/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>

#include "host/net/steer.h"

static const char no_rights[] = "needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW";
extern const char steer_object[], steer_object_end[];

static int program, link_fd = -1, xsks, queues, claims, counters;

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

static int map_fd(const struct bpf_object *obj, const char *name)
{
	return bpf_object__find_map_fd_by_name(obj, name);
}

static int attach(int ifindex, unsigned int mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode);

	link_fd = bpf_link_create(program, ifindex, BPF_XDP, &opts);
	return link_fd < 0 ? -errno : 0;
}

int steer_load(const char **why)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "steer");
	struct bpf_object *obj;
	int err;

	libbpf_set_print(quiet);
	obj = bpf_object__open_mem(steer_object, steer_object_end - steer_object, &opts);
	err = obj ? bpf_object__load(obj) : -errno;
	if (err) {
		*why = err == -EPERM ? no_rights : "the kernel refuses the XDP program; it needs Linux 5.14 "
			"with CONFIG_BPF_SYSCALL and CONFIG_XDP_SOCKETS";
		return err;
	}
	xsks = map_fd(obj, "xsks");
	queues = map_fd(obj, "queues");
	claims = map_fd(obj, "claims");
	counters = map_fd(obj, "counters");
	program = bpf_program__fd(bpf_object__find_program_by_name(obj, "steer"));
	return 0;
}

int steer_attach(int ifindex, bool *native, const char **why)
{
	int err = attach(ifindex, XDP_FLAGS_DRV_MODE);

	*native = true;
	if (err && err != -EBUSY && err != -EEXIST && err != -EPERM) {
		/* The driver has no XDP, or none with this MTU or these offloads. */
		*native = false;
		err = attach(ifindex, XDP_FLAGS_SKB_MODE);
	}
	if (err == -EBUSY || err == -EEXIST)
		*why = "there is another XDP program; take it off first (ip link set dev IFACE xdp off, or "
		       "end the process that attached it: bpftool net shows it)";
	else if (err == -EPERM)
		*why = no_rights;
	else
		*why = "the kernel refuses to attach the XDP program";
	return err;
}

void steer_detach(void)
{
	bpf_link_detach(link_fd);
}

bool steer_is_attached(void)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);

	return !bpf_obj_get_info_by_fd(link_fd, &info, &size) && info.xdp.ifindex;
}

int steer_queue(uint32_t number, uint32_t owner, const uint8_t mac[6], int xsk)
{
	struct steer_queue queue = { .owner = owner };
	int err = 0;

	memcpy(queue.mac, mac, sizeof(queue.mac));
	if (!owner)
		bpf_map_delete_elem(xsks, &number);
	else
		err = bpf_map_update_elem(xsks, &number, &xsk, 0);
	return err ? err : bpf_map_update_elem(queues, &number, &queue, 0);
}

int steer_claim(const struct steer_claim *claim)
{
	uint8_t one = 1;

	return bpf_map_update_elem(claims, claim, &one, 0);
}

int steer_unclaim(const struct steer_claim *claim)
{
	return bpf_map_delete_elem(claims, claim);
}

bool steer_next_claim(const struct steer_claim *after, struct steer_claim *out)
{
	return !bpf_map_get_next_key(claims, after, out);
}

void steer_counters(uint64_t out[STEER_COUNTERS_END])
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *each = cpus > 0 ? calloc(cpus, sizeof(*each)) : NULL;

	memset(out, 0, STEER_COUNTERS_END * sizeof(*out));
	for (uint32_t i = 0; each && i < STEER_COUNTERS_END; i++) {
		if (bpf_map_lookup_elem(counters, &i, each))
			continue;
		for (int c = 0; c < cpus; c++)
			out[i] += each[c];
	}
	free(each);
}
