/* SPDX-License-Identifier: Apache-2.0 */
/* --root: another directory as the program's root, also for those who are not root. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* A user namespace in which this user is itself, and may change its root. */
static bool become_able(void)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof(uids), "%u %u 1\n", geteuid(), geteuid());
	snprintf(gids, sizeof(gids), "%u %u 1\n", getegid(), getegid());
	return !unshare(CLONE_NEWUSER) && write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", uids) && write_file("/proc/self/gid_map", gids);
}

void root_change(const char *dir)
{
	char root[PATH_MAX], cwd[PATH_MAX], *inside = "/";
	size_t n;

	if (!realpath(dir, root))
		die(EXIT_RAKIS, "--root: %s: %m", dir);
	n = strlen(root);
	if (n == 1)
		return;			/* the root itself */
	if (getcwd(cwd, sizeof(cwd)) && !strncmp(cwd, root, n) && (cwd[n] == '/' || !cwd[n]))
		inside = cwd[n] ? cwd + n : "/";
	if (chroot(root)) {
		if (errno != EPERM)
			die(EXIT_RAKIS, "--root: %s: %m", dir);
		if (!become_able())
			die(EXIT_RAKIS, "--root needs root's rights or user namespaces (%m); see "
			    "sysctl kernel.unprivileged_userns_clone and user.max_user_namespaces");
		if (chroot(root))
			die(EXIT_RAKIS, "--root: %s: %m", dir);
	}
	if (chdir(inside))
		die(EXIT_RAKIS, "--root: %s in %s: %m", inside, dir);
}
