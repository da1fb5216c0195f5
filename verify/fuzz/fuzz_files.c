/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz what is read of manifests and encrypted files. The first byte says which: a manifest, all
 * of which is walked if it passes; the image of an index; or a block file, which is read, changed
 * and cut. Cryptography lets everything pass here: what only the key's owner can write must not
 * do harm either.
 */
#include "fs/encindex.c"

#include <stdlib.h>
#include <string.h>
#include "fake_host.h"
#include "lib/policy.h"

#define CHECK(x) ((x) ? (void)0 : abort())
#define FD 7
#define FILE_MOST (1u << 20)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* ---- no cryptography ---- */

void crypto_init(const u32 features[4]) {}
bool crypto_has_aes(void) { return true; }
void sha256(const void *data, size_t n, u8 digest[SHA256_SIZE]) { memset(digest, 0, SHA256_SIZE); }
void hmac_sha256(const u8 *key, const void *data, size_t n, u8 *out) { memset(out, 0, SHA256_SIZE); }
void aes_gcm_init(struct aes_gcm *g, const u8 *key) {}

void aes_gcm_seal(struct aes_gcm *g, const u8 *iv, const void *aad, size_t naad, const void *in,
		  void *out, size_t n, u8 *tag)
{
	memmove(out, in, n);
}

bool aes_gcm_open(struct aes_gcm *g, const u8 *iv, const void *aad, size_t naad, const void *in,
		  void *out, size_t n, const u8 *tag)
{
	memmove(out, in, n);
	return tag[0] != 0xff;
}

/* ---- the host's file: the input, and what is written over it ---- */

static u8 *disk;

static s64 answer(const struct rakis_request *rq, u32 slot)
{
	u64 n;

	switch (rq->opcode) {
	case RAKIS_OP_OPENAT2:
		return FD;
	case RAKIS_OP_READ:
		n = rq->off < FILE_MOST ? min((u64)rq->len, FILE_MOST - rq->off) : 0;
		if (n)
			memcpy((void *)rq->addr, disk + rq->off, n);
		return n;
	case RAKIS_OP_WRITE:
		n = rq->off < FILE_MOST ? min((u64)rq->len, FILE_MOST - rq->off) : 0;
		if (n)
			memcpy(disk + rq->off, (void *)rq->addr, n);
		return rq->len;
	case RAKIS_OP_FSYNC:
	case RAKIS_OP_FTRUNCATE:
	case RAKIS_OP_SYNC:
		return 0;
	case RAKIS_OP_STATX:
	case RAKIS_OP_UNLINKAT:
		return -ENOENT;
	default:
		return FAKE_PASS;
	}
}

static void try_manifest(const u8 *data, size_t size)
{
	u8 *copy = malloc(size + 8);

	memcpy(copy, data, size);
	policy = NULL;
	if (!policy_load(copy, size)) {
		const struct rakis_mount *m = policy_entries(policy->mounts);
		const struct rakis_trusted *t = policy_entries(policy->files);
		const u32 *words[] = {
			policy_entries(policy->arguments), policy_entries(policy->environment),
		};
		u64 sum = strlen(policy_string(policy->program)) + strlen(policy_string(policy->directory));

		for (u32 i = 0; i < policy->mounts.count; i++)
			sum += strlen(policy_string(m[i].guest)) + strlen(policy_string(m[i].host)) +
			       strlen(policy_string(m[i].key));
		for (u32 i = 0; i < policy->files.count; i++)
			sum += strlen(policy_string(t[i].path)) + strlen(policy_string(t[i].host)) + t[i].digest[31];
		for (u32 i = 0; i < policy->arguments.count; i++)
			sum += strlen(policy_string(words[0][i]));
		for (u32 i = 0; i < policy->environment.count; i++)
			sum += strlen(policy_string(words[1][i]));
		CHECK(sum < ~0ull);
	}
	policy = NULL;
	free(copy);
}

static struct enc_volume volume;

static void free_tree(struct tnode *dir)
{
	struct tname *e, *tmp;

	list_for_each_safe(e, tmp, &dir->names, node) {
		list_remove(&e->node);
		if (S_ISDIR(e->inode->mode))
			free_tree(e->inode);
		tnode_release(e->inode);
		kfree(e);
	}
}

static void try_index(const u8 *data, size_t size)
{
	struct image m = { .len = size };
	struct image back = { .number = 1 };

	m.data = malloc(size + 1);
	memcpy(m.data, data, size);
	volume.fs = tmpfs_new(0755);
	volume.fs->volume = &volume;
	/* What is taken can be written again. */
	if (!take_image(&volume, &m) && size >= sizeof(struct index_header))
		CHECK(!make_image(&volume, &back) && back.records);
	free(back.data);
	free(m.data);
	free_tree(volume.fs->root);
	tnode_release(volume.fs->root);
	kfree(volume.fs);
	remove_doomed(&volume, &volume.doomed);
}

static void try_blocks(const u8 *data, size_t size)
{
	static struct enc_file f;
	static const u8 id[ENC_ID];
	u64 pos, places[] = { 0, ENC_BLOCK, 600 * ENC_BLOCK, 1ull << 33, ENC_SIZE_MOST - 10 };
	u8 buf[100];
	struct iter it;

	memset(disk, 0, FILE_MOST);
	memcpy(disk, data, min(size, (size_t)FILE_MOST));
	memset(&f, 0, sizeof(f));
	enc_init(&f, &volume, id);
	f.durable = 1;
	if (enc_open(&f, "fuzz")) {
		kfree(f.label);
		return;
	}
	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		pos = places[i];
		iter_kernel(&it, buf, sizeof(buf));
		CHECK(encfile_read(&f, &it, &pos) <= (ssize_t)sizeof(buf));
		if (i % 2)
			continue;
		pos = places[i];
		iter_kernel(&it, buf, sizeof(buf));
		CHECK(encfile_write(&f, &it, &pos, false) <= (ssize_t)sizeof(buf));
	}
	(void)!enc_commit(&f, true);
	(void)!enc_resize(&f, 5000);
	CHECK(!f.users || f.size <= ENC_SIZE_MOST);
	enc_close(&f);
	kfree(f.label);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	if (!disk) {
		fake_host_setup(NULL);
		fake_answer = answer;
		mutex_init(&volume.lock);
		mutex_init(&volume.files_lock);
		list_init(&volume.files);
		list_init(&volume.doomed);
		disk = malloc(FILE_MOST);
	}
	if (!size)
		return 0;
	if (data[0] % 3 == 0)
		try_manifest(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		try_index(data + 1, size - 1);
	else
		try_blocks(data + 1, size - 1);
	return 0;
}
