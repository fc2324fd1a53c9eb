// SPDX-License-Identifier: Apache-2.0
#ifndef HAKO_IDMAP_H
#define HAKO_IDMAP_H

#include <sys/types.h>

#include "request.h"

// Gives a process in a new user namespace its ids. `proc`: the host's procfs.
int idmap_write(const struct idmap *map, int proc, pid_t pid, struct failure *failure);

#endif
