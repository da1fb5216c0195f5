/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulator alone, with an enclave of a few pages (sgx_enclave.S): what an entry, an
 * exception, a resumption and an exit do to registers and SSA frames, which entries are
 * refused, and the leaves for reports and keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "host/host.h"
#include "host/sgx/backend.h"
#include "host/sgx/emulator.h"
#include "host/sgx/measure.h"
#include "host/sgx/sgx.h"
#include "host/sgx/sigstruct.h"
#include "host/thread.h"

#define BASE		0x10000000ull
#define RANGE		(16 * SGX_PAGE)

enum { TCS, FIELDS, SSA, DATA = SSA + 2, CODE };

struct host host;
struct sgx_enter sgx_enter;

extern const char sgx_enclave_start[], sgx_enclave_fault[], sgx_enclave_end[];
void sgx_enclave_enter(uint64_t rdi, uint64_t rsi, uint64_t function, struct sgx_enclave_run *run,
		       uint64_t out[2]);
void signal_handler(int sig, const siginfo_t *info, ucontext_t *uc, uint64_t block);

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	abort();
}

void message(const char *fmt, ...)
{
}

/* The host's: nothing comes that the emulator does not take for itself. */
void signal_handler(int sig, const siginfo_t *info, ucontext_t *uc, uint64_t block)
{
	abort();
}

/* ---- the enclave ---- */

static uint8_t pages[CODE + 1][SGX_PAGE] __attribute__((aligned(4096)));
static struct thread thread;
static struct sgx_enclave_run door = { .tcs = BASE + TCS * SGX_PAGE };

static uint8_t *loaded(int page)
{
	return (uint8_t *)BASE + page * SGX_PAGE;
}

