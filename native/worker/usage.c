// SPDX-License-Identifier: Apache-2.0
#include "usage.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../common/walk.h"
#include "key_set.h"

struct count {
  struct usage *usage;
  struct key_set linked; // inodes with several names that were counted
};

static int add(struct count *count, const struct stat *status, struct failure *f) {
  if (!S_ISDIR(status->st_mode) && status->st_nlink > 1) {
    bool counted;
    if (!key_set_put(&count->linked, key_of(status->st_dev, status->st_ino, NULL), 0, &counted))
      return fail(f, "memory", ENOMEM, "table of hard links");
    if (counted)
      return 0;
  }
  count->usage->bytes += (uint64_t)status->st_blocks * 512;
  count->usage->inodes++;
  return 0;
}

static int count_leaf(void *context, int parent, const char *name, struct failure *f) {
  struct stat status;
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return errno == ENOENT ? 0 : fail(f, "stat", errno, name);
  return add(context, &status, f);
}

static int count_directory(void *context, int parent, const char *name, int fd, struct failure *f) {
  (void)parent;
  struct stat status;
  return fstat(fd, &status) < 0 ? fail(f, "stat", errno, name) : add(context, &status, f);
}

int usage_of(int root, struct usage *usage, struct failure *f) {
  static const struct walk_visitor visitor = {.leaf = count_leaf, .enter = count_directory};
  struct count count = {.usage = usage};
  *usage = (struct usage){0};
  int result = walk(root, "", &visitor, &count, f);
  key_set_free(&count.linked);
  return result;
}
