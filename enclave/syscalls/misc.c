/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about the machine, randomness, capabilities; and those that are refused. */
#include <linux/capability.h>
#include <linux/personality.h>
#include <linux/random.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>
#include "boundary/boot.h"
#include "fs/vfs.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/random.h"
#include "lib/string.h"
#include "libos/mm.h"
#include "libos/task.h"
#include "syscalls/misc.h"
#include "syscalls/syscalls.h"

static u32 kernel_release;

void misc_init(const struct rakis_boot *boot)
{
	kernel_release = (u32)boot->kernel_release;
	resource_init();
}

SYSCALL_DEFINE(uname)
{
	struct new_utsname u = {
		.sysname = "Linux", .version = "#1 SMP RAKIS", .machine = "x86_64",
		.domainname = "(none)",
	};

	snprintf(u.nodename, sizeof(u.nodename), "%s", fs_hostname);
	snprintf(u.release, sizeof(u.release), "%u.%u.0-rakis", kernel_release >> 16 & 0xff,
		 kernel_release >> 8 & 0xff);
	return copy_to_user(a1, &u, sizeof(u));
}

/* The host's uptime and load; memory is the enclave's, so that programs fit into it. */
SYSCALL_DEFINE(sysinfo)
{
	u64 memory = gate_layout.heap - gate_layout.base, used = mm_mapped_bytes();
	struct sysinfo s;
	int err;

	_Static_assert(sizeof(s) == 112, "as the request says");
	err = host_sysinfo(&s);
	if (err)
		return err;
	s.mem_unit = s.mem_unit ? s.mem_unit : 1;
	s.totalram = min(memory, s.totalram * s.mem_unit);
	s.freeram = min(s.totalram - min(used, (u64)s.totalram), s.freeram * s.mem_unit);
	s.sharedram = s.bufferram = s.totalswap = s.freeswap = s.totalhigh = s.freehigh = 0;
	s.mem_unit = 1;
	s.procs = (u16)process.ntasks;
	s.pad = 0;
	memset(s._f, 0, sizeof(s._f));
	return copy_to_user(a1, &s, sizeof(s));
}

SYSCALL_DEFINE(getrandom)
{
	u64 len = min(a2, (u64)INT32_MAX & PAGE_MASK), done = 0;
	u8 buf[512];

	if (a3 & ~(u64)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (a3 & GRND_RANDOM && a3 & GRND_INSECURE))
		return -EINVAL;
	while (done < len) {
		u64 n = min(len - done, sizeof(buf));

		random_bytes(buf, n);
		if (copy_to_user(a1 + done, buf, n))
			return done ? (long)done : -EFAULT;
		done += n;
		if (done % (64 * sizeof(buf)) == 0 && signal_pending())
			break;
	}
	memset(buf, 0, sizeof(buf));
	__asm__ volatile("" :: "r"(buf) : "memory");	/* not a dead store */
	return (long)done;
}

/* The kernel keeps processor and node in the limit of a segment, readable without a call. */
SYSCALL_DEFINE(getcpu)
{
	u32 limit = 0, cpu, node;
	const u32 segment = 15 * 8 + 3;

	__asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(segment) : "cc");
	cpu = limit & 0xfff;
	node = limit >> 12;
	if ((a1 && put_user(cpu, a1)) || (a2 && put_user(node, a2)))
		return -EFAULT;
	return 0;
}

SYSCALL_DEFINE(personality)
{
	static _Atomic u32 now = PER_LINUX;

	if ((u32)a1 == 0xffffffff)
		return now;
	if (a1 & ~(u64)ADDR_NO_RANDOMIZE)
		return -EINVAL;
	return atomic_exchange(&now, (u32)a1);
}

SYSCALL_DEFINE(umask)
{
	return atomic_exchange(&process.umask, (u32)a1 & 0777);
}

/* ---- capabilities: root has all; what is given up stays so ---- */

#define CAP_ALL ((1ull << (CAP_LAST_CAP + 1)) - 1)

static struct {
	struct spinlock lock;
	bool set;		/* by capset; before, they follow the user */
	u64 effective, permitted, inheritable;
} caps;

static void caps_now(u64 *effective, u64 *permitted, u64 *inheritable)
{
	*permitted = caps.set ? caps.permitted : process.uid && process.euid ? 0 : CAP_ALL;
	*effective = caps.set ? caps.effective : process.euid ? 0 : *permitted;
	*inheritable = caps.set ? caps.inheritable : 0;
}

