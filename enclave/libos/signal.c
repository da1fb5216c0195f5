/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State of signals: actions, masks, queues; sending and taking. Delivery is in exception.c,
 * the frames of handlers in sigframe.c.
 *
 * A task is told that there is something by GATE_PENDING_WORK, set after the signal is
 * queued. A signal for the process lies in the process's queue and is told to one task that
 * does not block it; if that one blocks it or ends before it takes it, another is told.
 */
#include <linux/eventpoll.h>
#include <linux/signal.h>
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/task.h"
#include "libos/time.h"

#define QUEUE_MOST	1024u		/* entries, as RLIMIT_SIGPENDING would bound them */
#define HOST_AT_ONCE	64		/* signals from outside taken in one look */

#define MASK(sig) SIGMASK(SIG##sig)
#define UNBLOCKABLE	(MASK(KILL) | MASK(STOP))
#define STOPPING	(MASK(STOP) | MASK(TSTP) | MASK(TTIN) | MASK(TTOU))
#define SYNCHRONOUS	(MASK(SEGV) | MASK(BUS) | MASK(ILL) | MASK(TRAP) | MASK(FPE) | MASK(SYS))
#define DEFAULT_IGNORED	(MASK(CHLD) | MASK(CONT) | MASK(URG) | MASK(WINCH))
#define KNOWN_FLAGS	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | \
			 SA_NODEFER | SA_RESETHAND | SA_EXPOSE_TAGBITS | SA_RESTORER)

struct sigentry {
	struct list node;
	struct siginfo_min info;
};

struct wait_queue signal_queue = WAIT_QUEUE_INIT(signal_queue);

bool signal_ignored_by_default(int sig)
{
	return DEFAULT_IGNORED & SIGMASK(sig);
}

static bool action_ignores(const struct sigact *a, int sig)
{
	return a->handler == (u64)SIG_IGN ||
	       (a->handler == (u64)SIG_DFL && signal_ignored_by_default(sig));
}

static void lock_all(void)
{
	spin_lock(&process.lock);
	spin_lock(&process.signal_lock);
}

static void unlock_all(void)
{
	spin_unlock(&process.signal_lock);
	spin_unlock(&process.lock);
}

/* ---- queues; under signal_lock. Entries that are done with go to a list, freed later. ---- */

static void queue_remove(struct sigqueue *q, sigset mask, struct list *done)
{
	struct sigentry *e, *tmp;

	if (!(q->pending & mask))
		return;
	q->pending &= ~mask;
	list_for_each_safe(e, tmp, &q->entries, node) {
		if (mask & SIGMASK(e->info.signo)) {
			list_remove(&e->node);
			list_append(done, &e->node);
			process.signals_queued--;
		}
	}
}

/* With process.lock held too. */
static void remove_everywhere(sigset mask, struct list *done)
{
	struct task *t;

	queue_remove(&process.signals, mask, done);
	list_for_each(t, &process.tasks, node)
		queue_remove(&t->signals, mask, done);
}

static void free_entries(struct list *done)
{
	struct sigentry *e, *tmp;

	list_for_each_safe(e, tmp, done, node)
		kfree(e);
}

/* Take the lowest signal of `mask`, synchronous ones first; its number, or 0. */
static int queue_take(struct sigqueue *q, sigset mask, struct siginfo_min *info, struct list *done)
{
	struct sigentry *e, *found = NULL;
	sigset ready = q->pending & mask;
	bool more = false;
	int sig;

	if (!ready)
		return 0;
	sig = __builtin_ctzll(ready & SYNCHRONOUS ? ready & SYNCHRONOUS : ready) + 1;
	list_for_each(e, &q->entries, node) {
		if (e->info.signo != sig)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = e;
	}
	if (!more)
		q->pending &= ~SIGMASK(sig);
	if (found) {
		*info = found->info;
		list_remove(&found->node);
		list_append(done, &found->node);
		process.signals_queued--;
	} else {
		*info = (struct siginfo_min){ .signo = sig };
	}
	return sig;
}

