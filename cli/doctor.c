/* SPDX-License-Identifier: Apache-2.0 */
/* rakis doctor: one line for each thing that RAKIS uses. */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/host.h"
#include "host/sgx/sgx.h"
#include "host/net/steer.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static void line(bool ok, const char *what, const char *text)
{
	printf("%-8s %-24s %s\n", ok ? "ok" : "missing", what, text ? text : "");
}

static bool check(const char *what, const char *lack)
{
	line(!lack, what, lack);
	return !lack;
}

static const char *user_dispatch(void)
{
	if (!prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0))
		return NULL;
	return "Linux 5.11 or later is needed; a container's seccomp filter may forbid it";
}

static const char *uring(void)
{
	struct io_uring_params p = { 0 };
	int fd = syscall(SYS_io_uring_setup, 4, &p);

	if (fd >= 0) {
		close(fd);
		return NULL;
	}
	if (errno == EPERM)
		return "forbidden by sysctl kernel.io_uring_disabled or a seccomp filter";
	return "Linux 5.19 or later with CONFIG_IO_URING";
}

static const char *xdp(void)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	const char *why = NULL;

	if (fd >= 0) {
		close(fd);
		steer_load(&why);
		return why;
	}
	if (errno == EPERM)
		return "needs root; or root runs rakis net attach IFACE --allow USER";
	return "a kernel with CONFIG_XDP_SOCKETS";
}

static bool probe(const char *what, bool (*f)(char *text, size_t size))
{
	char text[200];
	bool ok = f(text, sizeof(text));

	line(ok, what, text);
	return ok;
}

int cmd_doctor(int argc, char **argv)
{
	struct utsname uts;
	bool direct = true;

	if (argc > 1) {
		bool asked = !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h");

		fputs("usage: rakis doctor\n\n"
		      "Tells what this machine can do, what is missing, and how to get it.\n"
		      "Exit status 0 if programs can run (direct mode).\n",
		      asked ? stdout : stderr);
		return asked ? 0 : EXIT_USAGE;
	}
	uname(&uts);
	printf("rakis " RAKIS_VERSION ", Linux %s\n", uts.release);
	direct &= check("processor", machine_lacks());
	direct &= check("system call dispatch", user_dispatch());
	direct &= check("enclave range", layout_try());
	check("io_uring", uring());
	check("AF_XDP", xdp());
	probe("SGX", sgx_probe);
	probe("SGX emulator", emulator_probe);
	puts(direct ? "programs can run (direct mode)" : "programs cannot run: see above");
	return direct ? 0 : 1;
}
