/* SPDX-License-Identifier: Apache-2.0 */
#include "proof.h"
#include "net/packet.c"

/* What they read, and that they may give any sum: the proof `checksum_add` has them. */
u64 checksum_add(u64 sum, const void *data, size_t n)
{
	PROVE(__CPROVER_r_ok(data, n));
	return any_u64();
}

u16 checksum_end(u64 sum)
{
	return any_u32();
}

int main(void)
{
	u32 len = any_u32();
	struct datagram d;
	enum packet_verdict v;
	bool v4;
	u8 *frame;

	/* Exactly as long as it is said to be. */
	ASSUME(len <= 2048);
	frame = __CPROVER_allocate(len, 0);
	v = packet_parse(&d, frame, len, any_bool());
	if (v != PACKET_GOOD) {
		REACHED(v == PACKET_MALFORMED && len == 2048);
		REACHED(v == PACKET_CHECKSUM);
		return 0;
	}
	v4 = ip_is_v4(d.to.ip);
	/* The payload lies in the frame, behind its headers. */
	PROVE(__CPROVER_same_object(d.data, frame) && (u64)(d.data - frame) == PACKET_HEADERS(v4));
	PROVE(d.len <= len - PACKET_HEADERS(v4) && __CPROVER_r_ok(d.data, d.len));
	/* From one host to another, to a port. */
	PROVE(d.to.port && ip_is_v4(d.from.ip) == v4);
	PROVE(ip_is_unicast(d.from.ip) && ip_is_unicast(d.to.ip));
	/* No options, no fragments, no extension headers. */
	PROVE(frame[12] == (v4 ? 0x08 : 0x86) && frame[13] == (v4 ? 0 : 0xdd));
	PROVE(v4 ? frame[14] == 0x45 && frame[23] == 17 && !(frame[20] & 0x3f) && !frame[21] :
		   frame[14] >> 4 == 6 && frame[20] == 17);
	REACHED(v4 && d.len == 2048 - 42);
	REACHED(!v4 && d.len == 0);
	return 0;
}
