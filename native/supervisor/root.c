// SPDX-License-Identifier: Apache-2.0
#include "root.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "../protocol.h"

#define MOST_LINKS 40 // as the kernel's own limit

int root_open(int root, const char *path, uint64_t flags) {
  // An empty path is the root, as "/" is.
  if (!*path)
    path = "/";
  return sys_openat2_patiently(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

// One component, in a directory that is known to lie inside; ELOOP for a link. Not
// with O_NOFOLLOW: together with O_PATH that opens the link itself.
static int open_component(int directory, const char *name, uint64_t flags) {
  return sys_openat2(directory, name, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

// The longest part of `path` that exists, which must be a directory unless it is all.
// `rest` gets what follows it.
static int open_existing(int root, const char *path, const char **rest) {
  int fd = root_open(root, path, O_PATH);
  if (fd >= 0 || errno != ENOENT) {
    *rest = "";
    return fd;
  }
  char prefix[PATH_MAX];
  size_t length = strlen(path);
  while (length > 0) {
    while (length > 0 && path[length - 1] == '/')
      length--;
    while (length > 0 && path[length - 1] != '/')
      length--;
    memcpy(prefix, path, length);
    prefix[length] = 0;
    fd = root_open(root, prefix, O_PATH | O_DIRECTORY);
    if (fd >= 0 || errno != ENOENT)
      break;
  }
  *rest = path + length;
  return fd;
}

static int copy_component(const char **rest, char name[NAME_MAX + 1]) {
  size_t length = strcspn(*rest, "/");
  if (length > NAME_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(name, *rest, length);
  name[length] = 0;
  *rest += length;
  *rest += strspn(*rest, "/");
  // Below what doesn't exist, ".." has no meaning.
  if (strcmp(name, "..") == 0) {
    errno = ENOENT;
    return -1;
  }
  return 0;
}

static int make_component(int directory, const char *name, mode_t mode) {
  int made = S_ISDIR(mode) ? mkdirat(directory, name, mode & 07777) : mknodat(directory, name, S_IFREG | (mode & 07777), 0);
  // Somebody else's making is as good: what it is shows when it is opened.
  return made < 0 && errno != EEXIST ? -1 : 0;
}

// Rewrites `path` for the dangling link `name`: the part before it, the link's text, the rest.
static int splice_link(char path[PATH_MAX], int directory, const char *name, size_t before, const char *rest) {
  char text[PATH_MAX];
  ssize_t length = readlinkat(directory, name, text, sizeof text - 1);
  if (length <= 0)
    return -1;
  text[length] = 0;
  if (text[0] == '/')
    before = 0;
  char whole[PATH_MAX];
  size_t tail = strlen(rest);
  if (before + (size_t)length + 1 + tail >= sizeof whole) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(whole, path, before);
  memcpy(whole + before, text, (size_t)length);
  before += (size_t)length;
  // A slash at the very end would ask for a directory.
  if (tail > 0)
    whole[before++] = '/';
  memcpy(whole + before, rest, tail + 1);
  strcpy(path, whole);
  return 0;
}

// Makes the components of `rest` below `directory`, which is given away. Comes back with
// ELOOP and the name of a link that is in the way.
static int make_below(int directory, const char **rest, mode_t mode, char name[NAME_MAX + 1]) {
  cleanup_fd int at = directory;
  while (**rest) {
    if (copy_component(rest, name) < 0)
      return -1;
    if (!*name || strcmp(name, ".") == 0)
      continue;
    mode_t kind = **rest ? S_IFDIR | 0755 : mode;
    if (make_component(at, name, kind) < 0)
      return -1;
    int next = open_component(at, name, O_PATH | (S_ISDIR(kind) ? O_DIRECTORY : 0));
    if (next < 0)
      return -1;
    close_fd(&at);
    at = next;
  }
  return steal_fd(&at);
}

int root_make(int root, const char *path, mode_t mode) {
  char whole[PATH_MAX];
  if (strlen(path) >= sizeof whole) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(whole, path);
  for (int links = 0; links < MOST_LINKS; links++) {
    const char *rest;
    char name[NAME_MAX + 1];
    cleanup_fd int existing = open_existing(root, whole, &rest);
    if (existing < 0 || !*rest)
      return steal_fd(&existing);
    int base = fcntl(existing, F_DUPFD_CLOEXEC, 0);
    const char *first = rest;
    int made = base < 0 ? -1 : make_below(base, &rest, mode, name);
    if (made >= 0 || errno != ELOOP)
      return made;
    // Only the first component can be a link that was there: what we make isn't one.
    rest = first;
    if (copy_component(&rest, name) < 0 || splice_link(whole, existing, name, (size_t)(first - whole), rest) < 0)
      return -1;
  }
  errno = ELOOP;
  return -1;
}

int root_make_parent(int root, const char *path, const char **name) {
  const char *slash = strrchr(path, '/');
  *name = slash ? slash + 1 : path;
  if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) {
    errno = EINVAL;
    return -1;
  }
  char parent[PATH_MAX];
  size_t length = slash ? (size_t)(slash - path) : 0;
  if (length >= sizeof parent) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(parent, path, length);
  parent[length] = 0;
  return root_make(root, parent, S_IFDIR | 0755);
}

int root_target(int root, const char *path, uint32_t flags, mode_t source, const char *operation,
                struct failure *failure) {
  bool made = flags & (HAKO_TARGET_FILE | HAKO_TARGET_DIR);
  bool directory = (flags & HAKO_TARGET_DIR) && (S_ISDIR(source) || !(flags & HAKO_TARGET_FILE));
  // A link in the last place is opened as itself, so that it can be told.
  cleanup_fd int fd = root_open(root, path, O_PATH | (flags & HAKO_TARGET_NO_FOLLOW ? O_NOFOLLOW : 0));
  if (fd < 0 && errno == ENOENT && made)
    fd = root_make(root, path, directory ? S_IFDIR | 0755 : S_IFREG | 0644);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0)
    return fail(failure, operation, errno, "target ", path);
  if ((flags & HAKO_TARGET_NO_FOLLOW) && S_ISLNK(status.st_mode))
    return fail(failure, operation, ELOOP, path, directory ? " is a symbolic link, not an ordinary directory"
                                                            : " is a symbolic link, not an ordinary file");
  if (S_ISDIR(status.st_mode) != S_ISDIR(source))
    return fail(failure, operation, ENOTDIR, path,
                S_ISDIR(source) ? " is not an ordinary directory" : " is a directory, not an ordinary file");
  return steal_fd(&fd);
}
