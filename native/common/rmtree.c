// SPDX-License-Identifier: Apache-2.0
#include "rmtree.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "fd.h"
#include "syscalls.h"
#include "walk.h"

struct removal {
  int top; // holds the tree; not part of it
  struct failure *first;
  bool failed;
};

static bool flags_forbid(int fd) {
  unsigned flags = 0;
  return fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)) != 0;
}

// EPERM on removal has two causes that need different remedies.
static bool is_immutable(int parent, const char *name) {
  // O_NONBLOCK: a fifo must not hold us up.
  cleanup_fd int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  return flags_forbid(fd) || flags_forbid(parent);
}

static void note(struct removal *removal, int parent, const char *name, const char *operation, int errnum) {
  if (removal->failed)
    return;
  removal->failed = true;
  bool immutable = errnum == EPERM && is_immutable(parent, name);
  fail(removal->first, immutable ? "immutable" : operation, errnum, name);
}

static int take_away(const struct removal *removal, int parent, const char *name, int flags) {
  int result = unlinkat(parent, name, flags);
  // A directory of the tree that its owner may read but not change.
  if (result < 0 && errno == EACCES && parent != removal->top && fchmod(parent, 0700) == 0)
    result = unlinkat(parent, name, flags);
  return result == 0 || errno == ENOENT ? 0 : -1;
}

static int remove_leaf(void *context, int parent, const char *name, struct failure *f) {
  (void)f;
  if (take_away(context, parent, name, 0) < 0)
    note(context, parent, name, "unlink", errno);
  return 0;
}

static int remove_directory(void *context, int parent, const char *name, struct failure *f) {
  (void)f;
  if (take_away(context, parent, name, AT_REMOVEDIR) < 0)
    note(context, parent, name, "rmdir", errno);
  return 0;
}

// chmod of exactly this directory: never of what a symlink in its place points to.
static int make_readable(int parent, const char *name) {
  if (sys_fchmodat2(parent, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
    return 0;
  if (errno != ENOSYS)
    return -1;
  cleanup_fd int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return -1;
  char text[DECIMAL_SIZE];
  struct failure path;
  fail(&path, "", 0, "/proc/self/fd/", decimal(text, fd));
  return chmod(path.detail, 0700);
}

static int open_closed(void *context, int parent, const char *name, int errnum, struct failure *f) {
  (void)f;
  struct stat status;
  if (errnum == EACCES && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
      (status.st_mode & 0700) != 0700) {
    if (make_readable(parent, name) == 0)
      return 1;
    note(context, parent, name, "chmod", errno);
    return 0;
  }
  note(context, parent, name, errnum == EXDEV ? "mount" : "open", errnum);
  return 0;
}

int rmtree(int parent, const char *name, struct failure *f) {
  static const struct walk_visitor visitor = {
      .leaf = remove_leaf,
      .leave = remove_directory,
      .closed = open_closed,
  };
  struct removal removal = {.top = parent, .first = f};
  struct failure stopped;
  if (walk(parent, name, &visitor, &removal, &stopped) < 0 && !removal.failed) {
    *f = stopped;
    return -1;
  }
  return removal.failed ? -1 : 0;
}
