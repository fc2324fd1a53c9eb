// SPDX-License-Identifier: Apache-2.0
#include "xattrs.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <sys/xattr.h>

#include "worker_protocol.h"

#define XATTR_SIZE 65536u // XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel

static bool starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool xattr_is_allowed(const char *name) {
  if (starts_with(name, "user."))
    return name[5] != 0 && !starts_with(name, "user.overlay.") && !starts_with(name, "user.hako.");
  // Not trusted.* (overlayfs keeps redirects, metacopy and opaqueness there, and no container can see it), nor
  // security.* (labels and signatures are the host's to give) but for file capabilities.
  return strcmp(name, "security.capability") == 0 || strcmp(name, "system.posix_acl_access") == 0 ||
         strcmp(name, "system.posix_acl_default") == 0;
}

int set_xattr(int fd, const char *name, const void *value, size_t length, struct failure *f) {
  if (fsetxattr(fd, name, value, length, 0) == 0)
    return 1;
  // EPERM: capabilities or ACLs of ids that this namespace hasn't got; EINVAL: such ids inside the value.
  if (errno == ENOTSUP || errno == EPERM || errno == EINVAL)
    return 0;
  return fail(f, "setxattr", errno, name);
}

int each_xattr(int fd, const char *path, const struct xattr_walk *walk, struct failure *f) {
  static char names[XATTR_SIZE];
  static char value[XATTR_SIZE];
  ssize_t length = flistxattr(fd, names, sizeof names);
  if (length < 0)
    return errno == ENOTSUP ? 0 : fail(f, "listxattr", errno, path);
  for (ssize_t at = 0; at < length; at += (ssize_t)strlen(names + at) + 1) {
    const char *name = names + at;
    if (!xattr_is_allowed(name) && !(walk->owner && strcmp(name, HAKO_OWNER_XATTR) == 0))
      continue;
    ssize_t size = fgetxattr(fd, name, value, sizeof value);
    if (size < 0)
      return fail(f, "getxattr", errno, name, " of ", path);
    if (walk->visit(walk->context, name, value, (size_t)size, f) < 0)
      return -1;
  }
  return 0;
}
