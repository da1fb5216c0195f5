/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "host/net/background.h"

struct report {
	int err;
	char text[HELPER_TEXT];
};

/* Nothing of the starter stays: descriptors, signals, session, directory. */
static void let_go(int *report_fd)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	int null = open("/dev/null", O_RDWR);

	setsid();
	if (chdir("/"))
		_exit(1);
	umask(022);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (*report_fd != 3)
		*report_fd = dup2(*report_fd, 3);
	close_range(4, ~0u, 0);
}

int background_start(int (*set_up)(char text[HELPER_TEXT]), void (*life)(void), char text[HELPER_TEXT])
{
	struct report report = { .err = -EIO, .text = "the helper process did not start" };
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		/* Once more: whoever waits for children shall not meet it. */
		if (fork())
			_exit(0);
		let_go(&ends[1]);
		prctl(PR_SET_NAME, "rakis-net");
		openlog("rakis", LOG_PID, LOG_DAEMON);
		report.text[0] = 0;
		report.err = set_up(report.text);
		(void)!write(ends[1], &report, sizeof(report));
		close(ends[1]);
		if (!report.err)
			life();
		_exit(1);
	}
	close(ends[1]);
	if (pid > 0) {
		waitpid(pid, NULL, 0);
		(void)!read(ends[0], &report, sizeof(report));
	}
	close(ends[0]);
	memcpy(text, report.text, HELPER_TEXT);
	return report.err;
}
