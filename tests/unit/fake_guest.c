/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_guest.h. */
#include <linux/mman.h>
#include <linux/stat.h>
#include "elf/image.h"
#include "fake_guest.h"
#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "libos/signal.h"
#include "libos/task.h"
#include "libos/time.h"
#include "host/patch_table.h"

void *mmap(void *addr, size_t len, int prot, int flags, int fd, long off);
int madvise(void *addr, size_t len, int advice);
long syscall(long nr, ...);
void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);
void free(void *p);
int vprintf(const char *fmt, va_list ap);
void abort(void) __noreturn;

enum { PAGES = GUEST_SIZE / PAGE_SIZE, FILES = 16, MAPPED = 8 };

struct rakis_layout gate_layout;
struct process process;
struct rakis_stats stats;
u64 (*sig_restorer)(void);
u64 fake_brk;
u32 fake_maps;

static u8 page[PAGES];		/* PROT_* | MAPPED */
static struct fake_file files[FILES];
static u32 open_files;
static struct task task;
static struct gate_thread thread = { .task = &task };

void fake_reset(void)
{
	if (!gate_layout.base) {
		if (mmap((void *)GUEST_BASE, GUEST_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) !=
		    (void *)GUEST_BASE)
			abort();
		gate_layout.base = GUEST_BASE;
		gate_layout.size = GUEST_SIZE;
		gate_layout.heap = GUEST_BASE + GUEST_SIZE;
		thread.self = &thread;
		syscall(158 /* arch_prctl */, 0x1001 /* ARCH_SET_GS */, &thread);
	}
	madvise((void *)GUEST_BASE, GUEST_SIZE, 4 /* MADV_DONTNEED */);
	memset(page, 0, sizeof(page));
	memset(files, 0, sizeof(files));
	kfree(process.exe);
	kfree(process.cmdline);
	memset(&process, 0, sizeof(process));
	fake_brk = 0;
	fake_maps = 0;
}

bool fake_mapped(u64 addr, u32 *prot)
{
	u64 i = (addr - GUEST_BASE) / PAGE_SIZE;

	if (addr < GUEST_BASE || i >= PAGES || !(page[i] & MAPPED))
		return false;
	*prot = page[i] & 7;
	return true;
}

/* ---- memory ---- */

static bool user_ok(u64 addr, u64 n, u32 prot)
{
	u32 have;

	if (!guest_range_ok(addr, n))
		return false;
	for (u64 at = PAGE_DOWN(addr); at < addr + n; at += PAGE_SIZE)
		if (!fake_mapped(at, &have) || !(have & prot))
			return false;
	return true;
}

int copy_from_user(void *dst, u64 uaddr, size_t n)
{
	if (!user_ok(uaddr, n, PROT_READ))
		return -EFAULT;
	memcpy(dst, (void *)uaddr, n);
	return 0;
}

int copy_to_user(u64 uaddr, const void *src, size_t n)
{
	if (!user_ok(uaddr, n, PROT_WRITE))
		return -EFAULT;
	memcpy((void *)uaddr, src, n);
	return 0;
}

int clear_user(u64 uaddr, size_t n)
{
	if (!user_ok(uaddr, n, PROT_WRITE))
		return -EFAULT;
	memset((void *)uaddr, 0, n);
	return 0;
}

static bool is_free(u32 first, u32 n)
{
	while (n && !(page[first] & MAPPED)) {
		first++;
		n--;
	}
	return !n;
}

static s64 find(u64 hint, u64 len, u32 flags, u64 low, u64 high)
{
	u32 n = len / PAGE_SIZE;
	u64 i = (hint - low) / PAGE_SIZE;

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (hint & ~PAGE_MASK)
			return -EINVAL;
		if (!guest_range_ok(hint, len))
			return -ENOMEM;
		if (flags & MAP_FIXED_NOREPLACE && !is_free((hint - GUEST_BASE) / PAGE_SIZE, n))
			return -EEXIST;
		return (s64)hint;
	}
	if (guest_range_ok(hint, len) && is_free(i, n))
		return (s64)PAGE_DOWN(hint);
	if (len > high - low)
		return -ENOMEM;
	for (u64 at = high - len; at >= low; at -= PAGE_SIZE)
		if (is_free((at - GUEST_BASE) / PAGE_SIZE, n))
			return (s64)at;
	return -ENOMEM;
}

static void map(u64 at, u64 len, u32 prot)
{
	madvise((void *)at, len, 4 /* MADV_DONTNEED */);
	memset(page + (at - GUEST_BASE) / PAGE_SIZE, MAPPED | prot, len / PAGE_SIZE);
	fake_maps++;
}

s64 mm_map(u64 addr, u64 len, u32 prot, u32 flags, struct file *file, u64 off)
{
	s64 at;

	len = PAGE_UP(len);
	if (!len || off & ~PAGE_MASK || (file == NULL) != ((flags & MAP_ANONYMOUS) != 0))
		return -EINVAL;
	if (len > GUEST_SIZE)
		return -ENOMEM;
	at = find(addr, len, flags, GUEST_BASE, GUEST_BASE + GUEST_SIZE);
	if (at < 0)
		return at;
	map((u64)at, len, prot);
	if (file) {
		const struct fake_file *f = file->priv;

		if (off < f->size)
			memcpy((void *)at, f->data + off, min(len, f->size - off));
	}
	return at;
}

