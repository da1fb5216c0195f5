/* SPDX-License-Identifier: Apache-2.0 */
/* From options to an enclave: laid out, measured, signed, built. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boundary/policy.h"
#include "host/host.h"
#include "host/manifest/manifest.h"
#include "host/sgx/backend.h"
#include "host/sgx/plan.h"
#include "host/sgx/sgx.h"
#include "host/sgx/sigstruct.h"

/* Under the development key anyone may debug it. What the mask leaves out, INIT, comes later. */
static struct sgx_identity identity_of(const struct rakis_policy *policy, bool development)
{
	return (struct sgx_identity){
		.attributes = {
			.flags = ATTRIBUTE_MODE64BIT | (development ? ATTRIBUTE_DEBUG : 0),
			.xfrm = policy->xfrm,
		},
		.mask = { .flags = ~(uint64_t)ATTRIBUTE_INIT, .xfrm = ~0ull },
		.miscselect = SGX_MISC_EXINFO,
	};
}

static void sign_plan(const struct sgx_plan *plan, const char *key, struct sgx_sigstruct *sig)
{
	struct sgx_identity id = identity_of(plan->policy, !key);
	uint8_t mrenclave[32];

	sgx_plan_measure(plan, mrenclave);
	sigstruct_sign(sig, &id, mrenclave, key);
}

/* ---- rakis sign ---- */

static void file_name(char *path, size_t size, const char *dir, const char *name)
{
	if (snprintf(path, size, "%s/%s", dir, name) >= (int)size)
		die(EXIT_USAGE, "%s: the name is too long", dir);
}

static void write_file(const char *dir, const char *name, const void *data, size_t size,
		       const void *more, size_t more_size)
{
	char path[4096];
	FILE *f;

	file_name(path, sizeof(path), dir, name);
	f = fopen(path, "we");
	if (!f || fwrite(data, 1, size, f) != size || (more && fwrite(more, 1, more_size, f) != more_size) ||
	    fclose(f))
		die(EXIT_RAKIS, "cannot write %s: %m", path);
}

static void write_tables(const char *dir, const struct compiled *c)
{
	void *data = c->tables_size ? mmap(NULL, c->tables_size, PROT_READ, MAP_PRIVATE, c->tables, 0) : NULL;

	if (data == MAP_FAILED)
		die(EXIT_RAKIS, "out of memory");
	write_file(dir, FILE_TABLES, data, c->tables_size, NULL, 0);
	if (data)
		munmap(data, c->tables_size);
}

/* `more`: where the rest goes, of the size that `data` says it has. */
static void read_file(const char *dir, const char *name, void *data, size_t size, const uint64_t *more_size,
		      void **more)
{
	char path[4096];
	size_t rest = 0;
	FILE *f;

	file_name(path, sizeof(path), dir, name);
	f = fopen(path, "re");
	if (!f)
		die(EXIT_RAKIS, "%s: %m; rakis sign makes it", path);
	if (fread(data, 1, size, f) != size)
		rest = SIZE_MAX;
	else if (more && *more_size && *more_size <= RAKIS_MANIFEST_MOST)
		rest = *more_size;
	if (rest && rest != SIZE_MAX) {
		*more = malloc(rest);
		if (!*more)
			die(EXIT_RAKIS, "out of memory");
	}
	if (rest == SIZE_MAX || (rest && fread(*more, 1, rest, f) != rest) || fgetc(f) != EOF)
		die(EXIT_RAKIS, "%s is not what this version of rakis sign writes; sign again", path);
	fclose(f);
}

/* All that is measured, for an independent measurement: a header and the contents behind it. */
static void dump(const struct sgx_plan *plan, const char *path)
{
	static const uint8_t zeros[SGX_PAGE];
	FILE *f = fopen(path, "we");

	if (!f)
		die(EXIT_RAKIS, "%s: %m", path);
	fprintf(f, "range 0x%llx ssaframesize %llu\n", (unsigned long long)plan->size,
		RAKIS_SSA_FRAME_SIZE / SGX_PAGE);
	for (size_t i = 0; i < plan->count; i++) {
		const struct sgx_pages *p = &plan->pages[i];

		fprintf(f, "pages 0x%llx %llu secinfo 0x%llx %s\n", (unsigned long long)p->offset,
			(unsigned long long)p->count, (unsigned long long)p->secinfo,
			p->measured ? "measured" : "added");
		for (uint64_t n = 0; p->measured && n < p->count; n++)
			fwrite(p->content ? (const uint8_t *)p->content + n * SGX_PAGE : zeros,
			       SGX_PAGE, 1, f);
	}
	if (fclose(f))
		die(EXIT_RAKIS, "cannot write %s: %m", path);
}

static void print_hash(const char *name, const uint8_t hash[32])
{
	printf("%s ", name);
	for (int i = 0; i < 32; i++)
		printf("%02x", hash[i]);
	puts("");
}

