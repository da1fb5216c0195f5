/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory management against a model of one entry a page. The range is a memory file that
 * is mapped twice: with the protection that mm asks the host for, and, for looking, always
 * readable. Files are arrays.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asm/prctl.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gate/usercopy.h"
#include "hostio/hostio.h"
#include "lib/alloc.h"
#include "lib/errno.h"
#include "libos/task.h"
#include "libos/vma.h"

void *mmap(void *, size_t, int, int, int, off_t);
int mprotect(void *, size_t, int);
int memfd_create(const char *, unsigned int);

enum {
	PAGES = 1024, LOW_PAGES = 16, GUARD_PAGES = 16,
	FILE_PAGES = 96, FILE_BYTES = 90 * 4096 + 100,
};

#define BASE 0x10000000ull

static char *shadow;			/* the always readable view */
static int range_fd;
static u8 host_prot[PAGES];
static bool discard_fails;
static u32 protect_calls;

/* ---- the rooms below ---- */

struct rakis_layout gate_layout;
const bool gate_sealed = SEALED;	/* then pages without access may hold anything */
struct process process;
bool (*usercopy_fault_hook)(u64 addr, u64 len, bool write);

void mutex_init(struct mutex *m) { m->held = 0; }
void mutex_lock_slow(struct mutex *m)
{
	while (atomic_exchange(&m->held, 1))
		sched_yield();
}
void mutex_unlock_slow(struct mutex *m) { }

int host_mem_protect(u64 addr, u64 len, u32 prot)
{
	assert_true(addr >= BASE && addr + len <= BASE + PAGES * PAGE_SIZE && len);
	assert_int_equal((addr | len) & ~PAGE_MASK, 0);
	protect_calls++;
	memset(host_prot + (addr - BASE) / PAGE_SIZE, (int)prot, len / PAGE_SIZE);
	return mprotect((void *)addr, len, (int)prot) ? -ENOMEM : 0;
}

int host_mem_install(u64 addr, const void *from, u32 len)
{
	return pwrite(range_fd, from, len, (off_t)(addr - BASE)) == (ssize_t)len ? 0 : -EINVAL;
}

int host_mem_discard(u64 addr, u64 len)
{
	if (discard_fails)
		return -EINVAL;
	assert_int_equal(fallocate(range_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   (off_t)(addr - BASE), (off_t)len), 0);
	return 0;
}

/* ---- files ---- */

struct file {
	int refs, prepared;
	u64 size;
	char *data;
};

static void f_get(struct file *f) { __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED); }
static void f_put(struct file *f) { __atomic_fetch_sub(&f->refs, 1, __ATOMIC_RELAXED); }
static ssize_t f_pread(struct file *f, u64 addr, u64 len, u64 off)
{
	if (off >= f->size)
		return 0;
	len = min(min(len, f->size - off), (u64)5 * 4096);	/* in parts */
	memcpy((void *)addr, f->data + off, len);
	return (ssize_t)len;
}
static ssize_t f_pwrite(struct file *f, u64 addr, u64 len, u64 off)
{
	assert_true(off + len <= f->size);
	memcpy(f->data + off, (void *)addr, len);
	return (ssize_t)len;
}
static s64 f_size(struct file *f) { return (s64)f->size; }
static int f_may_map(struct file *f, u32 prot, u32 flags) { return 0; }
static const char *f_path(struct file *f) { return "file"; }
static void f_prepare(struct file *f, u64 addr, u64 len, u64 off)
{
	s64 at = mm_map_near(addr, 1 << 30, PAGE_SIZE, VM_STUBS, "[stubs]");

	f->prepared++;
	if (at > 0) {	/* as the patcher does; given back so that the model need not know */
		assert_int_equal(mm_protect((u64)at, PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
		assert_int_equal(mm_unmap((u64)at, PAGE_SIZE), 0);
	}
}

static const struct mm_file_ops ops = {
	.get = f_get, .put = f_put, .pread = f_pread, .pwrite = f_pwrite, .size = f_size,
	.may_map = f_may_map, .path = f_path, .prepare_exec = f_prepare,
};

static struct file file;

static u64 file_word(u64 page) { return page * 7919 + 1; }

static void file_reset(void)
{
	file.size = FILE_BYTES;
	memset(file.data, 0, FILE_PAGES * PAGE_SIZE);
	for (u64 i = 0; i * PAGE_SIZE < FILE_BYTES; i++)
		*(u64 *)(file.data + i * PAGE_SIZE) = file_word(i);
}

static void enter(void)
{
	struct gate_thread *t = calloc(1, sizeof(*t));

	t->self = t;
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, t), 0);
}