static int take(struct task *t, sigset mask, struct siginfo_min *info, struct list *done)
{
	int sig = queue_take(&t->signals, mask, info, done);

	return sig ? sig : queue_take(&process.signals, mask, info, done);
}

/*
 * Put `info` into `q`; `e` is room for it, or NULL (no memory). 0: nothing to tell anybody,
 * 1: queued, or -EAGAIN.
 */
static int queue_add(struct sigqueue *q, const struct siginfo_min *info, struct sigentry **e)
{
	struct sigentry *old;
	int sig = info->signo;

	if (info->code == SI_TIMER && q->pending & SIGMASK(sig)) {
		list_for_each(old, &q->entries, node) {
			if (old->info.code == SI_TIMER && old->info.signo == sig &&
			    old->info.timerid == info->timerid) {
				old->info.overrun += info->overrun + 1;
				return 0;
			}
		}
	}
	if (sig < SIGRTMIN && q->pending & SIGMASK(sig))
		return 0;
	if (!*e || (sig >= SIGRTMIN && process.signals_queued >= QUEUE_MOST)) {
		/* Linux loses what kill() would say, but refuses sigqueue(). */
		if (sig >= SIGRTMIN && info->code != SI_USER)
			return -EAGAIN;
	} else {
		(*e)->info = *info;
		list_append(&q->entries, &(*e)->node);
		process.signals_queued++;
		*e = NULL;
	}
	q->pending |= SIGMASK(sig);
	return 1;
}

/* ---- whom to tell; under both locks ---- */

static bool wants(const struct task *t, int sig)
{
	return sig == SIGKILL || !(t->blocked & SIGMASK(sig));
}

/*
 * The task that handles a signal for the process, with a reference: the first one if it can.
 * Who kills the process shall not run on.
 */
static struct task *choose(int sig)
{
	struct task *t, *found = NULL;

	list_for_each(t, &process.tasks, node) {
		if (!wants(t, sig))
			continue;
		if (!found || (sig == SIGKILL ? t == current() : t->tid == process.pid))
			found = t;
	}
	if (found)
		atomic_fetch_add_explicit(&found->refs, 1, memory_order_relaxed);
	return found;
}

/* Tell other tasks about signals of the process that this one will not take any more. */
static void retarget(sigset lost)
{
	struct task *other;
	sigset left;

	for (;;) {
		lock_all();
		left = process.signals.pending & lost;
		other = left ? choose(__builtin_ctzll(left) + 1) : NULL;
		unlock_all();
		if (!left)
			return;
		lost &= ~(left & -left);
		if (!other)
			continue;
		task_kick(other);
		task_put(other);
	}
}

/* Does the process throw `sig` away? Not while the one who would get it blocks it. */
static bool is_ignored(const struct task *to, int sig)
{
	struct task *t;

	if (!action_ignores(&process.actions[sig - 1], sig))
		return false;
	if (to)
		return !(to->blocked & SIGMASK(sig));
	list_for_each(t, &process.tasks, node)
		if (t->tid == process.pid || process.ntasks == 1)
			return !(t->blocked & SIGMASK(sig));
	return true;
}

/* ---- sending ---- */

/* `to` NULL: any task of the process. */
static int send(struct task *to, const struct siginfo_min *info, bool forced)
{
	struct sigqueue *q = to ? &to->signals : &process.signals;
	struct sigentry *e = kmalloc(sizeof(*e));
	struct list done = LIST_INIT(done);
	struct task *tell = NULL;
	int sig = info->signo, r = 0;

	lock_all();
	if (SIGMASK(sig) & STOPPING)
		remove_everywhere(MASK(CONT), &done);
	else if (sig == SIGCONT)
		remove_everywhere(STOPPING, &done);
	if (forced) {
		struct sigact *a = &process.actions[sig - 1];

		/* A fault cannot wait, and cannot be ignored. */
		if (a->handler == (u64)SIG_IGN || to->blocked & SIGMASK(sig))
			a->handler = (u64)SIG_DFL;
		to->blocked &= ~SIGMASK(sig);
	}
	if (forced || !is_ignored(to, sig))
		r = queue_add(q, info, &e);
	if (forced)
		r = 1;
	if (r > 0 && !to)
		tell = choose(sig);
	unlock_all();

	free_entries(&done);
	kfree(e);
	if (r <= 0)
		return r;
	if (to && wants(to, sig))
		task_kick(to);
	if (tell) {
		task_kick(tell);
		task_put(tell);
	}
	wake_up_all(&signal_queue, EPOLLIN);
	return 0;
}

