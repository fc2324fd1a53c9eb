// SPDX-License-Identifier: Apache-2.0
//
// Writes a tree as a tar archive: names in order, so that the same tree always
// gives the same bytes.
#ifndef HAKO_PACK_H
#define HAKO_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/failure.h"

struct pack_request {
  const char *path; // clean; "": all of the tree
  const char *name; // of that in the archive; "": "./"
  uint8_t flags;    // HAKO_PACK_*
  bool crosses_mounts;
};

struct pack_result {
  uint64_t entries;
  uint64_t bytes;
};

// Sockets, which tar has no entry for, are left out.
int pack_tree(int root, int output, const struct pack_request *request, struct pack_result *result,
              struct failure *f);

#endif
