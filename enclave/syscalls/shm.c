/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V shared memory, of one process: a segment is anonymous memory that stays when it
 * is detached. It has one address, which every shmat of it is given.
 */
#include <linux/ipc.h>
#include <linux/mman.h>
#include <asm/ipcbuf.h>
#include <asm/shmbuf.h>
#include "gate/usercopy.h"
#include "lib/alloc.h"
#include "lib/list.h"
#include "lib/string.h"
#include "libos/mm.h"
#include "libos/task.h"
#include "libos/time.h"
#include "syscalls/syscalls.h"

/* linux/shm.h wants a libc. */
#define SHM_HUGETLB	04000u
#define SHM_RDONLY	010000u
#define SHM_RND		020000u
#define SHM_LOCK	11
#define SHM_UNLOCK	12
#define SHM_DEST	01000u
#define SEGMENTS_MOST	4096u

struct segment {
	struct list node;
	struct shmid64_ds ds;
	int id;
	u64 addr;		/* 0: never attached */
};

static struct list segments = LIST_INIT(segments);
static struct mutex lock = MUTEX_INIT(lock);
static u32 count;

static struct segment *find(int id)
{
	struct segment *s;

	list_for_each(s, &segments, node)
		if (s->id == id)
			return s;
	return NULL;
}

static long seconds(void)
{
	return (long)(realtime_ns() / 1000000000);
}

static void drop(struct segment *s)
{
	if (s->addr)
		(void)!mm_unmap(s->addr, s->ds.shm_segsz);
	list_remove(&s->node);
	kfree(s);
	count--;
}

static long create(int key, u64 size, u32 flags)
{
	static int last_id = -1;
	struct segment *s;

	if (!size || size >> 46)
		return -EINVAL;
	if (flags & SHM_HUGETLB)
		return -ENOMEM;
	if (count >= SEGMENTS_MOST)
		return -ENOSPC;
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->id = ++last_id;
	s->ds.shm_segsz = size;
	s->ds.shm_cpid = (int)process.pid;
	s->ds.shm_ctime = seconds();
	s->ds.shm_perm = (struct ipc64_perm){
		.key = key, .mode = flags & 0777, .uid = process.euid, .cuid = process.euid,
		.gid = process.egid, .cgid = process.egid,
	};
	list_append(&segments, &s->node);
	count++;
	return s->id;
}

SYSCALL_DEFINE(shmget)
{
	int key = (int)a1;
	u32 flags = (u32)a3;
	struct segment *s;
	long res = -ENOENT;

	mutex_lock(&lock);
	list_for_each(s, &segments, node)
		if (key != IPC_PRIVATE && s->ds.shm_perm.key == key) {
			res = flags & IPC_CREAT && flags & IPC_EXCL ? -EEXIST :
			      a2 > s->ds.shm_segsz ? -EINVAL : s->id;
			goto out;
		}
	if (key == IPC_PRIVATE || flags & IPC_CREAT)
		res = create(key, a2, flags);
out:
	mutex_unlock(&lock);
	return res;
}

SYSCALL_DEFINE(shmat)
{
	u32 prot = a3 & SHM_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE;
	u64 addr = a3 & SHM_RND ? PAGE_DOWN(a2) : a2;
	struct segment *s;
	s64 at = -EINVAL;

	mutex_lock(&lock);
	s = find((int)a1);
	if (!s || addr & ~PAGE_MASK)
		goto out;
	/* Unmapped by munmap, it is gone. */
	if (s->addr && !mm_is_mapped(s->addr, PAGE_UP(s->ds.shm_segsz)))
		s->addr = 0;
	if (!s->addr) {
		at = mm_map(addr, s->ds.shm_segsz, prot,
			    MAP_SHARED | MAP_ANONYMOUS | (addr ? MAP_FIXED_NOREPLACE : 0), NULL, 0);
		at = at == -EEXIST ? -EINVAL : at;
	} else if (!addr || addr == s->addr) {
		at = prot & PROT_WRITE || !s->ds.shm_nattch ?
			mm_protect(s->addr, PAGE_UP(s->ds.shm_segsz), prot) : 0;
		at = at ? at : (s64)s->addr;
	}
	if (at < 0)
		goto out;
	s->addr = (u64)at;
	s->ds.shm_nattch++;
	s->ds.shm_lpid = (int)process.pid;
	s->ds.shm_atime = seconds();
out:
	mutex_unlock(&lock);
	return at;
}

SYSCALL_DEFINE(shmdt)
{
	struct segment *s;
	long res = -EINVAL;

	mutex_lock(&lock);
	list_for_each(s, &segments, node)
		if (s->addr == a1 && s->ds.shm_nattch) {
			s->ds.shm_lpid = (int)process.pid;
			s->ds.shm_dtime = seconds();
			res = 0;
			if (--s->ds.shm_nattch)
				break;
			if (s->ds.shm_perm.mode & SHM_DEST)
				drop(s);
			else
				res = mm_protect(s->addr, PAGE_UP(s->ds.shm_segsz), PROT_NONE);
			break;
		}
	mutex_unlock(&lock);
	return res;
}

SYSCALL_DEFINE(shmctl)
{
	struct shmid64_ds ds;
	struct segment *s;
	long res = 0;

	mutex_lock(&lock);
	s = find((int)a1);
	if (!s) {
		res = -EINVAL;
		goto out;
	}
	switch ((int)a2) {
	case IPC_RMID:
		s->ds.shm_perm.mode |= SHM_DEST;
		s->ds.shm_perm.key = IPC_PRIVATE;
		if (!s->ds.shm_nattch)
			drop(s);
		break;
	case IPC_STAT:
		res = copy_to_user(a3, &s->ds, sizeof(ds));
		break;
	case IPC_SET:
		res = copy_from_user(&ds, a3, sizeof(ds));
		if (res)
			break;
		s->ds.shm_perm.uid = ds.shm_perm.uid;
		s->ds.shm_perm.gid = ds.shm_perm.gid;
		s->ds.shm_perm.mode = (s->ds.shm_perm.mode & SHM_DEST) | (ds.shm_perm.mode & 0777);
		s->ds.shm_ctime = seconds();
		break;
	case SHM_LOCK:
	case SHM_UNLOCK:
		break;
	default:
		res = -EINVAL;
	}
out:
	mutex_unlock(&lock);
	return res;
}
