// SPDX-License-Identifier: Apache-2.0
#include "path_stat.h"

#include <errno.h>
#include <fcntl.h>

#include "../common/fd.h"
#include "kernel_filesystem.h"
#include "parents.h"
#include "scope_path.h"

int path_stat(int root, const char *path, bool follow, struct path_stat *result, struct failure *f) {
  if (scope_path(root, path, follow, result->resolved) < 0)
    return fail(f, "path", errno, path);
  cleanup_fd int fd = open_in_root(root, result->resolved, O_PATH | O_NOFOLLOW, 0);
  if (fd < 0 || fstat(fd, &result->status) < 0)
    return fail(f, "path", errno, path);
  if (is_kernel_filesystem(fd))
    return fail(f, "kernel-fs", EOPNOTSUPP, path);
  result->target[0] = 0;
  if (S_ISLNK(result->status.st_mode) && scope_path(root, path, true, result->target) < 0)
    return fail(f, "path", errno, path);
  return 0;
}
