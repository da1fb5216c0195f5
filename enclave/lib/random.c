/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fast key erasure: each request takes a key of its own out of the generator, whose key
 * is replaced in the same step, so that what is in memory later does not give away what
 * was handed out.
 */
#include "lib/lock.h"
#include "lib/log.h"
#include "lib/random.h"
#include "lib/string.h"

enum {
	KEY_WORDS = 8,
	BLOCK_WORDS = 16,
	RESEED_AFTER = 1024,	/* requests */
	RDRAND_TRIES = 1000,	/* the manual: 10 are enough unless all cores draw at once */
};

static struct spinlock lock = SPINLOCK_INIT;
static u32 generator[KEY_WORDS];
static u32 requests;

static u64 rdrand(void)
{
	for (u32 i = 0; i < RDRAND_TRIES; i++) {
		u64 v;
		u8 ok;

		__asm__ volatile("rdrand %0; setc %1" : "=r"(v), "=qm"(ok) :: "cc");
		/* All ones is how some processors fail without saying so. */
		if (ok && v != ~0ull)
			return v;
		cpu_relax();
	}
	panic("RDRAND gives no random numbers on this processor");
}

static inline u32 rotate(u32 v, int n)
{
	return v << n | v >> (32 - n);
}

static inline void quarter(u32 *a, u32 *b, u32 *c, u32 *d)
{
	*a += *b;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

static void block(const u32 key[KEY_WORDS], u64 counter, u32 out[BLOCK_WORDS])
{
	u32 in[BLOCK_WORDS] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	u32 x[BLOCK_WORDS];

	memcpy(in + 4, key, KEY_WORDS * sizeof(u32));
	in[12] = (u32)counter;
	in[13] = (u32)(counter >> 32);
	memcpy(x, in, sizeof(x));
	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < 4; j++)
			quarter(&x[j], &x[j + 4], &x[j + 8], &x[j + 12]);
		for (int j = 0; j < 4; j++)
			quarter(&x[j], &x[4 + (j + 1) % 4], &x[8 + (j + 2) % 4],
				&x[12 + (j + 3) % 4]);
	}
	for (int i = 0; i < BLOCK_WORDS; i++)
		out[i] = x[i] + in[i];
}

void random_bytes(void *dst, size_t n)
{
	u32 out[BLOCK_WORDS], key[KEY_WORDS];
	u8 *p = dst;

	spin_lock(&lock);
	if (requests++ % RESEED_AFTER == 0) {
		for (int i = 0; i < KEY_WORDS; i += 2) {
			u64 v = rdrand();

			generator[i] ^= (u32)v;
			generator[i + 1] ^= (u32)(v >> 32);
		}
	}
	block(generator, 0, out);
	memcpy(generator, out, sizeof(generator));
	spin_unlock(&lock);

	/* The other half of the block is the answer, or the key to a longer one. */
	memcpy(key, out + KEY_WORDS, sizeof(key));
	if (n <= sizeof(key)) {
		memcpy(p, key, n);
	} else {
		for (u64 counter = 0; n; counter++) {
			size_t part = min(n, sizeof(out));

			block(key, counter, out);
			memcpy(p, out, part);
			p += part;
			n -= part;
		}
	}
	memset(out, 0, sizeof(out));
	memset(key, 0, sizeof(key));
	__asm__ volatile("" :: "r"(out), "r"(key) : "memory");	/* the two are not dead stores */
}
