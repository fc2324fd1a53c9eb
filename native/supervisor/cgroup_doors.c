// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "../common/fd.h"
#include "cgroup.h"

void cgroup_open_door(struct cgroup_doors *doors, const char *directory) {
  static const char name[] = "/tasks";
  char path[PATH_MAX];
  size_t length = strlen(directory);
  if (doors->count == MOST_DOORS || length + sizeof name > sizeof path)
    return;
  memcpy(path, directory, length);
  memcpy(path + length, name, sizeof name);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  doors->directories[doors->count] = directory;
  doors->fds[doors->count++] = fd;
}

bool cgroup_has_door(const struct cgroup_doors *doors, const char *directory) {
  for (uint32_t i = 0; i < doors->count; i++)
    if (doors->directories[i] == directory)
      return true;
  return false;
}

void cgroup_close_doors(struct cgroup_doors *doors) {
  while (doors->count > 0)
    close_fd(&doors->fds[--doors->count]);
}

int cgroup_enter(const struct cgroup_doors *doors, struct failure *failure) {
  for (uint32_t i = 0; i < doors->count; i++) {
    int fd = doors->fds[i];
    if (write_all(fd, "0", 1) < 0)
      return fail(failure, "cgroup", errno, "join ", doors->directories[i]);
    close(fd);
  }
  return 0;
}
