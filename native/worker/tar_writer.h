// SPDX-License-Identifier: Apache-2.0
//
// Writes a tar archive: ustar headers, with a PAX header in front where a field
// doesn't fit.
#ifndef HAKO_TAR_WRITER_H
#define HAKO_TAR_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "../common/failure.h"
#include "bytes.h"
#include "tar_sparse.h"

struct tar_writer {
  int fd;
  uint64_t bytes;
  size_t used;
  unsigned char buffer[64 << 10];
  struct bytes records; // of the PAX header being built
};

struct tar_output {
  char type; // '0' file, '1' hard link, '2' symlink, '3' character device, '4' block device, '5' directory, '6' fifo
  const char *path;
  const char *link_path; // "" when there is none
  uint32_t mode;
  uint32_t uid;
  uint32_t gid;
  struct timespec mtime;
  uint64_t size;
  uint32_t device_major;
  uint32_t device_minor;
  const struct tar_sparse *sparse; // NULL: all of it is data
};

// To be called for each attribute before the entry it belongs to.
int tar_write_xattr(struct tar_writer *writer, const char *name, const void *value, size_t length, struct failure *f);

// The headers (and a sparse map, which travels in front of the data).
int tar_write_entry(struct tar_writer *writer, const struct tar_output *output, struct failure *f);

int tar_write_data(struct tar_writer *writer, const void *data, size_t length, struct failure *f);

// Fills up to the next block, after an entry's data.
int tar_write_padding(struct tar_writer *writer, struct failure *f);

// What is still in the buffer.
int tar_write_flush(struct tar_writer *writer, struct failure *f);

// The end of the archive, and of the buffer.
int tar_write_end(struct tar_writer *writer, struct failure *f);

void tar_writer_free(struct tar_writer *writer);

#endif
