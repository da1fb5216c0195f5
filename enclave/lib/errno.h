/* SPDX-License-Identifier: Apache-2.0 */
/* errno of the guest's ABI, and Linux's internal codes for restartable calls. */
#ifndef RAKIS_LIBOS_ERRNO_H
#define RAKIS_LIBOS_ERRNO_H

#include <asm/errno.h>

/* Never reach the guest: return_work() makes them a restart or EINTR. */
#define ERESTARTSYS		512	/* restart if SA_RESTART or no handler */
#define ERESTARTNOINTR		513	/* always restart */
#define ERESTARTNOHAND		514	/* restart only if no handler ran */
#define ERESTART_RESTARTBLOCK	516	/* restart through task->restart (remaining time) */

#endif
