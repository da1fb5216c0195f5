/* SPDX-License-Identifier: Apache-2.0 */
/* Packets: every field of every header, one by one; checksums against a plain sum. */
#include "cmocka_first.h"
#include <stdlib.h>
#include <string.h>
#include "fake_xsk.h"
#include "net/addr.h"
#include "net/checksum.h"
#include "net/packet.h"

#define V4	true
#define V6	false

static u64 seed = 1;

static u8 frame[2048];
static u32 frame_len;
static struct datagram d;

/* Five bytes, an odd number, from one host to another. */
static void packet(bool v4)
{
	struct net_addr a = fake_addr(v4 ? "10.1.2.3" : "fd00::1:2", 4321);
	struct net_addr b = fake_addr(v4 ? "10.1.2.9" : "fd00::1:9", 53);

	frame_len = fake_packet(frame, &a, &b, "hello", 5);
}

/* ---- checksums ---- */

static u16 plain(const u8 *p, size_t n)
{
	u64 s = 0;

	for (size_t i = 0; i < n; i++)
		s += i % 2 ? p[i] << 8 : p[i];
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s;
}

static void test_checksum(void **state)
{
	static const u8 fills[] = { 0, 0xff, 0x80, 1 };
	u8 buf[1600];

	for (u32 fill = 0; fill < 40; fill++) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = fill < ARRAY_SIZE(fills) ? fills[fill] : fake_random(&seed);
		for (size_t n = 0; n < 200; n++) {
			assert_int_equal(checksum_end(checksum_add(0, buf, n)), plain(buf, n));
			assert_int_equal(checksum_end(checksum_add(0, buf + 3, n)), plain(buf + 3, n));
		}
		assert_int_equal(checksum_end(checksum_add(0, buf, 1600)), plain(buf, 1600));
		/* In two parts, the first of even length. */
		for (size_t n = 0; n < 100; n += 2)
			assert_int_equal(checksum_end(checksum_add(checksum_add(0, buf, n), buf + n, 1599 - n)),
					 plain(buf, 1599));
	}
	assert_int_equal(checksum_end(~0ull), 0);
	assert_int_equal(checksum_end(0), 0xffff);
	assert_int_equal(checksum_sum(~0ull, 1), 1);
	assert_int_equal(checksum_sum(~0ull, ~0ull), ~0ull);
}

/* ---- receiving ---- */

enum { MEND = 1, ANY = 2 };	/* checksums set right afterwards; also if they are not looked at */

struct change {
	u32 off;
	u16 value;		/* of two bytes there */
	int flags;
	enum packet_verdict verdict;
};

static void try(const struct change *c, u32 n, bool v4)
{
	for (u32 i = 0; i < n; i++) {
		enum packet_verdict v;

		packet(v4);
		frame[c[i].off] = c[i].value >> 8;
		frame[c[i].off + 1] = c[i].value;
		if (c[i].flags & MEND)
			fake_mend(frame, frame_len);
		v = packet_parse(&d, frame, frame_len, true);
		if (v != c[i].verdict)
			fail_msg("IPv%c, %04x at %u: %u", v4 ? '4' : '6', c[i].value, c[i].off, v);
		if (!(c[i].flags & (MEND | ANY)))
			continue;
		v = packet_parse(&d, frame, frame_len, false);
		if (v != c[i].verdict)
			fail_msg("not verified, IPv%c, %04x at %u: %u", v4 ? '4' : '6', c[i].value, c[i].off, v);
	}
}

#define GOOD	PACKET_GOOD
#define BAD	PACKET_MALFORMED
#define SUM	PACKET_CHECKSUM

