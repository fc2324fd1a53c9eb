// SPDX-License-Identifier: Apache-2.0
//
// Makes a process that is the supervisor's child in namespaces of its own, in
// others' that are entered beforehand, or in both.
#ifndef HAKO_SPAWN_H
#define HAKO_SPAWN_H

#include "cgroup.h"
#include "container.h"
#include "host_trees.h"

#define MOST_KEPT (4 + MOST_JOINS + MOST_DOORS + MOST_TREES)

struct spawn {
  uint32_t unshare; // CLONE_NEW* to make
  int cgroup;       // v2 directory to be born in, or -1

  // Entered in this order by an intermediate process, the user namespace first:
  // what it then makes is born in them. None: no intermediate is needed.
  const struct namespace_join *joins;
  uint32_t join_count;

  // Or the namespaces of a running container: its pidfd and CLONE_NEW*.
  int pidfd; // -1: none
  uint32_t enter;

  // The descriptors that the child keeps besides 0, 1 and 2.
  int keep[MOST_KEPT];
  size_t keep_count;
  bool pruned; // to the child: it has no others any more

  int32_t oom_score_adj; // for an entered container; INT32_MIN: leave
};

// Returns twice, as fork(2) does: 0 in the child; in the supervisor the pid with
// `*pidfd` set, or -1. The child is not dumpable unless it has a new user namespace,
// whose maps an ordinary user could not write otherwise.
pid_t spawn(struct spawn *how, int *pidfd, struct failure *failure);

// Closes all that is not to be kept.
int spawn_prune(const struct spawn *how, struct failure *failure);

// A process's own score, by its own procfs entry.
int set_oom_score(int32_t value, struct failure *failure);

#endif
