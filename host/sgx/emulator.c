/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulator's part of building an enclave: ECREATE, EADD, EEXTEND and EINIT, which refuse
 * what the processor refuses (SDM volume 3D, those leaves' pages). It protects nothing, and
 * models neither the encryption of memory nor its paging.
 */
#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/host.h"
#include "host/sgx/backend.h"
#include "host/sgx/emulator.h"
#include "host/sgx/measure.h"
#include "host/sgx/sigstruct.h"
#include "host/thread.h"

#define FEATURE_BMI2	(1u << 8)	/* leaf 7, ebx */
#define LIMIT_LEAST	0xfffu		/* of FS and GS in a TCS */

uint64_t emulator_cost = 8200;
struct emulator emulator;

static struct measure *measure;

static void refuse(const char *leaf, const char *why) __attribute__((noreturn));
static void refuse(const char *leaf, const char *why)
{
	die(EXIT_RAKIS, "the emulated processor refuses %s: %s", leaf, why);
}

static void *zeroed(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die(EXIT_RAKIS, "not enough memory for the emulator: %m");
	return p;
}

/* Of the XSAVE area in the standard format. */
static uint64_t xsave_bytes(uint64_t xfrm)
{
	uint64_t size = 512 + 64;
	uint32_t a, b, c, d;

	for (int i = 2; i < 63; i++) {
		if (!(xfrm >> i & 1))
			continue;
		__cpuid_count(0xd, i, a, b, c, d);
		if (b + a > size)
			size = b + a;
	}
	return size;
}

/* Before whatever is seen of such a run. */
static void announce(void)
{
	uint64_t own, took, half;

	half = emulator_measure_cost(emulator_cost, &own, &took);
	emulator.half_cost = half;
	message("emulated SGX protects nothing; a round trip takes %llu cycles (%llu asked for, "
		"%llu of the emulator's own)", (unsigned long long)took,
		(unsigned long long)emulator_cost, (unsigned long long)own);
}

static void create(const struct sgx_secs *secs)
{
	uint64_t pages = secs->size / SGX_PAGE;
	uint32_t a, b = 0, c, d;

	if (secs->size < 2 * SGX_PAGE || (secs->size & (secs->size - 1)) ||
	    (secs->base & (secs->size - 1)))
		refuse("ECREATE", "the range is no power of two, naturally aligned");
	if (!(secs->attributes.flags & ATTRIBUTE_MODE64BIT) ||
	    (secs->attributes.flags & ATTRIBUTE_INIT) || (secs->attributes.xfrm & 3) != 3 ||
	    (secs->miscselect & ~SGX_MISC_EXINFO))
		refuse("ECREATE", "attributes that do not exist");
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & FEATURE_BMI2))
		die(EXIT_RAKIS, "the emulator needs a processor with BMI2");
	announce();
	emulator.secs = *secs;
	emulator.xsave_size = xsave_bytes(secs->attributes.xfrm);
	if (emulator.xsave_size + SGX_EXINFO_SIZE + SGX_GPR_SIZE > secs->ssa_frame_size * SGX_PAGE)
		refuse("ECREATE", "SSAFRAMESIZE is too small for XFRM");
	emulator.pages = zeroed(pages);
	emulator.tcs_at = zeroed(pages * sizeof(*emulator.tcs_at));
	emulator_by_gs = zeroed(pages * sizeof(*emulator_by_gs));
	emulator_by_gs -= secs->base / SGX_PAGE;
	measure = measure_create(secs->ssa_frame_size, secs->size);
}

static void check_tcs(const struct sgx_tcs *tcs)
{
	uint64_t rest = tcs->state | tcs->flags | tcs->cssa | tcs->aep;

	for (size_t i = 0; i < sizeof(tcs->reserved) / sizeof(tcs->reserved[0]); i++)
		rest |= tcs->reserved[i];
	if (rest)
		refuse("EADD", "a reserved field of a TCS is not 0");
	if ((tcs->ossa | tcs->ofsbase | tcs->ogsbase) % SGX_PAGE ||
	    (tcs->fslimit & LIMIT_LEAST) != LIMIT_LEAST || (tcs->gslimit & LIMIT_LEAST) != LIMIT_LEAST)
		refuse("EADD", "an offset or limit of a TCS is not one of whole pages");
	if (tcs->ossa >= emulator.secs.size || tcs->ogsbase >= emulator.secs.size ||
	    (uint64_t)tcs->nssa * emulator.secs.ssa_frame_size * SGX_PAGE >
	    emulator.secs.size - tcs->ossa)
		refuse("EADD", "the SSA frames of a TCS are not in the range");
}

