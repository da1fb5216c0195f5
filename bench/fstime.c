/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Throughput of files by block size, in MB/s: one line each, "name value". An ordinary
 * program, run natively and under RAKIS by bench/files.
 *
 * write: the same file from its beginning to its end, again and again; read: likewise; copy:
 * from one to the other; append: to a file that is cut to nothing each time.
 *
 * Usage: bench-fstime DIR BLOCK SECONDS
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define FILE_MOST	(32u << 20)
#define BLOCKS_MOST	8000u

static char *buf;
static size_t block, blocks;
static double seconds;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void write_pass(int from, int to)
{
	(void)from;
	for (size_t i = 0; i < blocks; i++)
		if (write(to, buf, block) != (ssize_t)block)
			die("write");
}

static void append_pass(int from, int to)
{
	if (ftruncate(to, 0))
		die("ftruncate");
	write_pass(from, to);
}

static void read_pass(int from, int to)
{
	(void)to;
	for (size_t i = 0; i < blocks; i++)
		if (read(from, buf, block) != (ssize_t)block)
			die("read");
}

static void copy_pass(int from, int to)
{
	for (size_t i = 0; i < blocks; i++)
		if (read(from, buf, block) != (ssize_t)block || write(to, buf, block) != (ssize_t)block)
			die("copy");
}

static void measure(const char *name, void (*pass)(int from, int to), int from, int to)
{
	double start = now(), took;
	size_t passes = 0;

	do {
		if (lseek(from, 0, SEEK_SET) || lseek(to, 0, SEEK_SET))
			die("lseek");
		pass(from, to);
		passes++;
		took = now() - start;
	} while (took < seconds);
	printf("%s %.1f\n", name, passes * blocks * block / took / 1e6);
}

int main(int argc, char **argv)
{
	int from, to;

	if (argc != 4)
		return 2;
	block = strtoul(argv[2], NULL, 0);
	blocks = FILE_MOST / block < BLOCKS_MOST ? FILE_MOST / block : BLOCKS_MOST;
	seconds = strtod(argv[3], NULL);
	buf = malloc(block);
	if (!buf || chdir(argv[1]))
		die(argv[1]);
	for (size_t i = 0; i < block; i++)
		buf[i] = i;
	from = open("from", O_CREAT | O_TRUNC | O_RDWR, 0600);
	to = open("to", O_CREAT | O_TRUNC | O_RDWR, 0600);
	if (from < 0 || to < 0)
		die("open");
	write_pass(-1, from);
	measure("write", write_pass, from, to);
	measure("read", read_pass, from, to);
	measure("copy", copy_pass, from, to);
	measure("append", append_pass, from, to);
	unlink("from");
	unlink("to");
	return 0;
}
