// SPDX-License-Identifier: Apache-2.0
//
// The map of a sparse file: where its data lies. Invariant: extents are in
// order, don't overlap and end at or before the file's size, because
// tar_sparse_check was passed before anyone uses them.
#ifndef HAKO_TAR_SPARSE_H
#define HAKO_TAR_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A map costs an attacker a few bytes an extent, and us sixteen.
#define TAR_SPARSE_MOST 1048576u

struct tar_extent {
  uint64_t offset;
  uint64_t length;
};

struct tar_sparse {
  struct tar_extent *extents;
  size_t count;
  size_t capacity;
};

// False: too many, or no memory.
bool tar_sparse_add(struct tar_sparse *map, uint64_t offset, uint64_t length);

// Sound for a file of `size` bytes of which the archive holds `stored`.
bool tar_sparse_check(const struct tar_sparse *map, uint64_t size, uint64_t stored);

// GNU.sparse.map of PAX sparse format 0.1: "offset,length,offset,length…"
bool tar_sparse_parse_list(struct tar_sparse *map, const char *text, size_t length);

void tar_sparse_free(struct tar_sparse *map);

#endif
