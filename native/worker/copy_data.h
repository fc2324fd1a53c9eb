// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_COPY_DATA_H
#define HAKO_COPY_DATA_H

#include <stdbool.h>
#include <stdint.h>

struct copy_data {
  bool cannot_share; // learned from the first file that could not be
  bool cannot_offload;
  uint64_t copied;
  uint64_t shared;
};

// Gives the empty file `to` the content and size of `from`, holes staying holes. -1 with errno.
int copy_data(struct copy_data *state, int from, int to, uint64_t size);

#endif
