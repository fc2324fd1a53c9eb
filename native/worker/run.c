// SPDX-License-Identifier: Apache-2.0
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>

#include "../common/fd.h"
#include "../common/rmtree.h"
#include "../common/syscalls.h"
#include "assemble.h"
#include "compare.h"
#include "connect.h"
#include "copy.h"
#include "key_set.h"
#include "mountpoints.h"
#include "pack.h"
#include "path_stat.h"
#include "sandbox.h"
#include "sweep.h"
#include "tree.h"
#include "usage.h"

#define CAPABILITY(number) ((uint64_t)1 << (number))

// What making files needs: owners, attributes and modes of files that belong to others by then, and devices.
#define MAKE_FILES                                                                                          \
  (CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_FSETID) | \
   CAPABILITY(CAP_MKNOD) | CAPABILITY(CAP_SETFCAP))

static uint64_t capabilities_for(const struct job *job) {
  switch (job->type) {
  case HAKO_WORKER_UNPACK: {
    // trusted.* attributes belong to CAP_SYS_ADMIN. The filter of system calls leaves it nothing else to do.
    bool trusted =
        job->unpack.whiteouts == HAKO_WHITEOUTS_OVERLAY && job->unpack.opaque_xattr == HAKO_OPAQUE_TRUSTED;
    return MAKE_FILES | (trusted ? CAPABILITY(CAP_SYS_ADMIN) : 0);
  }
  case HAKO_WORKER_COPY:
    return MAKE_FILES;
  case HAKO_WORKER_REMOVE:
  case HAKO_WORKER_MOUNTPOINTS:
  case HAKO_WORKER_SWEEP:
    return CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER);
  case HAKO_WORKER_PACK:
    return CAPABILITY(CAP_DAC_READ_SEARCH) | (job->pack_flags & HAKO_PACK_WHITEOUTS ? CAPABILITY(CAP_SYS_ADMIN) : 0);
  case HAKO_WORKER_COMPARE:
    return CAPABILITY(CAP_DAC_READ_SEARCH) |
           (job->compare_flags & HAKO_COMPARE_MARKS ? CAPABILITY(CAP_SYS_ADMIN) : 0);
  default:
    return CAPABILITY(CAP_DAC_READ_SEARCH);
  }
}

static ssize_t read_input(void *context, void *buffer, size_t length) {
  (void)context;
  return read(HAKO_WORKER_FD_INPUT, buffer, length);
}

// As few changes between Node and here as an ordinary user's pipe allows. One that can't grow is only slower.
#define PIPE_SIZE (1 << 20)

static int run_unpack(const struct job *job, int root, struct wire_writer *answer, struct failure *f) {
  struct unpack_result result;
  fcntl(HAKO_WORKER_FD_INPUT, F_SETPIPE_SZ, PIPE_SIZE);
  if (unpack(root, read_input, NULL, &job->unpack, &result, f) < 0)
    return -1;
  if (job->unpack_flags & HAKO_UNPACK_SYNC) {
    cleanup_fd int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) < 0)
      return fail(f, "syncfs", errno, "unpacked tree");
  }
  wire_put_u64(answer, result.entries);
  wire_put_u64(answer, result.bytes_read);
  wire_put_u64(answer, result.bytes_written);
  wire_put_u64(answer, result.devices_skipped);
  wire_put_u64(answer, result.xattrs_dropped);
  wire_put_u8(answer, result.root_opaque);
  return 0;
}

static int run_remove(const struct job *job, int base, struct failure *f) {
  const char *name;
  cleanup_fd int parent = tree_open_parent(base, job->path, &name, f);
  if (parent < 0)
    return f->errnum == ENOENT ? 0 : -1;
  return rmtree(parent, name, f);
}

static int run_copy(const struct job *job, int base, int root, struct wire_writer *answer, struct failure *f) {
  struct copy_result result;
  const char *name;
  cleanup_fd int parent = tree_open_parent(base, job->path, &name, f);
  if (parent < 0 || copy_tree(root, parent, name, &result, f) < 0)
    return -1;
  wire_put_u64(answer, result.entries);
  wire_put_u64(answer, result.bytes_copied);
  wire_put_u64(answer, result.bytes_shared);
  return 0;
}

static int run_usage(int root, struct wire_writer *answer, struct failure *f) {
  struct usage usage;
  if (usage_of(root, &usage, f) < 0)
    return -1;
  wire_put_u64(answer, usage.bytes);
  wire_put_u64(answer, usage.inodes);
  return 0;
}

static int run_mountpoints(const struct job *job, int root, struct wire_writer *answer, struct failure *f) {
  uint32_t made;
  if (mountpoints_make(root, job->mountpoints, job->mountpoint_count, &made, f) < 0)
    return -1;
  wire_put_u32(answer, made);
  return 0;
}

