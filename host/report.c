/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, and small things that every part of the host uses. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/host.h"

struct host host = { .log_fd = STDERR_FILENO, .proc_fd = -1, .stats_fd = -1 };

/* In one write, so that lines of several threads stay whole. */
static void print(const char *fmt, va_list ap)
{
	char text[2048] = "rakis: ";
	int n, room = sizeof(text) - 8;

	n = vsnprintf(text + 7, room, fmt, ap);
	if (n < 0)
		return;
	if (n >= room)
		n = room - 1;
	text[7 + n] = '\n';
	(void)!write(host.log_fd, text, n + 8);
}

void message(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(fmt, ap);
	va_end(ap);
}

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(fmt, ap);
	va_end(ap);
	_exit(status);
}

int own_fd(int fd)
{
	int high;

	if (fd < 0)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 900);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

uint64_t parse_size(const char *text)
{
	unsigned int shift = 0;
	uint64_t n;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	switch (*end) {
	case 'k': case 'K':
		shift = 10;
		break;
	case 'm': case 'M':
		shift = 20;
		break;
	case 'g': case 'G':
		shift = 30;
		break;
	}
	if (shift)
		end++;
	if (errno || *end || n > UINT64_MAX >> shift)
		return 0;
	return n << shift;
}