/* Number of structures that the caller's version has. */
static int caps_header(u64 uheader, struct __user_cap_header_struct *h)
{
	u32 known = _LINUX_CAPABILITY_VERSION_3;

	if (get_user(*h, uheader))
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return _LINUX_CAPABILITY_U32S_1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return _LINUX_CAPABILITY_U32S_3;
	}
	return put_user(known, uheader) ? -EFAULT : -EINVAL;
}

static bool is_own_task(int pid)
{
	struct task *t = pid > 0 ? task_find((u32)pid) : NULL;

	if (t)
		task_put(t);
	return !pid || t;
}

SYSCALL_DEFINE(capget)
{
	struct __user_cap_data_struct d[2];
	struct __user_cap_header_struct h;
	int n = caps_header(a1, &h);
	u64 e, p, i;

	if (n < 0)
		return n == -EINVAL && !a2 ? 0 : n;
	if (h.pid < 0)
		return -EINVAL;
	if (!is_own_task(h.pid))
		return -ESRCH;
	spin_lock(&caps.lock);
	caps_now(&e, &p, &i);
	spin_unlock(&caps.lock);
	for (int k = 0; k < 2; k++) {
		d[k].effective = (u32)(e >> 32 * k);
		d[k].permitted = (u32)(p >> 32 * k);
		d[k].inheritable = (u32)(i >> 32 * k);
	}
	return a2 ? copy_to_user(a2, d, (size_t)n * sizeof(d[0])) : 0;
}

SYSCALL_DEFINE(capset)
{
	struct __user_cap_data_struct d[2] = { 0 };
	struct __user_cap_header_struct h;
	int n = caps_header(a1, &h);
	u64 e, p, i, old_e, old_p, old_i;
	long res = -EPERM;

	if (n < 0)
		return n;
	if (!is_own_task(h.pid))
		return -EPERM;
	if (copy_from_user(d, a2, (size_t)n * sizeof(d[0])))
		return -EFAULT;
	e = (d[0].effective | (u64)d[1].effective << 32) & CAP_ALL;
	p = (d[0].permitted | (u64)d[1].permitted << 32) & CAP_ALL;
	i = (d[0].inheritable | (u64)d[1].inheritable << 32) & CAP_ALL;
	spin_lock(&caps.lock);
	caps_now(&old_e, &old_p, &old_i);
	if (!(p & ~old_p) && !(e & ~p) && !(i & ~(old_i | old_p))) {
		caps.set = true;
		caps.effective = e;
		caps.permitted = p;
		caps.inheritable = i;
		res = 0;
	}
	spin_unlock(&caps.lock);
	return res;
}

/* ---- known, and refused in the way a machine without them does ---- */

#define REFUSE(name, error) SYSCALL_DEFINE(name) { return -(error); }

REFUSE(rseq, ENOSYS)
REFUSE(seccomp, EINVAL)
REFUSE(io_uring_setup, ENOSYS)
REFUSE(io_uring_enter, ENOSYS)
REFUSE(io_uring_register, ENOSYS)
REFUSE(landlock_create_ruleset, EOPNOTSUPP)
REFUSE(landlock_add_rule, EOPNOTSUPP)
REFUSE(landlock_restrict_self, EOPNOTSUPP)
REFUSE(sysfs, ENOSYS)
REFUSE(ustat, ENOSYS)
REFUSE(add_key, ENOSYS)
REFUSE(request_key, ENOSYS)
REFUSE(keyctl, ENOSYS)
/* The machine is not the program's to change. */
REFUSE(syslog, EPERM)
REFUSE(vhangup, EPERM)
REFUSE(sethostname, EPERM)
REFUSE(setdomainname, EPERM)
REFUSE(iopl, EPERM)
REFUSE(ioperm, EPERM)
REFUSE(reboot, EPERM)
REFUSE(acct, EPERM)
REFUSE(swapon, EPERM)
REFUSE(swapoff, EPERM)
REFUSE(init_module, EPERM)
REFUSE(finit_module, EPERM)
REFUSE(delete_module, EPERM)
REFUSE(kexec_load, EPERM)
REFUSE(bpf, EPERM)
REFUSE(perf_event_open, EACCES)
