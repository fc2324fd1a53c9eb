// SPDX-License-Identifier: Apache-2.0
#include "metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../common/syscalls.h"

static int record_owner(int fd, const struct metadata *meta, const char *path, struct failure *f) {
  char text[40];
  int length = snprintf(text, sizeof text, "%u:%u:%o", meta->uid, meta->gid, meta->mode);
  if (fsetxattr(fd, HAKO_OWNER_XATTR, text, (size_t)length, 0) < 0)
    return fail(f, "setxattr", errno, HAKO_OWNER_XATTR " on ", path);
  return 0;
}

static int chown_failed(const struct metadata *meta, const char *path, struct failure *f) {
  char uid[DECIMAL_SIZE];
  char gid[DECIMAL_SIZE];
  return fail(f, "chown", errno, path, " to ", decimal(uid, meta->uid), ":", decimal(gid, meta->gid),
              errno == EINVAL ? " (an id that is not mapped into this user namespace)" : "");
}

int set_owner(int fd, const struct metadata *meta, enum hako_ownership ownership, const char *path, struct failure *f) {
  if (ownership == HAKO_OWNERSHIP_SINGLE)
    return meta->uid != 0 || meta->gid != 0 ? record_owner(fd, meta, path, f) : 0;
  return fchown(fd, meta->uid, meta->gid) == 0 ? 0 : chown_failed(meta, path, f);
}

int set_unopened(int parent, const char *name, bool symlink, const struct metadata *meta, enum hako_ownership ownership,
                 struct failure *f) {
  if (ownership == HAKO_OWNERSHIP_KEEP && fchownat(parent, name, meta->uid, meta->gid, AT_SYMLINK_NOFOLLOW) < 0)
    return chown_failed(meta, name, f);
  // Before Linux 6.6 the mode that mknod(2) was given stands. What that misses, a default ACL on the directory, is
  // no reason to chmod by a name that might have become a symlink.
  if (!symlink && sys_fchmodat2(parent, name, meta->mode, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOSYS)
    return fail(f, "chmod", errno, name);
  const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, meta->mtime};
  return utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : fail(f, "utimens", errno, name);
}

int set_mtime(int fd, const struct timespec *mtime, const char *path, struct failure *f) {
  const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *mtime};
  return futimens(fd, times) == 0 ? 0 : fail(f, "utimens", errno, path);
}
