/* SPDX-License-Identifier: Apache-2.0 */
#include "proof.h"
#include "elf/patch.c"

static u8 code[2 * RAKIS_PATCH_MAX];	/* the guest's, around the site */
static u64 text;
static u64 written_at, written;

int copy_from_user(void *dst, u64 uaddr, size_t n)
{
	PROVE(__CPROVER_w_ok(dst, n));
	PROVE(uaddr == text && n <= RAKIS_PATCH_MAX);
	for (u32 i = 0; i < RAKIS_PATCH_MAX; i++)
		if (i < n)
			((u8 *)dst)[i] = code[i];
	return any_bool() ? 0 : -EFAULT;
}

int copy_to_user(u64 uaddr, const void *src, size_t n)
{
	PROVE(__CPROVER_r_ok(src, n));
	written_at = uaddr;
	written = n;
	return any_bool() ? 0 : -EFAULT;
}

int main(void)
{
	struct rakis_patch e;
	u64 room = any_u64(), stub;
	struct {
		struct area a;
		struct site site;
	} mem;
	u8 slot[SLOT];
	u32 len = e.before + 2u + e.after, k = any_u32();
	bool ok;

	__CPROVER_havoc_object(code);
	text = any_u64();
	ok = entry_matches(&e, text, room);
	if (!ok) {
		REACHED(len > RAKIS_PATCH_MAX);
		return 0;
	}
	/* Applied only where memory holds these very bytes, a system call among them. */
	PROVE(len >= JUMP && len <= RAKIS_PATCH_MAX && len <= room);
	PROVE(code[e.before] == 0x0f && code[e.before + 1] == 0x05);
	PROVE(IMPLIES(k < len, code[k] == e.bytes[k]));

	mem.a.text = text;
	stub = mem.a.stubs = any_u64();
	mem.a.site[0] = (struct site){ 0, e.before, e.after };
	for (u32 i = 0; i < RAKIS_PATCH_MAX; i++)
		slot[i] = e.bytes[i];
	(void)!write_site(&mem.a, 0, slot);
	/* The jump fills the site and nothing else; the stub has room for all it does. */
	PROVE(written_at == text && written == len);
	PROVE(e.before + CALL + e.after + JUMP <= SLOT);
	PROVE(IMPLIES(k < e.before, slot[k] == e.bytes[k]));
	PROVE(IMPLIES(k < e.after, slot[e.before + CALL + k] == e.bytes[e.before + 2 + k]));
	PROVE(slot[e.before + CALL + e.after] == 0xe9);
	REACHED(len == RAKIS_PATCH_MAX && e.before == 22);
	REACHED(len == JUMP);
	return 0;
}
