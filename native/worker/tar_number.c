// SPDX-License-Identifier: Apache-2.0
#include "tar_number.h"

static bool base256(const unsigned char *field, size_t width, int64_t *value) {
  bool negative = (field[0] & 0x40) != 0;
  // Two's complement, of which the first byte gives six bits and the sign.
  uint64_t accumulated = negative ? ~(uint64_t)0 : 0;
  const uint64_t sign_bits = negative ? 0x1ff : 0;
  for (size_t i = 0; i < width; i++) {
    // The nine top bits must all be copies of the sign, or the shift loses some.
    if ((accumulated >> 55) != sign_bits)
      return false;
    unsigned char byte = field[i];
    if (i == 0)
      byte = negative ? byte | 0x80 : byte & 0x7f;
    accumulated = accumulated << 8 | byte;
  }
  *value = (int64_t)accumulated;
  return true;
}

bool tar_number_field(const unsigned char *field, size_t width, int64_t *value) {
  if (field[0] & 0x80)
    return base256(field, width, value);
  size_t at = 0;
  while (at < width && field[at] == ' ')
    at++;
  uint64_t accumulated = 0;
  for (; at < width && field[at] >= '0' && field[at] <= '7'; at++) {
    if (accumulated >> 60)
      return false;
    accumulated = accumulated << 3 | (uint64_t)(field[at] - '0');
  }
  for (; at < width; at++)
    if (field[at] != ' ' && field[at] != 0)
      return false;
  *value = (int64_t)accumulated;
  return true;
}

bool tar_number_decimal(const char *text, size_t length, uint64_t *value) {
  uint64_t accumulated = 0;
  if (length == 0)
    return false;
  for (size_t i = 0; i < length; i++) {
    if (text[i] < '0' || text[i] > '9')
      return false;
    uint64_t digit = (uint64_t)(text[i] - '0');
    if (accumulated > (UINT64_MAX - digit) / 10)
      return false;
    accumulated = accumulated * 10 + digit;
  }
  *value = accumulated;
  return true;
}

bool tar_number_time(const char *text, size_t length, int64_t *seconds, uint32_t *nanoseconds) {
  bool negative = length > 0 && text[0] == '-';
  if (negative) {
    text++;
    length--;
  }
  size_t whole = 0;
  while (whole < length && text[whole] != '.')
    whole++;
  uint64_t magnitude;
  if (!tar_number_decimal(text, whole, &magnitude) || magnitude > INT64_MAX - 1)
    return false;
  uint32_t fraction = 0;
  uint32_t scale = 100000000;
  for (size_t i = whole + 1; i < length; i++) {
    if (text[i] < '0' || text[i] > '9')
      return false;
    fraction += (uint32_t)(text[i] - '0') * scale;
    scale /= 10; // digits past the ninth are worth nothing
  }
  *seconds = negative ? -(int64_t)magnitude : (int64_t)magnitude;
  if (negative && fraction > 0) {
    *seconds -= 1;
    fraction = 1000000000 - fraction;
  }
  *nanoseconds = fraction;
  return true;
}
