// SPDX-License-Identifier: Apache-2.0
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

bool bytes_reserve(struct bytes *bytes, size_t more) {
  if (more <= bytes->capacity - bytes->length)
    return true;
  size_t capacity = bytes->capacity > 0 ? bytes->capacity : 256;
  while (capacity - bytes->length < more) {
    if (capacity > (size_t)1 << 40)
      return false;
    capacity *= 2;
  }
  unsigned char *data = realloc(bytes->data, capacity);
  if (!data)
    return false;
  bytes->data = data;
  bytes->capacity = capacity;
  return true;
}

bool bytes_append(struct bytes *bytes, const void *data, size_t length) {
  if (!bytes_reserve(bytes, length))
    return false;
  if (length > 0)
    memcpy(bytes->data + bytes->length, data, length);
  bytes->length += length;
  return true;
}

bool bytes_set_text(struct bytes *bytes, const void *text, size_t length) {
  bytes->length = 0;
  return bytes_append(bytes, text, length) && bytes_append(bytes, "", 1);
}

void bytes_free(struct bytes *bytes) {
  free(bytes->data);
  *bytes = (struct bytes){0};
}
