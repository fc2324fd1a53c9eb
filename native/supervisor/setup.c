// SPDX-License-Identifier: Apache-2.0
#include "setup.h"

#include <sched.h>

#include "../common/fd.h"
#include "../common/syscalls.h"

int setup_join_cgroups(struct setup *setup) {
  if (setup->joined)
    return 0;
  // The supervisor is gone, or has a failure of its own to report.
  if (!handshake_wait(setup->handshake))
    _exit(1);
  if (cgroup_enter(setup->doors, setup->failure) < 0)
    return -1;
  setup->joined = true;
  if ((setup->request->unshare & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
    return fail(setup->failure, "namespace", errno, "cannot make a cgroup namespace");
  return 0;
}

static int run(struct setup *setup, const struct setup_op *op) {
  switch (op->kind) {
  case HAKO_OP_PROPAGATION:
    return setup_propagation(setup, op->bits);
  case HAKO_OP_MOUNT:
    return setup_mount(setup, op);
  case HAKO_OP_BIND:
    return setup_bind(setup, op);
  case HAKO_OP_MKDIR:
    return setup_mkdir(setup, op);
  case HAKO_OP_SYMLINK:
    return setup_symlink(setup, op);
  case HAKO_OP_MKNOD:
    return setup_mknod(setup, op);
  case HAKO_OP_LAYERS:
    return setup_layers(setup, op);
  case HAKO_OP_PIVOT:
    return setup_pivot(setup);
  case HAKO_OP_MASK:
    return setup_mask(setup, op);
  case HAKO_OP_READONLY:
    return setup_readonly(setup, op);
  case HAKO_OP_SYSCTL:
    return setup_sysctl(setup, op);
  case HAKO_OP_CONSOLE:
    return setup_console(setup);
  case HAKO_OP_LOOPBACK:
    return setup_loopback(setup);
  case HAKO_OP_ROOT_ATTR:
    return setup_root_attributes(setup, op);
  default:
    return fail(setup->failure, "protocol", 0, "unknown setup op");
  }
}

// Most hosts share "/" with every new mount namespace. A plan that says nothing about
// it must not have its mounts on the host.
static bool leaves_propagation(const struct start_request *request) {
  bool first = request->op_count > 0 && request->ops[0].kind == HAKO_OP_PROPAGATION;
  return (request->unshare & CLONE_NEWNS) && !first;
}

int setup_run(struct setup *setup) {
  if (leaves_propagation(setup->request) && setup_propagation(setup, MS_SLAVE) < 0)
    return -1;
  for (uint32_t i = 0; i < setup->request->op_count; i++) {
    // A root that came to lie over the layers would be pivoted away from with the host's left where it is.
    if (setup->in_layers && setup->request->ops[i].kind != HAKO_OP_MOUNT)
      return fail(setup->failure, "protocol", 0, "layers that no overlay follows");
    if (run(setup, &setup->request->ops[i]) < 0)
      return -1;
  }
  return 0;
}
