// SPDX-License-Identifier: Apache-2.0
#include "parents.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/syscalls.h"
#include "tar_limits.h"

// As many symlinks as the kernel follows in one path (path_resolution(7)).
#define MOST_LINKS 40

// Without it, forty links full of ".." would make one entry cost seconds.
#define MOST_STEPS 4096

#define DIRECTORY_PATH (O_PATH | O_DIRECTORY)

int open_in_root(int root, const char *path, uint64_t flags, uint64_t more_resolve) {
  return sys_openat2_patiently(root, *path ? path : ".", flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | more_resolve);
}

int parents_find(const struct parents *parents, const char *path, size_t length) {
  char text[PATH_MAX];
  memcpy(text, path, length);
  text[length] = 0;
  return open_in_root(parents->root, text, DIRECTORY_PATH, 0);
}

// Where the slow way is: `at` is the directory reached so far and `reached` its path, in which every component is a
// real directory, so that ".." is cut off it as text and can't be led astray.
struct way {
  struct parents *parents;
  struct failure *f;
  int at;
  size_t reached_length;
  char reached[PATH_MAX];
  size_t rest_length;
  char rest[PATH_MAX]; // still to go
  unsigned links;
  unsigned steps;
};

static int reopen(struct way *way) {
  close_fd(&way->at);
  way->at = open_in_root(way->parents->root, way->reached, DIRECTORY_PATH, RESOLVE_NO_SYMLINKS);
  return way->at < 0 ? fail(way->f, "open", errno, way->reached) : 0;
}

static int step_up(struct way *way) {
  while (way->reached_length > 0 && way->reached[--way->reached_length] != '/')
    continue;
  way->reached[way->reached_length] = 0;
  return reopen(way);
}

static int too_long(struct way *way) {
  return fail(way->f, TAR_MALFORMED, 0, "symlinks make a path of over 4,095 bytes: ", way->reached);
}

static int too_many_links(struct failure *f, const char *name) {
  return fail(f, TAR_MALFORMED, 0, "symlinks make too long a way to ", name);
}

static int enter(struct way *way, int *fd, const char *name) {
  size_t length = strlen(name);
  if (way->reached_length + 1 + length >= sizeof way->reached)
    return too_long(way);
  if (way->reached_length > 0)
    way->reached[way->reached_length++] = '/';
  memcpy(way->reached + way->reached_length, name, length + 1);
  way->reached_length += length;
  close_fd(&way->at);
  way->at = steal_fd(fd);
  return 0;
}

static int make(struct way *way, const char *name) {
  if (mkdirat(way->at, name, 0755) < 0)
    return fail(way->f, "mkdir", errno, name);
  cleanup_fd int fd = openat(way->at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return fail(way->f, "open", errno, name);
  const struct parents *parents = way->parents;
  if (parents->made && parents->made(parents->context, way->at, name, fd, way->f) < 0)
    return -1;
  return enter(way, &fd, name);
}

// The link's target, then what was still to go.
static int follow(struct way *way, const char *name, int link) {
  char target[PATH_MAX];
  ssize_t length = readlinkat(link, "", target, sizeof target - 1);
  if (length < 0)
    return fail(way->f, "readlink", errno, name);
  if (++way->links > MOST_LINKS)
    return too_many_links(way->f, name);
  if ((size_t)length + 1 + way->rest_length >= sizeof way->rest)
    return too_long(way);
  memmove(way->rest + length + 1, way->rest, way->rest_length + 1);
  memcpy(way->rest, target, (size_t)length);
  way->rest[length] = '/';
  way->rest_length += (size_t)length + 1;
  if (target[0] != '/')
    return 0;
  way->reached_length = 0;
  way->reached[0] = 0;
  return reopen(way);
}

static int step_down(struct way *way, const char *name) {
  cleanup_fd int fd = openat(way->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT ? make(way, name) : fail(way->f, "open", errno, name);
  struct stat status;
  if (fstat(fd, &status) < 0)
    return fail(way->f, "stat", errno, name);
  if (S_ISDIR(status.st_mode))
    return enter(way, &fd, name);
  if (S_ISLNK(status.st_mode))
    return follow(way, name, fd);
  const struct parents *parents = way->parents;
  if (parents->obstacle && parents->obstacle(parents->context, way->at, name))
    return make(way, name);
  return fail(way->f, TAR_MALFORMED, 0, "something that is not a directory has entries in it: ", name);
}

// Component by component, making what is missing, also where a symlink points to nothing.
static int go(struct way *way) {
  while (way->rest_length > 0) {
    char name[NAME_MAX + 1];
    size_t length = strcspn(way->rest, "/");
    if (length > NAME_MAX)
      return fail(way->f, TAR_MALFORMED, 0, "a symlink's target has a component of over 255 bytes");
    memcpy(name, way->rest, length);
    name[length] = 0;
    size_t taken = length + (way->rest[length] == '/');
    memmove(way->rest, way->rest + taken, way->rest_length - taken + 1);
    way->rest_length -= taken;
    if (length == 0 || strcmp(name, ".") == 0)
      continue;
    if (++way->steps > MOST_STEPS)
      return too_many_links(way->f, name);
    int result = strcmp(name, "..") == 0 ? step_up(way) : step_down(way, name);
    if (result < 0)
      return -1;
  }
  return 0;
}

static int make_way(struct parents *parents, const char *path, size_t length, struct failure *f) {
  struct way way = {.parents = parents, .f = f, .at = -1};
  memcpy(way.rest, path, length);
  way.rest[length] = 0;
  way.rest_length = length;
  if (reopen(&way) < 0 || go(&way) < 0) {
    close_fd(&way.at);
    return -1;
  }
  return way.at;
}

int parents_open(struct parents *parents, const char *path, size_t length, struct failure *f) {
  if (parents->fd >= 0 && !parents->stale && parents->path.length == length &&
      memcmp(parents->path.data, path, length) == 0)
    return parents->fd;
  close_fd(&parents->fd);
  parents->path.length = 0;
  // One byte more than none, so that the root too has a buffer to compare with.
  if (!bytes_reserve(&parents->path, length + 1) || !bytes_append(&parents->path, path, length))
    return fail(f, "memory", ENOMEM, "path");
  parents->fd = parents_find(parents, path, length);
  if (parents->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
    parents->fd = make_way(parents, path, length, f);
  else if (parents->fd < 0 && errno == ELOOP)
    return too_many_links(f, path);
  else if (parents->fd < 0)
    return fail(f, "open", errno, path);
  parents->stale = false;
  return parents->fd;
}

void parents_free(struct parents *parents) {
  close_fd(&parents->fd);
  bytes_free(&parents->path);
}
