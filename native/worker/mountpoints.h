// SPDX-License-Identifier: Apache-2.0
//
// Makes sure that what will be mounted over exists in an image's tree.
#ifndef HAKO_MOUNTPOINTS_H
#define HAKO_MOUNTPOINTS_H

#include "job.h"

// What is there already, whatever it is, is left alone.
int mountpoints_make(int root, const struct mountpoint *points, uint32_t count, uint32_t *made, struct failure *f);

#endif
