// SPDX-License-Identifier: Apache-2.0
//
// Reading and writing the payloads of protocol.h. A reader never looks past
// its end: the first short field, NUL or bad count makes it fail, and from then
// on every read gives zero, so callers check once, at the end.
#ifndef HAKO_WIRE_H
#define HAKO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HEADER 5u // u32 length of the payload, u8 type

struct wire_bytes {
  const uint8_t *data; // NULL when length is 0
  uint32_t length;
};

struct wire_reader {
  uint8_t *at;
  uint8_t *end;
  bool failed;
};

struct wire_reader wire_reader(void *payload, size_t length);
uint8_t wire_u8(struct wire_reader *r);
uint16_t wire_u16(struct wire_reader *r);
uint32_t wire_u32(struct wire_reader *r);
uint64_t wire_u64(struct wire_reader *r);
int32_t wire_i32(struct wire_reader *r);
int64_t wire_i64(struct wire_reader *r);

// A C string inside the payload itself; never NULL. The payload is changed:
// the bytes move one down, over their own length, to make room for the NUL.
// A payload can therefore be read once only.
char *wire_str(struct wire_reader *r);

struct wire_bytes wire_bytes(struct wire_reader *r);

// A list's count, refused when it is over `most` or when the bytes that are
// left can't hold that many elements of at least `element` bytes.
uint32_t wire_count(struct wire_reader *r, size_t element, uint32_t most);

// True when everything was sound and nothing is left over.
bool wire_done(const struct wire_reader *r);

// Frames go into a buffer of the caller's. One that would overflow fails, and
// wire_end then gives 0.
struct wire_writer {
  uint8_t *buffer;
  size_t size;
  size_t used;
  bool failed;
};

struct wire_writer wire_begin(void *buffer, size_t size, uint8_t type);
void wire_put_u8(struct wire_writer *w, uint8_t value);
void wire_put_u16(struct wire_writer *w, uint16_t value);
void wire_put_u32(struct wire_writer *w, uint32_t value);
void wire_put_u64(struct wire_writer *w, uint64_t value);
void wire_put_i32(struct wire_writer *w, int32_t value);
void wire_put_i64(struct wire_writer *w, int64_t value);
void wire_put_bytes(struct wire_writer *w, const void *data, size_t length); // no length before them
void wire_put_str(struct wire_writer *w, const char *text);
size_t wire_end(struct wire_writer *w); // the frame's size with its header

// The header of a frame that was received.
uint32_t wire_frame_length(const uint8_t header[WIRE_HEADER]);
uint8_t wire_frame_type(const uint8_t header[WIRE_HEADER]);
void wire_put_header(uint8_t header[WIRE_HEADER], uint32_t length, uint8_t type);

#endif
