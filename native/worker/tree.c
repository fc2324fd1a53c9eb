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

struct mount_text {
  char data[MOUNT_DATA_SIZE];
  size_t used;
  bool full;
};

static void add_text(struct mount_text *text, const char *piece) {
  size_t length = strlen(piece);
  if (text->full || text->used + length >= sizeof text->data) {
    text->full = true;
    return;
  }
  memcpy(text->data + text->used, piece, length + 1);
  text->used += length;
}

static void add_option(struct mount_text *text, const char *key, const char *value) {
  add_text(text, ",");
  add_text(text, key);
  if (*value)
    add_text(text, "=");
  add_text(text, value);
}

// Before Linux 6.8 layers can't be added one by one, and mount(2) wants them in one page of text and a place to mount
// on. What it covers is a directory that nobody else looks at in here.
static int mount_in_one(const struct overlay_spec *overlay, struct failure *f) {
  struct mount_text text = {.used = 0};
  for (uint32_t i = 0; i < overlay->lower_count; i++) {
    add_text(&text, i == 0 ? "lowerdir=" : ":");
    add_text(&text, overlay->lowers[i]);
  }
  if (*overlay->upper) {
    add_option(&text, "upperdir", overlay->upper);
    add_option(&text, "workdir", overlay->work);
  }
  if (overlay->userxattr)
    add_option(&text, "userxattr", "");
  for (uint32_t i = 0; i < overlay->option_count; i++)
    add_option(&text, overlay->options[i].key, overlay->options[i].value);
  if (text.full) {
    errno = E2BIG;
    return mount_failed(f, "the layers' paths are too long for this kernel");
  }
  const char *target = *overlay->upper ? overlay->work : overlay->lowers[0];
  if (mount("overlay", target, "overlay", MS_NODEV | MS_NOSUID | MS_NOEXEC, text.data) < 0)
    return mount_failed(f, target);
  int fd = sys_open_tree(AT_FDCWD, target, OPEN_TREE_CLONE);
  return fd < 0 ? mount_failed(f, target) : fd;
}

static int configure(int fs, const char *key, const char *value) {
  return *value ? sys_fsconfig(fs, CONFIG_SET_STRING, key, value, 0) : sys_fsconfig(fs, CONFIG_SET_FLAG, key, NULL, 0);
}

int tree_mount_overlay(const struct overlay_spec *overlay, struct failure *f) {
  cleanup_fd int fs = sys_fsopen("overlay");
  if (fs < 0)
    return mount_failed(f, "fsopen");
  for (uint32_t i = 0; i < overlay->lower_count; i++) {
    if (configure(fs, "lowerdir+", overlay->lowers[i]) == 0)
      continue;
    return errno == EINVAL ? mount_in_one(overlay, f) : mount_failed(f, overlay->lowers[i]);
  }
  if (*overlay->upper &&
      (configure(fs, "upperdir", overlay->upper) < 0 || configure(fs, "workdir", overlay->work) < 0))
    // fsconfig(2) takes no strings of 256 bytes and more.
    return errno == EINVAL ? mount_in_one(overlay, f) : mount_failed(f, overlay->upper);
  if (overlay->userxattr && configure(fs, "userxattr", "") < 0)
    return mount_failed(f, "userxattr");
  for (uint32_t i = 0; i < overlay->option_count; i++)
    if (configure(fs, overlay->options[i].key, overlay->options[i].value) < 0)
      return mount_failed(f, overlay->options[i].key);
  // Before Linux 6.5 options are only looked at when all are there.
  if (sys_fsconfig(fs, CONFIG_CREATE, NULL, NULL, 0) < 0)
    return errno == EINVAL ? mount_in_one(overlay, f) : mount_failed(f, overlay->lowers[0]);
  int fd = sys_fsmount(fs, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  return fd < 0 ? mount_failed(f, "fsmount") : fd;
}

int tree_open(int base, const struct tree_spec *tree, struct failure *f) {
  return tree->kind == HAKO_TREE_OVERLAY ? tree_mount_overlay(&tree->overlay, f) : open_directory(base, tree, f);
}
