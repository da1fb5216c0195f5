/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vector registers, which hold the guest's values while the libOS runs. Between the two calls
 * the thread may use them; it must not leave the enclave there, nor take a lock, nor touch
 * guest memory: an exit uses the same room.
 */
#ifndef RAKIS_GATE_VECTORS_H
#define RAKIS_GATE_VECTORS_H

#ifdef RAKIS_UNIT
static inline void vectors_begin(void) {}
static inline void vectors_end(void) {}
#else
void vectors_begin(void);
void vectors_end(void);
#endif

#endif
