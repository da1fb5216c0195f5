/* SPDX-License-Identifier: Apache-2.0 */
/* The process and its tasks: threads begin, are found and kicked, and end. */
#include <linux/sched.h>
#include "fastpath/untrusted.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "libos/clone.h"
#include "libos/futex.h"
#include "libos/mm.h"
#include "libos/task.h"
#include "libos/time.h"

struct process process;

static u32 last_tid;			/* under process.lock */

/* Threads are numbered like Linux's default pid_max would have it. */
#define TID_MAX		4194304u
#define TID_AFTER_WRAP	300u

#define NGROUPS_MAX	65536u

static void copy_groups(const struct rakis_boot *boot)
{
	struct uptr p;
	u64 n = boot->ngroups;

	if (!n || n > NGROUPS_MAX || !uptr_check(boot->groups, n * sizeof(u32), &p))
		return;
	process.groups = kmalloc(n * sizeof(u32));
	if (!process.groups)
		panic("out of memory at start");
	untrusted_read(process.groups, p, n * sizeof(u32));
	process.ngroups = n;
}

void task_init(const struct rakis_boot *boot)
{
	struct task *t = kzalloc(sizeof(*t));

	if (!t)
		panic("out of memory at start");
	process.pid = last_tid = boot->pid;
	process.ppid = boot->ppid;
	process.pgid = boot->pgid;
	process.sid = boot->sid;
	process.uid = boot->uid;
	process.euid = process.suid = process.fsuid = boot->euid;
	process.gid = boot->gid;
	process.egid = process.sgid = process.fsgid = boot->egid;
	process.umask = boot->umask & 0777;
	process.dumpable = true;
	process.start_ns = now_ns();
	copy_groups(boot);
	list_init(&process.tasks);
	process.ntasks = 1;

	t->refs = 1;
	t->tid = process.pid;
	t->gate = gate_self();
	signal_task_init(t, NULL);
	list_append(&process.tasks, &t->node);
	gate_self()->task = t;
}

void task_set_comm(struct task *t, const char *path)
{
	const char *slash = strrchr(path, '/');

	memset(t->comm, 0, sizeof(t->comm));
	snprintf(t->comm, sizeof(t->comm), "%s", slash ? slash + 1 : path);
}

/* ---- finding ---- */

static struct task *find_locked(u32 tid)
{
	struct task *t;

	list_for_each(t, &process.tasks, node)
		if (t->tid == tid)
			return t;
	return NULL;
}

static struct task *task_get(struct task *t)
{
	if (t)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

struct task *task_find(u32 tid)
{
	struct task *t;

	spin_lock(&process.lock);
	t = task_get(find_locked(tid));
	spin_unlock(&process.lock);
	return t;
}

struct task *task_next(u32 tid)
{
	struct task *t, *best = NULL;

	spin_lock(&process.lock);
	list_for_each(t, &process.tasks, node)
		if (t->tid > tid && (!best || t->tid < best->tid))
			best = t;
	task_get(best);
	spin_unlock(&process.lock);
	return best;
}

void task_put(struct task *t)
{
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) == 1)
		kfree(t);
}

void task_kick(struct task *t)
{
	struct gate_thread *g = t->gate;

	atomic_fetch_or(&g->pending, GATE_PENDING_WORK);
	if (g == gate_self())
		return;
	park_wake(g);
	/* One that sleeps, or has yet to come in, looks at `pending` on its way to the guest. */
	if (!atomic_load(&g->parked) && atomic_load(&g->state) == GATE_RUNNING)
		host_interrupt(g->slot);
}

/* ---- beginning ---- */

/* A free thread number; process.lock held. */
static u32 new_tid(void)
{
	do {
		if (++last_tid >= TID_MAX)
			last_tid = TID_AFTER_WRAP;
	} while (last_tid == process.pid || find_locked(last_tid));
	return last_tid;
}

static int task_list_add(struct task *t)
{
	int r = 0;

	spin_lock(&process.lock);
	if (process.exiting) {
		r = -ERESTARTNOINTR;
	} else {
		t->tid = new_tid();
		list_append(&process.tasks, &t->node);
		process.ntasks++;
	}
	spin_unlock(&process.lock);
	return r;
}

static void task_list_remove(struct task *t)
{
	spin_lock(&process.lock);
	list_remove(&t->node);
	process.ntasks--;
	spin_unlock(&process.lock);
}

/* Everything a new thread of this process may say; the rest is not a thread, or not like ours. */
#define THREAD_FLAGS	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define ALSO_FLAGS	(CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | \
			 CLONE_CHILD_CLEARTID | CLONE_PTRACE | CLONE_UNTRACED | CLONE_DETACHED |   \
			 CLONE_PARENT | CLONE_IO)
#define NEW_NAMESPACES	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |	\
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static long unsupported(_Atomic u32 *told, const char *what)
{
	if (!atomic_exchange(told, 1))
		log_warn("%s is not supported yet: ENOSYS", what);
	return -ENOSYS;
}

