/* SPDX-License-Identifier: Apache-2.0 */
/* The one check that every answer of the host passes. */
#ifndef RAKIS_HOSTIO_RESULT_H
#define RAKIS_HOSTIO_RESULT_H

#include "boundary/request.h"
#include "lib/types.h"

/*
 * May the host answer `res` to an `opcode` for which at most `most` was asked (bytes or
 * entries, where the opcode counts something)? Pure: depends on nothing else.
 */
bool result_is_valid(u8 opcode, u8 flags, u32 most, s64 res) __must_check;

#endif
