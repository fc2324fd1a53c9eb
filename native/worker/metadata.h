// SPDX-License-Identifier: Apache-2.0
//
// Owner, mode, extended attributes and times of files that come from elsewhere.
#ifndef HAKO_METADATA_H
#define HAKO_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "../common/failure.h"
#include "worker_protocol.h"

struct metadata {
  uint32_t mode; // 07777
  uint32_t uid;
  uint32_t gid;
  struct timespec mtime;
};

// May an image or another tree give files this attribute? Only what has a meaning inside a container and can't be
// mistaken for something that we, overlayfs or the host's security modules wrote.
bool xattr_is_allowed(const char *name);

// Sets one attribute on an open file. 1: done; 0: this file system or namespace won't have it; -1: failure.
int set_xattr(int fd, const char *name, const void *value, size_t length, struct failure *f);

// Owner of an open regular file or directory. To be called before attributes and mode are set: chown(2) clears
// capabilities and set-id bits.
int set_owner(int fd, const struct metadata *meta, enum hako_ownership ownership, const char *path, struct failure *f);

// Owner, mode and time of something that was just made and can't be opened: a symlink (its mode means nothing), a
// device or a fifo.
int set_unopened(int parent, const char *name, bool symlink, const struct metadata *meta, enum hako_ownership ownership,
                 struct failure *f);

// Sets the mtime, leaving atime.
int set_mtime(int fd, const struct timespec *mtime, const char *path, struct failure *f);

#endif
