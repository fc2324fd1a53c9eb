// SPDX-License-Identifier: Apache-2.0
#include "scope_path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "parents.h"

#define MOST_LINKS 255 // as many as Docker's own resolver follows

static void step_up(char *resolved) {
  char *slash = strrchr(resolved, '/');
  *(slash ? slash : resolved) = 0;
}

static int step_down(char *resolved, const char *name, size_t length) {
  size_t used = strlen(resolved);
  if (used + 1 + length >= PATH_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  if (used > 0)
    resolved[used++] = '/';
  memcpy(resolved + used, name, length);
  resolved[used + length] = 0;
  return 0;
}

// The target of the link that `name` is in the directory reached so far; "" when it is none.
static void read_link(int root, const char *directory, const char *name, char target[PATH_MAX]) {
  cleanup_fd int fd = open_in_root(root, directory, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
  ssize_t length = fd < 0 ? -1 : readlinkat(fd, name, target, PATH_MAX - 1);
  target[length > 0 ? length : 0] = 0;
}

// The target comes before what is still to go.
static int put_before(char rest[PATH_MAX], const char *target) {
  size_t length = strlen(target);
  size_t more = strlen(rest);
  if (length + 1 + more >= PATH_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memmove(rest + length + 1, rest, more + 1);
  memcpy(rest, target, length);
  rest[length] = '/';
  return 0;
}

int scope_path(int root, const char *path, bool follow_last, char resolved[PATH_MAX]) {
  char rest[PATH_MAX] = "";
  unsigned links = 0;
  resolved[0] = 0;
  if (put_before(rest, path) < 0)
    return -1;
  while (*rest) {
    char name[NAME_MAX + 1];
    char target[PATH_MAX];
    size_t length = strcspn(rest, "/");
    if (length > NAME_MAX) {
      errno = ENAMETOOLONG;
      return -1;
    }
    memcpy(name, rest, length);
    name[length] = 0;
    size_t taken = length + strspn(rest + length, "/");
    memmove(rest, rest + taken, strlen(rest + taken) + 1);
    if (length == 0 || strcmp(name, ".") == 0)
      continue;
    if (strcmp(name, "..") == 0) {
      step_up(resolved);
      continue;
    }
    target[0] = 0;
    if (*rest || follow_last)
      read_link(root, resolved, name, target);
    if (*target == 0) {
      if (step_down(resolved, name, length) < 0)
        return -1;
      continue;
    }
    if (++links > MOST_LINKS) {
      errno = ELOOP;
      return -1;
    }
    if (put_before(rest, target) < 0)
      return -1;
    if (*target == '/')
      resolved[0] = 0;
  }
  return 0;
}
