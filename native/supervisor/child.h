// SPDX-License-Identifier: Apache-2.0
//
// What a process does between clone3 and execve. Neither function comes back.
#ifndef HAKO_CHILD_H
#define HAKO_CHILD_H

#include "cgroup.h"
#include "handshake.h"
#include "spawn.h"

// Opened by the supervisor, where no container can have a say: all CLOEXEC.
struct host {
  int proc; // O_PATH of procfs
  struct cgroup_doors doors;
};

int host_open(struct host *host, struct failure *failure);
void host_close(struct host *host);

// What the child of either needs of the supervisor's descriptors; before spawn.
void child_keep_start(struct spawn *how, const struct start_request *request, const struct handshake *handshake,
                      const struct host *host);
void child_keep_exec(struct spawn *how, const struct container *container, const struct exec_request *request,
                     const struct handshake *handshake, const struct host *host);

// Whether an exec's release brings what confinement_open_profile gives.
bool child_takes_profile(const struct container *container, const struct exec_request *request);

_Noreturn void child_start(const struct start_request *request, const struct handshake *handshake,
                           const struct host *host, const struct spawn *how);

// What the child of an exec waits for, when it is made.
enum release {
  RELEASE_NONE,
  RELEASE_PLAIN,   // that it is put into its cgroups
  RELEASE_PROFILE, // that, and what confinement_open_profile gives
};

_Noreturn void child_exec(const struct container *container, const struct exec_request *request,
                          const struct handshake *handshake, const struct host *host, enum release release);

#endif