static int run_pack(const struct job *job, int root, struct wire_writer *answer, struct failure *f) {
  const struct pack_request request = {
      .path = job->path,
      .name = job->name,
      .flags = job->pack_flags,
      // There are none but those that belong to the container.
      .crosses_mounts = job->tree.kind >= HAKO_TREE_MOUNTS,
  };
  struct pack_result result;
  if (pack_tree(root, HAKO_WORKER_FD_OUTPUT, &request, &result, f) < 0)
    return -1;
  wire_put_u64(answer, result.entries);
  wire_put_u64(answer, result.bytes);
  return 0;
}

static int run_stat(const struct job *job, int root, struct wire_writer *answer, struct failure *f) {
  static struct path_stat result;
  if (path_stat(root, job->path, job->follow, &result, f) < 0)
    return -1;
  wire_put_u32(answer, result.status.st_mode);
  wire_put_u64(answer, (uint64_t)result.status.st_size);
  wire_put_i64(answer, result.status.st_mtim.tv_sec);
  wire_put_u32(answer, (uint32_t)result.status.st_mtim.tv_nsec);
  wire_put_str(answer, result.resolved);
  wire_put_str(answer, result.target);
  return 0;
}

static int run_sweep(const struct job *job, int root, struct wire_writer *answer, struct failure *f) {
  const struct sweep_request request = {
      .directory = job->path,
      .name = job->name,
      .below = job->below,
      .crosses_mounts = job->tree.kind >= HAKO_TREE_MOUNTS,
  };
  uint32_t removed;
  if (sweep(root, &request, &removed, f) < 0)
    return -1;
  wire_put_u32(answer, removed);
  return 0;
}

static int run_compare(const struct job *job, int root, int parent, struct wire_writer *answer, struct failure *f) {
  struct compare_result result;
  if (compare_trees(root, parent, HAKO_WORKER_FD_OUTPUT, job->compare_flags, &result, f) < 0)
    return -1;
  wire_put_u64(answer, result.entries);
  wire_put_u64(answer, result.bytes);
  return 0;
}

// Enters the sandbox and opens the tree, which is mounted while that is still possible. `*base` is -1 where the tree is
// all there is.
static int enter_tree(const struct job *job, int *base, struct failure *f) {
  const struct tree_spec *tree = &job->tree;
  switch (tree->kind) {
  case HAKO_TREE_MOUNTS:
    return assemble(HAKO_WORKER_FD_BASE, job, f);
  case HAKO_TREE_NAMESPACE:
    close(HAKO_WORKER_FD_BASE);
    return sandbox_join(HAKO_WORKER_FD_MOUNT_NAMESPACE, tree->joins_user ? HAKO_WORKER_FD_USER_NAMESPACE : -1,
                        tree->recursive, f);
  default:
    // Two trees may lie on two filesystems.
    *base = sandbox_enter(HAKO_WORKER_FD_BASE, &job->idmap, job->type == HAKO_WORKER_COMPARE, f);
    if (*base < 0)
      return -1;
    return job->type == HAKO_WORKER_REMOVE ? fcntl(*base, F_DUPFD_CLOEXEC, 0) : tree_open(*base, tree, f);
  }
}

int run_job(const struct job *job, struct wire_writer *answer, struct failure *f) {
  if (job->type == HAKO_WORKER_CONNECT) {
    close(HAKO_WORKER_FD_BASE);
    return connect_loopback(HAKO_WORKER_FD_NETWORK_NAMESPACE, job->port, HAKO_WORKER_FD_OUTPUT, f);
  }
  cleanup_fd int base = -1;
  cleanup_fd int root = enter_tree(job, &base, f);
  cleanup_fd int parent = root < 0 || !job->has_parent ? -1 : tree_open(base, &job->parent, f);
  if (root < 0 || (job->has_parent && parent < 0))
    return -1;
  if (!key_seed())
    return fail(f, "getrandom", errno, "seed");
  if (sandbox_lock(capabilities_for(job), f) < 0)
    return -1;
  switch (job->type) {
  case HAKO_WORKER_UNPACK:
    return run_unpack(job, root, answer, f);
  case HAKO_WORKER_REMOVE:
    return run_remove(job, base, f);
  case HAKO_WORKER_COPY:
    return run_copy(job, base, root, answer, f);
  case HAKO_WORKER_USAGE:
    return run_usage(root, answer, f);
  case HAKO_WORKER_MOUNTPOINTS:
    return run_mountpoints(job, root, answer, f);
  case HAKO_WORKER_STAT:
    return run_stat(job, root, answer, f);
  case HAKO_WORKER_SWEEP:
    return run_sweep(job, root, answer, f);
  case HAKO_WORKER_COMPARE:
    return run_compare(job, root, parent, answer, f);
  default:
    return run_pack(job, root, answer, f);
  }
}
