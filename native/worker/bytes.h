// SPDX-License-Identifier: Apache-2.0
//
// A growable run of bytes that keeps its storage when it is cleared, since the
// same few are filled once for each entry of an archive.
#ifndef HAKO_BYTES_H
#define HAKO_BYTES_H

#include <stdbool.h>
#include <stddef.h>

struct bytes {
  unsigned char *data;
  size_t length;
  size_t capacity;
};

// Room for `more` bytes after the length. False: no memory.
bool bytes_reserve(struct bytes *bytes, size_t more);

bool bytes_append(struct bytes *bytes, const void *data, size_t length);

// Replaces the content with a C string of `length` bytes.
bool bytes_set_text(struct bytes *bytes, const void *text, size_t length);

static inline const char *bytes_text(const struct bytes *bytes) {
  return bytes->length > 0 ? (const char *)bytes->data : "";
}

void bytes_free(struct bytes *bytes);

#endif
