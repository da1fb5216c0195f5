/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's driver: <asm/sgx.h>, and arch/x86/kernel/cpu/sgx/ioctl.c for what it makes of
 * that; the vDSO's function is in arch/x86/entry/vdso/vsgx.S.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/host.h"
#include "host/sgx/backend.h"
#include "host/sgx/device.h"

#define ENCLU		"\x0f\x01\xd7"

static int fd;

/* ---- the vDSO ---- */

static bool find_enter(const char *symbol, struct sgx_enter *enter)
{
	void *vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
	void *at = vdso ? dlsym(vdso, symbol) : NULL;
	const Elf64_Sym *sym;
	Dl_info info;
	const uint8_t *enclu;

	if (!at || !dladdr1(at, &info, (void **)&sym, RTLD_DL_SYMENT) || !sym)
		return false;
	/* There is one: EENTER, ERESUME, and where interrupted threads are found. */
	enclu = memmem(at, sym->st_size, ENCLU, 3);
	if (!enclu)
		return false;
	enter->call = (vdso_sgx_enter_enclave_t)at;
	enter->begin = (uint64_t)at;
	enter->aep = (uint64_t)enclu;
	return true;
}

bool (*device_find_enter)(const char *symbol, struct sgx_enter *enter) = find_enter;
int (*device_open)(const char *path, int flags, ...) = open;
int (*device_ioctl)(int fd, unsigned long request, ...) = ioctl;
void *(*device_mmap)(void *addr, size_t size, int prot, int flags, int fd, off_t off) = mmap;

/* ---- the device ---- */

static void create(const struct sgx_secs *secs)
{
	struct sgx_enclave_create arg = { .src = (uint64_t)secs };

	fd = device_open(SGX_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		die(EXIT_RAKIS, "%s may not be opened: join its group, or run as root", SGX_DEVICE);
	if (fd < 0)
		die(EXIT_RAKIS, "no SGX here (%s: %m): switch it on in the firmware, or use "
		    "--sgx=emulate, which protects nothing", SGX_DEVICE);
	if (!device_find_enter(SGX_ENTER, &sgx_enter))
		die(EXIT_RAKIS, "this kernel cannot enter enclaves: Linux 5.11 or later with "
		    "CONFIG_X86_SGX is needed; rakis run --sgx=emulate does without");
	fd = own_fd(fd);
	if (device_ioctl(fd, SGX_IOC_ENCLAVE_CREATE, &arg))
		die(EXIT_RAKIS, errno == EINVAL ?
		    "the processor has no enclaves of this size or with these attributes: "
		    "try a smaller --memory" : "cannot create an enclave: %m");
	if (secs->attributes.flags & ATTRIBUTE_PROVISIONKEY) {
		struct sgx_enclave_provision allow = { 0 };
		int key = device_open(SGX_PROVISION, O_RDWR | O_CLOEXEC);

		allow.fd = key;
		if (key < 0 || device_ioctl(fd, SGX_IOC_ENCLAVE_PROVISION, &allow))
			die(EXIT_RAKIS, "the enclave asks for the provisioning key, and %s does "
			    "not grant it: %m", SGX_PROVISION);
		close(key);
	}
}

/* The driver wants a source for every page; those of zeros share one stretch of them. */
static const void *zeros(void)
{
	static void *p;

	if (!p) {
		p = mmap(NULL, ADD_MOST, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			die(EXIT_RAKIS, "out of memory");
	}
	return p;
}

/* As much as the driver takes at a time: signals and the end of its patience cut it short. */
static void add(const struct sgx_pages *p)
{
	struct sgx_secinfo secinfo = { .flags = p->secinfo };
	uint64_t size = p->count * SGX_PAGE, done = 0;

	while (done < size) {
		uint64_t n = size - done < ADD_MOST ? size - done : ADD_MOST;
		struct sgx_enclave_add_pages arg = {
			.src = p->content ? (uint64_t)p->content + done : (uint64_t)zeros(),
			.offset = p->offset + done,
			.length = n,
			.secinfo = (uint64_t)&secinfo,
			.flags = p->measured ? SGX_PAGE_MEASURE : 0,
		};
		int err = device_ioctl(fd, SGX_IOC_ENCLAVE_ADD_PAGES, &arg);

		if (err && errno != EINTR && errno != EAGAIN)
			die(EXIT_RAKIS, errno == ENOMEM ? "not enough enclave memory on this "
			    "machine: try a smaller --memory" : "cannot add pages: %m");
		done += arg.count;
	}
}

static void init(const struct sgx_sigstruct *sig)
{
	struct sgx_enclave_init arg = { .sigstruct = (uint64_t)sig };
	int err = device_ioctl(fd, SGX_IOC_ENCLAVE_INIT, &arg);

	if (err < 0 && errno == EPERM)
		die(EXIT_RAKIS, "this machine refuses the signer or the attributes: launch "
		    "control is locked to another key, or another rakis loaded other pages");
	if (err < 0)
		die(EXIT_RAKIS, "cannot initialize the enclave: %m");
	if (err)
		die(EXIT_RAKIS, "the processor refuses the enclave: error %d of EINIT (SDM volume "
		    "3D); sign it again", err);
}

static void map(uint64_t addr, uint64_t size, int prot)
{
	if (device_mmap((void *)addr, size, prot, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		die(EXIT_RAKIS, errno == EACCES ? "the kernel does not let enclave memory be "
		    "executable: is %s on a file system mounted noexec?" :
		    "cannot map the enclave: %m", SGX_DEVICE);
}

static void thread_none(struct thread *t)
{
}

const struct sgx_backend sgx_device = {
	.create = create,
	.add = add,
	.init = init,
	.map = map,
	.thread_start = thread_none,
	.thread_end = thread_none,
};
