// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_CRC32_H
#define HAKO_CRC32_H

#include <stddef.h>
#include <stdint.h>

// The CRC-32 of zlib, gzip and Node's zlib.crc32; begins with 0, continues with what it gave.
uint32_t crc32_of(uint32_t crc, const void *bytes, size_t length);

#endif
