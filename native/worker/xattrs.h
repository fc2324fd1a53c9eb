// SPDX-License-Identifier: Apache-2.0
//
// Extended attributes that go from one tree to another.
#ifndef HAKO_XATTRS_H
#define HAKO_XATTRS_H

#include <stdbool.h>
#include <stddef.h>

#include "../common/failure.h"

// May an image or another tree give files this attribute? Only what has a meaning inside a container and can't be
// mistaken for something that we, overlayfs or the host's security modules wrote.
bool xattr_is_allowed(const char *name);

// Sets one attribute on an open file. 1: done; 0: this file system or namespace won't have it; -1: failure.
int set_xattr(int fd, const char *name, const void *value, size_t length, struct failure *f);

struct xattr_walk {
  bool owner; // HAKO_OWNER_XATTR too
  // -1 with a failure stops the walk.
  int (*visit)(void *context, const char *name, const void *value, size_t length, struct failure *f);
  void *context;
};

// Visits each attribute of an open file that is allowed. `path` is for messages.
int each_xattr(int fd, const char *path, const struct xattr_walk *walk, struct failure *f);

#endif
