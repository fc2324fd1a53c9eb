// SPDX-License-Identifier: Apache-2.0
#include "host_proc.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "fd.h"
#include "syscalls.h"

int host_proc_open(const char *operation, struct failure *failure) {
  cleanup_fd int fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  struct statfs status;
  if (fd < 0 || fstatfs(fd, &status) < 0)
    return fail(failure, operation, errno, "the host's /proc");
  if (status.f_type != PROC_SUPER_MAGIC)
    return fail(failure, operation, ENODEV, "the host's /proc is not a procfs");
  return steal_fd(&fd);
}

int host_proc_open_writable(int proc, const char *path) {
  // NO_XDEV: not into anything that is mounted over a part of procfs.
  return sys_openat2(proc, path, O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
}

int host_proc_write(int proc, const char *path, const void *data, size_t length) {
  cleanup_fd int fd = host_proc_open_writable(proc, path);
  if (fd < 0)
    return -1;
  ssize_t written = RETRY(write(fd, data, length));
  if (written >= 0 && (size_t)written != length)
    errno = EIO;
  return written == (ssize_t)length ? 0 : -1;
}
