// SPDX-License-Identifier: Apache-2.0
#include "json_line.h"

#include <string.h>

#define EACH_BYTE(value) (0x0101010101010101ull * (value))

// The high bit of each byte that can't be copied as it is. A byte above one that
// is marked may be marked wrongly (the subtraction borrows), the lowest mark never.
static uint64_t special_bytes(uint64_t word) {
  uint64_t angle = (word & ~EACH_BYTE(0x02)) ^ EACH_BYTE('<');              // '<' 0x3c, '>' 0x3e
  uint64_t quote_or_ampersand = (word & ~EACH_BYTE(0x04)) ^ EACH_BYTE('"'); // '"' 0x22, '&' 0x26
  uint64_t backslash = word ^ EACH_BYTE('\\');
  uint64_t marks = word;                     // 0x80 and up
  marks |= (word - EACH_BYTE(0x20)) & ~word; // below a space
  marks |= (angle - EACH_BYTE(1)) & ~angle;
  marks |= (quote_or_ampersand - EACH_BYTE(1)) & ~quote_or_ampersand;
  marks |= (backslash - EACH_BYTE(1)) & ~backslash;
  return marks & EACH_BYTE(0x80);
}

static int is_special(uint8_t byte) {
  return byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\' || byte == '<' || byte == '>' || byte == '&';
}

// What the lead byte asks for (Unicode 15, table 3-7): the length of the whole
// sequence, 0 for a byte that can't lead one, and the range of the second byte.
static size_t sequence_of(uint8_t lead, uint8_t *low, uint8_t *high) {
  *low = 0x80;
  *high = 0xbf;
  if (lead < 0xc2)
    return 0;
  if (lead < 0xe0)
    return 2;
  if (lead < 0xf0) {
    if (lead == 0xe0)
      *low = 0xa0;
    if (lead == 0xed)
      *high = 0x9f;
    return 3;
  }
  if (lead > 0xf4)
    return 0;
  if (lead == 0xf0)
    *low = 0x90;
  if (lead == 0xf4)
    *high = 0x8f;
  return 4;
}

// Length of the valid sequence at `text`, 0 when there is none; *wanted is its
// full length when only the end of the text makes it invalid, else 0.
static size_t valid_sequence(const uint8_t *text, size_t length, size_t *wanted) {
  uint8_t low, high;
  size_t whole = sequence_of(text[0], &low, &high);
  *wanted = 0;
  for (size_t i = 1; i < whole; i++) {
    if (i == length) {
      *wanted = whole;
      return 0;
    }
    if (text[i] < low || text[i] > high)
      return 0;
    low = 0x80;
    high = 0xbf;
  }
  return whole;
}

static char *put(char *out, const char *text, size_t length) {
  memcpy(out, text, length);
  return out + length;
}

static char *escape_ascii(char *out, uint8_t byte) {
  static const char hex[] = "0123456789abcdef";
  switch (byte) {
  case '"':
    return put(out, "\\\"", 2);
  case '\\':
    return put(out, "\\\\", 2);
  case '\n':
    return put(out, "\\n", 2);
  case '\r':
    return put(out, "\\r", 2);
  default:
    return put(out, (const char[]){'\\', 'u', '0', '0', hex[byte >> 4], hex[byte & 15]}, 6);
  }
}

static char *escape_sequence(char *out, const uint8_t *text, size_t length, size_t *taken) {
  size_t wanted;
  size_t size = valid_sequence(text, length, &wanted);
  *taken = size ? size : 1;
  if (size == 0)
    return put(out, "\\ufffd", 6);
  if (size == 3 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9)) {
    return put(out, text[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
  }
  return put(out, (const char *)text, size);
}

char *json_escape(char *out, const uint8_t *text, size_t length) {
  const uint8_t *end = text + length;
  while (text < end) {
    if (end - text >= 8) {
      uint64_t word;
      memcpy(&word, text, 8);
      memcpy(out, &word, 8);
      uint64_t marks = special_bytes(word);
      // Both our targets are little-endian: the lowest byte is the first.
      size_t plain = marks ? (size_t)__builtin_ctzll(marks) / 8 : 8;
      text += plain;
      out += plain;
      if (marks == 0)
        continue;
    } else if (!is_special(*text)) {
      *out++ = (char)*text++;
      continue;
    }
    size_t taken = 1;
    out = *text < 0x80 ? escape_ascii(out, *text) : escape_sequence(out, text, (size_t)(end - text), &taken);
    text += taken;
  }
  return out;
}

size_t utf8_whole(const uint8_t *text, size_t length) {
  for (size_t back = 1; back <= 3 && back <= length; back++) {
    const uint8_t *at = text + length - back;
    if ((*at & 0xc0) == 0x80)
      continue; // a continuation byte: the lead is further back
    size_t wanted = 0;
    if (*at >= 0x80)
      valid_sequence(at, back, &wanted);
    return wanted ? length - back : length;
  }
  return length;
}
