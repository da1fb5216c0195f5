/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --trace. The arguments are printed as they are at entry (strings may change while the
 * call runs), the result when it is known: a line appears when the call has ended. At log
 * level debug another one appears when it begins, to see what a program hangs in.
 */
#include "boundary/request.h"
#include "gate/usercopy.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "libos/task.h"
#include "syscalls/syscalls.h"
#include "syscalls/trace.h"

#define TEXT_MOST	48

static const char *const formats[] = {
#define SYS(name, args) [__NR_##name] = args,
#include "syscalls/all.tbl"
#undef SYS
};

/* The start of a text at `uaddr` of `len` bytes, or up to its NUL. */
static size_t add_text(char *out, size_t room, u64 uaddr, u64 len)
{
	char text[TEXT_MOST + 1];
	bool counted = len != ~0ull;
	size_t n = 0;

	if (!uaddr)
		return snprintf(out, room, "NULL");
	while (n < min(len, (u64)TEXT_MOST)) {
		if (copy_from_user(&text[n], uaddr + n, 1))
			return snprintf(out, room, "0x%lx", uaddr);
		if (!counted && !text[n])
			break;
		if (text[n] < ' ' || text[n] > '~')
			text[n] = '.';
		n++;
	}
	text[n] = 0;
	return snprintf(out, room, "\"%s\"%s", text, n == TEXT_MOST ? "..." : "");
}

static size_t add_argument(char *out, size_t room, char letter, u64 v, u64 next)
{
	switch (letter) {
	case 's':
		return add_text(out, room, v, ~0ull);
	case 'b':
		return add_text(out, room, v, next);
	case 'p':
		return v ? snprintf(out, room, "0x%lx", v) : snprintf(out, room, "NULL");
	case 'd':
	case 'f':
		return snprintf(out, room, "%d", (int)v);
	case 'a':
		return (int)v == -100 ? snprintf(out, room, "AT_FDCWD") : snprintf(out, room, "%d", (int)v);
	case 'o':
		return snprintf(out, room, "0%lo", v);
	case 'u':
		return snprintf(out, room, "%lu", v);
	default:
		return snprintf(out, room, "0x%lx", v);
	}
}

static void describe(const struct regs *r, char *out, size_t room)
{
	const u64 args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	u64 nr = r->orig_rax;
	const char *f = nr < ARRAY_SIZE(formats) && formats[nr] ? formats[nr] : "xxxxxx";
	size_t n = snprintf(out, room, "%s(", syscall_name(nr));

	for (int i = 0; i < 6 && f[i] && n + 1 < room; i++) {
		if (f[i] == '-')
			continue;
		if (i)
			n += snprintf(out + n, room - n, ", ");
		if (n + 1 < room)
			n += add_argument(out + n, room - n, f[i], args[i], i < 5 ? args[i + 1] : 0);
	}
}

long trace_call(struct regs *r, long (*call)(struct regs *))
{
	char line[320];
	u64 nr = r->orig_rax;
	long res;

	describe(r, line, sizeof(line));
	if (nr == __NR_exit || nr == __NR_exit_group)
		log_error("[%u] %s) = ?", current()->tid, line);
	else
		log_debug("[%u] %s ...", current()->tid, line);
	res = call(r);
	if (res < 0 && res >= -4095)
		log_error("[%u] %s) = -%ld", current()->tid, line, -res);
	else if (res >= 0 && res < 0x100000)
		log_error("[%u] %s) = %ld", current()->tid, line, res);
	else
		log_error("[%u] %s) = 0x%lx", current()->tid, line, res);
	return res;
}
