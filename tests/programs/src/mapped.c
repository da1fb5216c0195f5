/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mapped files as several threads see them: a page is there with the file's bytes or not
 * there yet, never half of it; mappings of one file agree, whichever came first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE	(48ul << 20)
#define THREADS	4

#define CHECK(x) do {								\
	if (!(x)) {								\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);		\
		exit(1);							\
	}									\
} while (0)

static const uint64_t *mapped;
static pthread_barrier_t together;

static void *reader(void *arg)
{
	uint64_t number = (uintptr_t)arg;

	/* The same pages at the same time; at their ends, which are read last. */
	for (uint64_t at = 4088; at < SIZE; at += 4096 * (1 + (at >> 12) % 3)) {
		if (at % (1 << 20) < 4096)
			pthread_barrier_wait(&together);
		if (mapped[at / 8] != at + 1) {
			fprintf(stderr, "thread %lu: at %lu: %lu\n", number, at, mapped[at / 8]);
			exit(1);
		}
	}
	return NULL;
}

static int make_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	uint64_t *block = malloc(1 << 20);

	CHECK(fd >= 0 && block);
	for (uint64_t at = 0; at < SIZE; at += 1 << 20) {
		for (uint64_t i = 0; i < 1 << 20; i += 8)
			block[i / 8] = at + i + 1;
		CHECK(write(fd, block, 1 << 20) == 1 << 20);
	}
	free(block);
	return fd;
}

static void readers(int fd, int flags)
{
	pthread_t threads[THREADS];

	mapped = mmap(NULL, SIZE, PROT_READ, flags, fd, 0);
	CHECK(mapped != MAP_FAILED);
	CHECK(!pthread_barrier_init(&together, NULL, THREADS));
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, reader, (void *)i));
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	pthread_barrier_destroy(&together);
	CHECK(!munmap((void *)mapped, SIZE));
}

static void agreement(const char *name, int fd)
{
	int ro = open(name, O_RDONLY);
	const char *first = mmap(NULL, 65536, PROT_READ, MAP_SHARED, ro, 0);
	char *second, byte;

	CHECK(ro >= 0 && first != MAP_FAILED);
	CHECK(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED);
	second = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(second != MAP_FAILED);
	second[5000] = 'x';
	CHECK(first[5000] == 'x');
	CHECK(pread(ro, &byte, 1, 5000) == 1 && byte == 'x');
	CHECK(!munmap((void *)first, 65536));
	CHECK(!close(ro));
	second[5001] = 'y';
	CHECK(!munmap(second, 65536));
	CHECK(pread(fd, &byte, 1, 5001) == 1 && byte == 'y');
}

int main(void)
{
	const char *name = "mapped.data";
	int fd = make_file(name);

	readers(fd, MAP_PRIVATE);
	readers(fd, MAP_SHARED);
	agreement(name, fd);
	unlink(name);
	return 0;
}
