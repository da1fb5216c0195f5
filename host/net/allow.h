/* SPDX-License-Identifier: Apache-2.0 */
/* Who may use an interface's fast path besides root, and with which ports. */
#ifndef RAKIS_HOST_NET_ALLOW_H
#define RAKIS_HOST_NET_ALLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of "USER[:PORTS]", PORTS like 53,5000-6000: no ports is all. NULL, or what is wrong. */
const char *allow_add(char *text);
bool allow_user(uid_t uid);
bool allow_port(uid_t uid, uint16_t port);

#endif
