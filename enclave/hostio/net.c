/* SPDX-License-Identifier: Apache-2.0 */
/* What the fast path of UDP asks of the host. */
#include "boundary/xsk.h"
#include "hostio/call.h"

/* `in` is how much of `arg` the host gets; it fills in all. */
static int with_argument(u8 opcode, int fd, void *arg, size_t in, size_t size)
{
	struct call c;
	struct uptr p;
	int err;

	call_begin(&c, opcode, fd, words(size));
	p = call_room(&c, size);
	c.rq.addr = uptr_number(p);
	untrusted_write(p, arg, in);
	err = call_do(&c, 0);
	if (!err)
		untrusted_read(arg, p, size);
	call_end(&c);
	return err;
}

int host_net_setup(u32 number, struct rakis_xsk *out)
{
	return with_argument(RAKIS_OP_NET_SETUP, number, out, 0, sizeof(*out));
}

int host_net_route(struct rakis_route *r)
{
	return with_argument(RAKIS_OP_NET_ROUTE, -1, r, sizeof(*r), sizeof(*r));
}

int host_net_claim(int fd, bool on)
{
	struct rakis_request rq = { .opcode = RAKIS_OP_NET_CLAIM, .fd = fd, .op_flags = on };

	return host_call(&rq, 0);
}
