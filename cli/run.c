/* SPDX-License-Identifier: Apache-2.0 */
/* rakis run: the options. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boundary/policy.h"
#include "boundary/xsk.h"
#include "cli/cli.h"
#include "host/host.h"

static const char help[] =
"usage: rakis run [OPTION...] [--] PROGRAM [ARG...]\n"
"       rakis run [OPTION...] --manifest FILE [--] [ARG...]\n"
"\n"
"Runs PROGRAM in the RAKIS library OS. A name without a slash is searched in PATH. The\n"
"environment, standard streams, exit status and signals are the program's own.\n"
"\n"
"  --io exit|ring        how requests reach the host (default: ring)\n"
"  --kick POLICY         who tells the kernel of work on rings: inline, monitor, sqpoll, or\n"
"                        auto (default: by the number of processors)\n"
"  --net IFACE[,queues=N]\n"
"                        UDP by AF_XDP on this interface (rakis net --help)\n"
"  --root DIR            DIR is the program's root directory\n"
"  --env K=V             set an environment variable; may be repeated\n"
"  --memory SIZE         memory of the program and the libOS, e.g. 512M, 4G (default: 64G,\n"
"                        of addresses; memory is used as it is touched)\n"
"  --manifest FILE       what rakis init wrote: program, files, sizes (docs/manifest.md); ARGs go\n"
"                        behind the arguments in it\n"
"  --file-key FILE       32 bytes, the key of encrypted mounts (in an enclave, it has its own)\n"
"  --sgx[=emulate]       in an SGX enclave; emulate: on a processor without SGX, which\n"
"                        protects nothing\n"
"  --sgx-cost CYCLES     what the emulator charges for leaving and entering (default: 8200)\n"
"  --signed DIR          the enclave that rakis sign wrote there; otherwise it is signed with\n"
"                        --key FILE, or the development key\n"
"  --allow-host          an enclave without a manifest: it believes the host's files, arguments\n"
"                        and environment, which is for development\n"
"  --threads N           threads that may be inside at a time (default: 64)\n"
"  --stats[=FILE]        print counters at the end, to FILE if given (JSON if it ends in .json)\n"
"  --trace               print every system call\n"
"  --log LEVEL           error, warn (default), info, debug\n"
"\n"
"Exit status: the program's; 125 if RAKIS fails, 126 if PROGRAM cannot be run, 127 if\n"
"there is no such program.\n";

enum {
	OPT_IO = 1, OPT_KICK, OPT_URING_MASK, OPT_ROOT, OPT_ENV, OPT_MEMORY, OPT_STATS, OPT_TRACE,
	OPT_LOG, OPT_NET, OPT_SGX, OPT_SGX_COST, OPT_SIGNED, OPT_KEY, OPT_THREADS, OPT_HELP,
	OPT_MANIFEST, OPT_ALLOW_HOST, OPT_FILE_KEY,
};

static const struct option options[] = {
	{ "io", required_argument, NULL, OPT_IO },
	{ "kick", required_argument, NULL, OPT_KICK },
	{ "uring-mask", required_argument, NULL, OPT_URING_MASK },	/* for tests: host/uring.c */
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "env", required_argument, NULL, OPT_ENV },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "stats", optional_argument, NULL, OPT_STATS },
	{ "trace", no_argument, NULL, OPT_TRACE },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "sgx", optional_argument, NULL, OPT_SGX },
	{ "sgx-cost", required_argument, NULL, OPT_SGX_COST },
	{ "signed", required_argument, NULL, OPT_SIGNED },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "net", required_argument, NULL, OPT_NET },
	{ "manifest", required_argument, NULL, OPT_MANIFEST },
	{ "allow-host", no_argument, NULL, OPT_ALLOW_HOST },
	{ "file-key", required_argument, NULL, OPT_FILE_KEY },
	{ 0 }
};

extern char **environ;

/* The caller's environment, as an array that --env may change; room for `more` entries. */
static char **copy_environment(size_t more)
{
	char **env;
	size_t n = 0;

	while (environ[n])
		n++;
	env = calloc(n + more + 1, sizeof(*env));
	if (!env)
		die(EXIT_RAKIS, "out of memory");
	memcpy(env, environ, n * sizeof(*env));
	return env;
}

static int set_env(char **env, char *entry)
{
	size_t n = strcspn(entry, "=");

	if (!n || !entry[n]) {
		message("--env %s: write NAME=VALUE", entry);
		return -1;
	}
	while (*env && (strncmp(*env, entry, n + 1)))
		env++;
	*env = entry;
	return 0;
}

static const char *const io_names[] = { "exit", "ring" };
static const char *const kick_names[] = { "auto", "inline", "monitor", "sqpoll" };
static const char *const log_names[] = { "error", "warn", "info", "debug" };

static int index_of(const char *name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

/* IFACE[,queues=N] */
static int parse_net(struct run_options *opt, char *text)
{
	char *comma = strchr(text, ','), *end = NULL;

	opt->net = text;
	if (!comma)
		return 0;
	*comma++ = 0;
	if (!strncmp(comma, "queues=", 7))
		opt->net_queues = strtoul(comma + 7, &end, 10);
	if (end && !*end && opt->net_queues >= 1 && opt->net_queues <= RAKIS_XSK_MOST)
		return 0;
	message("--net %s,%s: after the interface there may be ,queues=N, 1 to %u", text, comma, RAKIS_XSK_MOST);
	return -1;
}

static const uint8_t *read_key(const char *path)
{
	static uint8_t key[RAKIS_FILE_KEY + 1];
	FILE *f = fopen(path, "re");

	if (!f)
		die(EXIT_RAKIS, "--file-key %s: %m", path);
	if (fread(key, 1, sizeof(key), f) != RAKIS_FILE_KEY)
		die(EXIT_RAKIS, "--file-key %s: not %u bytes; head -c %u /dev/urandom makes a key",
		    path, RAKIS_FILE_KEY, RAKIS_FILE_KEY);
	fclose(f);
	return key;
}

static int number(const char *text, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, 10);
	return errno || end == text || *end || *text == '-' ? -1 : 0;
}