static int check_flags(u64 flags)
{
	static _Atomic u32 told_vfork, told_fork, told_apart;

	if (((flags & CLONE_SIGHAND) && !(flags & CLONE_VM)) ||
	    ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND)) ||
	    ((flags & CLONE_FS) && (flags & (CLONE_NEWNS | CLONE_NEWUSER))) ||
	    ((flags & CLONE_THREAD) && (flags & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD))) ||
	    ((flags & CLONE_SYSVSEM) && (flags & CLONE_NEWIPC)) ||
	    ((flags & CLONE_SIGHAND) && (flags & CLONE_CLEAR_SIGHAND)))
		return -EINVAL;
	if (flags & NEW_NAMESPACES)
		return -EPERM;
	if (!(flags & CLONE_THREAD)) {
		if (flags & CLONE_VFORK)
			return unsupported(&told_vfork, "vfork or posix_spawn");
		return unsupported(&told_fork, "fork");
	}
	if ((flags & THREAD_FLAGS) != THREAD_FLAGS || (flags & ~(THREAD_FLAGS | ALSO_FLAGS)))
		return unsupported(&told_apart, "a thread with files or a directory of its own");
	return 0;
}

long task_clone(const struct clone_request *c)
{
	static _Atomic u32 told;
	struct task *t;
	int slot, r;
	u32 tid;

	r = check_flags(c->flags);
	if (r)
		return r;
	/* Loading such a value would fault; Linux's answer. */
	if ((c->flags & CLONE_SETTLS) && c->tls >> 47)
		return -EPERM;
	mm_before_threads();
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	slot = gate_slot_alloc();
	if (slot < 0) {
		if (!atomic_exchange(&told, 1))
			log_warn("out of thread slots: at most %u threads (in an enclave: --threads); clone fails with EAGAIN",
				 (u32)gate_layout.slot_count);
		kfree(t);
		return -EAGAIN;
	}
	t->refs = 1;
	t->gate = gate_slot(slot);
	memcpy(t->comm, current()->comm, sizeof(t->comm));
	t->sched_policy = current()->sched_policy;
	t->ioprio = current()->ioprio;
	t->nice = current()->nice;
	signal_task_init(t, current());
	t->start = *gate_regs();
	t->start.rax = 0;
	if (c->stack)
		t->start.rsp = c->stack;
	t->start_fs = c->flags & CLONE_SETTLS ? c->tls : gate_guest_fs();
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(t->start_mxcsr), "=m"(t->start_fcw));
	if (c->flags & CLONE_CHILD_CLEARTID)
		t->clear_child_tid = c->child_tid;
	t->gate->task = t;
	r = task_list_add(t);
	if (r) {
		/* The process is ending, and so is this thread, at the latest now. */
		task_kick(current());
		goto out_slot;
	}
	tid = t->tid;
	/* As Linux does, a bad address is not an error. */
	if (c->flags & CLONE_PARENT_SETTID)
		(void)!put_user(tid, c->parent_tid);
	if (c->flags & CLONE_CHILD_SETTID)
		(void)!put_user(tid, c->child_tid);
	r = host_spawn(slot);
	if (r) {
		log_warn("the host cannot start a thread (error %d): clone fails with EAGAIN", -r);
		r = -EAGAIN;
		goto out_list;
	}
	return tid;	/* `t` may be gone */

out_list:
	task_list_remove(t);
	signal_task_exit(t);
out_slot:
	t->gate->task = NULL;
	gate_slot_free(slot);
	task_put(t);
	return r;
}

void libos_thread_start(struct task *t)
{
	gate_set_guest_fs(t->start_fs);
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" :: "m"(t->start_mxcsr), "m"(t->start_fcw));
	*gate_regs() = t->start;
	gate_return();
}

/* ---- ending ---- */

static void end_thread(struct task *t) __noreturn;
static void end_thread(struct task *t)
{
	/* What the host brought to this thread, others need. */
	(void)host_pending_work();
	signal_task_exit(t);
	gate_self()->task = NULL;
	task_put(t);
	gate_thread_end();
}

void task_exit(int status)
{
	struct task *t = current();
	bool last;

	if (!process.exiting) {
		futex_task_exit(t);
		/* pthread_join() waits for this; the libOS stack is no memory of the guest's. */
		if (t->clear_child_tid && !put_user((u32)0, t->clear_child_tid))
			futex_wake(t->clear_child_tid, 1, ~0u);
	}
	spin_lock(&process.lock);
	last = process.ntasks == 1 && !process.exiting;
	if (!last) {
		list_remove(&t->node);
		process.ntasks--;
	}
	spin_unlock(&process.lock);
	if (last)
		process_exit(status, 0);
	futex_task_gone(t->tid);
	end_thread(t);
}

void (*process_drain)(void);

void process_exit(int status, int signal)
{
	struct task *self = current(), *t;
	u32 tid = 0;

	spin_lock(&process.lock);
	if (process.exiting) {
		/* Another thread is at it, and will not miss this one. */
		spin_unlock(&process.lock);
		task_list_remove(self);
		end_thread(self);
	}
	process.exiting = 1;
	process.exit_status = status & 0xff;
	process.exit_signal = signal;
	spin_unlock(&process.lock);

	while ((t = task_next(tid))) {
		tid = t->tid;
		if (t != self)
			task_kick(t);
		task_put(t);
	}
	mm_sync_all();
	if (process_drain)
		process_drain();
	host_exit(process.exit_status, process.exit_signal);
}