static void add_tcs(uint64_t offset, const struct sgx_tcs *tcs)
{
	struct emulator_tcs *own = calloc(1, sizeof(*own));

	if (!own)
		die(EXIT_RAKIS, "out of memory");
	check_tcs(tcs);
	*own = (struct emulator_tcs){
		.address = emulator.secs.base + offset,
		.nssa = tcs->nssa,
		.ssa = emulator.secs.base + tcs->ossa,
		.entry = emulator.secs.base + tcs->oentry,
		.fs = emulator.secs.base + tcs->ofsbase,
		.gs = emulator.secs.base + tcs->ogsbase,
	};
	emulator.tcs_at[offset / SGX_PAGE] = own;
}

static void add_contents(const struct sgx_pages *p)
{
	uint64_t size = p->count * SGX_PAGE;
	uint8_t *to = (uint8_t *)emulator.secs.base + p->offset;

	if (p->content) {
		if (mprotect(to, size, PROT_READ | PROT_WRITE))
			die(EXIT_RAKIS, "not enough memory for the enclave: %m");
		memcpy(to, p->content, size);
		if (mprotect(to, size, PROT_NONE))
			die(EXIT_RAKIS, "mprotect: %m");
	}
	if (!p->measured) {
		measure_add(measure, p->offset, p->count, p->secinfo);
		return;
	}
	for (uint64_t i = 0; i < p->count; i++) {
		static const uint8_t zeros[SGX_PAGE];

		measure_page(measure, p->offset + i * SGX_PAGE, p->secinfo, p->content ?
			     (const uint8_t *)p->content + i * SGX_PAGE : zeros);
	}
}

static void add(const struct sgx_pages *p)
{
	uint64_t size = p->count * SGX_PAGE, type = p->secinfo & ~7ull;
	uint8_t flags = PAGE_ADDED | (p->secinfo & 7);

	if (emulator.initialized)
		refuse("EADD", "the enclave is initialized");
	if (p->offset % SGX_PAGE || p->offset > emulator.secs.size ||
	    size > emulator.secs.size - p->offset)
		refuse("EADD", "a page is not in the range");
	if ((type != SECINFO_REG && p->secinfo != SECINFO_TCS) ||
	    ((p->secinfo & SECINFO_W) && !(p->secinfo & SECINFO_R)))
		refuse("EADD", "a page's type or rights do not exist");
	if (p->secinfo == SECINFO_TCS)
		flags |= PAGE_TCS;
	for (uint64_t i = 0; i < p->count; i++) {
		if (emulator.pages[p->offset / SGX_PAGE + i])
			refuse("EADD", "a page is there already");
		if (flags & PAGE_TCS)
			add_tcs(p->offset + i * SGX_PAGE,
				(const struct sgx_tcs *)p->content + i);
	}
	memset(emulator.pages + p->offset / SGX_PAGE, flags, p->count);
	add_contents(p);
}

/*
 * An ENCLU outside of enclaves is an exception, ten times as slow as an exit. `enclu; ud2` in
 * the image that was measured has room for a jump, so that is what the loaded copy gets.
 */
static void patch(uint8_t *code, uint64_t size)
{
	static const uint8_t leave[5] = { 0x0f, 0x01, 0xd7, 0x0f, 0x0b };

	for (uint64_t i = 0; i + sizeof(leave) <= size; i++) {
		int32_t distance;

		if (memcmp(code + i, leave, sizeof(leave)))
			continue;
		distance = emulator.trampoline - (uint64_t)(code + i) - sizeof(leave);
		code[i] = 0xe9;
		memcpy(code + i + 1, &distance, sizeof(distance));
	}
}

