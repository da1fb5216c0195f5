/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls about the machine and the process need from the start. */
#ifndef RAKIS_SYSCALLS_MISC_H
#define RAKIS_SYSCALLS_MISC_H

struct rakis_boot;

void misc_init(const struct rakis_boot *boot);	/* host name of vfs_init() is used as it is */
void resource_init(void);			/* limits, from the host's */

#endif