int signal_send_task(struct task *t, const struct siginfo_min *info)
{
	return send(t, info, false);
}

int signal_send_process(const struct siginfo_min *info)
{
	return send(NULL, info, false);
}

void signal_force(const struct siginfo_min *info)
{
	(void)!send(current(), info, true);
}

/*
 * Who sent it is the host's word. It must not pass for the kernel's own report of a fault,
 * for a timer, or for a thread of this process (glibc cancels threads by such signals).
 */
static void believe(struct siginfo_min *info, const struct rakis_signal *s)
{
	int code = (int)s->code;
	bool fault = SIGMASK(s->signo) & SYNCHRONOUS;

	*info = (struct siginfo_min){ .signo = (int)s->signo, .code = SI_USER };
	if (code == SI_KERNEL && !fault) {
		info->code = SI_KERNEL;
		return;
	}
	info->pid = (u32)s->pid_uid == process.pid ? 0 : (u32)s->pid_uid;
	info->uid = s->pid_uid >> 32;
	if (code == SI_QUEUE) {
		info->code = SI_QUEUE;
		info->value = s->value;
	}
}

void signal_poll_host(void)
{
	struct rakis_signal s;
	struct siginfo_min info;

	for (int n = 0; n < HOST_AT_ONCE; n++) {
		int res = host_signal_take(&s);

		if (res == 2) {
			stats_publish();
			continue;
		}
		if (res != 1)
			return;
		if (s.signo < 1 || s.signo > SIGNAL_COUNT)
			continue;
		believe(&info, &s);
		(void)!signal_send_process(&info);
	}
	/* There may be more: another look, after this thread has had its turn. */
	atomic_fetch_or(&gate_self()->pending, GATE_PENDING_HOST);
}

/* ---- masks ---- */

bool signal_deliverable(void)
{
	const struct task *t = current();
	sigset pending = *(volatile const sigset *)&t->signals.pending |
			 *(volatile const sigset *)&process.signals.pending;

	return pending & ~t->blocked ||
	       atomic_load_explicit(&process.exiting, memory_order_relaxed);
}

bool signal_pending(void)
{
	struct gate_thread *self = gate_self();

	if (likely(!atomic_load_explicit(&self->pending, memory_order_acquire)))
		return false;
	/* What it does may use up a wake-up of the wait around us: look once more. */
	if (host_pending_work())
		atomic_store(&self->notified, 1);
	if (!signal_deliverable())
		return false;
	/* It may be told to another task as well; then this one finds nothing and restarts. */
	atomic_fetch_or(&self->pending, GATE_PENDING_WORK);
	return true;
}

void signal_set_blocked(sigset mask)
{
	struct task *t = current();
	sigset old = t->blocked, lost;

	mask &= ~UNBLOCKABLE;
	if (mask == old)
		return;
	spin_lock(&process.signal_lock);
	t->blocked = mask;
	lost = process.signals.pending & mask & ~old;
	spin_unlock(&process.signal_lock);
	if (signal_deliverable())
		atomic_fetch_or(&gate_self()->pending, GATE_PENDING_WORK);
	if (unlikely(lost))
		retarget(lost);
}

int signal_set_temporary_mask(u64 uset, u64 size)
{
	struct task *t = current();
	sigset mask;

	if (!uset)
		return 0;
	if (size != sizeof(mask))
		return -EINVAL;
	if (get_user(mask, uset))
		return -EFAULT;
	t->saved_blocked = t->blocked;
	t->restore_blocked = true;
	signal_set_blocked(mask);
	return 0;
}

void signal_restore_mask(void)
{
	struct task *t = current();

	if (!t->restore_blocked)
		return;
	t->restore_blocked = false;
	signal_set_blocked(t->saved_blocked);
}

/* ---- taking ---- */

