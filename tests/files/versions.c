/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of versions, to be killed at any moment: each rewrites some runs of blocks and is
 * synced as a whole, after which its number is printed. Which blocks a version has follows from
 * its number, so that what is found can be told from a mixture.
 *
 * versions write FILE: go on from what is there, for ever.
 * versions check FILE: print the version that is there; exit status 1 if it is none.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK	4096
#define BLOCKS	700u

static uint64_t wanted[BLOCKS];		/* version of each block */

static uint64_t random_of(uint64_t version, uint64_t i)
{
	uint64_t x = (version * 1000 + i + 1) * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 27;
}

static void fill(uint64_t *block, uint64_t version, uint32_t number)
{
	for (int i = 0; i < BLOCK / 8; i++)
		block[i] = version << 32 | number;
}

/* The runs of a version: the first has all blocks. */
static void apply(uint64_t version, int fd)
{
	static uint64_t data[BLOCKS][BLOCK / 8];
	uint32_t runs = version == 1 ? 1 : 1 + random_of(version, 0) % 6;

	for (uint32_t r = 0; r < runs; r++) {
		uint32_t first = version == 1 ? 0 : random_of(version, 2 * r + 1) % BLOCKS;
		uint32_t n = version == 1 ? BLOCKS : 1 + random_of(version, 2 * r + 2) % 60;

		if (first + n > BLOCKS)
			n = BLOCKS - first;
		for (uint32_t i = 0; i < n; i++) {
			wanted[first + i] = version;
			fill(data[i], version, first + i);
		}
		if (fd >= 0 && pwrite(fd, data, n * BLOCK, (off_t)first * BLOCK) != (ssize_t)(n * BLOCK))
			err(1, "write");
	}
}

static uint64_t check(int fd)
{
	uint64_t block[BLOCK / 8], good[BLOCK / 8], version = 0, seen[BLOCKS] = { 0 };
	off_t size = lseek(fd, 0, SEEK_END);

	if (!size)
		return 0;
	if (size != BLOCKS * BLOCK)
		errx(1, "%ld bytes", (long)size);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		if (pread(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK)
			err(1, "block %u", i);
		seen[i] = block[0] >> 32;
		fill(good, seen[i], i);
		if (memcmp(block, good, BLOCK))
			errx(1, "block %u is none", i);
		if (seen[i] > version)
			version = seen[i];
	}
	for (uint64_t v = 1; v <= version; v++)
		apply(v, -1);
	for (uint32_t i = 0; i < BLOCKS; i++)
		if (seen[i] != wanted[i])
			errx(1, "block %u is of version %lu instead of %lu", i, (long)seen[i], (long)wanted[i]);
	return version;
}

int main(int argc, char **argv)
{
	uint64_t version;
	int fd;

	if (argc != 3)
		errx(2, "usage: versions write|check FILE");
	fd = open(argv[2], O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		err(1, "%s", argv[2]);
	version = check(fd);
	printf("%lu\n", (long)version);
	fflush(stdout);
	if (!strcmp(argv[1], "check"))
		return 0;
	for (;;) {
		apply(++version, fd);
		if (fsync(fd))
			err(1, "fsync");
		printf("%lu\n", (long)version);
		fflush(stdout);
	}
}
