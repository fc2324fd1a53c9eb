// SPDX-License-Identifier: Apache-2.0
//
// Hiding and write-protecting paths. What hides a file is the host's /dev/null,
// mounted from a descriptor that was taken before the root changed and looked at
// after it was opened: an image's own /dev/null may be a link to a procfs file,
// which a mask would then make writable (CVE-2025-31133). It is a read-only mount:
// without a user namespace the container's root owns that inode as the host's does,
// and a chmod through the mask, or through stdin, would be one of the host's.
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "root.h"
#include "setup.h"

static bool is_null(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

static bool absent(int errnum) {
  return errnum == ENOENT || errnum == ENOTDIR;
}

int setup_keep_null(struct setup *setup) {
  if (setup->null >= 0)
    return 0;
  cleanup_fd int fd = sys_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | AT_SYMLINK_NOFOLLOW);
  if (fd < 0)
    return fail(setup->failure, "mask", errno, "the host's /dev/null");
  if (!is_null(fd))
    return fail(setup->failure, "mask", ENODEV, "the host's /dev/null is not the null device");
  struct mount_attributes attributes = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
  if (sys_mount_setattr(fd, 0, &attributes) < 0)
    return fail(setup->failure, "mask", errno, "the host's /dev/null can't be made read-only");
  setup->null = steal_fd(&fd);
  return 0;
}

// Where the mounts are the supervisor's own, so is the /dev/null that everybody sees there.
static int open_common_null(struct setup *setup) {
  cleanup_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || !is_null(fd))
    return fail(setup->failure, "stdio", fd < 0 ? errno : ENODEV, "/dev/null is not the null device");
  return steal_fd(&fd);
}

static int open_ended(struct setup *setup) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return fail(setup->failure, "stdio", errno, "pipe");
  close(ends[1]);
  return ends[0];
}

int setup_open_null(struct setup *setup) {
  static const char descriptors[] = "self/fd/";
  const struct start_request *request = setup->request;
  uint32_t namespaces = request->unshare;
  for (uint32_t i = 0; i < request->join_count; i++)
    namespaces |= request->joins[i].type;
  if (!(namespaces & CLONE_NEWNS))
    return open_common_null(setup);
  // The container's own, if it has one: it goes by the name that programs know.
  cleanup_fd int own = root_open(setup->root, "dev/null", O_PATH | O_NOFOLLOW);
  if (own < 0 && !absent(errno) && errno != ELOOP && errno != EACCES)
    return fail(setup->failure, "stdio", errno, "/dev/null");
  bool usable = own >= 0 && is_null(own);
  if (!usable && setup_keep_null(setup) < 0)
    return -1;
  char path[sizeof descriptors + DECIMAL_SIZE];
  char number[DECIMAL_SIZE];
  strcpy(path, descriptors);
  strcat(path, decimal(number, usable ? own : setup->null));
  int fd = openat(setup->proc, path, O_RDONLY | O_CLOEXEC);
  // The container's own device rules may forbid it; what reads from it shall find the end all the same.
  if (fd < 0 && errno == EPERM)
    return open_ended(setup);
  return fd < 0 ? fail(setup->failure, "stdio", errno, "/dev/null can't be opened") : fd;
}

static int keep_empty(struct setup *setup) {
  if (setup->empty >= 0)
    return 0;
  cleanup_fd int fs = sys_fsopen("tmpfs");
  if (fs < 0 || sys_fsconfig(fs, CONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
      sys_fsconfig(fs, CONFIG_SET_STRING, "mode", "0555", 0) < 0 ||
      sys_fsconfig(fs, CONFIG_CREATE, NULL, NULL, 0) < 0)
    return fail(setup->failure, "mask", errno, "no empty tmpfs");
  setup->empty =
      sys_fsmount(fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  return setup->empty < 0 ? fail(setup->failure, "mask", errno, "no empty tmpfs") : 0;
}

// The first target gets the mount that was kept, which then lies in this mount
// namespace; only from there may the next ones be cloned.
static int cover(int kept, bool *attached, int target) {
  if (!*attached) {
    if (sys_move_mount(kept, target) < 0)
      return -1;
    *attached = true;
    return 0;
  }
  cleanup_fd int clone = sys_open_tree(kept, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
  return clone < 0 ? -1 : sys_move_mount(clone, target);
}

int setup_mask(struct setup *setup, const struct setup_op *op) {
  cleanup_fd int target = root_open(setup->root, op->path, O_PATH);
  if (target < 0 && absent(errno))
    return 0;
  struct stat status;
  if (target < 0 || fstat(target, &status) < 0)
    return fail(setup->failure, "mask", errno, op->path);
  bool directory = S_ISDIR(status.st_mode);
  if ((directory ? keep_empty(setup) : setup_keep_null(setup)) < 0)
    return -1;
  int kept = directory ? setup->empty : setup->null;
  bool *attached = directory ? &setup->empty_attached : &setup->null_attached;
  if (cover(kept, attached, target) < 0)
    return fail(setup->failure, "mask", errno, op->path);
  return 0;
}

int setup_readonly(struct setup *setup, const struct setup_op *op) {
  cleanup_fd int target = root_open(setup->root, op->path, O_PATH);
  if (target < 0 && absent(errno))
    return 0;
  if (target < 0)
    return fail(setup->failure, "readonly", errno, op->path);
  cleanup_fd int clone = sys_open_tree(target, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE);
  struct mount_attributes attributes = {.set = MOUNT_ATTR_RDONLY};
  if (clone < 0 || sys_mount_setattr(clone, AT_RECURSIVE, &attributes) < 0 || sys_move_mount(clone, target) < 0)
    return fail(setup->failure, "readonly", errno, op->path);
  return 0;
}
