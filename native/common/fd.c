// SPDX-License-Identifier: Apache-2.0
#include "fd.h"

#include <stdint.h>

int write_all(int fd, const void *data, size_t length) {
  const uint8_t *at = data;
  while (length > 0) {
    ssize_t written = RETRY(write(fd, at, length));
    if (written < 0)
      return -1;
    at += written;
    length -= (size_t)written;
  }
  return 0;
}

ssize_t read_all(int fd, void *data, size_t size) {
  uint8_t *to = data;
  size_t used = 0;
  while (used < size) {
    ssize_t got = RETRY(read(fd, to + used, size - used));
    if (got < 0)
      return -1;
    if (got == 0)
      break;
    used += (size_t)got;
  }
  return (ssize_t)used;
}
