// SPDX-License-Identifier: Apache-2.0
//
// Mounts are made detached and then moved onto a target that was resolved inside
// the root beforehand, descriptor onto descriptor. Nobody who swaps a directory
// for a link in between (CVE-2021-30465) changes where they land.
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "host_trees.h"
#include "legacy_overlay.h"
#include "root.h"
#include "setup.h"

#define CONFIG_STRING 256 // fsconfig(2) takes no longer ones

int setup_propagation(struct setup *setup, uint64_t bits) {
  // The root would come to lie over the host's own.
  if (bits & MS_SHARED)
    return fail(setup->failure, "propagation", EINVAL, "a container's mounts can't be shared with the host");
  if (mount(NULL, "/", NULL, (unsigned long)bits | MS_REC, NULL) < 0)
    return fail(setup->failure, "propagation", errno, "cannot set the propagation of /");
  return 0;
}

// Whether the path says that it means what is below that directory.
static bool path_is_below(const char *path, const char *directory) {
  path += strspn(path, "/");
  size_t length = strlen(directory);
  return strncmp(path, directory, length) == 0 && (!path[length] || path[length] == '/') && !strstr(path, "..");
}

// A volume at /data is not to hide the container's procfs, where masks are, because the
// image has made /data a link to it. The filesystems are told by their devices.
static int check_landing(struct setup *setup, int target, const char *path, const char *operation) {
  static const char *const own[] = {"proc", "sys", "dev"};
  struct stat root;
  struct stat landed;
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
    if (path_is_below(path, own[i]))
      return 0;
  if (fstat(setup->root, &root) < 0 || fstat(target, &landed) < 0)
    return fail(setup->failure, operation, errno, "target ", path);
  for (size_t i = 0; i < sizeof own / sizeof own[0] && landed.st_dev != root.st_dev; i++) {
    cleanup_fd int fd = root_open(setup->root, own[i], O_PATH | O_DIRECTORY);
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_dev == landed.st_dev)
      return fail(setup->failure, operation, ELOOP, path, " is a link of the image's into /", own[i]);
  }
  return 0;
}

static int attach(struct setup *setup, int *mount, const struct setup_op *op, mode_t kind, const char *operation) {
  if (*op->path) {
    cleanup_fd int target = root_target(setup->root, op->path, op->flags, kind, operation, setup->failure);
    if (target < 0 || check_landing(setup, target, op->path, operation) < 0)
      return -1;
    if (sys_move_mount(*mount, target) < 0)
      return fail(setup->failure, operation, errno, "cannot mount on ", op->path);
    return 0;
  }
  // The root itself lies over "/" until the pivot; no directory on the host has
  // to exist, or be written to, for it.
  if (sys_move_mount(*mount, setup->root) < 0)
    return fail(setup->failure, operation, errno, "cannot mount the root");
  close_fd(&setup->root);
  setup->root = steal_fd(mount);
  return 0;
}

static bool path_is_cgroup(const char *type) {
  return strcmp(type, "cgroup") == 0 || strcmp(type, "cgroup2") == 0;
}

// The kernel's own words for why a filesystem would not mount, or "".
static const char *explanation(int fs, char *buffer, size_t size) {
  int saved = errno;
  ssize_t length = read(fs, buffer, size - 1);
  errno = saved;
  if (length <= 0)
    return "";
  buffer[length] = 0;
  buffer[strcspn(buffer, "\n")] = 0;
  // Each line begins with its level and a space.
  return length > 2 && buffer[1] == ' ' ? buffer + 2 : buffer;
}

static int fail_mount(struct setup *setup, const struct setup_op *op, int fs, const struct mount_option *option) {
  int errnum = errno;
  char words[200];
  const char *why = fs < 0 ? "" : explanation(fs, words, sizeof words);
  if (fs < 0 && errnum == ENODEV)
    why = "the kernel doesn't have this filesystem";
  const char *target = op->path[0] == '/' ? op->path + 1 : op->path;
  return fail(setup->failure, "mount", errnum, op->mount.type, " on /", target, option ? ", option " : "",
              option ? option->key : "", option && *option->value ? "=" : "", option ? option->value : "",
              *why ? ": " : "", why);
}

static int configure(int fs, const char *key, const char *value) {
  if (!*value)
    return sys_fsconfig(fs, CONFIG_SET_FLAG, key, NULL, 0);
  return sys_fsconfig(fs, CONFIG_SET_STRING, key, value, 0);
}

static bool fits_fsconfig(const struct setup_op *op) {
  for (uint32_t i = 0; i < op->mount.option_count; i++)
    if (strlen(op->mount.options[i].value) >= CONFIG_STRING)
      return false;
  return true;
}

