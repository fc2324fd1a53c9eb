// SPDX-License-Identifier: Apache-2.0
#include "assemble.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "entry_name.h"
#include "parents.h"
#include "sandbox.h"
#include "tree.h"

// A detached mount.
static int make_mount(const struct mount_spec *mount, struct failure *f) {
  unsigned recursive = mount->recursive ? AT_RECURSIVE : 0;
  cleanup_fd int made = mount->kind == HAKO_MOUNT_OVERLAY
                            ? tree_mount_overlay(&mount->overlay, f)
                            : sys_open_tree(AT_FDCWD, mount->source, OPEN_TREE_CLONE | recursive);
  if (made < 0 && mount->kind != HAKO_MOUNT_OVERLAY)
    return fail(f, "mount", errno, mount->source);
  return steal_fd(&made);
}

static int seal(int fd, const struct mount_spec *mount, struct failure *f) {
  const struct mount_attributes attributes = {.set = MOUNT_ATTR_RDONLY};
  if (mount->readonly && sys_mount_setattr(fd, mount->recursive ? AT_RECURSIVE : 0, &attributes) < 0)
    return fail(f, "mount", errno, "read-only: /", mount->target);
  return 0;
}

// As at a start: inside the root, symlinks and all, and made when it is not there.
static int open_target(struct parents *parents, struct bytes *name, const struct mount_spec *mount, bool directory,
                       struct failure *f) {
  uint32_t depth;
  const char *wrong = entry_name_clean(mount->target, name, &depth);
  if (wrong || depth == 0)
    return fail(f, "mount", EINVAL, mount->target, ": ", wrong ? wrong : "the root");
  int there = open_in_root(parents->root, bytes_text(name), O_PATH, 0);
  if (there >= 0 || errno != ENOENT)
    return there >= 0 ? there : fail(f, "mount", errno, mount->target);
  size_t length = name->length;
  const char *base = entry_name_base(name, &length);
  int parent = parents_open(parents, bytes_text(name), directory ? name->length : length, f);
  if (parent < 0 || directory)
    return parent < 0 ? -1 : fcntl(parent, F_DUPFD_CLOEXEC, 0);
  int made = openat(parent, base, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  return made < 0 ? fail(f, "mount", errno, mount->target) : made;
}

static int attach(struct parents *parents, struct bytes *name, const struct mount_spec *mount, struct failure *f) {
  struct stat status;
  cleanup_fd int made = make_mount(mount, f);
  if (made < 0 || seal(made, mount, f) < 0)
    return -1;
  if (fstat(made, &status) < 0)
    return fail(f, "stat", errno, mount->target);
  cleanup_fd int target = open_target(parents, name, mount, S_ISDIR(status.st_mode), f);
  if (target < 0)
    return -1;
  parents_forget(parents);
  return sys_move_mount(made, target) < 0 ? fail(f, "mount", errno, mount->target) : 0;
}

int assemble(int base, const struct job *job, struct failure *f) {
  const struct tree_spec *tree = &job->tree;
  if (sandbox_unshare(base, &job->idmap, f) < 0)
    return -1;
  cleanup_fd int root = make_mount(&tree->mounts[0], f);
  if (root < 0 || sandbox_cover(root, f) < 0)
    return -1;
  struct parents parents = {.root = root, .fd = -1};
  struct bytes name = {0};
  int result = 0;
  for (uint32_t i = 1; i < tree->mount_count && result == 0; i++)
    result = attach(&parents, &name, &tree->mounts[i], f);
  parents_free(&parents);
  bytes_free(&name);
  // When there are places for all the others: a root that is read-only has none made.
  if (result == 0)
    result = seal(root, &tree->mounts[0], f);
  return result < 0 ? -1 : sandbox_confine(root, f);
}
