// SPDX-License-Identifier: Apache-2.0
//
// Copies a tree with all that belongs to it: ids, modes, times, attributes, hard
// links, holes, devices. Data is shared by reflink where the file system can.
#ifndef HAKO_COPY_H
#define HAKO_COPY_H

#include <stdint.h>

#include "../common/failure.h"

struct copy_result {
  uint64_t entries;
  uint64_t bytes_copied;
  uint64_t bytes_shared;
};

// Copies the tree at `source` to `name` in `parent`, which must not be there. What was made before a failure stays.
int copy_tree(int source, int parent, const char *name, struct copy_result *result, struct failure *f);

#endif
