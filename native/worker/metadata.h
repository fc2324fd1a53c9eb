// SPDX-License-Identifier: Apache-2.0
//
// Owner, mode and times of files that come from elsewhere.
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
