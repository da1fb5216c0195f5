/* SPDX-License-Identifier: Apache-2.0 */
/* System V shared memory within one process. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#define CHECK(x) do {								\
	if (!(x)) {								\
		fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #x, strerror(errno)); \
		exit(1);							\
	}									\
} while (0)

#define FAILED ((char *)-1)

static sigjmp_buf back;

static void fault(int signo)
{
	siglongjmp(back, signo);
}

static bool readable(const volatile char *p)
{
	volatile bool res = false;

	signal(SIGSEGV, fault);
	if (!sigsetjmp(back, 1)) {
		*p;
		res = true;
	}
	signal(SIGSEGV, SIG_DFL);
	return res;
}

static void private_segment(void)
{
	int id = shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600);
	char *p = shmat(id, NULL, 0), *q = shmat(id, NULL, SHM_RDONLY);
	struct shmid_ds ds;

	CHECK(id >= 0 && p != FAILED && q != FAILED);
	strcpy(p, "text");
	CHECK(!strcmp(q, "text"));
	CHECK(!shmctl(id, IPC_STAT, &ds));
	CHECK(ds.shm_segsz == 5000 && ds.shm_nattch == 2 && ds.shm_perm.mode == 0600);
	CHECK(ds.shm_cpid == getpid() && ds.shm_lpid == getpid());
	CHECK(!shmdt(p) && !shmdt(q));
	CHECK(shmdt(p) == -1 && errno == EINVAL);
	CHECK(!readable(p));
	p = shmat(id, NULL, 0);
	CHECK(p != FAILED && !strcmp(p, "text"));
	CHECK(!shmctl(id, IPC_RMID, NULL));
	CHECK(!strcmp(p, "text") && !shmdt(p));
	CHECK(shmat(id, NULL, 0) == FAILED && errno == EINVAL);
}

static void named_segment(void)
{
	key_t key = 0x7a6b0000 | (getpid() & 0xffff);
	int id;

	CHECK(shmget(key, 100, 0) == -1 && errno == ENOENT);
	CHECK(shmget(key, 0, IPC_CREAT | 0600) == -1 && errno == EINVAL);
	id = shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	CHECK(shmget(key, 100, IPC_CREAT | IPC_EXCL) == -1 && errno == EEXIST);
	CHECK(shmget(key, 50, 0) == id);
	CHECK(shmget(key, 5000, 0) == -1 && errno == EINVAL);
	CHECK(!shmctl(id, IPC_RMID, NULL));
	CHECK(shmget(key, 100, 0) == -1 && errno == ENOENT);
}

int main(void)
{
	private_segment();
	named_segment();
	return 0;
}
