// SPDX-License-Identifier: Apache-2.0
//
// Directories, links and device nodes in the root. The umask is 0 meanwhile.
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "root.h"
#include "setup.h"

int setup_mkdir(struct setup *setup, const struct setup_op *op) {
  cleanup_fd int fd = root_make(setup->root, op->path, S_IFDIR | (op->mode & 07777));
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0)
    return fail(setup->failure, "mkdir", errno, op->path);
  if (!S_ISDIR(status.st_mode))
    return fail(setup->failure, "mkdir", ENOTDIR, op->path, " is not a directory");
  return 0;
}

int setup_symlink(struct setup *setup, const struct setup_op *op) {
  const char *name;
  cleanup_fd int parent = root_make_parent(setup->root, op->path, &name);
  if (parent < 0)
    return fail(setup->failure, "symlink", errno, op->path);
  if (symlinkat(op->source, parent, name) == 0)
    return 0;
  struct stat status;
  if (errno == EEXIST && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode))
    return 0;
  return fail(setup->failure, "symlink", errno, op->path);
}

int setup_mknod(struct setup *setup, const struct setup_op *op) {
  const char *name;
  cleanup_fd int parent = root_make_parent(setup->root, op->path, &name);
  if (parent < 0)
    return fail(setup->failure, "mknod", errno, op->path);
  dev_t device = makedev(op->node.major, op->node.minor);
  if (mknodat(parent, name, op->mode, device) < 0) {
    struct stat status;
    int errnum = errno;
    bool same = errnum == EEXIST && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                (status.st_mode & S_IFMT) == (op->mode & S_IFMT) && status.st_rdev == device;
    return same ? 0 : fail(setup->failure, "mknod", errnum, op->path);
  }
  bool owned = op->node.uid == 0 && op->node.gid == 0;
  if (!owned && fchownat(parent, name, op->node.uid, op->node.gid, AT_SYMLINK_NOFOLLOW) < 0)
    return fail(setup->failure, "mknod", errno, "owner of ", op->path);
  return 0;
}