void sgx_sign(const struct sign_options *opt)
{
	struct image *image = image_open(IMAGE_SGX);
	struct rakis_policy policy;
	struct sgx_sigstruct sig;
	struct sgx_plan plan;
	uint8_t signer[32];

	sgx_policy_make(&policy, opt->memory, opt->threads, opt->compiled ? opt->compiled->policy_size : 0,
			image);
	sgx_plan_make(&plan, &policy, opt->compiled ? opt->compiled->policy : NULL, image);
	sign_plan(&plan, opt->key, &sig);
	write_file(opt->dir, FILE_SIGSTRUCT, &sig, sizeof(sig), NULL, 0);
	if (opt->compiled) {
		write_file(opt->dir, FILE_POLICY, &policy, sizeof(policy), opt->compiled->policy,
			   opt->compiled->policy_size);
		write_tables(opt->dir, opt->compiled);
	} else {
		write_file(opt->dir, FILE_POLICY, &policy, sizeof(policy), NULL, 0);
	}
	if (opt->dump)
		dump(&plan, opt->dump);
	sigstruct_signer(&sig, signer);
	print_hash("MRENCLAVE", sig.enclave_hash);
	print_hash("MRSIGNER ", signer);
}

/* ---- rakis run --sgx ---- */

static void check_program(const struct program *p, const struct rakis_layout *l)
{
	if (!p->fixed)
		return;
	if (p->low < RAKIS_SGX_LOWEST)
		die(EXIT_CANNOT_RUN, "%s: linked at 0x%llx; in an enclave, programs begin at "
		    "0x%x", p->path, (unsigned long long)p->low, RAKIS_SGX_LOWEST);
	if (p->high > l->heap)
		die(EXIT_RAKIS, "%s: linked at addresses up to 0x%llx; it needs an enclave of "
		    "%lluG (--memory)", p->path, (unsigned long long)p->high,
		    (unsigned long long)(p->high >> 30) + 2);
}

/* The range is an enclave's, whatever its parts will be; the lowest addresses cannot be had. */
static void reserve(const struct rakis_layout *l)
{
	uint64_t size = l->size - RAKIS_SGX_LOWEST;
	void *p = mmap((void *)RAKIS_SGX_LOWEST, size, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p != (void *)RAKIS_SGX_LOWEST)
		die(EXIT_RAKIS, "cannot reserve %llu MiB of addresses from 0x%x on (%m): "
		    "try a smaller --memory; look at ulimit -v and sysctl vm.mmap_min_addr",
		    (unsigned long long)(size >> 20), RAKIS_SGX_LOWEST);
}

static int prot_of(uint64_t secinfo)
{
	return (secinfo & SECINFO_R ? PROT_READ : 0) | (secinfo & SECINFO_W ? PROT_WRITE : 0) |
	       (secinfo & SECINFO_X ? PROT_EXEC : 0);
}

static void build(const struct sgx_plan *plan, const struct sgx_sigstruct *sig)
{
	static struct sgx_secs secs;

	secs = (struct sgx_secs){
		.size = plan->size,
		.ssa_frame_size = RAKIS_SSA_FRAME_SIZE / SGX_PAGE,
		.miscselect = sig->miscselect,
		.attributes = { .flags = sig->attributes.flags, .xfrm = plan->policy->xfrm },
	};
	sgx_backend->create(&secs);
	for (size_t i = 0; i < plan->count; i++)
		sgx_backend->add(&plan->pages[i]);
	sgx_backend->init(sig);
	/* The guest's memory is not accessible until the libOS asks for it. */
	for (size_t i = 0; i < plan->count; i++) {
		const struct sgx_pages *p = &plan->pages[i];
		int prot = p->secinfo == SECINFO_TCS ? PROT_READ | PROT_WRITE : prot_of(p->secinfo);

		sgx_backend->map(p->offset, p->count * SGX_PAGE,
				 p->offset < plan->policy->layout.heap ? PROT_NONE : prot);
	}
}

void sgx_start(const struct run_options *opt, const struct program *program,
	       const struct image *image)
{
	static struct sgx_sigstruct sig;
	struct rakis_policy policy;
	struct sgx_plan plan;
	void *manifest = NULL;
	const char *wrong;

	if (opt->sgx_signed) {
		read_file(opt->sgx_signed, FILE_SIGSTRUCT, &sig, sizeof(sig), NULL, NULL);
		read_file(opt->sgx_signed, FILE_POLICY, &policy, sizeof(policy), &policy.manifest_size, &manifest);
		wrong = sgx_policy_check(&policy, image);
		if (wrong)
			die(EXIT_RAKIS, "%s/%s: %s; sign it again", opt->sgx_signed, FILE_POLICY,
			    wrong);
	} else {
		sgx_policy_make(&policy, opt->memory, opt->threads, 0, image);
	}
	check_program(program, &policy.layout);
	sgx_plan_make(&plan, &policy, manifest, image);
	free(manifest);
	if (!opt->sgx_signed)
		sign_plan(&plan, opt->sgx_key, &sig);
	host.layout = policy.layout;
	sgx_backend = opt->sgx == SGX_EMULATE ? &sgx_emulator : &sgx_device;
	emulator_cost = opt->sgx_cost;
	reserve(&policy.layout);
	build(&plan, &sig);
	sgx_plan_free(&plan);
}
