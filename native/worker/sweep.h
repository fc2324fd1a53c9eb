// SPDX-License-Identifier: Apache-2.0
//
// Takes away what an UNPACK that was killed has left of a file.
#ifndef HAKO_SWEEP_H
#define HAKO_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/failure.h"

struct sweep_request {
  const char *directory; // of the tree; one that is not there is no failure
  const char *name;      // of the files to remove
  bool below;            // also in all that is below it
  bool crosses_mounts;
};

int sweep(int root, const struct sweep_request *request, uint32_t *removed, struct failure *f);

#endif
