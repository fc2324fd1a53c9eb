// SPDX-License-Identifier: Apache-2.0
#include "mountpoints.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/fd.h"
#include "entry_name.h"
#include "parents.h"

static int make_one(int parent, const char *base, const struct mountpoint *point) {
  if (point->kind == HAKO_MOUNTPOINT_SYMLINK)
    return symlinkat(point->target, parent, base);
  if (point->kind == HAKO_MOUNTPOINT_DIRECTORY)
    return mkdirat(parent, base, point->mode);
  cleanup_fd int fd = openat(parent, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, point->mode);
  return fd < 0 ? -1 : 0;
}

// A mount point is used through the symlinks of the tree, so a link to a missing directory is no mount point yet: the
// directory is made where it leads, inside the tree.
static int make_through_link(struct parents *parents, const struct bytes *name, const struct mountpoint *point,
                             struct failure *f) {
  if (point->kind == HAKO_MOUNTPOINT_DIRECTORY)
    return parents_open(parents, bytes_text(name), name->length, f) < 0 ? -1 : 1;
  return 0;
}

static int make(struct parents *parents, struct bytes *name, const struct mountpoint *point, uint32_t *made,
                struct failure *f) {
  uint32_t depth;
  size_t parent_length;
  const char *wrong = entry_name_clean(point->path, name, &depth);
  if (wrong)
    return fail(f, "mountpoint", EINVAL, point->path, ": ", wrong);
  if (depth == 0)
    return 0;
  const char *base = entry_name_base(name, &parent_length);
  int parent = parents_open(parents, bytes_text(name), parent_length, f);
  if (parent < 0)
    return -1;
  if (make_one(parent, base, point) == 0) {
    ++*made;
    return 0;
  }
  if (errno != EEXIST)
    return fail(f, "mountpoint", errno, point->path);
  struct stat status;
  bool link = fstatat(parent, base, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
  cleanup_fd int there = open_in_root(parents->root, bytes_text(name), O_PATH, 0);
  if (!link || there >= 0 || errno != ENOENT)
    return 0;
  int through = make_through_link(parents, name, point, f);
  if (through > 0)
    ++*made;
  return through < 0 ? -1 : 0;
}

int mountpoints_make(int root, const struct mountpoint *points, uint32_t count, uint32_t *made, struct failure *f) {
  struct parents parents = {.root = root, .fd = -1};
  struct bytes name = {0};
  int result = 0;
  *made = 0;
  mode_t mask = umask(0);
  for (uint32_t i = 0; i < count && result == 0; i++)
    result = make(&parents, &name, &points[i], made, f);
  umask(mask);
  parents_free(&parents);
  bytes_free(&name);
  return result;
}
