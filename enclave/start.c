/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First entry: copy and check what the host says, bring up the rooms, load the program,
 * run it. The only file that knows all rooms; what a lower room needs of a higher one it
 * gets here as a function pointer.
 */
#include <asm/fcntl.h>
#include <linux/stat.h>
#include "boundary/boot.h"
#include "elf/elf.h"
#include "fastpath/untrusted.h"
#include "fs/encrypted.h"
#include "fs/file.h"
#include "fs/mapping.h"
#include "fs/trusted.h"
#include "fs/vfs.h"
#include "gate/gate.h"
#include "hostio/hostio.h"
#include "hostio/window.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/policy.h"
#include "lib/string.h"
#include "libos/cpuid.h"
#include "libos/mm.h"
#include "libos/signal.h"
#include "libos/task.h"
#include "libos/time.h"
#include "net/net.h"
#include "sockets/socket.h"
#include "syscalls/misc.h"
#include "syscalls/trace.h"

/* Exit statuses of a shell for a program that cannot be run. */
#define STATUS_RAKIS	125
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127

/* Bounds of what the host may hand over. */
#define STRINGS_MOST	(8u << 20)
#define INHERITED_MOST	1024u
#define GROUPS_MOST	65536u

extern const char __ehdr_start[], _end[];

/* Is the layout one that this image can believe of itself? */
static bool layout_is_valid(const struct rakis_layout *l)
{
	u64 end = l->base + l->size;

	return ((l->base | l->size | l->heap | l->slots | l->image) & ~PAGE_MASK) == 0 &&
	       end > l->base &&
	       l->base < l->heap && l->heap < l->slots && l->slots < l->image && l->image < end &&
	       l->image == (u64)__ehdr_start && l->image_size == end - l->image &&
	       l->image_size >= (u64)_end - (u64)__ehdr_start &&
	       l->slot_size == gate_slot_size && l->slot_count &&
	       l->slot_count <= RAKIS_SLOT_COUNT &&
	       l->slot_count <= (l->image - l->slots) / gate_slot_size;
}

static void read_boot(struct rakis_boot *boot, u64 host_boot)
{
	const struct rakis_layout *layout;
	struct uptr p;

	/*
	 * Until the layout is known, "outside" can only mean outside the image. The address of
	 * the boot data is judged again once it is.
	 */
	untrusted_init((u64)__ehdr_start, (u64)_end - (u64)__ehdr_start);
	if (!uptr_check(host_boot, sizeof(*boot), &p))
		__builtin_trap();
	untrusted_read(boot, p, sizeof(*boot));
	layout = gate_measured_layout(boot);
	if (boot->version != RAKIS_BOUNDARY_VERSION || !layout || !layout_is_valid(layout))
		__builtin_trap();
	gate_layout = *layout;
	untrusted_init(gate_layout.base, gate_layout.size);
	if (!uptr_check(host_boot, sizeof(*boot), &p))
		__builtin_trap();
}

/* Copy an array that the host announces: NULL when empty. */
static void *copy_in(u64 addr, u64 n, u64 most, size_t each, const char *what)
{
	struct uptr p;
	void *out;

	if (!n)
		return NULL;
	if (n > most || !uptr_check(addr, n * each, &p))
		panic("the host's %s are not valid", what);
	out = kmalloc(n * each + 1);
	if (!out)
		panic("no memory for %s: raise --memory", what);
	untrusted_read(out, p, n * each);
	((char *)out)[n * each] = 0;
	return out;
}

struct strings {
	char *at, *end;
};

static char *next_string(struct strings *s)
{
	char *str = s->at;

	if (s->at >= s->end)
		panic("the host's strings end early");
	s->at += strlen(str) + 1;
	return str;
}

static char **string_array(struct strings *s, u64 n)
{
	char **v;

	if (n > (u64)(s->end - s->at) || !(v = kmalloc((n + 1) * sizeof(*v))))
		panic("no memory for arguments and environment: raise --memory");
	for (u64 i = 0; i < n; i++)
		v[i] = next_string(s);
	v[n] = NULL;
	return v;
}

/* Standard streams and whatever else was open: one file each, with the host's position. */
static void inherit_files(const struct rakis_boot *boot)
{
	u32 *fds = copy_in(boot->inherited, boot->ninherited, INHERITED_MOST, sizeof(u32), "descriptors");

	for (u64 i = 0; i < boot->ninherited; i++) {
		struct statx st;
		struct file *f;
		int flags, fd = fds[i];

		flags = host_fcntl(fd, F_GETFL, 0);
		if (flags < 0 || host_statx(fd, "", 0x1000 /* AT_EMPTY_PATH */, STATX_TYPE, &st))
			continue;
		flags &= O_ACCMODE | O_APPEND | O_NONBLOCK | O_PATH;
		if ((st.stx_mode & S_IFMT) == S_IFSOCK)
			f = socket_from_host(fd, flags);
		else
			f = host_file_new(fd, flags, NULL, true);
		if (!f || fd_install_at(f, fd))
			panic("no memory for descriptor %d: raise --memory", fd);
	}
	kfree(fds);
}

static void load_manifest(const struct rakis_boot *boot)
{
	u64 size = boot->manifest_size;
	const void *data = gate_measured_manifest(&size);
	const char *wrong;

	if (!data && !gate_sealed && boot->manifest)
		data = copy_in(boot->manifest, size, RAKIS_MANIFEST_MOST, 1, "manifest");
	if (!data)
		return;
	wrong = policy_load(data, size);
	if (wrong)
		panic("the manifest cannot be used: %s", wrong);
}

