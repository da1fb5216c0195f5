/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rakis stats: the counters of a running instance, once or again and again. Whoever may
 * look into the process (its user, or root) may see them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "host/host.h"

#define ANSWER_MS	1000	/* an instance that shows nothing by then is stopped or stuck */
#define STEP_MS		2

static const char help[] =
"usage: rakis stats [OPTION...] PID\n"
"\n"
"Shows the counters of the rakis run that is process PID.\n"
"\n"
"  --json                as JSON\n"
"  --every SECONDS       again and again until interrupted; on a terminal, on a fresh screen\n";

/* One of its descriptors is the page: opened, or -1 with errno. */
static int open_page(const char *pid)
{
	char path[64], name[64];
	int fd = -1, err = ESRCH;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (fd < 0 && (e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, name, sizeof(name) - 1);

		if (n < 0)
			continue;
		name[n] = 0;
		if (strncmp(name, "/memfd:" RAKIS_STATS_NAME " ", strlen("/memfd:" RAKIS_STATS_NAME " ")))
			continue;
		fd = openat(dirfd(dir), e->d_name, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			err = errno;
	}
	closedir(dir);
	errno = err;
	return fd;
}

static struct rakis_stats *map_page(const char *pid)
{
	int fd = open_page(pid);
	struct rakis_stats *s;
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		die(EXIT_RAKIS, "%s: no such process", pid);
	if (fd < 0 && errno == ESRCH)
		die(EXIT_RAKIS, "%s: not a rakis run, or it has just ended", pid);
	if (fd < 0)
		die(EXIT_RAKIS, "%s: %m; be its user, or root", pid);
	s = fstat(fd, &st) || st.st_size != sizeof(*s) ? MAP_FAILED :
	    mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (s == MAP_FAILED || s->version != RAKIS_STATS_VERSION)
		die(EXIT_RAKIS, "%s: it runs another version of rakis; use that one's rakis stats", pid);
	return s;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* Have the enclave write them down. False: the process has ended. */
static bool refresh(const char *pid, struct rakis_stats *s)
{
	uint64_t want = __atomic_add_fetch(&s->wanted, 1, __ATOMIC_SEQ_CST);

	if (kill(atoi(pid), RAKIS_STATS_SIGNAL))
		return false;
	for (int ms = 0; ms < ANSWER_MS; ms += STEP_MS) {
		if ((int64_t)(__atomic_load_n(&s->shown, __ATOMIC_ACQUIRE) - want) >= 0)
			return true;
		sleep_ms(STEP_MS);
	}
	message("%s does not answer (stopped?): these are the counters that it showed last", pid);
	return true;
}

int cmd_stats(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "every", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	bool json = false;
	double every = 0;
	struct rakis_stats *s;
	char *end;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'e':
			every = strtod(optarg, &end);
			if (*end || !(every >= 0.05 && every <= 86400)) {
				message("--every %s: write seconds, 0.05 to 86400", optarg);
				return EXIT_USAGE;
			}
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			message("%s: not an option of rakis stats, or its value is missing; "
				"see rakis stats --help", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (optind + 1 != argc || !argv[optind][0] || argv[optind][strspn(argv[optind], "0123456789")]) {
		message("name one process by its number; see rakis stats --help");
		return EXIT_USAGE;
	}
	s = map_page(argv[optind]);
	while (refresh(argv[optind], s)) {
		if (every && !json && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		stats_print(stdout, s, json);
		if (fflush(stdout) || !every)
			return 0;
		sleep_ms(every * 1000);
	}
	return 0;
}
