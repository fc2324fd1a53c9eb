// SPDX-License-Identifier: Apache-2.0
//
// What a tree changes of its parent: as a list, or as a layer of an image.
#ifndef HAKO_COMPARE_H
#define HAKO_COMPARE_H

#include <stdint.h>

#include "../common/failure.h"

struct compare_result {
  uint64_t entries;
  uint64_t bytes;
};

// `parent` -1: there is none. `flags`: HAKO_COMPARE_*.
int compare_trees(int own, int parent, int output, uint8_t flags, struct compare_result *result, struct failure *f);

#endif
