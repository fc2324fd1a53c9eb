// SPDX-License-Identifier: Apache-2.0
//
// What a process does between clone3 and execve. Neither function comes back.
#ifndef HAKO_CHILD_H
#define HAKO_CHILD_H

#include "cgroup.h"
#include "handshake.h"

// Opened by the supervisor, where no container can have a say: all CLOEXEC.
struct host {
  int proc; // O_PATH of procfs
  struct cgroup_doors doors;
};

int host_open(struct host *host, struct failure *failure);
void host_close(struct host *host);

_Noreturn void child_start(const struct start_request *request, const struct handshake *handshake,
                           const struct host *host);

_Noreturn void child_exec(const struct container *container, const struct exec_request *request,
                          const struct handshake *handshake, const struct host *host, bool joined);

#endif
