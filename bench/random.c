/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random access to one file, in MB/s: one line each, "name value". An ordinary program, run by
 * bench/encrypted on plain and encrypted files. Reads: all of the file comes along once before.
 *
 * Usage: bench-random FILE MEGABYTES BLOCK SECONDS
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t blocks, state = 1;
static size_t block;
static char *buf;
static int fd;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void one(int out, uint64_t i)
{
	ssize_t n = out ? pwrite(fd, buf, block, i * block) : pread(fd, buf, block, i * block);

	if (n != (ssize_t)block) {
		perror(out ? "write" : "read");
		exit(1);
	}
}

static uint64_t any(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % blocks;
}

static void measure(const char *name, int out, double seconds)
{
	double start = now(), t;
	uint64_t n = 0;

	do {
		for (int i = 0; i < 16; i++)
			one(out, any());
		n += 16;
		t = now() - start;
	} while (t < seconds);
	if (out && fdatasync(fd)) {
		perror("fdatasync");
		exit(1);
	}
	t = now() - start;
	printf("%s %.1f\n", name, n * block / t / 1e6);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	block = atol(argv[3]);
	blocks = (atol(argv[2]) << 20) / block;
	buf = calloc(1, block);
	fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	if (fd < 0 || !buf) {
		perror(argv[1]);
		return 1;
	}
	for (uint64_t i = 0; i < blocks; i++)
		one(1, i);
	if (fsync(fd))
		perror("fsync");
	for (uint64_t i = 0; i < blocks; i++)
		one(0, i);
	measure("read", 0, atof(argv[4]));
	measure("write", 1, atof(argv[4]));
	return 0;
}
