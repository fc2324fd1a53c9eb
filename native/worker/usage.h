// SPDX-License-Identifier: Apache-2.0
//
// What a tree takes of its disk.
#ifndef HAKO_USAGE_H
#define HAKO_USAGE_H

#include <stdint.h>

#include "../common/failure.h"

struct usage {
  uint64_t bytes;  // of disk, as du(1) counts: an inode with several names once
  uint64_t inodes;
};

int usage_of(int root, struct usage *usage, struct failure *f);

#endif
