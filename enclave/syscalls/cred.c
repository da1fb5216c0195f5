/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User and group numbers, by Linux's rules, as the guest sees them. The host's process keeps
 * its own: what the guest may open outside is not decided here. So a server that drops
 * its privileges believes that it did, and loses none at the host.
 */
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/string.h"
#include "libos/task.h"
#include "syscalls/syscalls.h"

#define NGROUPS_MAX	65536u
#define UNCHANGED	(~0u)

/* The users of the process, or its groups. */
struct ids {
	u32 *real, *eff, *saved, *fs;
};

static const struct ids users = { &process.uid, &process.euid, &process.suid, &process.fsuid };
static const struct ids groups = { &process.gid, &process.egid, &process.sgid, &process.fsgid };

static struct mutex cred_lock = MUTEX_INIT(cred_lock);

/* CAP_SETUID and CAP_SETGID. */
static bool privileged(void)
{
	return process.euid == 0;
}

SYSCALL_DEFINE(getuid)
{
	return process.uid;
}

SYSCALL_DEFINE(geteuid)
{
	return process.euid;
}

SYSCALL_DEFINE(getgid)
{
	return process.gid;
}

SYSCALL_DEFINE(getegid)
{
	return process.egid;
}

static long getres(const struct ids *ids, u64 ureal, u64 ueff, u64 usaved)
{
	if (put_user(*ids->real, ureal) || put_user(*ids->eff, ueff) ||
	    put_user(*ids->saved, usaved))
		return -EFAULT;
	return 0;
}

SYSCALL_DEFINE(getresuid)
{
	return getres(&users, a1, a2, a3);
}

SYSCALL_DEFINE(getresgid)
{
	return getres(&groups, a1, a2, a3);
}

static long set_one(const struct ids *ids, u32 id)
{
	long r = 0;

	if (id == UNCHANGED)
		return -EINVAL;
	mutex_lock(&cred_lock);
	if (privileged())
		*ids->real = *ids->saved = id;
	else if (id != *ids->real && id != *ids->saved)
		r = -EPERM;
	if (!r)
		*ids->eff = *ids->fs = id;
	mutex_unlock(&cred_lock);
	return r;
}

SYSCALL_DEFINE(setuid)
{
	return set_one(&users, a1);
}

SYSCALL_DEFINE(setgid)
{
	return set_one(&groups, a1);
}

static long setre(const struct ids *ids, u32 real, u32 eff)
{
	u32 old_real, old_eff;
	long r = -EPERM;

	mutex_lock(&cred_lock);
	old_real = *ids->real;
	old_eff = *ids->eff;
	if (!privileged() &&
	    ((real != UNCHANGED && real != old_real && real != old_eff) ||
	     (eff != UNCHANGED && eff != old_real && eff != old_eff && eff != *ids->saved)))
		goto out;
	if (real != UNCHANGED)
		*ids->real = real;
	if (eff != UNCHANGED)
		*ids->eff = eff;
	if (real != UNCHANGED || (eff != UNCHANGED && eff != old_real))
		*ids->saved = *ids->eff;
	*ids->fs = *ids->eff;
	r = 0;
out:
	mutex_unlock(&cred_lock);
	return r;
}

SYSCALL_DEFINE(setreuid)
{
	return setre(&users, a1, a2);
}

SYSCALL_DEFINE(setregid)
{
	return setre(&groups, a1, a2);
}

static bool is_one_of(const struct ids *ids, u32 id)
{
	return id == UNCHANGED || id == *ids->real || id == *ids->eff || id == *ids->saved;
}

static long setres(const struct ids *ids, u32 real, u32 eff, u32 saved)
{
	long r = -EPERM;

	mutex_lock(&cred_lock);
	if (!privileged() &&
	    !(is_one_of(ids, real) && is_one_of(ids, eff) && is_one_of(ids, saved)))
		goto out;
	if (real != UNCHANGED)
		*ids->real = real;
	if (eff != UNCHANGED)
		*ids->eff = eff;
	if (saved != UNCHANGED)
		*ids->saved = saved;
	*ids->fs = *ids->eff;
	r = 0;
out:
	mutex_unlock(&cred_lock);
	return r;
}

SYSCALL_DEFINE(setresuid)
{
	return setres(&users, a1, a2, a3);
}

SYSCALL_DEFINE(setresgid)
{
	return setres(&groups, a1, a2, a3);
}

/* Never fails: answers the old number. */
static long setfs(const struct ids *ids, u32 id)
{
	u32 old;

	mutex_lock(&cred_lock);
	old = *ids->fs;
	if (id != UNCHANGED && (privileged() || is_one_of(ids, id)))
		*ids->fs = id;
	mutex_unlock(&cred_lock);
	return old;
}

SYSCALL_DEFINE(setfsuid)
{
	return setfs(&users, a1);
}

SYSCALL_DEFINE(setfsgid)
{
	return setfs(&groups, a1);
}

SYSCALL_DEFINE(getgroups)
{
	int size = a1;
	long r;

	if (size < 0)
		return -EINVAL;
	mutex_lock(&cred_lock);
	r = process.ngroups;
	if (size && size < r)
		r = -EINVAL;
	else if (size && copy_to_user(a2, process.groups, r * sizeof(u32)))
		r = -EFAULT;
	mutex_unlock(&cred_lock);
	return r;
}

SYSCALL_DEFINE(setgroups)
{
	u32 n = a1, *list = NULL, *old;

	if (!privileged())
		return -EPERM;
	if (n > NGROUPS_MAX)
		return -EINVAL;
	if (n) {
		list = kmalloc(n * sizeof(u32));
		if (!list)
			return -ENOMEM;
		if (copy_from_user(list, a2, n * sizeof(u32))) {
			kfree(list);
			return -EFAULT;
		}
	}
	mutex_lock(&cred_lock);
	old = process.groups;
	process.groups = list;
	process.ngroups = n;
	mutex_unlock(&cred_lock);
	kfree(old);
	return 0;
}
