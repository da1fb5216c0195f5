/* SPDX-License-Identifier: Apache-2.0 */
/* `rakis run`: everything from the options to the first entry, in order. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/host.h"
#include "host/net/net.h"
#include "host/sgx/sgx.h"
#include "host/thread.h"

#define ARENA_SIZE (64ull << 20)

static void *untrusted_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die(EXIT_RAKIS, "cannot get %zu MiB of memory for requests: %m", size >> 20);
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

/* What `rakis stats` of another process finds among our descriptors. */
static struct rakis_stats *stats_page(void)
{
	int fd = own_fd(memfd_create(RAKIS_STATS_NAME, MFD_CLOEXEC));
	struct rakis_stats *s;

	if (fd < 0 || ftruncate(fd, sizeof(*s)))
		die(EXIT_RAKIS, "no memory for counters: %m");
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		die(EXIT_RAKIS, "no memory for counters: %m");
	s->version = RAKIS_STATS_VERSION;
	return s;
}

/* Addresses for mappings to come; 0: none, and none are made. */
static uint64_t address_space(size_t size)
{
	void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? 0 : (uint64_t)p;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* Whatever names a place of the host, before the root changes. */
static void open_own_files(const struct run_options *opt)
{
	host.log_fd = own_fd(dup(STDERR_FILENO));
	host.proc_fd = own_fd(open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	host.mem_fd = own_fd(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
	if (!opt->stats_file)
		return;
	host.stats_fd = own_fd(open(opt->stats_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				    0644));
	if (host.stats_fd < 0)
		die(EXIT_RAKIS, "--stats: %s: %m", opt->stats_file);
	host.stats_json = ends_with(opt->stats_file, ".json");
}

/* The program's own limit stays what it is (exec_system.c); RAKIS needs a few more. */
static void raise_limits(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	host.nofile[0] = lim.rlim_cur;
	host.nofile[1] = lim.rlim_max;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

void run(struct run_options *opt)
{
	static struct program program;
	const struct rakis_boot *boot;
	struct image *image;
	const char *lack;

	tsc_begin();
	boot_record();
	raise_limits();
	open_own_files(opt);
	lack = machine_lacks();
	if (lack)
		die(EXIT_RAKIS, "this machine has no %s; rakis doctor tells more", lack);
	image = image_open(opt->sgx ? IMAGE_SGX : IMAGE_DIRECT);
	if (opt->manifest)
		manifest_use(opt);
	if (opt->net)
		host.nxsks = net_open(opt->net, opt->net_queues);
	if (opt->root)
		root_change(opt->root);
	program_find(&program, opt->manifest ? opt->program_host : opt->argv[0], opt->env);
	host.sgx = opt->sgx;
	if (opt->sgx) {
		sgx_start(opt, &program, image);
	} else {
		layout_reserve(&program, opt->memory, image_size(image));
		image_map(image);
	}
	host.arena_size = ARENA_SIZE;
	host.arena = (uint64_t)untrusted_memory(ARENA_SIZE);
	host.windows = opt->io_mode == RAKIS_IO_RING ? address_space(RAKIS_WINDOWS * RAKIS_WINDOW_SIZE) : 0;
	host.stats = stats_page();
	host.print_stats = opt->stats;
	host.kick = opt->kick;
	host.uring_mask = opt->uring_mask;
	boot = boot_make(opt, &program);
	signals_block();
	signals_install();
	threads_start(boot);
}
