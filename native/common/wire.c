// SPDX-License-Identifier: Apache-2.0
#include "wire.h"

#include <string.h>

struct wire_reader wire_reader(void *payload, size_t length) {
  uint8_t *start = payload;
  return (struct wire_reader){.at = start, .end = start + length};
}

static size_t left(const struct wire_reader *r) {
  return (size_t)(r->end - r->at);
}

// The next `length` bytes, or NULL.
static uint8_t *take(struct wire_reader *r, size_t length) {
  if (r->failed || left(r) < length) {
    r->failed = true;
    return NULL;
  }
  uint8_t *start = r->at;
  r->at += length;
  return start;
}

// Byte by byte, so that neither the host's byte order nor alignment matters.
static uint64_t take_integer(struct wire_reader *r, size_t width) {
  const uint8_t *bytes = take(r, width);
  if (!bytes)
    return 0;
  uint64_t value = 0;
  for (size_t i = width; i > 0; i--)
    value = value << 8 | bytes[i - 1];
  return value;
}

uint8_t wire_u8(struct wire_reader *r) {
  return (uint8_t)take_integer(r, 1);
}

uint16_t wire_u16(struct wire_reader *r) {
  return (uint16_t)take_integer(r, 2);
}

uint32_t wire_u32(struct wire_reader *r) {
  return (uint32_t)take_integer(r, 4);
}

uint64_t wire_u64(struct wire_reader *r) {
  return take_integer(r, 8);
}

int32_t wire_i32(struct wire_reader *r) {
  return (int32_t)wire_u32(r);
}

int64_t wire_i64(struct wire_reader *r) {
  return (int64_t)wire_u64(r);
}

char *wire_str(struct wire_reader *r) {
  static char empty[1];
  uint32_t length = wire_u32(r);
  uint8_t *bytes = take(r, length);
  if (!bytes)
    return empty;
  if (memchr(bytes, 0, length)) {
    r->failed = true;
    return empty;
  }
  memmove(bytes - 1, bytes, length);
  bytes[(ptrdiff_t)length - 1] = 0;
  return (char *)(bytes - 1);
}

struct wire_bytes wire_bytes(struct wire_reader *r) {
  uint32_t length = wire_u32(r);
  const uint8_t *data = take(r, length);
  if (!data || length == 0)
    return (struct wire_bytes){0};
  return (struct wire_bytes){.data = data, .length = length};
}

uint32_t wire_count(struct wire_reader *r, size_t element, uint32_t most) {
  uint32_t count = wire_u32(r);
  if (count > most || count > left(r) / element)
    r->failed = true;
  return r->failed ? 0 : count;
}

bool wire_done(const struct wire_reader *r) {
  return !r->failed && r->at == r->end;
}

static void put_integer(uint8_t *to, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; i++, value >>= 8)
    to[i] = (uint8_t)value;
}

static uint8_t *reserve(struct wire_writer *w, size_t length) {
  if (w->failed || w->size - w->used < length) {
    w->failed = true;
    return NULL;
  }
  uint8_t *start = w->buffer + w->used;
  w->used += length;
  return start;
}

static void append_integer(struct wire_writer *w, uint64_t value, size_t width) {
  uint8_t *to = reserve(w, width);
  if (to)
    put_integer(to, value, width);
}

struct wire_writer wire_begin(void *buffer, size_t size, uint8_t type) {
  struct wire_writer w = {.buffer = buffer, .size = size};
  uint8_t *header = reserve(&w, WIRE_HEADER);
  if (header)
    wire_put_header(header, 0, type);
  return w;
}

void wire_put_u8(struct wire_writer *w, uint8_t value) {
  append_integer(w, value, 1);
}

void wire_put_u16(struct wire_writer *w, uint16_t value) {
  append_integer(w, value, 2);
}

void wire_put_u32(struct wire_writer *w, uint32_t value) {
  append_integer(w, value, 4);
}

void wire_put_u64(struct wire_writer *w, uint64_t value) {
  append_integer(w, value, 8);
}

void wire_put_i32(struct wire_writer *w, int32_t value) {
  append_integer(w, (uint32_t)value, 4);
}

void wire_put_i64(struct wire_writer *w, int64_t value) {
  append_integer(w, (uint64_t)value, 8);
}

void wire_put_bytes(struct wire_writer *w, const void *data, size_t length) {
  uint8_t *to = reserve(w, length);
  if (to && length > 0)
    memcpy(to, data, length);
}

void wire_put_str(struct wire_writer *w, const char *text) {
  size_t length = strlen(text);
  wire_put_u32(w, (uint32_t)length);
  wire_put_bytes(w, text, length);
}

size_t wire_end(struct wire_writer *w) {
  if (w->failed)
    return 0;
  put_integer(w->buffer, w->used - WIRE_HEADER, 4);
  return w->used;
}

uint32_t wire_frame_length(const uint8_t header[WIRE_HEADER]) {
  return (uint32_t)header[0] | (uint32_t)header[1] << 8 | (uint32_t)header[2] << 16 | (uint32_t)header[3] << 24;
}

uint8_t wire_frame_type(const uint8_t header[WIRE_HEADER]) {
  return header[4];
}

void wire_put_header(uint8_t header[WIRE_HEADER], uint32_t length, uint8_t type) {
  put_integer(header, length, 4);
  header[4] = type;
}