static void test_fields_v4(void **state)
{
	static const struct change t[] = {
		/* Ethernet: type. Total length of the IP packet is 33. */
		{ 12, 0x0800, ANY, GOOD }, { 12, 0x0806, ANY, BAD }, { 12, 0x8100, ANY, BAD },
		{ 12, 0x0801, ANY, BAD }, { 12, 0x86dd, ANY, BAD }, { 12, 0x0008, ANY, BAD },
		{ 12, 0x002e, ANY, BAD },
		/* Version, header length; TOS */
		{ 14, 0x5500, MEND, BAD }, { 14, 0x6500, MEND, BAD }, { 14, 0x0500, MEND, BAD },
		{ 14, 0x4000, MEND, BAD }, { 14, 0x4400, MEND, BAD }, { 14, 0x4600, MEND, BAD },
		{ 14, 0x4f00, MEND, BAD }, { 14, 0x45ff, MEND, GOOD }, { 14, 0x4501, ANY, SUM },
		/* Total length */
		{ 16, 0, MEND, BAD }, { 16, 19, MEND, BAD }, { 16, 20, MEND, BAD },
		{ 16, 27, MEND, BAD }, { 16, 28, MEND, BAD }, { 16, 32, MEND, BAD },
		{ 16, 33, MEND, GOOD }, { 16, 34, MEND, BAD }, { 16, 0xffff, MEND, BAD },
		/* Identification; flags and offset */
		{ 18, 0xffff, MEND, GOOD }, { 20, 0x0000, MEND, GOOD }, { 20, 0x8000, MEND, GOOD },
		{ 20, 0x2000, MEND, BAD }, { 20, 0x6000, MEND, BAD }, { 20, 0x0001, MEND, BAD },
		{ 20, 0x1fff, MEND, BAD }, { 20, 0x1000, MEND, BAD }, { 20, 0x4001, MEND, BAD },
		/* Time to live, protocol */
		{ 22, 0x0011, MEND, GOOD }, { 22, 0xff11, MEND, GOOD }, { 22, 0x4006, MEND, BAD },
		{ 22, 0x4001, MEND, BAD }, { 22, 0x4000, MEND, BAD }, { 22, 0x4088, MEND, BAD },
		/* Checksum of the header, looked at always */
		{ 24, 0, ANY, SUM },		{ 24, 0xffff, ANY, SUM },
		/* From, to: the upper half */
		{ 26, 0x0001, MEND, BAD }, { 26, 0x7f00, MEND, BAD }, { 26, 0xe000, MEND, BAD },
		{ 26, 0xefff, MEND, BAD }, { 26, 0xf000, MEND, GOOD }, { 26, 0xffff, MEND, GOOD },
		{ 30, 0x0001, MEND, BAD }, { 30, 0x7fff, MEND, BAD }, { 30, 0xe000, MEND, BAD },
		{ 30, 0xc0a8, MEND, GOOD },
		/* Ports */
		{ 34, 0, MEND, GOOD }, { 34, 0xffff, MEND, GOOD }, { 36, 0, MEND, BAD },
		/* Length: 13 */
		{ 38, 0, MEND, BAD }, { 38, 7, MEND, BAD }, { 38, 8, MEND, GOOD },
		{ 38, 12, MEND, GOOD }, { 38, 13, MEND, GOOD }, { 38, 14, MEND, BAD },
		{ 38, 0xffff, MEND, BAD },	{ 38, 12, 0, SUM },
		/* Checksum: none; wrong */
		{ 40, 0, ANY, GOOD },		{ 40, 0xffff, 0, SUM },		{ 40, 1, 0, SUM },
		{ 42, 0, 0, SUM },		{ 46, 0, 0, SUM },
	};

	try(t, ARRAY_SIZE(t), V4);
	packet(V4);
	memset(frame + 26, 0xff, 4);	/* 255.255.255.255 */
	fake_mend(frame, frame_len);
	assert_int_equal(packet_parse(&d, frame, frame_len, true), BAD);
	packet(V4);
	memset(frame + 30, 0xff, 4);
	fake_mend(frame, frame_len);
	assert_int_equal(packet_parse(&d, frame, frame_len, true), BAD);
	packet(V4);
	frame[40] ^= 1;
	assert_int_equal(packet_parse(&d, frame, frame_len, false), GOOD);
}

static void test_fields_v6(void **state)
{
	static const struct change t[] = {
		{ 12, 0x86dd, ANY, GOOD }, { 12, 0x0800, ANY, BAD }, { 12, 0x86dc, ANY, BAD },
		/* Version, traffic class, flow label */
		{ 14, 0x4000, MEND, BAD }, { 14, 0x7000, MEND, BAD }, { 14, 0x0000, MEND, BAD },
		{ 14, 0x6fff, ANY, GOOD },	{ 16, 0xffff, ANY, GOOD },
		/* Length of what follows: 13 */
		{ 18, 0, MEND, BAD }, { 18, 7, MEND, BAD }, { 18, 8, MEND, BAD },
		{ 18, 12, MEND, BAD }, { 18, 13, MEND, GOOD }, { 18, 14, MEND, BAD },
		{ 18, 0xffff, MEND, BAD },
		/* Next header: extensions, other protocols; hop limit */
		{ 20, 0x0040, MEND, BAD }, { 20, 0x2b40, MEND, BAD }, { 20, 0x2c40, MEND, BAD },
		{ 20, 0x3c40, MEND, BAD }, { 20, 0x0640, MEND, BAD }, { 20, 0x3a40, MEND, BAD },
		{ 20, 0x8840, MEND, BAD }, { 20, 0x1100, ANY, GOOD }, { 20, 0x11ff, ANY, GOOD },
		/* From, to: groups */
		{ 22, 0xff02, MEND, BAD }, { 22, 0xfe80, MEND, GOOD }, { 22, 0x2001, MEND, GOOD },
		{ 38, 0xff02, MEND, BAD }, { 38, 0xfe80, MEND, GOOD }, { 38, 0xfffe, MEND, BAD },
		/* Ports, length, checksum: there must be one */
		{ 54, 0, MEND, GOOD }, { 56, 0, MEND, BAD }, { 58, 0, MEND, BAD },
		{ 58, 7, MEND, BAD }, { 58, 8, MEND, GOOD }, { 58, 12, MEND, GOOD },
		{ 58, 14, MEND, BAD }, { 60, 0, ANY, SUM }, { 60, 0xffff, 0, SUM },
		{ 62, 0, 0, SUM }, { 22, 0xfd01, 0, SUM }, { 52, 0x0001, 0, SUM },
	};
	static const char *const bad[] = { "::", "::1", "ff02::1", "::ffff:10.1.2.3" };

	try(t, ARRAY_SIZE(t), V6);
	for (u32 i = 0; i < 2 * ARRAY_SIZE(bad); i++) {
		struct net_addr a = fake_addr(bad[i / 2], 1);

		packet(V6);
		memcpy(frame + (i % 2 ? 22 : 38), a.ip, 16);
		fake_mend(frame, frame_len);
		assert_int_equal(packet_parse(&d, frame, frame_len, true), BAD);
	}
}