static void make_trampoline(void)
{
	static const uint8_t jump[6] = { 0xff, 0x25, 0, 0, 0, 0 };	/* jmp *0(%rip) */
	uint64_t at = emulator.secs.base + emulator.secs.size, to = (uint64_t)emulator_eexit;
	uint8_t *page = mmap((void *)at, SGX_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (page != (void *)at)
		die(EXIT_RAKIS, "the page behind the enclave's range is not free: %m");
	memcpy(page, jump, sizeof(jump));
	memcpy(page + sizeof(jump), &to, sizeof(to));
	mprotect(page, SGX_PAGE, PROT_READ | PROT_EXEC);
	emulator.trampoline = at;
}

/* Only what was measured: the rest is the guest's, and still empty. */
static void patch_image(void)
{
	const uint8_t exec = PAGE_ADDED | PAGE_READ | PAGE_EXEC;
	uint64_t pages = emulator.secs.size / SGX_PAGE, end;

	make_trampoline();
	for (uint64_t i = 0; i < pages; i = end + 1) {
		uint8_t *code = (uint8_t *)emulator.secs.base + i * SGX_PAGE;
		uint64_t size;

		for (end = i; end < pages && emulator.pages[end] == exec; end++)
			;
		size = (end - i) * SGX_PAGE;
		if (!size)
			continue;
		if (mprotect(code, size, PROT_READ | PROT_WRITE))
			die(EXIT_RAKIS, "mprotect: %m");
		patch(code, size);
		if (mprotect(code, size, PROT_NONE))
			die(EXIT_RAKIS, "mprotect: %m");
	}
}

static void init(const struct sgx_sigstruct *sig)
{
	const struct sgx_attributes *a = &emulator.secs.attributes;
	int err = sigstruct_check(sig);

	if (err == SGX_INVALID_SIG_STRUCT)
		refuse("EINIT", "the signature's structure is not valid (SGX_INVALID_SIG_STRUCT)");
	if (err)
		refuse("EINIT", "the signature is not the key's, or the signed part was altered "
		       "(SGX_INVALID_SIGNATURE)");
	measure_end(measure, emulator.secs.mrenclave);
	if (memcmp(emulator.secs.mrenclave, sig->enclave_hash, sizeof(sig->enclave_hash)))
		refuse("EINIT", "what was loaded is not what was signed "
		       "(SGX_INVALID_MEASUREMENT); sign it again");
	if ((a->flags & sig->attribute_mask.flags) !=
	    (sig->attributes.flags & sig->attribute_mask.flags) ||
	    (a->xfrm & sig->attribute_mask.xfrm) !=
	    (sig->attributes.xfrm & sig->attribute_mask.xfrm) ||
	    (emulator.secs.miscselect & sig->miscmask) != (sig->miscselect & sig->miscmask))
		refuse("EINIT", "the attributes are not those that were signed "
		       "(SGX_INVALID_ATTRIBUTE)");
	sigstruct_signer(sig, emulator.secs.mrsigner);
	emulator.secs.isv_prod_id = sig->isv_prod_id;
	emulator.secs.isv_svn = sig->isv_svn;
	emulator.secs.attributes.flags |= ATTRIBUTE_INIT;
	patch_image();
	emulator.initialized = true;
	emulator_stacks_size = RAKIS_SLOT_COUNT * (uint64_t)EMULATOR_STACK;
	emulator_stacks = zeroed(emulator_stacks_size + EMULATOR_STACK);
	emulator_stacks += -(uint64_t)emulator_stacks & (EMULATOR_STACK - 1);
	sgx_enter.call = emulator_enter;
	sgx_enter.begin = (uint64_t)emulator_enter;
	sgx_enter.aep = (uint64_t)emulator_aep;
}

/* TCS pages are nobody's to read; holes in the range stay holes. */
static void map(uint64_t addr, uint64_t size, int prot)
{
	uint64_t page = (addr - emulator.secs.base) / SGX_PAGE, end = page + size / SGX_PAGE, to;
	const uint8_t need = (prot & PROT_READ ? PAGE_READ : 0) |
			     (prot & PROT_WRITE ? PAGE_WRITE : 0) | (prot & PROT_EXEC ? PAGE_EXEC : 0);

	for (; page < end; page = to) {
		bool allowed = (emulator.pages[page] & need) == need;

		for (to = page; to < end && ((emulator.pages[to] & need) == need) == allowed; to++)
			;
		if (allowed && mprotect((void *)(emulator.secs.base + page * SGX_PAGE),
					(to - page) * SGX_PAGE, prot))
			die(EXIT_RAKIS, "mprotect: %m");
	}
}

static void thread_start(struct thread *t)
{
	uint8_t *stack = emulator_stacks + t->slot * EMULATOR_STACK;
	struct emulator_thread *et = (void *)stack;
	stack_t ss = { .ss_sp = et + 1, .ss_size = EMULATOR_STACK - sizeof(*et) };

	memset(et, 0, sizeof(*et));
	__asm__("mov %%fs:0, %0" : "=r"(et->host_fs));
	emulator_self = et;
	sigaltstack(&ss, NULL);
	/* CPUID is to fault, as it does inside; not every processor can do that. */
	syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
}

static void thread_end(struct thread *t)
{
	stack_t ss = { .ss_flags = SS_DISABLE };

	sigaltstack(&ss, NULL);
	emulator_self = NULL;
}

const struct sgx_backend sgx_emulator = {
	.create = create,
	.add = add,
	.init = init,
	.map = map,
	.thread_start = thread_start,
	.thread_end = thread_end,
};
