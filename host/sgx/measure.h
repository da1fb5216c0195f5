/* SPDX-License-Identifier: Apache-2.0 */
/* MRENCLAVE, as ECREATE, EADD and EEXTEND make it (SDM volume 3D, those leaves' pages). */
#ifndef RAKIS_HOST_SGX_MEASURE_H
#define RAKIS_HOST_SGX_MEASURE_H

#include <stddef.h>
#include <stdint.h>

struct measure;

struct measure *measure_create(uint32_t ssa_frame_size, uint64_t size);
/* `count` pages from `offset` on, all with these SECINFO flags, without contents. */
void measure_add(struct measure *m, uint64_t offset, uint64_t count, uint64_t secinfo);
/* One page, and its contents. */
void measure_page(struct measure *m, uint64_t offset, uint64_t secinfo, const void *page);
/* The result; ends `m`. */
void measure_end(struct measure *m, uint8_t mrenclave[32]);

#endif
