/* SPDX-License-Identifier: Apache-2.0 */
/* The `rakis` command. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "host/host.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "run", cmd_run, "run a program" },
	{ "net", cmd_net, "UDP by AF_XDP: the XDP program on an interface, and who may use it" },
	{ "stats", cmd_stats, "show the counters of a running instance" },
	{ "init", cmd_init, "run a program once and write its manifest" },
	{ "sign", cmd_sign, "check a manifest, measure and sign its enclave" },
	{ "doctor", cmd_doctor, "tell what this machine can do, what is missing, how to get it" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *f)
{
	fprintf(f, "usage: rakis COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].what);
	fputs("\nrakis COMMAND --help tells the options, rakis --version the version.\n", f);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("rakis " RAKIS_VERSION "\n");
		return 0;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	message("%s: no such command; rakis --help lists them, rakis run %s runs a program",
		argv[1], argv[1]);
	return EXIT_USAGE;
}
