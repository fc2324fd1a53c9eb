// SPDX-License-Identifier: Apache-2.0
//
// The ids of a user namespace (user_namespaces(7)), as protocol.h's `idmap`.
#ifndef HAKO_IDMAP_H
#define HAKO_IDMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "failure.h"

struct idmap {
  uint8_t method; // enum hako_idmap_method
  char *uid_map;  // cut into words when helpers are used
  char *gid_map;
  bool deny_setgroups;
  const char *newuidmap;
  const char *newgidmap;
};

// Gives a process in a new user namespace its ids. `proc`: the host's procfs.
int idmap_write(const struct idmap *map, int proc, pid_t pid, struct failure *failure);

#endif
