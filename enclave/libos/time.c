/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks. Between two looks at the host's clock, time is a line over the TSC; a look fits a
 * new line to it. What the host says is an interval: its clock was read at some moment
 * between two TSC values. A line that passes through the interval is left alone; one that is
 * behind jumps forward, one that is ahead goes slower until the next look. The value never
 * goes back, whatever the host says.
 */
#include "boundary/request.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/errno.h"
#include "lib/lock.h"
#include "libos/time.h"
#include "libos/vvar.h"
#include "libos/wait.h"

#define WINDOW_NS	(NSEC_PER_SEC / 4)	/* a line is good for so long */
#define MAX_JUMP_NS	(3600 * NSEC_PER_SEC)	/* most that one look moves the clock forward */
#define HOST_MAX_NS	(1ull << 62)

struct line {
	u64 base;		/* TSC at the start */
	u64 max;		/* cycles for which it holds */
	u64 mult;		/* ns per cycle, << VVAR_SHIFT */
	u64 mono;		/* CLOCK_MONOTONIC at base */
	u64 real, boot;		/* the other clocks */
};

static struct {
	struct spinlock lock;	/* writers */
	_Atomic u32 seq;	/* odd while `line` changes */
	struct line line;
} clock;

/* Writers' own, under clock.lock. */
static u64 tsc_hz;		/* 0: no TSC, each look goes to the host */
static u64 nominal, rate;	/* mult by tsc_hz, and as measured */
static u64 anchor_tsc, anchor_mono;	/* where the measurement of `rate` began */
static u64 real_offset, boot_offset;	/* from CLOCK_MONOTONIC */
static u64 page;		/* guest's address of struct vvar, or 0 */
static u32 page_seq;

static _Atomic u64 last_mono;	/* without TSC: what was given out */

/* After all earlier loads, before all later ones. */
static u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(lo), "=d"(hi) :: "memory");
	return (u64)hi << 32 | lo;
}

static u64 to_ns(u64 cycles, u64 mult)
{
	return (unsigned __int128)cycles * mult >> VVAR_SHIFT;
}

