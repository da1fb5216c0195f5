/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trusted files: read-only, and nothing of them is believed before it was compared with the
 * manifest. A file is opened with its table (boundary/policy.h), which is checked then; its
 * content is checked chunk by chunk when it is first read.
 */
#ifndef RAKIS_FS_TRUSTED_H
#define RAKIS_FS_TRUSTED_H

#include "fs/file.h"

struct rakis_trusted;

/* `tables`: the host's descriptor of the tables file, or negative. */
void trusted_init(int tables);
/* An open file of an entry that is a file. */
int trusted_open(const struct rakis_trusted *e, u32 flags, char *path, struct file **out) __must_check;
int trusted_stat(const struct rakis_trusted *e, struct statx *out) __must_check;

#endif