static int setup(void **state)
{
	void *heap;

	if (!shadow) {
		range_fd = memfd_create("range", 0);
		assert_int_equal(ftruncate(range_fd, PAGES * PAGE_SIZE), 0);
		assert_ptr_equal(mmap((void *)BASE, PAGES * PAGE_SIZE, PROT_NONE,
				      MAP_SHARED | MAP_FIXED, range_fd, 0), BASE);
		shadow = mmap(NULL, PAGES * PAGE_SIZE, PROT_RW, MAP_SHARED, range_fd, 0);
		if (gate_sealed)
			memset(shadow, 0xa5, PAGES * PAGE_SIZE);
		heap = mmap(NULL, 64 << 20, PROT_RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		heap_init((u64)heap, (u64)heap + (64 << 20), true);
		file.data = calloc(FILE_PAGES, PAGE_SIZE);
		gate_layout.base = BASE;
		gate_layout.heap = BASE + PAGES * PAGE_SIZE;
		gate_layout.size = PAGES * PAGE_SIZE;
		enter();
	} else {
		assert_int_equal(mm_unmap(BASE, PAGES * PAGE_SIZE), 0);
	}
	mm_init(&ops);
	file_reset();
	discard_fails = false;
	return 0;
}

static u64 *look(u64 addr) { return (u64 *)(shadow + (addr - BASE)); }

static s64 anon(u64 addr, u64 pages, u32 prot, u32 flags)
{
	return mm_map(addr, pages * PAGE_SIZE, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, NULL, 0);
}

/* ---- the model ---- */

static struct page_model {
	bool mapped, file;
	u32 prot;
	u64 value;		/* first word, once the page is there */
	u64 off;		/* page in the file */
} model[PAGES];

static u64 seed = 1;
static u64 roll(u64 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % n;
}

static u64 at(u64 page) { return BASE + page * PAGE_SIZE; }

static void check_model(void)
{
	u64 bytes = 0;

	for (u64 i = 0; i < PAGES; i++) {
		struct page_model *p = &model[i];
		struct vma *v = vma_at(at(i));
		bool present = true;

		assert_int_equal(v != NULL, p->mapped);
		if (!v) {
			assert_int_equal(host_prot[i], PROT_NONE);
			if (!gate_sealed)
				assert_int_equal(*look(at(i)), 0);
			continue;
		}
		bytes += PAGE_SIZE;
		assert_int_equal(v->prot, p->prot);
		assert_int_equal(v->map != NULL, p->file);
		if (v->map) {
			present = *mapping_state(v, at(i)) & PAGE_PRESENT;
			assert_int_equal(v->off + (at(i) - v->start), p->off * PAGE_SIZE);
			if (!present && p->prot & PROT_RW && roll(4) == 0) {
				int signo, code;
				bool inside = p->off * PAGE_SIZE < FILE_BYTES;

				assert_int_equal(mm_fault(at(i) + 5, 4, &signo, &code), inside);
				if (!inside)
					assert_int_equal(signo, 7);
				present = inside;
			}
		}
		assert_int_equal(host_prot[i], present ? p->prot : PROT_NONE);
		if (!gate_sealed || host_prot[i] != PROT_NONE)
			assert_int_equal(*look(at(i)), present ? p->value : 0);
	}
	assert_int_equal(bytes, mm_mapped_bytes());
}

static void model_set(u64 page, u64 n, bool mapped, bool is_file, u32 prot, u64 off)
{
	for (u64 i = 0; i < n; i++) {
		u64 o = is_file ? off + i : 0;

		model[page + i] = (struct page_model){ mapped, is_file, prot,
			is_file && o * PAGE_SIZE < FILE_BYTES ? file_word(o) : 0, o };
	}
}

static void step(void)
{
	static const u32 prots[] = {
		PROT_NONE, PROT_READ, PROT_RW, PROT_RW, PROT_READ | PROT_EXEC,
	};
	u64 page = LOW_PAGES + roll(PAGES - LOW_PAGES - GUARD_PAGES - 64);
	u64 n = 1 + roll(24), whole = n;
	u32 prot = prots[roll(ARRAY_SIZE(prots))];
	s64 res;

	discard_fails = roll(16) == 0;
	switch (roll(9)) {
	case 0: case 1:
		res = anon(roll(2) ? at(page) : 0, n, prot, roll(2) ? MAP_FIXED : 0);
		if (res == -EPERM || res == -ENOMEM)
			break;
		assert_true(res > 0);
		page = ((u64)res - BASE) / PAGE_SIZE;
		model_set(page, n, true, false, prot, 0);
		break;
	case 2: {
		u64 off = roll(FILE_PAGES - 24);

		if (roll(8) == 0)
			n = 80, off = roll(16);		/* read where it is touched */
		if (page + n > PAGES - GUARD_PAGES)
			break;
		res = mm_map(at(page), n * PAGE_SIZE, prot, MAP_PRIVATE | MAP_FIXED, &file,
			     off * PAGE_SIZE);
		assert_int_equal(res, at(page));
		model_set(page, n, true, true, prot, off);
		break;
	}
	case 3:
		assert_int_equal(mm_unmap(at(page), n * PAGE_SIZE), 0);
		model_set(page, n, false, false, 0, 0);
		break;
	case 4:
		for (n = 0; n < whole && model[page + n].mapped; n++)
			model[page + n].prot = prot;
		assert_int_equal(mm_protect(at(page), whole * PAGE_SIZE, prot),
				 n == whole ? 0 : -ENOMEM);
		break;
	case 5:
		for (u64 i = page; i < page + n; i++) {
			if (!(host_prot[i] & PROT_WRITE))
				continue;
			model[i].value = seed;
			*(u64 *)at(i) = seed;
		}
		break;
	case 6: {
		bool hole = false;

		for (u64 i = page; i < page + n; i++) {
			hole |= !model[i].mapped;
			model[i].value = model[i].file && model[i].off * PAGE_SIZE < FILE_BYTES ?
					 file_word(model[i].off) : 0;
		}
		assert_int_equal(mm_advise(at(page), n * PAGE_SIZE, MADV_DONTNEED),
				 hole ? -ENOMEM : 0);
		break;
	}
	case 7: {
		u64 to = 1 + roll(32), end = page;
		struct vma *v = vma_at(at(page));
		struct page_model old[64];
		u64 first;

		while (v && end < page + n && at(end) < v->end)
			end++;
		if (!v || (v->prot & PROT_EXEC && v->map))
			break;
		n = end - page;
		memcpy(old, model + page, n * sizeof(*old));
		res = mm_remap(at(page), n * PAGE_SIZE, to * PAGE_SIZE, MREMAP_MAYMOVE, 0);
		if (res == -ENOMEM)
			break;
		assert_true(res > 0);
		first = ((u64)res - BASE) / PAGE_SIZE;
		model_set(page, n, false, false, 0, 0);
		model_set(first, to, true, old[0].file, old[0].prot, old[0].off);
		memcpy(model + first, old, min(n, to) * sizeof(*old));
		break;
	}
	case 8:
		res = mm_populate(at(page), n * PAGE_SIZE, false);
		for (u64 i = page; i < page + n && !res; i++)
			assert_true(host_prot[i] & PROT_RW);
		break;
	}
}

static void test_random(void **state)
{
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 6000; i++) {
		step();
		if (i % 3 == 0)
			check_model();
	}
	assert_int_equal(mm_unmap(BASE, PAGES * PAGE_SIZE), 0);
	assert_int_equal(mm_mapped_bytes(), 0);
	assert_int_equal(file.refs, 0);
}

