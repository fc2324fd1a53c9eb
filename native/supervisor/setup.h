// SPDX-License-Identifier: Apache-2.0
//
// What the container's first process does to its namespaces before it becomes
// the program: the setup ops of START, in order.
#ifndef HAKO_SETUP_H
#define HAKO_SETUP_H

#include "cgroup.h"
#include "console.h"
#include "handshake.h"

struct setup {
  const struct start_request *request;
  const struct handshake *handshake;
  struct failure *failure;
  const struct cgroup_doors *doors;
  int root;       // O_PATH of the root being built; "/" until something is mounted on ""
  int proc;       // the host's procfs, which no image can have changed
  int null;       // a read-only mount of the host's /dev/null, taken while it can be reached
  int empty;      // a mount of an empty read-only tmpfs
  bool null_attached, empty_attached; // somewhere in the root already
  bool in_layers; // the directory of HAKO_OP_LAYERS lies over "/", and is the working directory
  bool joined;    // is in its cgroups, and in a cgroup namespace of its own if asked for
  struct pty pty; // of HAKO_OP_CONSOLE
};

int setup_run(struct setup *setup);

// Waits until the cgroups are filled, goes into them, and then makes the cgroup
// namespace: its root is where its maker is at that moment.
int setup_join_cgroups(struct setup *setup);

// One function for each op; each is given an op of its kind.
int setup_propagation(struct setup *setup, uint64_t bits);
int setup_mount(struct setup *setup, const struct setup_op *op);
int setup_bind(struct setup *setup, const struct setup_op *op);
int setup_layers(struct setup *setup, const struct setup_op *op);
int setup_pivot(struct setup *setup);
int setup_root_attributes(struct setup *setup, const struct setup_op *op);
int setup_mkdir(struct setup *setup, const struct setup_op *op);
int setup_symlink(struct setup *setup, const struct setup_op *op);
int setup_mknod(struct setup *setup, const struct setup_op *op);
int setup_mask(struct setup *setup, const struct setup_op *op);
int setup_readonly(struct setup *setup, const struct setup_op *op);
int setup_sysctl(struct setup *setup, const struct setup_op *op);
int setup_console(struct setup *setup);
int setup_loopback(struct setup *setup);

// Before the host's root goes away: keeps its /dev/null for masks and for stdin.
int setup_keep_null(struct setup *setup);

// A descriptor of the null device, for reading, through which nothing of the host's can
// be changed; -1 with the failure.
int setup_open_null(struct setup *setup);

#endif
