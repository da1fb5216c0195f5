/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's SGX driver is asked for, against its header: a device that records stands
 * in its place, takes pages in portions, and fails where it is told to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "host/host.h"
#include "host/sgx/device.h"

#define FD		77
#define PROVISION_FD	78

struct host host;
struct sgx_enter sgx_enter;

static jmp_buf died;
static char last_words[300];

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last_words, sizeof(last_words), fmt, ap);
	va_end(ap);
	longjmp(died, status);
}

int own_fd(int fd)
{
	return fd;
}

/* The line that this ends with, or "". */
#define LAST_WORDS(call) (last_words[0] = 0, setjmp(died) ? (void)0 : (void)(call), last_words)

/* ---- the device ---- */

static struct sgx_secs seen_secs;
static struct sgx_enclave_add_pages added[64];
static struct sgx_secinfo added_secinfo[64];
static unsigned int nadded;
static uint64_t portion;		/* the most it takes at a time; 0: all */
static uint64_t seen_sigstruct, seen_provision;
static bool kernel_can;
static int open_errno, create_errno, add_errno, init_errno, init_error, provision_errno;

static int fails(int err)
{
	errno = err;
	return err ? -1 : 0;
}

static int fake_open(const char *path, int flags, ...)
{
	if (fails(open_errno))
		return -1;
	return strcmp(path, "/dev/sgx_provision") ? FD : PROVISION_FD;
}

static int fake_add(struct sgx_enclave_add_pages *arg)
{
	uint64_t n = portion && portion < arg->length ? portion : arg->length;

	assert_true(nadded < 64);
	assert_int_equal(arg->src % 4096, 0);
	assert_int_equal(arg->offset % 4096, 0);
	assert_int_equal(arg->length % 4096, 0);
	assert_int_equal(arg->count, 0);
	assert_int_equal(arg->flags & ~(uint64_t)SGX_PAGE_MEASURE, 0);
	added_secinfo[nadded] = *(struct sgx_secinfo *)arg->secinfo;
	added[nadded] = *arg;
	if (add_errno)
		return fails(add_errno);
	arg->count = n;
	added[nadded++].count = n;
	/* The driver says so when a signal is pending and it has done something. */
	return n < arg->length ? fails(EINTR) : 0;
}

static int fake_ioctl(int fd, unsigned long request, ...)
{
	void *arg;
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	assert_int_equal(fd, FD);
	assert_int_equal(_IOC_TYPE(request), 0xa4);
	switch (_IOC_NR(request)) {
	case 0:
		assert_int_equal(_IOC_SIZE(request), 8);
		assert_int_equal(((struct sgx_enclave_create *)arg)->src % 4096, 0);
		seen_secs = *(struct sgx_secs *)((struct sgx_enclave_create *)arg)->src;
		return fails(create_errno);
	case 1:
		assert_int_equal(_IOC_SIZE(request), 48);
		assert_int_equal(_IOC_DIR(request), _IOC_READ | _IOC_WRITE);
		return fake_add(arg);
	case 2:
		assert_int_equal(_IOC_SIZE(request), 8);
		seen_sigstruct = ((struct sgx_enclave_init *)arg)->sigstruct;
		return init_errno ? fails(init_errno) : init_error;
	case 3:
		assert_int_equal(_IOC_SIZE(request), 8);
		seen_provision = ((struct sgx_enclave_provision *)arg)->fd;
		return fails(provision_errno);
	}
	fail_msg("ioctl %lu", _IOC_NR(request));
	return -1;
}

static struct {
	uint64_t addr, size;
	int prot, flags, fd;
} mapped;
static int mmap_errno;

static void *fake_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t off)
{
	assert_int_equal(off, 0);
	mapped.addr = (uint64_t)addr;
	mapped.size = size;
	mapped.prot = prot;
	mapped.flags = flags;
	mapped.fd = fd;
	return fails(mmap_errno) ? MAP_FAILED : addr;
}

static bool (*real_find)(const char *symbol, struct sgx_enter *enter);

static bool fake_find(const char *symbol, struct sgx_enter *enter)
{
	assert_string_equal(symbol, "__vdso_sgx_enter_enclave");
	return kernel_can;
}

static int setup(void **state)
{
	device_find_enter = fake_find;
	kernel_can = true;
	device_open = fake_open;
	device_ioctl = fake_ioctl;
	device_mmap = fake_mmap;
	nadded = 0;
	portion = 0;
	open_errno = create_errno = add_errno = init_errno = init_error = provision_errno = 0;
	mmap_errno = 0;
	return 0;
}

/* ---- tests ---- */

static struct sgx_secs secs = {
	.size = 1 << 30, .ssa_frame_size = 1, .miscselect = 1,
	.attributes = { .flags = ATTRIBUTE_MODE64BIT | ATTRIBUTE_DEBUG, .xfrm = 7 },
};

