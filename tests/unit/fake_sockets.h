/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RAKIS_TESTS_FAKE_SOCKETS_H
#define RAKIS_TESTS_FAKE_SOCKETS_H

#include "fs/file.h"

extern u32 fake_received;	/* such files that are open */

#endif