// A detached mount; -1 with the failure set; OVERLAY_LEGACY when only mount(2) can do it.
#define OVERLAY_LEGACY (-2)
static int make_mount(struct setup *setup, const struct setup_op *op) {
  bool overlay = strcmp(op->mount.type, "overlay") == 0;
  if (overlay && !fits_fsconfig(op))
    return OVERLAY_LEGACY;
  cleanup_fd int fs = sys_fsopen(op->mount.type);
  if (fs < 0)
    return fail_mount(setup, op, -1, NULL);
  struct mount_option source = {.key = "source", .value = op->source};
  if (*source.value && configure(fs, source.key, source.value) < 0)
    return fail_mount(setup, op, fs, &source);
  for (uint32_t i = 0; i < op->mount.option_count; i++) {
    const struct mount_option *option = &op->mount.options[i];
    if (configure(fs, option->key, option->value) == 0)
      continue;
    // Before Linux 6.8 layers can't be added one by one.
    if (overlay && strcmp(option->key, "lowerdir+") == 0 && errno == EINVAL)
      return OVERLAY_LEGACY;
    return fail_mount(setup, op, fs, option);
  }
  if (sys_fsconfig(fs, CONFIG_CREATE, NULL, NULL, 0) < 0) {
    // Before Linux 6.5 overlay takes any option, and refuses the layers only here.
    if (overlay && errno == EINVAL)
      return OVERLAY_LEGACY;
    return fail_mount(setup, op, fs, NULL);
  }
  int made = sys_fsmount(fs, (unsigned)op->mount.attributes);
  return made < 0 ? fail_mount(setup, op, fs, NULL) : made;
}

// An overlay keeps its layers to itself. Had the root come to lie over this mount, the
// pivot's unmount would take this one away and leave the host's root where it is.
static int leave_layers(struct setup *setup) {
  if (setup->in_layers && (umount2(".", MNT_DETACH) < 0 || fchdir(setup->root) < 0))
    return fail(setup->failure, "mount", errno, "cannot leave the layers");
  setup->in_layers = false;
  return 0;
}

int setup_mount(struct setup *setup, const struct setup_op *op) {
  if (path_is_cgroup(op->mount.type) && setup_join_cgroups(setup) < 0)
    return -1;
  cleanup_fd int made = make_mount(setup, op);
  if (made == OVERLAY_LEGACY && setup->in_layers)
    return fail(setup->failure, "idmapped-mount", ENOSYS, "overlay takes no layers one by one");
  if (made == OVERLAY_LEGACY)
    return legacy_overlay(setup, op);
  return made < 0 || leave_layers(setup) < 0 ? -1 : attach(setup, &made, op, S_IFDIR, "mount");
}

int setup_bind(struct setup *setup, const struct setup_op *op) {
  struct stat status;
  cleanup_fd int tree = -1;
  if (op->flags & HAKO_BIND_HOST) {
    if (op->tree < 0)
      return 0;
    tree = fcntl(op->tree, F_DUPFD_CLOEXEC, 0);
    if (tree < 0 || fstat(tree, &status) < 0)
      return fail(setup->failure, "bind", errno, "source ", op->source);
  } else {
    tree = host_tree_copy(op, &status, setup->failure);
    if (tree < 0)
      return tree == HOST_TREE_ABSENT ? 0 : -1;
  }
  return attach(setup, &tree, op, status.st_mode, "bind");
}

// Over "/", where no directory is needed for it: overlayfs takes layers from mounts of
// this namespace only.
int setup_layers(struct setup *setup, const struct setup_op *op) {
  if (sys_move_mount(op->tree, setup->root) < 0 || fchdir(op->tree) < 0)
    return fail(setup->failure, "mount", errno, "cannot enter ", op->source);
  setup->in_layers = true;
  return 0;
}

int setup_pivot(struct setup *setup) {
  if (setup_keep_null(setup) < 0)
    return -1;
  cleanup_fd int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (old < 0 || fchdir(setup->root) < 0)
    return fail(setup->failure, "pivot", errno, "cannot enter the root");
  // The old root comes to lie over the new one, where no directory is needed for it.
  if (sys_pivot_root(".", ".") < 0)
    return fail(setup->failure, "pivot", errno,
                errno == EINVAL ? "pivot_root (the host's root is an initramfs, or the root is not a mount)"
                                : "pivot_root");
  if (fchdir(old) < 0)
    return fail(setup->failure, "pivot", errno, "cannot go back to the old root");
  // With shared propagation the unmount below would take the host's mounts with it.
  if (mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 || umount2(".", MNT_DETACH) < 0)
    return fail(setup->failure, "pivot", errno, "cannot let go of the old root");
  if (chdir("/") < 0)
    return fail(setup->failure, "pivot", errno, "cannot enter the new root");
  return 0;
}

int setup_root_attributes(struct setup *setup, const struct setup_op *op) {
  cleanup_fd int mount = root_open(setup->root, op->path, O_PATH);
  struct mount_attributes attributes = {.set = op->bits};
  if (mount < 0 || sys_mount_setattr(mount, 0, &attributes) < 0)
    return fail(setup->failure, "root-attr", errno, op->path);
  return 0;
}
