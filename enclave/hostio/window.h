/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows of regular files: pages of the host's page cache, mapped into untrusted memory, so
 * that a read, or a write over bytes that the file has, is one copy and no request. What the
 * host writes into them meanwhile is what read(2) would have met; pages that go away (a file
 * that another process cuts short) end the copy, and the caller asks the host.
 *
 * Only bytes below the size that the file had when the host was last asked are read: at the
 * end of a file the host is asked again. A file cut short by another process may show zeros
 * up to the end of its last page until then; by this process, never.
 *
 * What is written is in the file at once, for all processes. It must not get lost behind the
 * end of a file that another process has cut short, so a size is believed only as long as the
 * host has told nothing: until then nobody can have told the guest either. And since a store
 * changes no times and notifies nobody, a request writes once in a WINDOW_TICK: times are as
 * coarse as those of a kernel whose clock ticks that often.
 */
#ifndef RAKIS_HOSTIO_WINDOW_H
#define RAKIS_HOSTIO_WINDOW_H

#include "hostio/iter.h"
#include "lib/types.h"

/* Of one open file; zeroed at first. Guarded by itself: any thread may read. */
struct window_user {
	_Atomic u32 window;	/* number + 1; 0: none */
	u32 reads;		/* requests since there was one: is one worth its price? */
	u32 moves;		/* of the window that did not pay */
	bool never;		/* cannot be mapped, or does not pay */
	bool writes;		/* is written to: map it so */
	u64 end;		/* the file reached at least so far, once */
	u64 heard, time;	/* host_heard and the time at the last write by request */
};

#define WINDOW_TICK	1000000u	/* ns */

/* False: no windows, all reads are requests. `base`: unchecked. */
void window_init(u64 base);
/*
 * Bytes copied to the guest's buffers; 0: nothing from here, make a request. `fd` may be
 * mapped for this.
 */
ssize_t window_read(struct window_user *u, int fd, struct iter *it, u64 pos) __must_check;
/* The same for a write that ends within `end`; `now`: ns. What it leaves is written by request,
 * after which window_wrote() takes note (`now` 0: of the end only). */
ssize_t window_write(struct window_user *u, int fd, struct iter *it, u64 pos, u64 now) __must_check;
void window_wrote(struct window_user *u, u64 end, u64 now);
/* The file is closed. */
void window_drop(struct window_user *u);
/* A file may have become shorter, by a call of this process: sizes are asked again. */
void window_forget_sizes(void);

#endif
