// SPDX-License-Identifier: Apache-2.0
//
// Settings of the container's own namespaces: sysctls and the loopback device.
#include <limits.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../common/fd.h"
#include "../common/host_proc.h"
#include "setup.h"

int setup_sysctl(struct setup *setup, const struct setup_op *op) {
  char path[256] = "sys/";
  size_t prefix = strlen(path);
  if (strlen(op->path) >= sizeof path - prefix)
    return fail(setup->failure, "sysctl", ENAMETOOLONG, op->path);
  strcpy(path + prefix, op->path);
  // With a slash anywhere a dot is part of a name, such as an interface's VLAN.
  if (!strchr(op->path, '/'))
    for (char *c = path + prefix; *c; c++)
      if (*c == '.')
        *c = '/';
  // RESOLVE_BENEATH holds it within procfs only.
  if (strstr(path, "/..") || host_proc_write(setup->proc, path, op->source, strlen(op->source)) < 0)
    return fail(setup->failure, "sysctl", strstr(path, "/..") ? EINVAL : errno, op->path, " = ", op->source);
  return 0;
}

int setup_loopback(struct setup *setup) {
  cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
    return fail(setup->failure, "loopback", errno, "cannot bring lo up");
  return 0;
}