/* Options that only make sense together: what is wrong, or NULL. */
static const char *check_sgx(const struct run_options *opt)
{
	if (!opt->sgx && (opt->sgx_signed || opt->sgx_key || opt->threads))
		return "--signed, --key and --threads are for --sgx";
	if (opt->sgx && opt->file_key)
		return "--file-key is not for --sgx: an enclave has a key that the host does not know";
	if (opt->sgx_signed && (opt->sgx_key || opt->threads || opt->memory))
		return "--signed says what --key, --threads and --memory would: leave them out";
	if (opt->manifest && (opt->sgx_key || opt->sgx_signed || opt->threads || opt->memory || opt->root))
		return "--manifest says what --root, --memory, --threads, --key and --signed would: leave them out";
	return NULL;
}

/* 0, or the exit status: below 0 for success without a run. */
static int parse(struct run_options *opt, int argc, char **argv)
{
	const char *wrong;
	int c, level;

	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (c) {
		case OPT_IO:
			opt->io_mode = index_of(optarg, io_names, 2);
			if (opt->io_mode > RAKIS_IO_RING) {
				message("--io %s: exit or ring", optarg);
				return EXIT_USAGE;
			}
			break;
		case OPT_KICK:
			opt->kick = index_of(optarg, kick_names, 4);
			if (opt->kick < 0) {
				message("--kick %s: auto, inline, monitor or sqpoll", optarg);
				return EXIT_USAGE;
			}
			break;
		case OPT_URING_MASK:
			opt->uring_mask = optarg;
			break;
		case OPT_ROOT:
			opt->root = optarg;
			break;
		case OPT_ENV:
			if (set_env(opt->env, optarg))
				return EXIT_USAGE;
			break;
		case OPT_MEMORY:
			opt->memory = parse_size(optarg);
			if (!opt->memory) {
				message("--memory %s: not a size; write 512M or 4G", optarg);
				return EXIT_USAGE;
			}
			break;
		case OPT_STATS:
			opt->stats = true;
			opt->stats_file = optarg;
			break;
		case OPT_TRACE:
			opt->trace = true;
			break;
		case OPT_LOG:
			level = index_of(optarg, log_names, 4);
			if (level < 0) {
				message("--log %s: error, warn, info or debug", optarg);
				return EXIT_USAGE;
			}
			opt->log_level = level;
			break;
		case OPT_NET:
			if (parse_net(opt, optarg))
				return EXIT_USAGE;
			break;
		case OPT_SGX:
			if (optarg && strcmp(optarg, "emulate")) {
				message("--sgx=%s: --sgx or --sgx=emulate", optarg);
				return EXIT_USAGE;
			}
			opt->sgx = optarg ? SGX_EMULATE : SGX_DEVICE_DRIVER;
			break;
		case OPT_SGX_COST:
			if (number(optarg, &opt->sgx_cost)) {
				message("--sgx-cost %s: not a number of cycles", optarg);
				return EXIT_USAGE;
			}
			break;
		case OPT_SIGNED:
			opt->sgx_signed = optarg;
			break;
		case OPT_KEY:
			opt->sgx_key = optarg;
			break;
		case OPT_THREADS:
			if (number(optarg, &opt->threads) || !opt->threads) {
				message("--threads %s: not a number", optarg);
				return EXIT_USAGE;
			}
			break;
		case OPT_MANIFEST:
			opt->manifest = optarg;
			break;
		case OPT_ALLOW_HOST:
			opt->allow_host = true;
			break;
		case OPT_FILE_KEY:
			opt->file_key = read_key(optarg);
			break;
		case 'h':
		case OPT_HELP:
			fputs(help, stdout);
			return -1;
		default:
			message("%s: not an option of rakis run, or its value is missing; "
				"see rakis run --help", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (opt->net && opt->io_mode == RAKIS_IO_EXIT) {
		message("--net goes with --io ring: leave --io exit out");
		return EXIT_USAGE;
	}
	wrong = check_sgx(opt);
	if (wrong) {
		message("%s", wrong);
		return EXIT_USAGE;
	}
	if (optind == argc && !opt->manifest) {
		message("no program given; see rakis run --help");
		return EXIT_USAGE;
	}
	if (opt->sgx && !opt->manifest && !opt->sgx_signed && !opt->allow_host) {
		message("an enclave needs a manifest, which says what it may trust; write one with: "
			"rakis init -- %s%s (or, for development: --allow-host)", argv[optind], optind + 1 < argc ? " ..." : "");
		return EXIT_USAGE;
	}
	opt->argv = argv + optind;
	opt->argc = argc - optind;
	return 0;
}

int cmd_run(int argc, char **argv)
{
	struct run_options opt = {
		.log_level = RAKIS_LOG_WARN,
		.io_mode = RAKIS_IO_RING,
		.sgx_cost = 8200,
		.env = copy_environment(argc),
	};
	int status;

	opterr = 0;
	status = parse(&opt, argc, argv);
	if (status)
		return status < 0 ? 0 : status;
	run(&opt);
}
