// SPDX-License-Identifier: Apache-2.0
#include "difference.h"

#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <sys/xattr.h>

#include "worker_protocol.h"
#include "xattrs.h"

#define XATTR_SIZE 65536u // XATTR_SIZE_MAX and XATTR_LIST_MAX of the kernel

// Archives, and some filesystems, keep no nanoseconds.
static bool is_same_time(const struct timespec *one, const struct timespec *other) {
  return one->tv_sec == other->tv_sec && (one->tv_nsec == other->tv_nsec || one->tv_nsec == 0 || other->tv_nsec == 0);
}

bool differs_in_status(const struct stat *one, const struct stat *other) {
  if (one->st_mode != other->st_mode || one->st_uid != other->st_uid || one->st_gid != other->st_gid ||
      one->st_rdev != other->st_rdev)
    return true;
  return !S_ISDIR(one->st_mode) &&
         (one->st_size != other->st_size || !is_same_time(&one->st_mtim, &other->st_mtim));
}

static bool counts(const char *attribute) {
  return xattr_is_allowed(attribute) || strcmp(attribute, HAKO_OWNER_XATTR) == 0;
}

// Whether `one` has an attribute that `other` has not, or has with another value.
static bool has_more(int one, int other) {
  static char names[XATTR_SIZE];
  static char left[XATTR_SIZE];
  static char right[XATTR_SIZE];
  ssize_t length = flistxattr(one, names, sizeof names);
  for (ssize_t at = 0; at < length; at += (ssize_t)strlen(names + at) + 1) {
    if (!counts(names + at))
      continue;
    ssize_t size = fgetxattr(one, names + at, left, sizeof left);
    if (size != fgetxattr(other, names + at, right, sizeof right) || (size > 0 && memcmp(left, right, (size_t)size) != 0))
      return true;
  }
  return false;
}

bool differs_in_xattrs(int one, int other) {
  return has_more(one, other) || has_more(other, one);
}
