/* SPDX-License-Identifier: Apache-2.0 */
/* A process of its own, nobody's child, that tells its starter how its beginning went. */
#ifndef RAKIS_HOST_NET_BACKGROUND_H
#define RAKIS_HOST_NET_BACKGROUND_H

#define HELPER_TEXT 512

/*
 * Run set_up(text) and, if that answers 0, life() there. Answers what set_up() did, with its
 * text; another negative errno if there can be no process.
 */
int background_start(int (*set_up)(char text[HELPER_TEXT]), void (*life)(void), char text[HELPER_TEXT]);

#endif
