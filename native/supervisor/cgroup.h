// SPDX-License-Identifier: Apache-2.0
//
// The container's cgroups: made and filled before its first process, joined by
// it, and removed after it. Versions 1 and 2 side by side.
#ifndef HAKO_CGROUP_H
#define HAKO_CGROUP_H

#include "container.h"

// Makes the directories; fills them too when the process will be born in one
// (HAKO_CGROUP_INTO), whose directory `into` then gets, else -1. On failure the directories that were made are gone again.
int cgroup_prepare(const struct start_request *request, struct container *container, int *into,
                   struct failure *failure);

// cgroup_doors.c: how a process goes into groups of version 1 by itself. To be put
// in by its number takes a lock that every fork on the machine shares, and that is
// had only after an RCU grace period: some 10 ms. A single thread that writes 0
// into "tasks" needs no lock, and is in after some 30 µs.
#define MOST_DOORS 16

struct cgroup_doors {
  const char *directories[MOST_DOORS];
  int fds[MOST_DOORS];
  uint32_t count;
};

// Opens the directory's "tasks", if it has one that this user may write; keeps the pointer.
void cgroup_open_door(struct cgroup_doors *doors, const char *directory);
bool cgroup_has_door(const struct cgroup_doors *doors, const char *directory);
void cgroup_close_doors(struct cgroup_doors *doors);

// The process's side, while it has one thread and its first credentials; closes the doors.
int cgroup_enter(const struct cgroup_doors *doors, struct failure *failure);

// Doors for the JOIN steps.
void cgroup_open_step_doors(const struct start_request *request, struct cgroup_doors *doors);

// For a process that exists: the WRITE steps that are still to be done, and the
// JOIN steps that have no door, in order.
int cgroup_join_steps(const struct start_request *request, const struct cgroup_doors *doors, pid_t pid,
                      struct failure *failure);

int cgroup_join(const char *directory, pid_t pid, struct failure *failure);

// Makes a further group, or takes over one that is there: it was left by a supervisor that was killed.
int cgroup_adopt(struct container *container, const char *directory, struct failure *failure);

// Kills what is in the directories that were made and removes them, the last one
// first. One that is the parent of another that was made is only removed, and
// only if it is empty: others may have theirs in it. False: something is left.
bool cgroup_remove(struct container *container);

// The same, as far as that can be done without waiting or killing. All are remembered
// for cgroup_remove, which tells parents by them.
bool cgroup_remove_empty(const struct container *container);

// The count of OOM kills, by START's oom file and key.
uint64_t cgroup_oom_count(const struct container *container);

// cgroup_devices.c: attaches a program that decides about devices (version 2).
int cgroup_attach_devices(const char *directory, struct wire_bytes program, struct failure *failure);

// cgroup_remove.c: everything in and below a directory that is ours alone.
bool cgroup_remove_tree(const char *directory);

// The same file: a group that is not frozen, or cannot be, stays as it is.
void cgroup_thaw(const char *directory);

#endif