static void test_what_it_says(void **state)
{
	packet(V4);
	frame[15] = 0xb9;
	frame[22] = 3;
	fake_mend(frame, frame_len);
	/* Padding behind the packet does not count. */
	memset(frame + frame_len, 0xaa, 60 - frame_len);
	assert_int_equal(packet_parse(&d, frame, 60, true), GOOD);
	assert_true(ip_same(d.from.ip, fake_addr("10.1.2.3", 0).ip) && d.from.port == 4321);
	assert_true(ip_same(d.to.ip, fake_addr("10.1.2.9", 0).ip) && d.to.port == 53);
	assert_int_equal(d.traffic_class, 0xb9);
	assert_int_equal(d.hop_limit, 3);
	assert_int_equal(d.flow_label, 0);
	assert_int_equal(d.len, 5);
	assert_ptr_equal(d.data, frame + 42);
	assert_memory_equal(d.data, "hello", 5);

	packet(V6);
	memcpy(frame + 14, "\x6c\x3a\xbc\xde", 4);
	frame[21] = 255;
	memset(frame + frame_len, 0xaa, 10);
	assert_int_equal(packet_parse(&d, frame, frame_len + 10, true), GOOD);
	assert_true(ip_same(d.from.ip, fake_addr("fd00::1:2", 0).ip) && d.from.port == 4321);
	assert_true(ip_same(d.to.ip, fake_addr("fd00::1:9", 0).ip) && d.to.port == 53);
	assert_int_equal(d.traffic_class, 0xc3);
	assert_int_equal(d.hop_limit, 255);
	assert_int_equal(d.flow_label, 0xabcde);
	assert_int_equal(d.len, 5);
	assert_ptr_equal(d.data, frame + 62);

	/* UDP shorter than the IP packet: the rest does not count. */
	packet(V4);
	frame[39] = 10;
	fake_mend(frame, frame_len);
	assert_int_equal(packet_parse(&d, frame, frame_len, true), GOOD);
	assert_int_equal(d.len, 2);
}

/* A frame cut at each length, in memory that ends there. */
static void test_cut(void **state)
{
	for (int v4 = 0; v4 < 2; v4++) {
		packet(v4);
		for (u32 len = 0; len <= frame_len; len++) {
			u8 *copy = malloc(len ? len : 1);
			enum packet_verdict v;

			memcpy(copy, frame, len);
			v = packet_parse(&d, copy, len, true);
			assert_int_equal(v, len < frame_len ? BAD : GOOD);
			free(copy);
		}
	}
}

/* Any one byte changed is noticed, but where nothing protects it and any value will do. */
static void test_each_byte(void **state)
{
	for (int v4 = 0; v4 < 2; v4++) {
		packet(v4);
		for (u32 i = 0; i < frame_len; i++) {
			bool free_field = i < 12 || (!v4 && ((i >= 15 && i <= 17) || i == 21));
			u8 was = frame[i];

			for (u32 v = 0; v < 256; v++) {
				enum packet_verdict got;
				bool good = v == was || free_field || (!v4 && i == 14 && v >> 4 == 6);

				frame[i] = v;
				got = packet_parse(&d, frame, frame_len, true);
				if ((got == GOOD) != good)
					fail_msg("IPv%c, byte %u is %02x, was %02x", v4 ? '4' : '6', i, v, was);
			}
			frame[i] = was;
		}
	}
}

/* ---- sending ---- */

