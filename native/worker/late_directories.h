// SPDX-License-Identifier: Apache-2.0
//
// Modes and times of directories, set when nothing more goes into them: adding
// an entry changes the mtime, and may be forbidden by the mode.
#ifndef HAKO_LATE_DIRECTORIES_H
#define HAKO_LATE_DIRECTORIES_H

#include <sys/types.h>

#include "../common/failure.h"
#include "bytes.h"
#include "key_set.h"
#include "metadata.h"

struct late_directory {
  size_t path; // offset in `paths`
  dev_t device;
  ino_t inode;
  uint32_t mode;
  struct timespec mtime;
};

struct late_directories {
  struct late_directory *list;
  size_t count;
  size_t size;
  struct bytes paths;
  struct key_set by_inode; // → index, so that a directory named a million times is kept once
};

// Remembers what the directory open as `fd`, which `path` leads to, shall get.
int late_directories_add(struct late_directories *late, int fd, const char *path, const struct metadata *meta,
                         struct failure *f);

// Last made first, since a parent's mode may forbid to reach its children. A directory that is gone by now, or that
// its path no longer leads to, is passed over.
int late_directories_finish(struct late_directories *late, int root, struct failure *f);

void late_directories_free(struct late_directories *late);

#endif
