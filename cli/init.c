/* SPDX-License-Identifier: Apache-2.0 */
/* rakis init: a run that is recorded, and the manifest that follows from it. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/host.h"
#include "host/manifest/propose.h"

static const char help[] =
"usage: rakis init [OPTION...] [--] PROGRAM [ARG...]\n"
"\n"
"Runs PROGRAM in direct mode, notes what it uses, and writes a manifest for rakis sign and\n"
"rakis run --sgx. Give it work to do, so that it uses what it will need; end a server with\n"
"Ctrl-C or SIGTERM. Another run adds to the manifest; what you wrote there is kept.\n"
"\n"
"  -o, --output FILE     the manifest (default: rakis.yaml)\n"
"  --root DIR            DIR is the program's root directory\n";

static volatile pid_t child;

static void pass_on(int sig)
{
	if (child > 0)
		kill(child, sig);
}

/* The run, in a process of its own: its end, of whatever kind, is not ours. Its wait status. */
static int record(struct run_options *opt, struct recording *r)
{
	struct sigaction act = { .sa_handler = pass_on }, ign = { .sa_handler = SIG_IGN };
	int status;

	child = fork();
	if (child < 0)
		die(EXIT_RAKIS, "cannot start a process: %m");
	if (!child) {
		host.record = r;
		run(opt);
	}
	/* From the terminal both get these. */
	sigaction(SIGINT, &ign, NULL);
	sigaction(SIGQUIT, &ign, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die(EXIT_RAKIS, "the recorded run is lost: %m");
	return status;
}

static const char *real_directory(const char *dir)
{
	char *real = realpath(dir, NULL);

	if (!real)
		die(EXIT_RAKIS, "%s: %m", dir);
	return real;
}

/* Its absolute path, of the guest. */
static char *program_of(const struct run_options *opt)
{
	static struct program program;
	char *cwd, *path;

	if (*opt->argv[0] == '/')
		return opt->argv[0];
	program_find(&program, opt->argv[0], opt->env);
	if (*program.path == '/')
		return program.path;
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&path, "%s/%s", cwd, program.path) < 0)
		die(EXIT_RAKIS, "the working directory has no name: %m");
	free(cwd);
	return path;
}

int cmd_init(int argc, char **argv)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "root", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct run_options opt = { .log_level = RAKIS_LOG_WARN, .io_mode = RAKIS_IO_EXIT, .env = environ };
	struct proposal p = { .name = "rakis.yaml" };
	struct complaint complaint = { 0 };
	char summary[256], cwd[PATH_MAX];
	struct recording *r;
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+ho:", options, NULL)) != -1) {
		switch (c) {
		case 'o':
			p.name = optarg;
			break;
		case 'r':
			opt.root = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			message("%s: not an option of rakis init, or its value is missing; see rakis init --help",
				argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		message("no program given; see rakis init --help");
		return EXIT_USAGE;
	}
	p.argv = opt.argv = argv + optind;
	p.argc = opt.argc = argc - optind;
	if (opt.root && *p.argv[0] != '/') {
		message("%s: with --root, name the program by its absolute path there", p.argv[0]);
		return EXIT_USAGE;
	}
	r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r == MAP_FAILED)
		die(EXIT_RAKIS, "no memory to record in: %m");
	p.record = r;
	p.root = opt.root ? real_directory(opt.root) : NULL;
	p.directory = p.root || !getcwd(cwd, sizeof(cwd)) ? "/" : cwd;
	status = record(&opt, r);
	if (WIFEXITED(status) && !r->used)
		return WEXITSTATUS(status);	/* it said why */
	if (WIFEXITED(status) && WEXITSTATUS(status))
		message("the recorded run ended with status %d", WEXITSTATUS(status));
	p.program = program_of(&opt);
	if (!manifest_propose(&p, summary, &complaint))
		die(EXIT_RAKIS, "%s", complaint.text);
	message("wrote %s: %s; look through it, then: rakis sign %s", p.name, summary, p.name);
	return 0;
}
