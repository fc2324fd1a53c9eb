// SPDX-License-Identifier: Apache-2.0
//
// The 512 bytes in front of every entry.
#ifndef HAKO_TAR_HEADER_H
#define HAKO_TAR_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "tar_sparse.h"

#define TAR_BLOCK_SIZE 512u

struct tar_header {
  char type;
  struct bytes *path; // filled as C strings
  struct bytes *link_path;
  int64_t mode;
  int64_t uid;
  int64_t gid;
  int64_t size;
  int64_t mtime;
  int64_t device_major;
  int64_t device_minor;
  // Of a GNU sparse header ('S').
  int64_t sparse_size;
  bool sparse_continues; // in the block that follows
};

bool tar_block_is_zero(const unsigned char *block);

// NULL, or what is wrong with it.
const char *tar_header_parse(struct tar_header *header, const unsigned char *block, struct tar_sparse *sparse);

// A continuation of a GNU sparse header's map.
const char *tar_header_parse_sparse_block(const unsigned char *block, struct tar_sparse *sparse, bool *continues);

#endif
