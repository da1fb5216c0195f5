/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patching: system call instructions of a file that is about to become executable are
 * replaced by jumps to stubs, which call the libOS through GS. A stub, in a slot of its own:
 *
 *	displaced instructions ahead of the call
 *	lea	1f(%rip), %rcx
 *	jmp	*%gs:GATE_SYSCALL_ENTRY
 * 1:	displaced instructions behind it
 *	jmp	to what follows the site
 *
 * The table comes from outside: an entry is applied only if memory holds exactly the bytes
 * it names, with a system call among them; a wrong one can then make the guest's code wrong
 * but reaches nothing else.
 */
#include "elf/elf.h"
#include "fs/file.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "libos/mm.h"
#include "libos/wait.h"

enum {
	SLOT = 64,			/* bytes of a stub: 22 displaced, 20 of its own */
	CHUNK = 256,			/* entries asked for at once */
	MAX_SITES = 1 << 16,		/* of one mapping */
	JUMP = 5,
};

#define CALL	15u			/* lea and jmp through GS */

struct site {
	u32 off;			/* from the start of the mapping */
	u8 before, after;
};

/* The stubs of one mapping; immutable while it is on the list. */
struct area {
	struct list node;
	u64 text, text_len;
	u64 stubs, stubs_len;
	u32 n;
	struct site site[];		/* sorted; stub i belongs to site i */
};

/* Changed with both locks held, so that either is enough to look. */
static struct list areas = LIST_INIT(areas);
static struct mutex patch_lock = { .queue = WAIT_QUEUE_INIT(patch_lock.queue) };
static struct spinlock areas_lock = SPINLOCK_INIT;

static u32 site_len(const struct site *s)
{
	return s->before + 2u + s->after;
}

static void put_rel32(u8 *p, u64 from, u64 to)
{
	s32 rel = to - from;

	memcpy(p, &rel, sizeof(rel));
}

static void put_jump(u8 *p, u64 addr, u64 to)
{
	p[0] = 0xe9;
	put_rel32(p + 1, addr + JUMP, to);
}

/* Does the code at `addr` still jump to its stub? It may have been replaced since. */
static bool site_is_live(u64 addr, u64 stub)
{
	u8 want[JUMP], have[JUMP];

	put_jump(want, addr, stub);
	return copy_from_user(have, addr, JUMP) == 0 && memcmp(want, have, JUMP) == 0;
}

/* Free areas whose code was in [addr, addr + len) and is gone: something else is there now. */
static void drop_stale(u64 addr, u64 len)
{
	struct area *a, *tmp;

	list_for_each_safe(a, tmp, &areas, node) {
		bool live = a->text >= addr + len || addr >= a->text + a->text_len;

		for (u32 i = 0; i < a->n && !live; i++)
			live = site_is_live(a->text + a->site[i].off, a->stubs + (u64)i * SLOT);
		if (live)
			continue;
		spin_lock(&areas_lock);
		list_remove(&a->node);
		spin_unlock(&areas_lock);
		if (mm_unmap(a->stubs, a->stubs_len) < 0)
			log_debug("stubs at %lx stay mapped", a->stubs);
		kfree(a);
	}
}

/* Is the entry sound, and does memory at `addr`, of which `room` bytes are mapped, hold it? */
static bool entry_matches(const struct rakis_patch *e, u64 addr, u64 room)
{
	u32 len = e->before + 2u + e->after;
	u8 now[RAKIS_PATCH_MAX];

	return len >= JUMP && len <= RAKIS_PATCH_MAX && len <= room &&
	       e->bytes[e->before] == 0x0f && e->bytes[e->before + 1] == 0x05 &&
	       copy_from_user(now, addr, len) == 0 && memcmp(now, e->bytes, len) == 0;
}

static int table(struct file *f, struct rakis_patch *out, u32 max, u64 first)
{
	int fd;

	if (f->ops->patches)
		return f->ops->patches(f, out, max, first);
	fd = file_host_fd(f);
	return fd < 0 ? 0 : host_patch_table(fd, out, max, first);
}

/*
 * Fetch the table and keep what applies to the mapping, in an area without stubs yet. The
 * displaced bytes go to *stubs, each at the start of its slot. NULL: nothing to patch.
 */
static struct area *collect_sites(struct file *f, u64 addr, u64 len, u64 off, u8 **stubs)
{
	struct rakis_patch *chunk = kmalloc(CHUNK * sizeof(*chunk));
	struct area *a = kzalloc(sizeof(*a)), *grown;
	u64 first = 0, end = 0, left = 0;
	u8 *code = NULL, *more;
	int n;

	while (chunk && a && (n = table(f, chunk, CHUNK, first)) > 0) {
		grown = krealloc(a, sizeof(*a) + (a->n + n) * sizeof(a->site[0]));
		a = grown ? grown : a;
		more = krealloc(code, (u64)(a->n + n) * SLOT);
		code = more ? more : code;
		if (!grown || !more)
			break;
		for (int i = 0; i < n; i++) {
			const struct rakis_patch *e = &chunk[i];
			u64 at = e->offset - off;

			if (e->offset < off || at >= len)
				continue;
			if (at < end || !entry_matches(e, addr + at, len - at)) {
				left++;
				continue;
			}
			a->site[a->n] = (struct site){ at, e->before, e->after };
			end = at + site_len(&a->site[a->n]);
			memcpy(code + (u64)a->n * SLOT, e->bytes, RAKIS_PATCH_MAX);
			a->n++;
		}
		first += n;
		if (n < CHUNK || first >= MAX_SITES)
			break;
	}
	STAT_ADD(sites_left, left);
	kfree(chunk);
	if (a && a->n) {
		*stubs = code;
		return a;
	}
	kfree(code);
	kfree(a);
	return NULL;
}

