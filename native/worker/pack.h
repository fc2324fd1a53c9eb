// SPDX-License-Identifier: Apache-2.0
//
// Writes a tree as a tar archive: names in order, so that the same tree always
// gives the same bytes.
#ifndef HAKO_PACK_H
#define HAKO_PACK_H

#include <stdint.h>

#include "../common/failure.h"

struct pack_result {
  uint64_t entries;
  uint64_t bytes;
};

// `flags`: HAKO_PACK_*. Sockets, which tar has no entry for, are left out.
int pack_tree(int root, int output, uint8_t flags, struct pack_result *result, struct failure *f);

#endif
