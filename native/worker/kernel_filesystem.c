// SPDX-License-Identifier: Apache-2.0
#include "kernel_filesystem.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

// <linux/magic.h>, and what stands in the filesystems' own sources only.
static const uint32_t magics[] = {
    0x9fa0,     // proc
    0x62656572, // sysfs
    0x0027e0eb, // cgroup
    0x63677270, // cgroup2
    0x1cd1,     // devpts
    0x19800202, // mqueue
    0x64626720, // debugfs
    0x74726163, // tracefs
    0x73636673, // securityfs
    0xf97cff8c, // selinuxfs
    0xcafe4a11, // bpf
    0x62656570, // configfs
    0x42494e4d, // binfmt_misc
    0xde5e81e4, // efivarfs
    0x6165676c, // pstore
    0x65735543, // fusectl
    0x6e736673, // nsfs
};

bool is_kernel_filesystem(int fd) {
  struct statfs status;
  if (fstatfs(fd, &status) < 0)
    return false;
  for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
    if ((uint32_t)status.f_type == magics[i])
      return true;
  return false;
}