static u64 clamp(u64 x, u64 lo, u64 hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

static u64 distance(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

/* ---- the guest's copy ---- */

static void page_set_seq(u32 seq)
{
	u32 seen;

	if (!page)
		return;
	/* A guest that writes there itself loses its clock, and nothing else. */
	if (user_cmpxchg32(page, page_seq, seq, &seen) ||
	    (seen != page_seq && user_cmpxchg32(page, seen, seq, &seen)))
		page = 0;
	page_seq = seq;
}

static void page_write(const struct line *l)
{
	struct vvar v = { .mode = VVAR_OFF };
	const u64 skip = offsetof(struct vvar, mode);

	if (l)
		v = (struct vvar){
			.mode = VVAR_TSC, .tsc_base = l->base, .tsc_max = l->max, .mult = l->mult,
			.mono_ns = l->mono, .real_ns = l->real, .boot_ns = l->boot,
		};
	if (page && copy_to_user(page + skip, &v.mode, sizeof(v) - skip))
		page = 0;
}

/* ---- fitting a line ---- */

struct sample {
	u64 before, after;	/* TSC around it */
	u64 mono, real, boot;
};

static bool take_sample(struct sample *s)
{
	struct rakis_clock c;
	u64 t0 = rdtsc(), t1;

	if (host_clock(&c))
		return false;
	t1 = rdtsc();
	s->before = clamp(c.tsc_before, t0, t1);
	s->after = clamp(c.tsc_after, s->before, t1);
	s->mono = min(c.monotonic_ns, HOST_MAX_NS);
	s->real = min(c.realtime_ns, HOST_MAX_NS);
	s->boot = min(c.boottime_ns, HOST_MAX_NS);
	return true;
}

/* Measure the TSC's rate over a second or more; within 1 % of what it is said to be. */
static void calibrate(const struct sample *s)
{
	u64 cycles = s->after - anchor_tsc, ns = s->mono - anchor_mono;

	/* A sample that took long says little. */
	if (s->after - s->before > tsc_hz >> 16)
		return;
	if (anchor_tsc && s->after > anchor_tsc && s->mono > anchor_mono) {
		if (cycles < tsc_hz)
			return;
		for (; ns >> 31; ns >>= 1)
			cycles >>= 1;
		rate = clamp((ns << VVAR_SHIFT) / max(cycles, 1ull), nominal - nominal / 100,
			     nominal + nominal / 100);
	}
	anchor_tsc = s->after;
	anchor_mono = s->mono;
}

/* The new line from TSC value `now` on. `s` NULL: the host gave no answer. */
static struct line fit(const struct line *old, const struct sample *s, u64 now)
{
	u64 passed = now > old->base ? now - old->base : 0;
	u64 given_out = old->mono + to_ns(min(passed, old->max), old->mult);
	u64 own = old->mono + to_ns(passed, old->mult);
	struct line l = { .base = now, .max = tsc_hz / (NSEC_PER_SEC / WINDOW_NS), .mono = own };
	u64 lo, hi, width;

	if (s) {
		calibrate(s);
		lo = s->mono + to_ns(now - s->after, rate);
		hi = s->mono + to_ns(now - s->before, rate);
		width = hi - lo;
		if (!old->mult)
			own = lo;
		lo = min(lo, own + MAX_JUMP_NS);
		hi = max(hi, lo);
		l.mono = max(clamp(own, lo, hi), given_out);
		/* The two clocks are not read at the same moment: a step is what is longer. */
		if (distance(s->real - s->mono, real_offset) > width + 1000)
			real_offset = s->real - s->mono;
		if (distance(s->boot - s->mono, boot_offset) > width + 1000)
			boot_offset = s->boot - s->mono;
	}
	l.mult = rate;
	if (s && l.mono > hi)
		l.mult -= rate * min(l.mono - hi, WINDOW_NS / 100) / WINDOW_NS;
	l.real = l.mono + real_offset;
	l.boot = l.mono + boot_offset;
	return l;
}

static void refresh(void)
{
	struct sample s;
	bool good = take_sample(&s);
	u32 seq;

	/* Who does not get the lock finds the new line in a moment; time stands until then. */
	if (!spin_trylock(&clock.lock))
		return;
	seq = atomic_load_explicit(&clock.seq, memory_order_relaxed);
	/*
	 * No reader may use the old line at a TSC value beyond the start of the new one: both
	 * copies are marked as changing before the TSC is read.
	 */
	page_set_seq(page_seq | 1);
	atomic_store(&clock.seq, seq + 1);
	clock.line = fit(&clock.line, good ? &s : NULL, rdtsc());
	atomic_store_explicit(&clock.seq, seq + 2, memory_order_release);
	page_write(&clock.line);
	page_set_seq((page_seq | 1) + 1);
	spin_unlock(&clock.lock);
}

/* ---- reading ---- */

/* A copy of the line, and the cycles since its start. */
static u64 read_line(struct line *l)
{
	u64 now;
	u32 seq;

	for (;;) {
		seq = atomic_load_explicit(&clock.seq, memory_order_acquire);
		*l = clock.line;
		now = rdtsc();
		if (!(seq & 1) && seq == atomic_load_explicit(&clock.seq, memory_order_relaxed))
			return now > l->base ? now - l->base : 0;
		cpu_relax();
	}
}

/* Nanoseconds of CLOCK_MONOTONIC since the start of *l. */
static u64 since_base(struct line *l)
{
	u64 passed = read_line(l);

	if (unlikely(passed > l->max)) {
		refresh();
		passed = min(read_line(l), l->max);
	}
	return to_ns(passed, l->mult);
}

/* Without TSC. */
static u64 ask_host(u64 *real, u64 *boot)
{
	struct rakis_clock c;
	u64 last = atomic_load(&last_mono), mono;

	if (host_clock(&c))
		c = (struct rakis_clock){ 0 };
	mono = min(c.monotonic_ns, HOST_MAX_NS);
	while (mono > last && !atomic_compare_exchange_weak(&last_mono, &last, mono))
		;
	*real = min(c.realtime_ns, HOST_MAX_NS);
	*boot = min(c.boottime_ns, HOST_MAX_NS);
	return max(mono, last);
}

u64 now_ns(void)
{
	struct line l;
	u64 ns, real, boot;

	if (unlikely(!tsc_hz))
		return ask_host(&real, &boot);
	ns = since_base(&l);
	return l.mono + ns;
}

u64 realtime_ns(void)
{
	struct line l;
	u64 ns, real, boot;

	if (unlikely(!tsc_hz)) {
		ask_host(&real, &boot);
		return real;
	}
	ns = since_base(&l);
	return l.real + ns;
}

u64 boottime_ns(void)
{
	struct line l;
	u64 ns, real, boot;

	if (unlikely(!tsc_hz)) {
		ask_host(&real, &boot);
		return boot;
	}
	ns = since_base(&l);
	return l.boot + ns;
}

u64 cpu_ns(bool thread)
{
	struct rakis_clock c;

	if (host_clock(&c))
		return 0;
	return min(thread ? c.thread_cpu_ns : c.process_cpu_ns, HOST_MAX_NS);
}

void time_init(const struct rakis_boot *boot)
{
	tsc_hz = boot->tsc_hz;
	/* 10 MHz to 100 GHz: nothing here overflows. */
	if (tsc_hz < 10000000 || tsc_hz > 100 * NSEC_PER_SEC) {
		tsc_hz = 0;
		return;
	}
	nominal = rate = (NSEC_PER_SEC << VVAR_SHIFT) / tsc_hz;
	refresh();
}

void time_set_vvar(struct vvar *guest)
{
	spin_lock(&clock.lock);
	page = (u64)guest;
	page_seq = 0;
	if (!tsc_hz)
		page_write(NULL);
	spin_unlock(&clock.lock);
	if (tsc_hz)
		refresh();
}

/* ---- the guest's struct timespec ---- */

int get_timespec(u64 uaddr, struct timespec64 *ts)
{
	if (get_user(*ts, uaddr))
		return -EFAULT;
	if (ts->sec < 0 || (u64)ts->nsec >= NSEC_PER_SEC)
		return -EINVAL;
	return 0;
}

int get_timespec_ns(u64 uaddr, u64 *ns)
{
	struct timespec64 ts;
	int r = get_timespec(uaddr, &ts);

	if (r)
		return r;
	*ns = (u64)ts.sec >= INT64_MAX / NSEC_PER_SEC ? INT64_MAX
						      : ts.sec * NSEC_PER_SEC + ts.nsec;
	return 0;
}

int get_deadline(u64 uaddr, u64 *deadline)
{
	u64 ns;
	int r;

	*deadline = WAIT_FOREVER;
	if (!uaddr)
		return 0;
	r = get_timespec_ns(uaddr, &ns);
	if (!r)
		*deadline = now_ns() + ns;
	return r;
}

int put_timespec_ns(u64 uaddr, u64 ns)
{
	struct timespec64 ts = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	return put_user(ts, uaddr);
}