static void mount_manifest(const struct rakis_boot *boot)
{
	u8 key[RAKIS_FILE_KEY], *given = NULL;
	bool have = gate_sealing_key(key);

	if (!policy)
		return;
	if (!gate_sealed && boot->file_key) {
		given = copy_in(boot->file_key, 1, 1, RAKIS_FILE_KEY, "key");
		memcpy(key, given, sizeof(key));
		memset(given, 0, sizeof(key));
		kfree(given);
		have = true;
	}
	trusted_init(boot->tables <= INT32_MAX ? (int)boot->tables : -1);
	mounts_init(have ? key : NULL);
	memset(key, 0, sizeof(key));
	__asm__ volatile("" :: "r"(key) : "memory");	/* that was not a dead store */
}

static char **need(char **v)
{
	if (!v)
		panic("no memory for arguments and environment: raise --memory");
	return v;
}

/* The manifest's, and of the host's those behind them, if they may be more. */
static char **arguments(char **host, u64 n)
{
	const u32 *own = policy_entries(policy->arguments);
	u64 count = policy->arguments.count;
	char **v = need(kzalloc((count + n + 1) * sizeof(*v)));

	for (u64 i = 0; i < count; i++)
		v[i] = (char *)policy_string(own[i]);
	if (policy->flags & RAKIS_MANIFEST_ARGUMENTS && n > count)
		memcpy(v + count, host + count, (n - count) * sizeof(*v));
	kfree(host);
	return v;
}

/* The manifest's entry for the name of this variable, or NULL. */
static const char *variable(const char *name)
{
	const u32 *own = policy_entries(policy->environment);

	for (u32 i = 0; i < policy->environment.count; i++) {
		const char *a = policy_string(own[i]), *b = name;

		while (*a && *a == *b && *a != '=') {
			a++;
			b++;
		}
		if ((!*a || *a == '=') && (!*b || *b == '='))
			return policy_string(own[i]);
	}
	return NULL;
}

/* Those that it sets, and those of the host's that it lets in. */
static char **environment(char **host, u64 n)
{
	const u32 *own = policy_entries(policy->environment);
	char **v = need(kzalloc((policy->environment.count + n + 1) * sizeof(*v)));
	u64 count = 0;

	for (u32 i = 0; i < policy->environment.count; i++)
		if (strchr(policy_string(own[i]), '='))
			v[count++] = (char *)policy_string(own[i]);
	for (u64 i = 0; i < n; i++) {
		const char *e = variable(host[i]);

		if (e ? !strchr(e, '=') : policy->flags & RAKIS_MANIFEST_ENVIRONMENT)
			v[count++] = host[i];
	}
	kfree(host);
	return v;
}

/* What is left to do for a process that ends. */
static void drain(void)
{
	stream_exit();
	enc_sync_all();
}

static void start_program(struct rakis_boot *boot) __noreturn;
static void start_program(struct rakis_boot *boot)
{
	char *text = copy_in(boot->strings, boot->strings_size, STRINGS_MOST, 1, "strings");
	struct strings s = { text, text + boot->strings_size };
	char *path = next_string(&s), *why = kmalloc(512);
	char **argv = string_array(&s, boot->argc);
	char **envp = string_array(&s, boot->envc);
	char *cwd = next_string(&s);
	int err;

	if (!why)
		panic("no memory to start: raise --memory");
	task_init(boot);
	signal_init(boot);
	vfs_init(boot, cwd, next_string(&s));
	mount_manifest(boot);
	if (policy) {
		path = *policy_string(policy->program) ? (char *)policy_string(policy->program) : path;
		argv = arguments(argv, boot->argc);
		envp = environment(envp, boot->envc);
	}
	misc_init(boot);
	inherit_files(boot);

	why[0] = 0;
	err = program_load(path, argv, envp, gate_regs(), why, 512);
	if (err) {
		log_error("%s", why[0] ? why : path);
		host_exit(err == -ENOENT ? STATUS_NOT_FOUND :
			  err == -ENOMEM || err == -E2BIG ? STATUS_RAKIS : STATUS_NOT_EXECUTABLE, 0);
	}
	kfree(why);
	kfree(argv);
	kfree(envp);
	kfree(text);
	gate_set_guest_fs(0);
	gate_return();
}

static struct mm_file_ops mm_files;

void libos_start(struct gate_thread *thread, u64 host_boot)
{
	static struct rakis_boot boot;

	read_boot(&boot, host_boot);
	if (thread != gate_slot(0))
		__builtin_trap();
	thread->slot = 0;

	heap_init(gate_layout.heap, gate_layout.slots, !gate_sealed);
	hostio_init(&boot);
	window_init(boot.windows);
	syscall_trace = boot.flags & RAKIS_BOOT_TRACE;
	time_init(&boot);
	cpuid_init(&boot);
	net_monotonic = now_ns;
	net_realtime = realtime_ns;
	net_init(&boot);
	mm_files = fs_mm_ops;
	mm_files.prepare_exec = patch_mapping;
	mm_init(&mm_files);
	elf_init(&boot);
	process_drain = drain;
	load_manifest(&boot);
	sig_original_rip = patch_original_rip;
	sig_resume_rip = patch_resume_rip;
	sig_restorer = vdso_sigreturn;
	start_program(&boot);
}
