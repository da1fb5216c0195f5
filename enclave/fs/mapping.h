/* SPDX-License-Identifier: Apache-2.0 */
/* Files as the memory room sees them; start.c registers this with mm_init(). */
#ifndef RAKIS_FS_MAPPING_H
#define RAKIS_FS_MAPPING_H

#include "libos/mm.h"

extern const struct mm_file_ops fs_mm_ops;	/* without prepare_exec */

#endif
