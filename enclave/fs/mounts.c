/* SPDX-License-Identifier: Apache-2.0 */
/* The mounts that the manifest asks for. */
#include "fs/encrypted.h"
#include "fs/vfs.h"
#include "hostio/hostio.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/policy.h"

#define STATUS_RAKIS	125

static int add(const struct rakis_mount *m, const u8 *key)
{
	const char *guest = policy_string(m->guest), *host = policy_string(m->host);
	bool readonly = m->flags & RAKIS_MOUNT_READONLY;
	void *fs;

	switch (m->kind) {
	case RAKIS_MOUNT_HOST:
		return mount_add(guest, &host_mount_ops, (void *)host, readonly);
	case RAKIS_MOUNT_ENCRYPTED:
		if (!key) {
			log_error("%s: there is no key for encrypted files: --file-key", guest);
			return -EKEYREJECTED;
		}
		/* Not two of one key: their files could be exchanged. */
		fs = enc_mount(host, guest, key, policy_string(m->key ? m->key : m->guest));
		return fs ? mount_add(guest, &enc_mount_ops, fs, readonly) : -EIO;
	default:
		fs = tmpfs_new(01777);
		return fs ? mount_add(guest, &tmpfs_mount_ops, fs, readonly) : -ENOMEM;
	}
}

void mounts_init(const u8 *key)
{
	const struct rakis_mount *m = policy_entries(policy->mounts);

	for (u32 i = 0; i < policy->mounts.count; i++) {
		int err = add(&m[i], key);

		if (err == -ENOMEM || err == -ENOSPC)
			log_error("%s: no memory for the mount: raise --memory", policy_string(m[i].guest));
		if (err)
			host_exit(STATUS_RAKIS, 0);
	}
	if (!(policy->flags & RAKIS_MANIFEST_HOST_ROOT))
		mount_trusted_root(policy_string(policy->directory));
}
