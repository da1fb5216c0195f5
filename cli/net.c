/* SPDX-License-Identifier: Apache-2.0 */
/* rakis net: the helper of an interface, its state, its end. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/host.h"
#include "host/net/allow.h"
#include "host/net/client.h"
#include "host/net/helper.h"

static const char help[] =
"usage: rakis net attach IFACE [--allow USER[:PORTS]]... [--foreground]\n"
"       rakis net status [IFACE]\n"
"       rakis net detach IFACE\n"
"\n"
"With rakis run --net IFACE a program's UDP goes past the kernel's network stack: an XDP\n"
"program on the interface takes the datagrams for the ports that it has bound, and leaves\n"
"all else to the kernel. A helper process owns that program. As root, rakis run starts one\n"
"that ends with the last run; attach starts one that stays, and lets others use it.\n"
"\n"
"  --allow USER[:PORTS]  USER may run programs with --net IFACE, and send any frame on it;\n"
"                        PORTS it may receive on, like 53,5000-6000 (default: all that it\n"
"                        can bind). May be repeated. Root needs none.\n"
"  --foreground          do not go to the background\n"
"\n"
"Packets taken by the XDP program do not pass the kernel's firewall, nor its rp_filter.\n";

static int no_helper(const char *iface, int err)
{
	message("%s: %s", iface, err == -ENOENT || err == -ECONNREFUSED ?
		"no XDP program of RAKIS is there (rakis net attach)" : strerror(-err));
	return 1;
}

static int attach(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "allow", required_argument, NULL, 'a' },
		{ "foreground", no_argument, NULL, 'f' },
		{ 0 }
	};
	static struct helper_options opt = { .stay = true };
	char text[HELPER_TEXT];
	const char *wrong;
	int c, sock;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'a':
			wrong = allow_add(optarg);
			if (wrong) {
				message("--allow %s: %s", optarg, wrong);
				return EXIT_USAGE;
			}
			break;
		case 'f':
			opt.foreground = true;
			break;
		default:
			message("%s: not an option of rakis net attach, or its value is missing", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1) {
		message("rakis net attach: name one interface");
		return EXIT_USAGE;
	}
	opt.iface = argv[optind];
	sock = client_connect(opt.iface);
	if (sock >= 0) {
		message("%s: there is a helper already (rakis net status %s)", opt.iface, opt.iface);
		return 1;
	}
	c = helper_start(&opt, text);
	if (*text)
		message("%s", text);
	return c ? 1 : 0;
}

/* One request without argument: 0 or exit status 1 after a message. fd: what came with it. */
static int ask(const char *iface, uint32_t op, int *fd)
{
	int sock = client_connect(iface), fds[2], err;
	struct net_reply reply;

	if (sock < 0)
		return no_helper(iface, sock);
	err = client_ask(sock, op, NULL, -1, &reply, fds);
	close(sock);
	*fd = fds[0];
	if (err == -EPIPE)
		return no_helper(iface, -ENOENT);
	if (err)
		message("%s: %s", iface, *reply.text ? reply.text : strerror(-err));
	return err ? 1 : 0;
}

static int status_of(const char *iface)
{
	char text[4096];
	off_t at = 0;
	ssize_t n;
	int fd, status = ask(iface, NET_STATUS, &fd);

	if (status)
		return status;
	while ((n = pread(fd, text, sizeof(text), at)) > 0) {
		fwrite(text, n, 1, stdout);
		at += n;
	}
	close(fd);
	return 0;
}

/* Those of this network namespace: their sockets' names begin and end alike. */
static int status_of_all(void)
{
	struct sockaddr_un pattern;
	char *mark, iface[64];
	struct dirent *e;
	bool any = false;
	size_t n;
	DIR *dir;

	net_socket_path(&pattern, "*");
	mark = strchr(pattern.sun_path, '*');
	*mark = 0;
	mark = strrchr(pattern.sun_path, '/') + 1;
	n = strlen(mark);
	dir = opendir("/run/rakis");
	while (dir && (e = readdir(dir))) {
		int sock, rest = strlen(e->d_name) - n - strlen(".sock");

		if (strncmp(e->d_name, mark, n) || rest <= 0)
			continue;
		snprintf(iface, sizeof(iface), "%.*s", rest, e->d_name + n);
		sock = client_connect(iface);
		if (sock < 0)
			continue;
		close(sock);
		any |= !status_of(iface);
	}
	if (dir)
		closedir(dir);
	if (!any)
		puts("no interface has an XDP program of RAKIS");
	return 0;
}

static int detach(const char *iface)
{
	struct timespec moment = { .tv_nsec = 10000000 };
	int fd, sock, status = ask(iface, NET_DETACH, &fd);

	/* It has answered first: wait until it is gone, so that another can follow. */
	for (int i = 0; !status && i < 200; i++) {
		sock = client_connect(iface);
		if (sock < 0)
			break;
		close(sock);
		nanosleep(&moment, NULL);
	}
	return status;
}

int cmd_net(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "--help") || !strcmp(what, "-h")) {
		fputs(help, stdout);
		return 0;
	}
	if (!strcmp(what, "attach"))
		return attach(argc - 1, argv + 1);
	if (!strcmp(what, "status") && argc <= 3)
		return argc == 3 ? status_of(argv[2]) : status_of_all();
	if (!strcmp(what, "detach") && argc == 3)
		return detach(argv[2]);
	message("rakis net: attach, status or detach, and an interface; see rakis net --help");
	return EXIT_USAGE;
}