s64 mm_map_anon(u64 addr, u64 len, u32 prot, u32 vm_flags, const char *name)
{
	return mm_map(addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | (addr ? MAP_FIXED_NOREPLACE : 0),
		      NULL, 0);
}

s64 mm_map_near(u64 near, u64 reach, u64 len, u32 vm_flags, const char *name)
{
	return mm_map_anon(0, len, PROT_READ | PROT_WRITE, vm_flags, name);
}

int mm_unmap(u64 addr, u64 len)
{
	if (addr & ~PAGE_MASK || !len || !guest_range_ok(addr, PAGE_UP(len)))
		return -EINVAL;
	memset(page + (addr - GUEST_BASE) / PAGE_SIZE, 0, PAGE_UP(len) / PAGE_SIZE);
	return 0;
}

int mm_protect(u64 addr, u64 len, u32 prot)
{
	if (addr & ~PAGE_MASK || !guest_range_ok(addr, PAGE_UP(len)))
		return -EINVAL;
	memset(page + (addr - GUEST_BASE) / PAGE_SIZE, MAPPED | prot, PAGE_UP(len) / PAGE_SIZE);
	return 0;
}

void mm_set_brk(u64 start)
{
	fake_brk = start;
}

/* ---- files ---- */

static int fake_stat(struct file *f, u32 mask, struct statx *out)
{
	const struct fake_file *ff = f->priv;

	*out = (struct statx){ .stx_mode = ff->mode, .stx_size = ff->size };
	return 0;
}

static int fake_fd(struct file *f)
{
	return ((const struct fake_file *)f->priv)->fd;
}

static const struct file_ops ops = { .kind = "fake", .stat = fake_stat, .host_fd = fake_fd };

struct file *fake_open(const struct fake_file *f)
{
	struct file *file = kzalloc(sizeof(*file));

	file->ops = &ops;
	file->priv = (void *)f;
	file->path = (char *)f->path;
	open_files++;
	return file;
}

void fake_add(const struct fake_file *f)
{
	for (u32 i = 0; i < FILES; i++) {
		if (!files[i].path) {
			files[i] = *f;
			return;
		}
	}
	abort();
}

int vfs_open(const char *path, u32 flags, u32 mode, struct file **out)
{
	for (u32 i = 0; i < FILES && files[i].path; i++) {
		if (!strcmp(files[i].path, path)) {
			*out = fake_open(&files[i]);
			return 0;
		}
	}
	return -ENOENT;
}

int file_name(struct file *f, char *buf, size_t n)
{
	return snprintf(buf, n, "%s", f->path);
}

void file_put(struct file *f)
{
	open_files--;
	kfree(f);
}

u32 fake_open_files(void)
{
	return open_files;
}

int file_host_fd(struct file *f)
{
	return f->ops->host_fd(f);
}

void iter_kernel(struct iter *it, void *buf, u64 len)
{
	*it = (struct iter){ .niov = 1, .left = len, .kernel = true, .inline_ = { { (u64)buf, len } } };
}

ssize_t file_pread(struct file *f, struct iter *it, u64 off)
{
	const struct fake_file *ff = f->priv;
	size_t n = off < ff->size ? min((u64)ff->size - off, it->left) : 0;

	if (n)
		memcpy((void *)it->inline_[0].base, (const char *)ff->data + off, n);
	return (ssize_t)n;
}

/* ---- the rest ---- */

int host_patch_table(int fd, struct rakis_patch *out, u32 max, u64 first)
{
	return patch_table(fd, out, max, first);
}

void *kmalloc(size_t n) { return malloc(n); }
void *kzalloc(size_t n) { return calloc(1, n); }
void *krealloc(void *p, size_t n) { return realloc(p, n); }
void kfree(void *p) { free(p); }

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = malloc(n);

	return p ? memcpy(p, s, n) : NULL;
}

void random_bytes(void *dst, size_t n)
{
	memset(dst, 0x5a, n);
}

u64 sigframe_min_stack(void)
{
	return 4096;
}

void time_set_vvar(struct vvar *guest) { }
void task_set_comm(struct task *t, const char *path) { snprintf(t->comm, sizeof(t->comm), "%s", path); }
void spin_contended(struct spinlock *l) { abort(); }
void mutex_lock_slow(struct mutex *m) { abort(); }
void mutex_unlock_slow(struct mutex *m) { abort(); }

static void say(const char *fmt, va_list ap)
{
	vprintf(fmt, ap);
}

void log_debug(const char *fmt, ...) { }
void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	abort();
}

/* The vDSO's place is taken by a few bytes: an ELF header. */
__asm__(".section .rodata\n.balign 8\n"
	".globl vdso_image, vdso_image_end\n"
	"vdso_image: .fill 64, 1, 0x11\nvdso_image_end:\n.text\n");
