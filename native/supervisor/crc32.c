// SPDX-License-Identifier: Apache-2.0
#include "crc32.h"

#define POLYNOMIAL 0xedb88320u

static uint32_t table[256];

static void fill_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++)
      value = value & 1 ? POLYNOMIAL ^ value >> 1 : value >> 1;
    table[i] = value;
  }
}

uint32_t crc32_of(uint32_t crc, const void *bytes, size_t length) {
  if (table[1] == 0)
    fill_table();
  const uint8_t *at = bytes;
  crc = ~crc;
  while (length-- > 0)
    crc = table[(crc ^ *at++) & 0xff] ^ crc >> 8;
  return ~crc;
}
