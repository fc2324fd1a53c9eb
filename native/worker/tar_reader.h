// SPDX-License-Identifier: Apache-2.0
//
// Reads the entries of a tar archive: ustar, v7, old GNU (long names, base-256,
// sparse) and PAX. It touches no file: it turns bytes into entries that are
// sound as such. What a name may do to a tree is the applier's business.
//
// Where readers in the field disagree, it does as Go's archive/tar, which wrote
// and checked nearly every image there is; what is ambiguous enough to mean
// different things to two readers is refused.
#ifndef HAKO_TAR_READER_H
#define HAKO_TAR_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "tar_limits.h"
#include "tar_pax.h"
#include "tar_source.h"
#include "tar_sparse.h"

enum tar_type {
  TAR_FILE,
  TAR_DIRECTORY,
  TAR_SYMLINK,
  TAR_HARDLINK,
  TAR_CHARACTER,
  TAR_BLOCK,
  TAR_FIFO,
};

struct tar_entry {
  enum tar_type type;
  const char *path; // as the archive has it; valid until the next tar_next
  const char *link_path;
  uint32_t mode; // 07777
  uint32_t uid;
  uint32_t gid;
  int64_t mtime;
  uint32_t mtime_nanoseconds;
  uint32_t device_major;
  uint32_t device_minor;
  uint64_t size; // of the file that is meant, holes included
  const struct bytes *xattrs; // see tar_xattr_next
  uint64_t offset; // of its first header in the archive
};

struct tar_chunk {
  uint64_t offset; // in the file
  const unsigned char *data;
  size_t length;
};

struct tar_reader {
  struct tar_source source;
  struct tar_limits limits;
  struct tar_pax pax;
  struct tar_pax global;
  struct bytes path;
  struct bytes link_path;
  struct bytes long_path; // of GNU's 'L' and 'K' headers
  struct bytes long_link;
  struct bytes records; // of the extended header being read
  bool has_long_path;
  bool has_long_link;
  uint64_t entries;
  // What is still to come of the current entry.
  uint64_t data_left;
  uint32_t padding;
  const struct tar_sparse *sparse; // NULL: one extent, all of it
  struct tar_sparse old_sparse;    // of a GNU 'S' header
  struct tar_extent extent;        // what is left of the extent being read
  size_t next_extent;
  uint64_t offset; // of the entry's first header
};

bool tar_reader_init(struct tar_reader *reader, tar_read_fn read, void *context, const struct tar_limits *limits);
void tar_reader_free(struct tar_reader *reader);

// 1: the next entry; 0: the archive's end, and the stream was read to its own; -1: failure.
int tar_next(struct tar_reader *reader, struct tar_entry *entry, struct failure *f);

// The current file's data, piece by piece, in order; holes are what lies between. 1, 0 at its end, -1.
// The piece is valid until the next call. What is not asked for, tar_next passes over.
int tar_data(struct tar_reader *reader, struct tar_chunk *chunk, struct failure *f);

#endif
