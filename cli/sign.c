/* SPDX-License-Identifier: Apache-2.0 */
/* rakis sign: the options. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "host/host.h"
#include "host/sgx/sgx.h"

static const char help[] =
"usage: rakis sign [OPTION...]\n"
"\n"
"Lays an enclave out, measures and signs it: writes rakis.sig and rakis.policy, which\n"
"rakis run --sgx --signed DIR takes, and prints MRENCLAVE and MRSIGNER.\n"
"\n"
"  --key FILE            RSA key of 3072 bits with exponent 3, PEM (openssl genrsa -3 3072);\n"
"                        default: a development key, made at its first use\n"
"  --memory SIZE         of the enclave, a power of two (default: 1G)\n"
"  --threads N           that may be inside at a time (default: 64)\n"
"  -o, --output DIR      where to write (default: the current directory)\n"
"  --dump-pages FILE     write what is measured, to check MRENCLAVE by other means\n";

enum { OPT_KEY = 1, OPT_MEMORY, OPT_THREADS, OPT_DUMP };

static const struct option options[] = {
	{ "key", required_argument, NULL, OPT_KEY },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "output", required_argument, NULL, 'o' },
	{ "dump-pages", required_argument, NULL, OPT_DUMP },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

int cmd_sign(int argc, char **argv)
{
	struct sign_options opt = { .dir = "." };
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
		switch (c) {
		case OPT_KEY:
			opt.key = optarg;
			break;
		case OPT_MEMORY:
			opt.memory = parse_size(optarg);
			if (!opt.memory) {
				message("--memory %s: not a size; write 512M or 4G", optarg);
				return EXIT_USAGE;
			}
			break;
		case OPT_THREADS:
			opt.threads = strtoul(optarg, NULL, 10);
			if (!opt.threads) {
				message("--threads %s: not a number", optarg);
				return EXIT_USAGE;
			}
			break;
		case OPT_DUMP:
			opt.dump = optarg;
			break;
		case 'o':
			opt.dir = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			message("%s: not an option of rakis sign, or its value is missing; "
				"see rakis sign --help", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		message("%s: rakis sign takes no program; see rakis sign --help", argv[optind]);
		return EXIT_USAGE;
	}
	sgx_sign(&opt);
	return 0;
}
