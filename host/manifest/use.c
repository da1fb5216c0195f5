/* SPDX-License-Identifier: Apache-2.0 */
/* A run with a manifest: what it says takes the place of options. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary/policy.h"
#include "host/host.h"
#include "host/manifest/manifest.h"
#include "host/sgx/sgx.h"

/* Where the host has the program. */
static char *program_host(const struct manifest *m)
{
	char *path = NULL;

	for (uint32_t i = 0; i < m->trusted_count; i++)
		if (m->trusted[i].host && !strcmp(m->trusted[i].path, m->program))
			return manifest_host_path(m, m->program, m->trusted[i].host);
	for (uint32_t i = 0; i < m->mounts_count; i++) {
		size_t n = strlen(m->mounts[i].path);
		char *host;

		if (m->mounts[i].kind != RAKIS_MOUNT_HOST || strncmp(m->program, m->mounts[i].path, n))
			continue;
		host = manifest_host_path(m, NULL, m->mounts[i].host);
		if (m->program[n] == '/' && host && asprintf(&path, "%s%s", host, m->program + n) < 0)
			path = NULL;
		free(host);
		if (path)
			return path;
	}
	return manifest_host_path(m, m->program, NULL);
}

static void join_arguments(struct run_options *opt, const struct manifest *m)
{
	uint32_t own = m->arguments_count ? m->arguments_count : 1;
	char **argv = calloc(own + opt->argc + 1, sizeof(*argv));

	if (!argv)
		die(EXIT_RAKIS, "out of memory");
	if (opt->argc && !m->more_arguments)
		die(EXIT_USAGE, "%s: the manifest does not let arguments be added; say `more_arguments: true` there",
		    opt->argv[0]);
	argv[0] = m->program;
	for (uint32_t i = 0; i < m->arguments_count; i++)
		argv[i] = m->arguments[i];
	memcpy(argv + own, opt->argv, opt->argc * sizeof(*argv));
	opt->argv = argv;
	opt->argc += own;
}

/* What rakis sign left beside the manifest. It must be of this manifest, not of an older one. */
static void use_signed(struct run_options *opt, const struct manifest *m)
{
	struct stat of_manifest, of_policy;
	char path[4096];

	snprintf(path, sizeof(path), "%.4000s/" FILE_POLICY, m->base);
	if (stat(path, &of_policy))
		die(EXIT_RAKIS, "%s is not signed; do it with: rakis sign %s", m->name, m->name);
	if (!stat(m->name, &of_manifest) &&
	    (of_manifest.st_mtim.tv_sec > of_policy.st_mtim.tv_sec ||
	     (of_manifest.st_mtim.tv_sec == of_policy.st_mtim.tv_sec &&
	      of_manifest.st_mtim.tv_nsec > of_policy.st_mtim.tv_nsec)))
		die(EXIT_RAKIS, "%s has changed since it was signed; sign it again: rakis sign %s", m->name, m->name);
	opt->sgx_signed = m->base;
	snprintf(path, sizeof(path), "%.4000s/" FILE_TABLES, m->base);
	host.tables = own_fd(open(path, O_RDONLY | O_CLOEXEC));
	if (host.tables < 0)
		die(EXIT_RAKIS, "%s: %m; rakis sign %s makes it", path, m->name);
}

/* Without an enclave nobody has to sign: it is compiled as it stands. */
static void use_now(const struct manifest *m)
{
	struct compiled compiled;
	struct complaint c = { 0 };

	if (!manifest_compile(m, &compiled, &c))
		die(EXIT_RAKIS, "%s", c.text);
	host.manifest = compiled.policy;
	host.manifest_size = compiled.policy_size;
	host.tables = own_fd(compiled.tables);
}

void manifest_use(struct run_options *opt)
{
	struct complaint c = { 0 };
	struct manifest *m = manifest_load(opt->manifest, NULL, 0, &c);

	if (!m)
		die(EXIT_RAKIS, "%s", c.text);
	opt->program = m->program;
	opt->program_host = program_host(m);
	if (!opt->program_host)
		die(EXIT_RAKIS, "out of memory");
	join_arguments(opt, m);
	if (opt->sgx)
		use_signed(opt, m);
	else
		use_now(m);
	if (m->memory && !opt->sgx)
		opt->memory = parse_size(m->memory);
	if (m->directory && m->host_root && chdir(m->directory))
		die(EXIT_RAKIS, "%s: `directory`: %s: %m", m->name, m->directory);
	/* The rest of it lives as long as the run. */
}
