// SPDX-License-Identifier: Apache-2.0
//
// A forward-only, buffered view of the bytes of an archive. Invariants: `start`
// never passes `end`, and `offset` is always the archive's offset of `start`, so
// every complaint about the archive can say where.
#ifndef HAKO_TAR_SOURCE_H
#define HAKO_TAR_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Large enough that a file of ordinary size is one write(2), small enough that
// it stays in the second-level cache.
#define TAR_SOURCE_BUFFER ((size_t)256 << 10)

// read(2)'s contract: bytes read, 0 at the end, -1 with errno.
typedef ssize_t (*tar_read_fn)(void *context, void *buffer, size_t length);

struct tar_source {
  tar_read_fn read;
  void *context;
  uint64_t offset;
  uint64_t limit; // bytes that may be read in all; past that `over_limit` is set
  bool over_limit;
  bool ended;
  size_t start;
  size_t end;
  unsigned char *buffer;
};

bool tar_source_init(struct tar_source *source, tar_read_fn read, void *context, uint64_t limit);
void tar_source_free(struct tar_source *source);

// At least `want` (≤ TAR_SOURCE_BUFFER) contiguous bytes at the cursor, when the
// archive has them. Returns what is there, which is less only at the end of the
// archive; -1 with errno when reading failed (EFBIG: the limit).
ssize_t tar_source_fill(struct tar_source *source, size_t want);

// Whatever is at hand, up to `most` bytes, reading once when nothing is. 0 at the end.
ssize_t tar_source_some(struct tar_source *source, size_t most);

static inline const unsigned char *tar_source_at(const struct tar_source *source) {
  return source->buffer + source->start;
}

void tar_source_consume(struct tar_source *source, size_t length);

// Consumes `length` bytes. False with errno 0 when the archive ends before.
bool tar_source_skip(struct tar_source *source, uint64_t length);

// Consumes to the end, keeping nothing.
bool tar_source_drain(struct tar_source *source);

#endif
