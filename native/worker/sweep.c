// SPDX-License-Identifier: Apache-2.0
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/fd.h"
#include "../common/walk.h"
#include "kernel_filesystem.h"
#include "parents.h"

struct sweeping {
  const struct sweep_request *request;
  uint32_t *removed;
};

// What has that name and is no file was put there by somebody else.
static int remove_file(struct sweeping *s, int parent, struct failure *f) {
  struct stat status;
  const char *name = s->request->name;
  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
    return 0;
  if (unlinkat(parent, name, 0) < 0)
    return errno == ENOENT ? 0 : fail(f, "unlink", errno, name);
  ++*s->removed;
  return 0;
}

static int visit_leaf(void *context, int parent, const char *name, struct failure *f) {
  struct sweeping *s = context;
  return strcmp(name, s->request->name) == 0 ? remove_file(s, parent, f) : 0;
}

static int enter_directory(void *context, int parent, const char *name, int fd, struct failure *f) {
  (void)context;
  (void)parent;
  (void)name;
  (void)f;
  return is_kernel_filesystem(fd) ? 1 : 0;
}

// Nothing of ours is where we may not look.
static int pass_over(void *context, int parent, const char *name, int errnum, struct failure *f) {
  (void)context;
  (void)parent;
  (void)name;
  (void)errnum;
  (void)f;
  return 0;
}

int sweep(int root, const struct sweep_request *request, uint32_t *removed, struct failure *f) {
  struct sweeping s = {.request = request, .removed = removed};
  *removed = 0;
  cleanup_fd int top = open_in_root(root, request->directory, O_RDONLY | O_DIRECTORY, 0);
  if (top < 0)
    return errno == ENOENT || errno == ENOTDIR ? 0 : fail(f, "open", errno, request->directory);
  if (!request->below)
    return remove_file(&s, top, f);
  const struct walk_visitor visitor = {
      .leaf = visit_leaf,
      .enter = enter_directory,
      .closed = pass_over,
      .crosses_mounts = request->crosses_mounts,
  };
  return walk(top, "", &visitor, &s, f);
}