/* Complete stub `i`, of which `p` holds the displaced bytes, and write its site's jump. */
static int write_site(const struct area *a, u32 i, u8 *p)
{
	const struct site *s = &a->site[i];
	u64 addr = a->text + s->off, stub = a->stubs + (u64)i * SLOT;
	u8 moved[RAKIS_PATCH_MAX], jump[RAKIS_PATCH_MAX];
	u32 ret = s->before + CALL;

	memcpy(moved, p, site_len(s));
	memset(p + s->before, 0xcc, SLOT - s->before);
	memcpy(p + s->before, "\x48\x8d\x0d\x08\x00\x00\x00", 7);	/* lea 8(%rip), %rcx */
	memcpy(p + s->before + 7, "\x65\xff\x24\x25", 4);		/* jmp *%gs:abs32 */
	memcpy(p + s->before + 11, &(u32){ GATE_SYSCALL_ENTRY }, 4);
	memcpy(p + ret, moved + s->before + 2, s->after);
	put_jump(p + ret + s->after, stub + ret + s->after, addr + site_len(s));

	memset(jump, 0xcc, sizeof(jump));
	put_jump(jump, addr, stub);
	return copy_to_user(addr, jump, site_len(s));
}

static void patch_locked(struct file *f, u64 addr, u64 len, u64 off)
{
	int r = -ENOMEM;
	u32 patched = 0;
	struct area *a;
	u8 *stubs = NULL;
	s64 near;
	u64 reach;

	a = collect_sites(f, addr, len, off, &stubs);
	if (!a)
		return;
	a->text = addr;
	a->text_len = len;
	a->stubs_len = PAGE_UP((u64)a->n * SLOT);
	if (len + a->stubs_len < (1ull << 30)) {
		/* From any byte of the mapping to any stub, and back, in 31 bits. */
		reach = (1ull << 31) - len - a->stubs_len - PAGE_SIZE;
		near = mm_map_near(addr, reach, a->stubs_len, VM_STUBS, "[stubs]");
		r = near < 0 ? near : 0;
		a->stubs = near;
	}
	if (r < 0)
		goto none;
	for (; patched < a->n && r == 0; patched += r == 0)
		r = write_site(a, patched, stubs + (u64)patched * SLOT);
	STAT_ADD(sites_left, a->n - patched);
	a->n = patched;
	if (r == 0 || patched)
		r = copy_to_user(a->stubs, stubs, (u64)patched * SLOT);
	if (r == 0)
		r = mm_protect(a->stubs, a->stubs_len, PROT_READ | PROT_EXEC);
	/* Half-patched code would run into stubs that are not there. */
	if (r < 0)
		panic("cannot write the system call stubs of %s: error %d", f->path ? f->path : "?", r);
	STAT_ADD(sites_patched, patched);
	spin_lock(&areas_lock);
	list_push(&areas, &a->node);
	spin_unlock(&areas_lock);
	kfree(stubs);
	return;
none:
	log_warn("no room for system call stubs near %lx: calls of %s will be slow", addr,
		 f->path ? f->path : "a file");
	STAT_ADD(sites_left, a->n);
	kfree(stubs);
	kfree(a);
}

void patch_mapping(struct file *f, u64 addr, u64 len, u64 off)
{
	mutex_lock(&patch_lock);
	drop_stale(addr, len);
	patch_locked(f, addr, len, off);
	mutex_unlock(&patch_lock);
}

u64 patch_original_rip(u64 rip)
{
	u64 out = rip;
	struct area *a;

	spin_lock(&areas_lock);
	list_for_each(a, &areas, node) {
		u64 off = rip - a->stubs, i = off / SLOT, at = off % SLOT;
		const struct site *s = &a->site[i];

		if (i >= a->n)
			continue;
		out = a->text + s->off;
		if (at < s->before)
			out += at;
		else if (at < s->before + CALL)		/* the call is yet to be made */
			out += s->before;
		else if (at < s->before + CALL + s->after)
			out += at - CALL + 2;
		else
			out += site_len(s);
		break;
	}
	spin_unlock(&areas_lock);
	return out;
}

u64 patch_resume_rip(u64 rip)
{
	u64 out = rip, site = 0, stub = 0;
	struct area *a;

	spin_lock(&areas_lock);
	list_for_each(a, &areas, node) {
		u64 off = rip - a->text, at;
		u32 lo = 0, hi = a->n;
		const struct site *s;

		if (off >= a->text_len)
			continue;
		/* The last site that begins at or before it. */
		while (lo < hi) {
			u32 mid = lo + (hi - lo) / 2;

			if (a->site[mid].off <= off)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (!lo)
			continue;
		s = &a->site[lo - 1];
		at = off - s->off;
		if (at == 0 || at >= site_len(s) || at == s->before + 1u)
			continue;
		site = a->text + s->off;
		stub = a->stubs + (u64)(lo - 1) * SLOT;
		out = stub + (at <= s->before ? at : at - 2 + CALL);
		break;
	}
	spin_unlock(&areas_lock);
	return out == rip || site_is_live(site, stub) ? out : rip;
}
