// SPDX-License-Identifier: Apache-2.0
//
// The path of where a walk is, kept by its visitor.
#ifndef HAKO_WALK_PATH_H
#define HAKO_WALK_PATH_H

#include <stdbool.h>
#include <string.h>

#include "bytes.h"

// Adds a component and the NUL behind it, which the length doesn't count.
static inline bool walk_path_push(struct bytes *path, const char *name) {
  size_t length = path->length;
  bool ok = (length == 0 || bytes_append(path, "/", 1)) && bytes_append(path, name, strlen(name) + 1);
  if (ok)
    path->length--;
  else
    path->length = length;
  return ok;
}

static inline void walk_path_pop(struct bytes *path) {
  while (path->length > 0 && path->data[--path->length] != '/')
    continue;
  if (path->data)
    path->data[path->length] = 0;
}

#endif
