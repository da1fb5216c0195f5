/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is sent signals all the time from outside: threads make system calls with all
 * registers known, and look at them behind each. Usage: storm SECONDS; exits 0 if all was right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RAX, RDI, RSI, RDX, R10, R8, R9, RBX, RBP, R12, R13, R14, R15, FLAGS, GENERAL };

struct state {
	uint64_t r[GENERAL];
	uint8_t ymm[16][32];
};

/* CF PF AF ZF SF DF OF; bit 1 is always set, IF as well */
#define FLAGS_MINE	0xcd5ull
#define FLAGS_FIXED	0x202ull

/* A system call with the registers of `in`; what they are then goes to `out`. */
void call_with(const struct state *in, struct state *out);
__asm__(
"	.text\n"
"call_with:\n"
"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi\n"
"	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
"	vmovups 112 + 32 * \\n(%rdi), %ymm\\n\n"
"	.endr\n"
"	push 104(%rdi); popfq\n"
"	mov (%rdi), %rax; mov 16(%rdi), %rsi; mov 24(%rdi), %rdx; mov 32(%rdi), %r10\n"
"	mov 40(%rdi), %r8; mov 48(%rdi), %r9; mov 56(%rdi), %rbx; mov 64(%rdi), %rbp\n"
"	mov 72(%rdi), %r12; mov 80(%rdi), %r13; mov 88(%rdi), %r14; mov 96(%rdi), %r15\n"
"	mov 8(%rdi), %rdi\n"
"	syscall\n"
"	pushfq\n"
"	mov 8(%rsp), %rcx\n"
"	pop 104(%rcx)\n"
"	mov %rax, (%rcx); mov %rdi, 8(%rcx); mov %rsi, 16(%rcx); mov %rdx, 24(%rcx)\n"
"	mov %r10, 32(%rcx); mov %r8, 40(%rcx); mov %r9, 48(%rcx); mov %rbx, 56(%rcx)\n"
"	mov %rbp, 64(%rcx); mov %r12, 72(%rcx); mov %r13, 80(%rcx); mov %r14, 88(%rcx)\n"
"	mov %r15, 96(%rcx)\n"
"	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
"	vmovups %ymm\\n, 112 + 32 * \\n(%rcx)\n"
"	.endr\n"
"	cld\n"
"	pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
"	vzeroupper\n"
"	ret\n");

static _Atomic uint64_t signals, calls;
static _Atomic int over;

static void handler(int sig)
{
	/* The handler's registers are not those of whom it interrupts. */
	__asm__ volatile("vpcmpeqd %%xmm0, %%xmm0, %%xmm0; vmovaps %%ymm0, %%ymm7;"
			 "vmovaps %%ymm0, %%ymm15; vzeroupper" ::: "xmm0", "xmm7", "xmm15");
	atomic_fetch_add(&signals, sig == SIGUSR1);
}

static void fail(const char *what, const struct state *in, const struct state *out)
{
	printf("wrong: %s\n", what);
	for (int i = 0; i < GENERAL; i++)
		printf("%2d %016llx %016llx\n", i, (unsigned long long)in->r[i],
		       (unsigned long long)out->r[i]);
	for (int i = 0; i < 16; i++)
		if (memcmp(in->ymm[i], out->ymm[i], 32))
			printf("ymm%d\n", i);
	fflush(stdout);
	_exit(1);
}

struct call {
	long nr;
	uint64_t arg[6];
	int64_t good, also;
};

static void check(const struct call *c, uint64_t *seed)
{
	struct state in, out;
	int64_t res;

	for (size_t i = 0; i < sizeof(in) / 8; i++) {
		*seed = *seed * 6364136223846793005 + 1442695040888963407;
		memcpy((char *)&in + i * 8, seed, 8);
	}
	in.r[RAX] = c->nr;
	memcpy(in.r + RDI, c->arg, sizeof(c->arg));
	in.r[FLAGS] = (in.r[FLAGS] & FLAGS_MINE) | FLAGS_FIXED;
	call_with(&in, &out);
	res = out.r[RAX];
	if (res != c->good && res != c->also)
		fail("result", &in, &out);
	out.r[RAX] = in.r[RAX];
	if (memcmp(in.r, out.r, sizeof(in.r)))
		fail("register", &in, &out);
	if (memcmp(in.ymm, out.ymm, sizeof(in.ymm)))
		fail("vector register", &in, &out);
	atomic_fetch_add(&calls, 1);
}

static void *work(void *arg)
{
	uint64_t seed = (uint64_t)arg;
	int fds[2], file = open("/proc/self/exe", O_RDONLY), word = 1;
	char data[4096], magic[4], byte;
	struct pollfd p = { .events = POLLIN };
	struct timespec shortly = { .tv_nsec = 50000 };

	if (file < 0 || pipe(fds))
		exit(1);
	p.fd = fds[0];
	const struct call all[] = {
		{ SYS_getppid, { 1, 2, 3, 4, 5, 6 }, getppid(), getppid() },
		{ SYS_pread64, { file, (uint64_t)magic, 4, 0, 7, 8 }, 4, 4 },
		{ SYS_poll, { (uint64_t)&p, 1, 0, 9, 9, 9 }, 0, -EINTR },
		{ SYS_write, { fds[1], (uint64_t)"x", 1, 1, 1, 1 }, 1, 1 },
		{ SYS_read, { fds[0], (uint64_t)&byte, 1, 2, 2, 2 }, 1, 1 },
		{ SYS_pread64, { file, (uint64_t)data, sizeof(data), 4096, 7, 8 }, sizeof(data), sizeof(data) },
		{ SYS_futex, { (uint64_t)&word, 0, 2, 0, 0, 0 }, -EAGAIN, -EAGAIN },
		{ SYS_nanosleep, { (uint64_t)&shortly, 0, 3, 3, 3, 3 }, 0, -EINTR },
		{ SYS_fstat, { file, (uint64_t)data, 5, 5, 5, 5 }, 0, 0 },
	};
	while (!atomic_load(&over)) {
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
			check(&all[i], &seed);
		if (memcmp(magic, "\177ELF", 4) || byte != 'x') {
			puts("wrong: data");
			_exit(1);
		}
		memset(magic, 0, sizeof(magic));
		byte = 0;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
	pthread_t threads[2];

	sigaction(SIGUSR1, &sa, NULL);
	for (uint64_t i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(i + 1)))
			return 1;
	puts("ready");
	fflush(stdout);
	while (time(NULL) < end)
		usleep(10000);
	atomic_store(&over, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf("%llu signals, %llu calls\n", (unsigned long long)signals, (unsigned long long)calls);
	return 0;
}
