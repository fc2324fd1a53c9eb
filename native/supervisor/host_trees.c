// SPDX-License-Identifier: Apache-2.0
#include "host_trees.h"

#include <string.h>
#include <sys/stat.h>

#include "../common/fd.h"
#include "../common/syscalls.h"

#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif

static unsigned recursion(const struct setup_op *op) {
  return op->kind == HAKO_OP_BIND && (op->flags & HAKO_BIND_RECURSIVE) ? AT_RECURSIVE : 0;
}

int host_tree_copy(const struct setup_op *op, struct stat *status, struct failure *failure) {
  cleanup_fd int tree = sys_open_tree(AT_FDCWD, op->source, OPEN_TREE_CLONE | recursion(op));
  if (tree < 0 && (op->flags & HAKO_BIND_OPTIONAL) && (errno == ENOENT || errno == ENOTDIR))
    return HOST_TREE_ABSENT;
  if (tree < 0 || fstat(tree, status) < 0)
    return fail(failure, "bind", errno, "source ", op->source);
  if ((op->flags & HAKO_BIND_DEVICE) && !S_ISCHR(status->st_mode) && !S_ISBLK(status->st_mode))
    return fail(failure, "bind", ENODEV, "source ", op->source, " is not a device node");
  struct mount_attributes attributes = {
      .set = op->bind.set, .clear = op->bind.clear, .propagation = op->bind.propagation & ~(uint64_t)MS_REC};
  bool changes = attributes.set || attributes.clear || attributes.propagation;
  if (op->kind == HAKO_OP_BIND && changes && sys_mount_setattr(tree, recursion(op), &attributes) < 0)
    return fail(failure, "bind", errno, "cannot set the mount attributes of ", op->source);
  return steal_fd(&tree);
}

static bool is_hosts(const struct setup_op *op) {
  return op->kind == HAKO_OP_LAYERS || (op->kind == HAKO_OP_BIND && (op->flags & HAKO_BIND_HOST));
}

static bool is_shifted(const struct setup_op *op) {
  return op->kind == HAKO_OP_LAYERS || (op->flags & HAKO_BIND_IDMAP);
}

int host_trees_open(struct start_request *request, struct failure *failure) {
  size_t count = 0;
  for (uint32_t i = 0; i < request->op_count; i++) {
    struct setup_op *op = &request->ops[i];
    if (!is_hosts(op))
      continue;
    if (++count > MOST_TREES)
      return fail(failure, "bind", E2BIG, "more mounts than a container with ids of its own can have");
    struct stat status;
    op->tree = host_tree_copy(op, &status, failure);
    if (op->tree == -1)
      return -1;
  }
  return 0;
}

static int shift(const struct setup_op *op, int user_namespace, struct failure *failure) {
  struct mount_attributes attributes = {.set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};
  if (sys_mount_setattr(op->tree, recursion(op), &attributes) == 0)
    return 0;
  return fail(failure, "idmapped-mount", errno, op->source);
}

int host_trees_shift(const struct start_request *request, int proc, pid_t pid, struct failure *failure) {
  cleanup_fd int user_namespace = -1;
  for (uint32_t i = 0; i < request->op_count; i++) {
    const struct setup_op *op = &request->ops[i];
    if (!is_hosts(op) || op->tree < 0 || !is_shifted(op))
      continue;
    if (user_namespace < 0) {
      char path[DECIMAL_SIZE + sizeof "/ns/user"];
      char number[DECIMAL_SIZE];
      strcpy(path, decimal(number, pid));
      strcat(path, "/ns/user");
      user_namespace = openat(proc, path, O_RDONLY | O_CLOEXEC);
      if (user_namespace < 0)
        return fail(failure, "idmapped-mount", errno, "the container's user namespace");
    }
    if (shift(op, user_namespace, failure) < 0)
      return -1;
  }
  return 0;
}

void host_trees_close(struct start_request *request) {
  for (uint32_t i = 0; i < request->op_count; i++)
    if (is_hosts(&request->ops[i]))
      close_fd(&request->ops[i].tree);
}
