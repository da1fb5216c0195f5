/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from fake_host.c: <signal.h> and libos/signal.h do not go together. */
#ifndef RAKIS_TESTS_FAKE_FAULT_H
#define RAKIS_TESTS_FAKE_FAULT_H

/* In each test that needs it: cmocka has handlers of its own. */
void fake_catch_faults(void);

#endif