/* For timer_getoverrun(). */
static void tell_timer(int sig, const struct siginfo_min *info)
{
	if (sig && info->code == SI_TIMER)
		posix_timer_delivered(info->timerid, info->overrun);
}

int signal_dequeue(sigset mask, struct siginfo_min *out)
{
	struct list done = LIST_INIT(done);
	struct task *t = current();
	int sig;

	mask &= ~UNBLOCKABLE;
	/* Nothing there: the usual answer, without the lock. A sender wakes after queueing. */
	if (!((*(volatile sigset *)&t->signals.pending |
	       *(volatile sigset *)&process.signals.pending) & mask))
		return -EAGAIN;
	spin_lock(&process.signal_lock);
	sig = take(t, mask, out, &done);
	spin_unlock(&process.signal_lock);
	free_entries(&done);
	tell_timer(sig, out);
	return sig ? 0 : -EAGAIN;
}

int signal_next(struct siginfo_min *info, struct sigact *act)
{
	struct list done = LIST_INIT(done);
	struct task *t = current();
	struct sigact *a;
	int sig = 0;

	if (!signal_deliverable())
		return 0;
	spin_lock(&process.signal_lock);
	/* A fault comes before all else: its frame must show the place of the fault. */
	sig = queue_take(&t->signals, ~t->blocked & SYNCHRONOUS, info, &done);
	if (!sig)
		sig = take(t, ~t->blocked, info, &done);
	if (sig) {
		a = &process.actions[sig - 1];
		*act = *a;
		if (a->flags & SA_RESETHAND && a->handler > (u64)SIG_IGN)
			a->handler = (u64)SIG_DFL;
	}
	spin_unlock(&process.signal_lock);
	free_entries(&done);
	tell_timer(sig, info);
	return sig;
}

/* ---- actions ---- */

int signal_action(int sig, const struct sigact *act, struct sigact *old)
{
	struct list done = LIST_INIT(done);
	struct sigact *a;
	bool ignored, ignores;

	if (sig < 1 || sig > SIGNAL_COUNT || (act && UNBLOCKABLE & SIGMASK(sig)))
		return -EINVAL;
	lock_all();
	a = &process.actions[sig - 1];
	if (old)
		*old = *a;
	ignored = ignores = a->handler == (u64)SIG_IGN;
	if (act) {
		*a = *act;
		a->flags &= KNOWN_FLAGS;
		a->mask &= ~UNBLOCKABLE;
		ignores = a->handler == (u64)SIG_IGN;
		/* POSIX: what is pending is thrown away, blocked or not. */
		if (action_ignores(a, sig))
			remove_everywhere(SIGMASK(sig), &done);
	}
	unlock_all();
	free_entries(&done);
	/* The host kernel acts upon it (SIGTTOU), or has to begin to report it (nohup). */
	if (unlikely(ignores != ignored) && sig != SIGPIPE)
		(void)!host_signal_ignore(sig, ignores);
	return 0;
}

/* ---- tasks ---- */

void signal_task_init(struct task *t, const struct task *parent)
{
	t->blocked = parent ? parent->blocked : 0;
	t->restore_blocked = false;
	t->signals.pending = 0;
	list_init(&t->signals.entries);
	t->altstack_base = t->altstack_size = 0;
	t->altstack_flags = SS_DISABLE;
	t->xstate = NULL;
}

void signal_task_exit(struct task *t)
{
	struct list done = LIST_INIT(done);

	spin_lock(&process.signal_lock);
	queue_remove(&t->signals, ~0ull, &done);
	spin_unlock(&process.signal_lock);
	free_entries(&done);
	kfree(t->xstate);
	t->xstate = NULL;
	retarget(~t->blocked);
}

void signal_init(const struct rakis_boot *boot)
{
	list_init(&process.signals.entries);
	for (int sig = 1; sig <= SIGNAL_COUNT; sig++)
		if (boot->ignored & SIGMASK(sig) & ~UNBLOCKABLE)
			process.actions[sig - 1].handler = (u64)SIG_IGN;
	current()->blocked = boot->blocked & ~UNBLOCKABLE;
	sigframe_init();
}