/* cmocka has handlers of its own at the beginning of each test. */
static void catch_signals(void)
{
	static const int signals[] = { SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP };
	struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sa.sa_sigaction = (void (*)(int, siginfo_t *, void *))emulator_signal_entry;
	sigfillset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

static int build(void **state)
{
	const uint64_t secinfo[CODE + 1] = {
		[TCS] = SECINFO_TCS, [FIELDS] = SECINFO_REG | 3, [SSA] = SECINFO_REG | 3,
		[SSA + 1] = SECINFO_REG | 3, [DATA] = SECINFO_REG | 3, [CODE] = SECINFO_REG | 5,
	};
	struct sgx_secs secs = {
		.size = RANGE, .base = BASE, .ssa_frame_size = 1, .miscselect = SGX_MISC_EXINFO,
		.attributes = { .flags = ATTRIBUTE_MODE64BIT | ATTRIBUTE_DEBUG, .xfrm = 3 },
	};
	struct sgx_identity id = {
		.attributes = secs.attributes, .mask = { ~0ull, ~0ull }, .miscselect = SGX_MISC_EXINFO,
		.isv_prod_id = 7, .isv_svn = 3,
	};
	struct sgx_tcs *tcs = (void *)pages[TCS];
	struct measure *m = measure_create(1, RANGE);
	struct sgx_sigstruct sig;
	uint8_t mrenclave[32];

	tcs->ossa = SSA * SGX_PAGE;
	tcs->nssa = 2;
	tcs->oentry = CODE * SGX_PAGE;
	tcs->ofsbase = tcs->ogsbase = FIELDS * SGX_PAGE;
	tcs->fslimit = tcs->gslimit = ~0u;
	((uint64_t *)pages[FIELDS])[0] = 40;
	((uint64_t *)pages[FIELDS])[1] = 2;
	memcpy(pages[CODE], sgx_enclave_start, sgx_enclave_end - sgx_enclave_start);
	assert_ptr_equal(mmap((void *)BASE, RANGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			      MAP_FIXED_NOREPLACE, -1, 0), (void *)BASE);
	emulator_cost = 0;
	sgx_emulator.create(&secs);
	for (int i = 0; i <= CODE; i++) {
		sgx_emulator.add(&(struct sgx_pages){
			.offset = i * SGX_PAGE, .count = 1, .secinfo = secinfo[i],
			.content = pages[i], .measured = true });
		measure_page(m, i * SGX_PAGE, secinfo[i], pages[i]);
	}
	measure_end(m, mrenclave);
	sigstruct_sign(&sig, &id, mrenclave, getenv("TEST_KEY"));
	sgx_emulator.init(&sig);
	sgx_emulator.map(BASE, (DATA + 1) * SGX_PAGE, PROT_READ | PROT_WRITE);
	sgx_emulator.map(BASE + CODE * SGX_PAGE, SGX_PAGE, PROT_READ | PROT_EXEC);
	sgx_emulator.thread_start(&thread);
	return 0;
}

static void enter(uint64_t function, uint64_t rdi, uint64_t rsi, uint64_t out[2])
{
	catch_signals();
	door.function = door.exception_vector = 0;
	sgx_enclave_enter(rdi, rsi, function, &door, out);
}

/* A refused entry is #GP at the ENCLU, whose leaf the function still says. */
static void check_refused(uint64_t function)
{
	uint64_t out[2];

	enter(function, 0, 0, out);
	assert_int_equal(door.function, function);
	assert_int_equal(door.exception_vector, 13);
}

/* ---- tests ---- */

static void test_entry(void **state)
{
	uint64_t out[2], ursp;

	enter(SGX_EENTER, 0, 0, out);
	assert_int_equal(door.function, SGX_EEXIT);
	assert_int_equal(out[0], 0);		/* CSSA */
	assert_int_equal(out[1], 42);		/* FS and GS are the TCS's */
	memcpy(&ursp, loaded(SSA) + SGX_GPR_URSP, 8);
	assert_true(ursp - (uint64_t)&ursp + 8192 < 16384);
	/* An entry changes nothing else of the frame. */
	assert_int_equal(*(uint64_t *)(loaded(SSA) + SGX_GPR_RIP), 0);
}

static void test_refused(void **state)
{
	struct emulator_tcs *tcs = emulator.tcs_at[TCS];
	uint64_t good = door.tcs;

	check_refused(SGX_ERESUME);		/* nothing to resume */
	door.tcs = good + SGX_PAGE;
	check_refused(SGX_EENTER);		/* no TCS */
	door.tcs = good + 8;
	check_refused(SGX_EENTER);
	door.tcs = BASE + RANGE;
	check_refused(SGX_EENTER);
	door.tcs = BASE - SGX_PAGE;
	check_refused(SGX_EENTER);
	door.tcs = good;
	tcs->busy = (void *)&thread;
	check_refused(SGX_EENTER);		/* somebody is inside with it */
	tcs->busy = NULL;
	tcs->cssa = 2;
	check_refused(SGX_EENTER);		/* no frame left */
	tcs->cssa = 0;
}

/* CPUID inside is #UD; the second entry steps over it, and nothing is lost. */
static void test_exception(void **state)
{
	const struct sgx_gpr *gpr = (void *)(loaded(SSA) + SGX_GPR);
	const uint8_t *fault = loaded(CODE) + (sgx_enclave_fault - sgx_enclave_start);
	uint64_t out[2];

	enter(SGX_EENTER, 1, 5, out);
	if (door.function == SGX_EEXIT)
		skip();				/* this processor has no CPUID faulting */
	assert_int_equal(door.function, SGX_ERESUME);
	assert_int_equal(door.exception_vector, 6);
	assert_int_equal(door.exception_error_code, 0);
	assert_int_equal(door.exception_addr, 0);
	assert_int_equal(gpr->rip, fault);
	assert_int_equal(gpr->r12, 0x1111);
	assert_int_equal(gpr->rax, 0x77);
	assert_int_equal(gpr->rsi, 5);
	assert_int_equal(gpr->gsbase, BASE + FIELDS * SGX_PAGE);
	assert_int_equal(gpr->exitinfo, SGX_EXITINFO_VALID | 3 << 8 | 6);
	assert_int_equal(*(uint64_t *)(loaded(SSA) + 160 + 3 * 16), 0x2222);	/* xmm3 */
	assert_int_equal(*(uint64_t *)(loaded(SSA) + 512) & ~3ull, 0);
	assert_int_equal(emulator.tcs_at[TCS]->cssa, 1);

	enter(SGX_EENTER, 2, 0, out);
	assert_int_equal(door.function, SGX_EEXIT);
	assert_int_equal(out[0], 1);
	assert_int_equal(out[1], SGX_EXITINFO_VALID | 3 << 8 | 6);

	enter(SGX_ERESUME, 77, 88, out);
	assert_int_equal(door.function, SGX_EEXIT);
	assert_int_equal(out[0], 100);
	assert_int_equal(out[1], 0x2222 + 0x1111 + 0x3333 + 0x77);
	assert_int_equal(emulator.tcs_at[TCS]->cssa, 0);
}

/* A frame that XRSTOR would not take. */
static void test_bad_frame(void **state)
{
	uint64_t *header = (uint64_t *)(loaded(SSA) + 512), out[2];
	uint32_t *mxcsr = (uint32_t *)(loaded(SSA) + 24);

	enter(SGX_EENTER, 1, 0, out);
	if (door.function == SGX_EEXIT)
		skip();
	enter(SGX_EENTER, 2, 0, out);
	header[0] |= 4;
	check_refused(SGX_ERESUME);
	header[0] &= ~4ull;
	header[1] = 1ull << 63;
	check_refused(SGX_ERESUME);
	header[1] = 0;
	*mxcsr |= 1u << 31;
	check_refused(SGX_ERESUME);
	*mxcsr &= ~(1u << 31);
	enter(SGX_ERESUME, 0, 0, out);
	assert_int_equal(door.function, SGX_EEXIT);
}

static void cmac(const uint8_t *key, const void *data, size_t size, uint8_t *mac)
{
	size_t n;

	assert_non_null(EVP_Q_mac(NULL, "CMAC", NULL, "AES-128-CBC", NULL, key, 16, data, size, mac,
				  16, &n));
}

static void test_keys(void **state)
{
	uint8_t *data = loaded(DATA), mac[16], key[16], seal[16];
	uint64_t out[2];

	memset(data, 0, SGX_PAGE);
	memcpy(data, emulator.secs.mrenclave, 32);		/* TARGETINFO */
	memcpy(data + 32, &emulator.secs.attributes, 16);
	memcpy(data + 52, &emulator.secs.miscselect, 4);
	strcpy((char *)data + 512, "data of the report");
	*(uint16_t *)(data + 2048) = 3;				/* KEYREQUEST: report key */
	*(uint16_t *)(data + 2050) = 1;				/* policy: MRENCLAVE */
	enter(SGX_EENTER, 3, 0, out);
	assert_int_equal(door.function, SGX_EEXIT);
	assert_int_equal(out[0], 0);
	assert_int_equal(out[1], 256);				/* SGX_INVALID_KEYNAME */
	memcpy(key, data + 3072, 16);
	memcpy(seal, data + 3088, 16);
	assert_memory_equal(data + 1024 + 64, emulator.secs.mrenclave, 32);
	assert_memory_equal(data + 1024 + 128, emulator.secs.mrsigner, 32);
	assert_memory_equal(data + 1024 + 48, &emulator.secs.attributes, 16);
	assert_memory_equal(data + 1024 + 320, data + 512, 64);
	assert_int_equal(*(uint16_t *)(data + 1024 + 256), 7);
	assert_int_equal(*(uint16_t *)(data + 1024 + 258), 3);
	cmac(key, data + 1024, 384, mac);
	assert_memory_equal(data + 1024 + 416, mac, 16);
	assert_memory_not_equal(key, seal, 16);

	/* For another enclave the key of this one does not fit. */
	data[0] ^= 1;
	*(uint16_t *)(data + 2048) = 3;
	enter(SGX_EENTER, 3, 0, out);
	assert_memory_equal(data + 3072, key, 16);
	assert_memory_equal(data + 3088, seal, 16);
	assert_memory_not_equal(data + 1024 + 416, mac, 16);
}

/* Operands outside, not aligned, not writable: #GP inside. */
static void test_operands(void **state)
{
	static uint8_t outside[1024] __attribute__((aligned(512)));
	const uint64_t bad[] = {
		(uint64_t)outside, BASE + DATA * SGX_PAGE + 16, BASE + CODE * SGX_PAGE,
		BASE + TCS * SGX_PAGE, BASE + RANGE, BASE + (CODE + 1) * SGX_PAGE,
	};
	uint64_t out[2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enter(SGX_EENTER, 4, bad[i], out);
		assert_int_equal(door.function, SGX_ERESUME);
		assert_int_equal(door.exception_vector, 13);
		emulator.tcs_at[TCS]->cssa = 0;
	}
	for (size_t i = 0; i < sizeof(outside); i++)
		assert_int_equal(outside[i], 0);
	enter(SGX_EENTER, 4, BASE + DATA * SGX_PAGE + 1024, out);
	assert_int_equal(out[0], 200);
}

/* The price is what was asked for, and the emulator alone is well below it. */
static void test_cost(void **state)
{
	struct emulator saved = emulator;
	struct emulator_thread **by_gs = emulator_by_gs, *self = emulator_self;
	uint64_t own, took;

	emulator_measure_cost(20000, &own, &took);
	assert_in_range(took, 19000, 22000);
	assert_in_range(own, 50, 8200);
	emulator = saved;
	emulator_by_gs = by_gs;
	emulator_self = self;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_exception),
		cmocka_unit_test(test_bad_frame),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, build, NULL);
}
