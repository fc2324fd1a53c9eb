// SPDX-License-Identifier: Apache-2.0
//
// Sources of mounts that the container's root, who is nobody on the host, may
// not reach: opened with the supervisor's rights before the container is made,
// and shifted by its id map once that is written.
#ifndef HAKO_HOST_TREES_H
#define HAKO_HOST_TREES_H

#include "request.h"

// Each is a descriptor of the supervisor's and of the container's first process.
#define MOST_TREES 512

// Fills `tree` of each op that wants one; undone by host_trees_close.
int host_trees_open(struct start_request *request, struct failure *failure);

// `pid` is the container's first process, whose user namespace has its maps.
int host_trees_shift(const struct start_request *request, int proc, pid_t pid, struct failure *failure);

void host_trees_close(struct start_request *request);

// A detached copy of the op's source with the attributes that it asks for; `status` is
// the source's. -1 with the failure; HOST_TREE_ABSENT when it may be absent, and is.
#define HOST_TREE_ABSENT (-2)
struct stat;
int host_tree_copy(const struct setup_op *op, struct stat *status, struct failure *failure);

#endif