static void test_create(void **state)
{
	assert_string_equal(LAST_WORDS(sgx_device.create(&secs)), "");
	assert_memory_equal(&seen_secs, &secs, sizeof(secs));
	assert_int_equal(seen_provision, 0);
	secs.attributes.flags |= ATTRIBUTE_PROVISIONKEY;
	assert_string_equal(LAST_WORDS(sgx_device.create(&secs)), "");
	assert_int_equal(seen_provision, PROVISION_FD);
	provision_errno = EACCES;
	assert_non_null(strstr(LAST_WORDS(sgx_device.create(&secs)), "provisioning key"));
	secs.attributes.flags &= ~ATTRIBUTE_PROVISIONKEY;
	open_errno = ENOENT;
	assert_non_null(strstr(LAST_WORDS(sgx_device.create(&secs)), "--sgx=emulate"));
	open_errno = EACCES;
	assert_non_null(strstr(LAST_WORDS(sgx_device.create(&secs)), "join its group"));
	open_errno = 0;
	kernel_can = false;
	assert_non_null(strstr(LAST_WORDS(sgx_device.create(&secs)), "Linux 5.11 or later"));
	kernel_can = true;
	create_errno = EINVAL;
	assert_non_null(strstr(LAST_WORDS(sgx_device.create(&secs)), "smaller --memory"));
}

/* Contents, portions, and that zeros have a source of as many pages as are asked for. */
static void test_add(void **state)
{
	static uint8_t content[5 * 4096] __attribute__((aligned(4096)));
	struct sgx_pages p = {
		.offset = 0x10000, .count = 5, .secinfo = SECINFO_REG | SECINFO_R, .content = content,
		.measured = true,
	};
	static uint64_t at;		/* longjmp() leaves it alone */


	at = p.offset;
	portion = 2 * 4096;
	assert_string_equal(LAST_WORDS(sgx_device.add(&p)), "");
	assert_int_equal(nadded, 3);
	for (unsigned int i = 0; i < nadded; at += added[i++].count) {
		assert_int_equal(added[i].offset, at);
		assert_int_equal(added[i].src - (uint64_t)content, at - p.offset);
		assert_int_equal(added[i].flags, SGX_PAGE_MEASURE);
		assert_int_equal(added_secinfo[i].flags, 0x201);
		for (size_t n = 0; n < sizeof(added_secinfo[i].reserved); n++)
			assert_int_equal(added_secinfo[i].reserved[n], 0);
	}
	assert_int_equal(at, p.offset + 5 * 4096);

	nadded = 0;
	portion = 0;
	p = (struct sgx_pages){ .offset = 1 << 24, .count = 1000, .secinfo = SECINFO_REG | 7 };
	assert_string_equal(LAST_WORDS(sgx_device.add(&p)), "");
	at = p.offset;
	for (unsigned int i = 0; i < nadded; at += added[i++].count) {
		const uint8_t *zeros = (const uint8_t *)added[i].src;

		assert_int_equal(added[i].offset, at);
		assert_int_equal(added[i].flags, 0);
		for (uint64_t n = 0; n < added[i].length; n += 4096)
			assert_int_equal(zeros[n] | zeros[n + 4095], 0);
	}
	assert_int_equal(at, p.offset + 1000 * 4096);
	add_errno = ENOMEM;
	assert_non_null(strstr(LAST_WORDS(sgx_device.add(&p)), "smaller --memory"));
}

static void test_init(void **state)
{
	static struct sgx_sigstruct sig;

	assert_string_equal(LAST_WORDS(sgx_device.init(&sig)), "");
	assert_int_equal(seen_sigstruct, &sig);
	init_error = SGX_INVALID_MEASUREMENT;
	assert_non_null(strstr(LAST_WORDS(sgx_device.init(&sig)), "error 4 of EINIT"));
	init_errno = EPERM;
	assert_non_null(strstr(LAST_WORDS(sgx_device.init(&sig)), "launch control"));
}

static void test_map(void **state)
{
	assert_string_equal(LAST_WORDS(sgx_device.map(0x10000, 0x5000, PROT_READ | PROT_EXEC)), "");
	assert_int_equal(mapped.addr, 0x10000);
	assert_int_equal(mapped.size, 0x5000);
	assert_int_equal(mapped.prot, PROT_READ | PROT_EXEC);
	assert_int_equal(mapped.flags, MAP_SHARED | MAP_FIXED);
	assert_int_equal(mapped.fd, FD);
	mmap_errno = EACCES;
	assert_non_null(strstr(LAST_WORDS(sgx_device.map(0x10000, 0x5000, PROT_EXEC)), "noexec"));
}

/* The function that every kernel with CONFIG_X86_SGX has, on any processor. */
static void test_vdso(void **state)
{
	struct sgx_enter enter = { 0 };

	assert_false(real_find("__vdso_no_such_function", &enter));
	assert_false(real_find("__vdso_getcpu", &enter));
	if (!real_find("__vdso_sgx_enter_enclave", &enter))
		skip();
	assert_memory_equal((void *)enter.aep, "\x0f\x01\xd7", 3);
	assert_true(enter.begin == (uint64_t)enter.call && enter.aep > enter.begin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_create, setup),
		cmocka_unit_test_setup(test_add, setup),
		cmocka_unit_test_setup(test_init, setup),
		cmocka_unit_test_setup(test_map, setup),
		cmocka_unit_test(test_vdso),
	};

	real_find = device_find_enter;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
