/* SPDX-License-Identifier: Apache-2.0 */
/* rakis sign: the options. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "host/host.h"
#include "host/manifest/manifest.h"
#include "host/sgx/sgx.h"

static const char help[] =
"usage: rakis sign [OPTION...] MANIFEST\n"
"       rakis sign [OPTION...] --allow-host\n"
"\n"
"Checks a manifest, hashes what it trusts, lays the enclave out, measures and signs it. Writes\n"
"rakis.sig, rakis.policy and rakis.tables beside the manifest, where rakis run --sgx\n"
"--manifest finds them, and prints MRENCLAVE and MRSIGNER.\n"
"\n"
"  --key FILE            RSA key of 3072 bits with exponent 3, PEM (openssl genrsa -3 3072);\n"
"                        default: a development key, made at its first use\n"
"  -o, --output DIR      write there; for rakis run --sgx --signed DIR\n"
"  --allow-host          without a manifest, for development: the host's files, arguments and\n"
"                        environment are believed; with it:\n"
"    --memory SIZE       of the enclave, a power of two (default: 1G)\n"
"    --threads N         that may be inside at a time (default: 64)\n"
"  --dump-pages FILE     write what is measured, to check MRENCLAVE by other means\n";

enum { OPT_KEY = 1, OPT_MEMORY, OPT_THREADS, OPT_DUMP, OPT_ALLOW_HOST };

static const struct option options[] = {
	{ "key", required_argument, NULL, OPT_KEY },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "output", required_argument, NULL, 'o' },
	{ "dump-pages", required_argument, NULL, OPT_DUMP },
	{ "allow-host", no_argument, NULL, OPT_ALLOW_HOST },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

/* Compile it; what is made of it goes beside it. */
static void sign_manifest(struct sign_options *opt, const char *name)
{
	static struct compiled compiled;
	struct complaint c = { 0 };
	struct manifest *m = manifest_load(name, NULL, 0, &c);

	if (!m || !manifest_compile(m, &compiled, &c))
		die(EXIT_RAKIS, "%s", c.text);
	opt->compiled = &compiled;
	opt->memory = m->memory ? parse_size(m->memory) : 0;
	opt->threads = m->threads;
	if (!opt->dir)
		opt->dir = strdup(m->base);
	manifest_free(m);
}

int cmd_sign(int argc, char **argv)
{
	struct sign_options opt = { 0 };
	bool allow_host = false;
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
		case OPT_ALLOW_HOST:
			allow_host = true;
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
	if (allow_host ? optind < argc : optind + 1 != argc) {
		message("rakis sign: name one manifest (rakis init writes it), or say --allow-host");
		return EXIT_USAGE;
	}
	if (!allow_host && (opt.memory || opt.threads)) {
		message("the manifest says what --memory and --threads would: leave them out");
		return EXIT_USAGE;
	}
	if (allow_host)
		opt.dir = opt.dir ? opt.dir : ".";
	else
		sign_manifest(&opt, argv[optind]);
	sgx_sign(&opt);
	return 0;
}