static const struct net_path path = {
	.known = true, .fast = true, .mac_to = { 1, 2, 3, 4, 5, 6 }, .mac_from = { 7, 8, 9, 10, 11, 12 },
	.mtu = 1500, .hop_limit = 61,
};

static u8 *build(const struct net_send *s, const void *payload, u32 len, u16 id, u32 *total)
{
	static u8 out[PACKET_ROOM_MOST + 2048];
	bool v4 = ip_is_v4(s->to.ip);
	u8 *start = out + PACKET_ROOM(v4) - PACKET_HEADERS(v4);

	memset(out, 0xcc, PACKET_ROOM(v4));
	memcpy(out + PACKET_ROOM(v4), payload, len);
	packet_headers(out, &path, s, payload, len, id);
	for (u8 *p = out; p < start; p++)
		assert_int_equal(*p, 0);
	*total = PACKET_HEADERS(v4) + len;
	return start;
}

/* What is built is what a byte-wise builder makes of the same, but for what Linux chooses. */
static void test_build(void **state)
{
	u8 payload[1472];

	for (u32 i = 0; i < sizeof(payload); i++)
		payload[i] = fake_random(&seed);
	for (int v4 = 0; v4 < 2; v4++) {
		struct net_send s = {
			.from = fake_addr(v4 ? "10.0.0.1" : "fd00::a", 1000),
			.to = fake_addr(v4 ? "192.168.77.12" : "2001:db8::77", 65535),
			.traffic_class = 0xba, .dont_fragment = true, .flow_label = 0x54321,
		};

		for (u32 len = 0; len <= sizeof(payload); len += len < 70 ? 1 : 61) {
			u8 want[2048];
			u32 n, total;
			u8 *got = build(&s, payload, len, 99, &total);

			n = fake_packet(want, &s.from, &s.to, payload, len);
			memcpy(want, path.mac_to, 6);
			memcpy(want + 6, path.mac_from, 6);
			if (v4) {
				want[15] = 0xba;
				want[22] = 61;
			} else {
				memcpy(want + 14, "\x6b\xa5\x43\x21", 4);
				want[21] = 61;
			}
			fake_mend(want, n);
			assert_int_equal(total, n);
			assert_memory_equal(got, want, n);
			assert_int_equal(packet_parse(&d, got, n, true), PACKET_GOOD);
			assert_int_equal(d.len, len);
		}
	}
}

static void test_build_choices(void **state)
{
	struct net_send s = {
		.from = fake_addr("10.0.0.1", 1), .to = fake_addr("10.0.0.2", 2), .hop_limit = 5,
	};
	u32 total, label;
	u8 *f = build(&s, "x", 1, 0xabcd, &total);

	/* May be cut up: it has a number. */
	assert_memory_equal(f + 18, "\xab\xcd\0\0\5", 5);
	s.dont_fragment = true;
	f = build(&s, "x", 1, 0xabcd, &total);
	assert_memory_equal(f + 18, "\0\0\x40\0\5", 5);

	/* A flow has a label, the same one each time; another flow most likely another. */
	s.from = fake_addr("fd00::1", 1);
	s.to = fake_addr("fd00::2", 2);
	f = build(&s, "x", 1, 0, &total);
	label = (f[15] & 15) << 16 | f[16] << 8 | f[17];
	f = build(&s, "yy", 2, 0, &total);
	assert_int_equal((f[15] & 15) << 16 | f[16] << 8 | f[17], label);
	s.to.port = 3;
	f = build(&s, "x", 1, 0, &total);
	assert_int_not_equal((f[15] & 15) << 16 | f[16] << 8 | f[17], label);
	assert_int_equal(f[14], 0x60);
	assert_int_equal(f[21], 5);
}

/* A sum of zero goes out as its other form, or it would say that there is none. */
static void test_zero_checksum(void **state)
{
	for (int v4 = 0; v4 < 2; v4++) {
		struct net_send s = {
			.from = fake_addr(v4 ? "10.0.0.1" : "fd00::a", 1),
			.to = fake_addr(v4 ? "10.0.0.2" : "fd00::b", 2),
		};
		u8 payload[2] = { 0, 0 };
		u32 total, at = v4 ? 40 : 60;
		u8 *f = build(&s, payload, 2, 0, &total);

		memcpy(payload, f + at, 2);
		f = build(&s, payload, 2, 0, &total);
		assert_memory_equal(f + at, "\xff\xff", 2);
		assert_int_equal(packet_parse(&d, f, total, true), PACKET_GOOD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_fields_v4),
		cmocka_unit_test(test_fields_v6),
		cmocka_unit_test(test_what_it_says),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_each_byte),
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_build_choices),
		cmocka_unit_test(test_zero_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
