// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/syscalls.h"

#define OWN_PATH (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)
#define MOUNT_DATA_SIZE 4096 // mount(2) takes one page on every architecture

static int open_own(int base, const char *path) {
  return sys_openat2(base, *path ? path : ".", O_PATH | O_DIRECTORY, 0, OWN_PATH);
}

int tree_open_parent(int base, const char *path, const char **name, struct failure *f) {
  const char *slash = strrchr(path, '/');
  *name = slash ? slash + 1 : path;
  char parent[4096];
  size_t length = slash ? (size_t)(slash - path) : 0;
  if (length >= sizeof parent)
    return fail(f, "open", ENAMETOOLONG, path);
  memcpy(parent, path, length);
  parent[length] = 0;
  int fd = open_own(base, parent);
  return fd < 0 ? fail(f, "open", errno, parent) : fd;
}

static int open_directory(int base, const struct tree_spec *tree, struct failure *f) {
  if (tree->make && *tree->path) {
    const char *name;
    cleanup_fd int parent = tree_open_parent(base, tree->path, &name, f);
    if (parent < 0)
      return -1;
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
      return fail(f, "mkdir", errno, tree->path);
  }
  int fd = open_own(base, tree->path);
  return fd < 0 ? fail(f, "open", errno, tree->path) : fd;
}

static int mount_failed(struct failure *f, const char *what) {
  return fail(f, "mount", errno, "overlay: ", what);
}

// Before Linux 6.8 layers can't be added one by one, and mount(2) wants them in one page of text and a place to mount
// on. What it covers is a directory that nobody else looks at in here.
static int mount_in_one(int base, const struct tree_spec *tree, struct failure *f) {
  char data[MOUNT_DATA_SIZE] = "";
  size_t used = 0;
  const char *pieces[2 * JOB_MOST_LOWERS + 6];
  size_t count = 0;
  for (uint32_t i = 0; i < tree->lower_count; i++) {
    pieces[count++] = i == 0 ? "lowerdir=" : ":";
    pieces[count++] = tree->lowers[i];
  }
  if (*tree->upper) {
    pieces[count++] = ",upperdir=";
    pieces[count++] = tree->upper;
    pieces[count++] = ",workdir=";
    pieces[count++] = tree->work;
  }
  if (tree->userxattr)
    pieces[count++] = ",userxattr";
  for (size_t i = 0; i < count; used += strlen(pieces[i++])) {
    if (used + strlen(pieces[i]) >= sizeof data) {
      errno = E2BIG;
      return mount_failed(f, "the layers' paths are too long for this kernel");
    }
    strcpy(data + used, pieces[i]);
  }
  const char *target = *tree->upper ? tree->work : tree->lowers[0];
  if (mount("overlay", target, "overlay", MS_NODEV | MS_NOSUID | MS_NOEXEC, data) < 0)
    return mount_failed(f, target);
  int fd = open_own(base, target);
  return fd < 0 ? mount_failed(f, target) : fd;
}

static int mount_overlay(int base, const struct tree_spec *tree, struct failure *f) {
  cleanup_fd int fs = sys_fsopen("overlay");
  if (fs < 0)
    return mount_failed(f, "fsopen");
  for (uint32_t i = 0; i < tree->lower_count; i++) {
    if (sys_fsconfig(fs, CONFIG_SET_STRING, "lowerdir+", tree->lowers[i], 0) == 0)
      continue;
    return errno == EINVAL ? mount_in_one(base, tree, f) : mount_failed(f, tree->lowers[i]);
  }
  if (*tree->upper && (sys_fsconfig(fs, CONFIG_SET_STRING, "upperdir", tree->upper, 0) < 0 ||
                       sys_fsconfig(fs, CONFIG_SET_STRING, "workdir", tree->work, 0) < 0))
    return mount_failed(f, tree->upper);
  if (tree->userxattr && sys_fsconfig(fs, CONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
    return mount_failed(f, "userxattr");
  if (sys_fsconfig(fs, CONFIG_CREATE, NULL, NULL, 0) < 0)
    return mount_failed(f, tree->lowers[0]);
  int fd = sys_fsmount(fs, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  return fd < 0 ? mount_failed(f, "fsmount") : fd;
}

int tree_open(int base, const struct tree_spec *tree, struct failure *f) {
  return tree->kind == HAKO_TREE_OVERLAY ? mount_overlay(base, tree, f) : open_directory(base, tree, f);
}
