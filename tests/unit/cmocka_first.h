/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka, and what it wants included before it. */
#ifndef RAKIS_TESTS_CMOCKA_FIRST_H
#define RAKIS_TESTS_CMOCKA_FIRST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