/* ---- single rules ---- */

static void test_errors(void **state)
{
	s64 a = anon(0, 4, PROT_RW, 0);

	assert_int_equal(mm_map(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 5), -EINVAL);
	assert_int_equal(mm_map(0, 4096, PROT_READ, MAP_ANONYMOUS, NULL, 0), -EINVAL);
	assert_int_equal(mm_map(0, ~0ull, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NULL, 0),
			 -ENOMEM);
	assert_int_equal(mm_map(0, 8192, PROT_READ, MAP_PRIVATE, &file, ~0ull << 12),
			 -EOVERFLOW);
	assert_int_equal(mm_map(0, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, &file, 0),
			 -EOPNOTSUPP);
	assert_int_equal(anon(0, 512, PROT_READ, MAP_HUGETLB), -ENOMEM);
	assert_int_equal(anon((u64)a, 1, PROT_READ, MAP_FIXED_NOREPLACE), -EEXIST);
	assert_int_equal(anon((u64)a + 1, 1, PROT_READ, MAP_FIXED), -EINVAL);
	assert_int_equal(anon(0, PAGES, PROT_READ, 0), -ENOMEM);
	assert_int_equal(mm_unmap((u64)a + 1, 4096), -EINVAL);
	assert_int_equal(mm_unmap((u64)a, 0), -EINVAL);
	assert_int_equal(mm_unmap(~0ull << 12, 4096), -EINVAL);
	assert_int_equal(mm_unmap(0x1000, 4096), 0);
	assert_int_equal(mm_protect((u64)a, 5 * 4096, PROT_READ), -ENOMEM);
	assert_int_equal(mm_protect((u64)a, 4096, 0x100), -EINVAL);
	assert_int_equal(mm_remap((u64)a, 4096, 0, 0, 0), -EINVAL);
	assert_int_equal(mm_remap((u64)a, 8 * 4096, 9 * 4096, MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(mm_remap((u64)a, 4096, 8192, 0, 0), -ENOMEM);
	assert_int_equal(mm_remap((u64)a, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED,
				  (u64)a + 4096), -EINVAL);
	assert_int_equal(mm_sync((u64)a, 4096, MS_SYNC | MS_ASYNC), -EINVAL);
	assert_int_equal(mm_sync((u64)a, 5 * 4096, MS_SYNC), -ENOMEM);
	assert_int_equal(mm_advise((u64)a, 4096, 99), -EINVAL);
	assert_true(mm_is_mapped((u64)a, 4 * 4096));
	assert_false(mm_is_mapped((u64)a, 5 * 4096));
}

static void test_faults(void **state)
{
	s64 a = anon(0, 1, PROT_READ, 0), f;
	int signo, code;

	assert_false(mm_fault(0, 4, &signo, &code));
	assert_int_equal(signo, 11);
	assert_int_equal(code, 1);
	assert_false(mm_fault((u64)a, 6, &signo, &code));
	assert_int_equal(code, 2);
	assert_true(mm_fault((u64)a, 4, &signo, &code));

	/* Past the end of the file, until it grows. */
	f = mm_map(0, 8192, PROT_READ, MAP_PRIVATE, &file, 90 * PAGE_SIZE);
	assert_true(f > 0);
	assert_int_equal(host_prot[((u64)f - BASE) / PAGE_SIZE], PROT_READ);
	assert_int_equal(*look((u64)f + 4088), 0);
	assert_false(mm_fault((u64)f + 4096, 4, &signo, &code));
	assert_int_equal(signo, 7);
	assert_int_equal(code, 2);
	assert_true(usercopy_fault_hook((u64)f, 4096, false));
	assert_false(usercopy_fault_hook((u64)f, 4096, true));
	assert_false(usercopy_fault_hook((u64)f, 8192, false));
	file.size = 92 * PAGE_SIZE;
	assert_true(mm_fault((u64)f + 4096, 4, &signo, &code));
}

static void test_exec(void **state)
{
	s64 f = mm_map(0, 8 * PAGE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, &file, 0);

	file.prepared = 0;
	assert_true(f > 0);
	f = mm_map(0, 8 * PAGE_SIZE, PROT_READ, MAP_PRIVATE, &file, 0);
	assert_int_equal(file.prepared, 0);
	assert_int_equal(mm_protect((u64)f, 8 * PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
	assert_int_equal(file.prepared, 1);
	assert_int_equal(mm_protect((u64)f, 8 * PAGE_SIZE, PROT_RW), 0);
	assert_int_equal(mm_protect((u64)f, 8 * PAGE_SIZE, PROT_READ | PROT_EXEC), 0);
	assert_int_equal(file.prepared, 1);
	assert_int_equal(host_prot[((u64)f - BASE) / PAGE_SIZE], PROT_READ | PROT_EXEC);
}

static void test_shared(void **state)
{
	u64 len = 4 * PAGE_SIZE;
	s64 a = mm_map(0, len, PROT_RW, MAP_SHARED, &file, 0);
	s64 b = mm_map(0, len, PROT_RW, MAP_SHARED, &file, 0);
	s64 c = mm_map(0, len, PROT_READ, MAP_SHARED, &file, 2 * PAGE_SIZE);

	assert_true(a > 0);
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
	*(u64 *)a = 77;
	*(u64 *)(file.data + PAGE_SIZE) = 1234;		/* somebody else, on another page */
	assert_int_equal(mm_sync((u64)a, len, MS_SYNC), 0);
	assert_int_equal(*(u64 *)file.data, 77);
	assert_int_equal(*(u64 *)(file.data + PAGE_SIZE), 1234);

	/* write() on the file, then read() after a store */
	*(u64 *)(file.data + 2 * PAGE_SIZE) = 99;
	mm_file_written(&file, 2 * PAGE_SIZE, 8);
	assert_int_equal(*(u64 *)(a + 2 * (s64)PAGE_SIZE), 99);
	assert_int_equal(*(u64 *)c, 99);
	*(u64 *)a = 78;
	mm_file_sync(&file);
	assert_int_equal(*(u64 *)file.data, 78);

	assert_int_equal(mm_unmap((u64)a, len), 0);
	*(u64 *)b = 79;					/* still there */
	assert_int_equal(mm_unmap((u64)b, len), 0);
	assert_int_equal(*(u64 *)file.data, 79);
	assert_null(vma_at((u64)b));
	assert_int_equal(mm_unmap((u64)c, len), 0);
	assert_int_equal(mm_shared_mappings, 0);

	/* The file does not grow. */
	a = mm_map(0, 2 * PAGE_SIZE, PROT_RW, MAP_SHARED, &file, 90 * PAGE_SIZE);
	*(u64 *)(a + 200) = 5;
	mm_sync_all();
	assert_int_equal(*(u64 *)(file.data + 90 * PAGE_SIZE + 200), 0);
	*(u64 *)(a + 16) = 6;
	assert_int_equal(mm_protect((u64)a, PAGE_SIZE, PROT_READ), 0);
	assert_int_equal(*(u64 *)(file.data + 90 * PAGE_SIZE + 16), 6);
	assert_int_equal(file.size, FILE_BYTES);
}

static void test_brk(void **state)
{
	u64 start;

	mm_set_brk(BASE + 20 * PAGE_SIZE + 123);
	start = process.brk_start;
	assert_int_equal(mm_brk(0), start);
	assert_int_equal(mm_brk(~0ull), start);
	assert_int_equal(mm_brk(start + 10000), start + 10000);
	*(u64 *)PAGE_UP(start + 5000) = 9;
	protect_calls = 0;
	assert_int_equal(mm_brk(start + 20000), start + 20000);
	assert_int_equal(protect_calls, 0);
	assert_int_equal(mm_brk(start), start);
	if (!gate_sealed)
		assert_int_equal(*look(PAGE_UP(start + 5000)), 0);
	assert_int_equal(mm_brk(start + 10000), start + 10000);
	assert_int_equal(*(u64 *)PAGE_UP(start + 5000), 0);
	assert_int_equal(mm_brk(start), start);
	assert_int_equal(mm_mapped_bytes(), 0);
}

static void *worker(void *arg)
{
	enter();
	for (u64 i = 0; i < 3000; i++) {
		u64 n = 1 + (i * 7 + (u64)arg) % 9;
		s64 a = anon(0, n, PROT_RW, 0);

		if (a < 0)
			continue;
		for (u64 j = 0; j < n; j++) {
			u64 *p = (u64 *)(a + (s64)(j * PAGE_SIZE));

			if (*p)
				return (void *)1;
			*p = (u64)arg + i;
		}
		a = mm_remap((u64)a, n * PAGE_SIZE, (n + 3) * PAGE_SIZE, MREMAP_MAYMOVE, 0);
		if (a < 0 || *(u64 *)a != (u64)arg + i || mm_unmap((u64)a, (n + 3) * PAGE_SIZE))
			return (void *)1;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t t[4];
	void *bad;

	for (u64 i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, worker, (void *)(i * 1000003)), 0);
	for (u64 i = 0; i < 4; i++) {
		pthread_join(t[i], &bad);
		assert_null(bad);
	}
	assert_int_equal(mm_mapped_bytes(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_errors, setup),
		cmocka_unit_test_setup(test_faults, setup),
		cmocka_unit_test_setup(test_exec, setup),
		cmocka_unit_test_setup(test_shared, setup),
		cmocka_unit_test_setup(test_brk, setup),
		cmocka_unit_test_setup(test_random, setup),
		cmocka_unit_test_setup(test_threads, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
