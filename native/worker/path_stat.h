// SPDX-License-Identifier: Apache-2.0
//
// What is at a path of a tree.
#ifndef HAKO_PATH_STAT_H
#define HAKO_PATH_STAT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "../common/failure.h"

struct path_stat {
  struct stat status;
  char resolved[PATH_MAX];
  char target[PATH_MAX]; // of a symlink: where it leads; "" otherwise
};

int path_stat(int root, const char *path, bool follow, struct path_stat *result, struct failure *f);

#endif
