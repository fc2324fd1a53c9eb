// SPDX-License-Identifier: Apache-2.0
#include "tar_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool tar_source_init(struct tar_source *source, tar_read_fn read, void *context, uint64_t limit) {
  *source = (struct tar_source){.read = read, .context = context, .limit = limit};
  source->buffer = malloc(TAR_SOURCE_BUFFER);
  return source->buffer != NULL;
}

void tar_source_free(struct tar_source *source) {
  free(source->buffer);
  source->buffer = NULL;
}

// One read(2) into the free end of the buffer. False with errno on failure.
static bool refill(struct tar_source *source) {
  if (source->start == source->end) source->start = source->end = 0;
  if (source->end == TAR_SOURCE_BUFFER) {
    memmove(source->buffer, source->buffer + source->start, source->end - source->start);
    source->end -= source->start;
    source->start = 0;
  }
  ssize_t got;
  do got = source->read(source->context, source->buffer + source->end, TAR_SOURCE_BUFFER - source->end);
  while (got < 0 && errno == EINTR);
  if (got < 0) return false;
  if (got == 0) source->ended = true;
  source->end += (size_t)got;
  if (source->offset + (source->end - source->start) > source->limit) {
    source->over_limit = true;
    errno = EFBIG;
    return false;
  }
  return true;
}

ssize_t tar_source_fill(struct tar_source *source, size_t want) {
  while (source->end - source->start < want && !source->ended)
    if (!refill(source)) return -1;
  return (ssize_t)(source->end - source->start);
}

ssize_t tar_source_some(struct tar_source *source, size_t most) {
  if (source->start == source->end && !source->ended && !refill(source)) return -1;
  size_t here = source->end - source->start;
  return (ssize_t)(here < most ? here : most);
}

void tar_source_consume(struct tar_source *source, size_t length) {
  source->start += length;
  source->offset += length;
}

bool tar_source_skip(struct tar_source *source, uint64_t length) {
  while (length > 0) {
    size_t most = length < TAR_SOURCE_BUFFER ? (size_t)length : TAR_SOURCE_BUFFER;
    ssize_t some = tar_source_some(source, most);
    if (some < 0) return false;
    if (some == 0) {
      errno = 0;
      return false;
    }
    tar_source_consume(source, (size_t)some);
    length -= (uint64_t)some;
  }
  return true;
}

bool tar_source_drain(struct tar_source *source) {
  for (;;) {
    ssize_t some = tar_source_some(source, TAR_SOURCE_BUFFER);
    if (some <= 0) return some == 0;
    tar_source_consume(source, (size_t)some);
  }
}
