// SPDX-License-Identifier: Apache-2.0
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>

#include "../common/fd.h"
#include "../common/rmtree.h"
#include "../common/syscalls.h"
#include "../common/wire.h"
#include "copy.h"
#include "job.h"
#include "key_set.h"
#include "mountpoints.h"
#include "pack.h"
#include "sandbox.h"
#include "tree.h"
#include "usage.h"

#define ANSWER_SIZE 1024

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
    return CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_FOWNER);
  case HAKO_WORKER_PACK:
    return CAPABILITY(CAP_DAC_READ_SEARCH) | (job->pack_flags & HAKO_PACK_WHITEOUTS ? CAPABILITY(CAP_SYS_ADMIN) : 0);
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
  struct pack_result result;
  if (pack_tree(root, HAKO_WORKER_FD_OUTPUT, job->pack_flags, &result, f) < 0)
    return -1;
  wire_put_u64(answer, result.entries);
  wire_put_u64(answer, result.bytes);
  return 0;
}

static int run_job(const struct job *job, struct wire_writer *answer, struct failure *f) {
  cleanup_fd int base = sandbox_enter(HAKO_WORKER_FD_BASE, &job->idmap, f);
  if (base < 0)
    return -1;
  // An overlay is mounted while that is still possible.
  cleanup_fd int root = job->type == HAKO_WORKER_REMOVE ? -1 : tree_open(base, &job->tree, f);
  if (root < 0 && job->type != HAKO_WORKER_REMOVE)
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
  default:
    return run_pack(job, root, answer, f);
  }
}

// The payload of the one request, to be freed; NULL with a failure.
static void *read_request(uint8_t *type, size_t *length, struct failure *f) {
  uint8_t header[WIRE_HEADER];
  if (read_all(HAKO_WORKER_FD_SOCKET, header, sizeof header) != (ssize_t)sizeof header) {
    fail(f, "protocol", 0, "no request came");
    return NULL;
  }
  *length = wire_frame_length(header);
  *type = wire_frame_type(header);
  if (*length > HAKO_WORKER_MAX_REQUEST) {
    fail(f, "protocol", 0, "the request is too large");
    return NULL;
  }
  uint8_t *payload = malloc(*length > 0 ? *length : 1);
  if (!payload) {
    fail(f, "memory", ENOMEM, "request");
  } else if (read_all(HAKO_WORKER_FD_SOCKET, payload, *length) != (ssize_t)*length) {
    fail(f, "protocol", 0, "the request ends too early");
    free(payload);
    payload = NULL;
  }
  return payload;
}

static int serve(struct wire_writer *answer, struct failure *f) {
  static struct job job; // too large for a stack
  uint8_t type;
  size_t length;
  uint8_t *payload = read_request(&type, &length, f);
  if (!payload)
    return -1;
  int result = job_decode(type, payload, length, &job, f);
  if (result == 0)
    result = run_job(&job, answer, f);
  job_free(&job);
  free(payload);
  return result;
}

int worker_run(void) {
  uint8_t buffer[ANSWER_SIZE];
  struct failure f = {0};
  // A reader of PACK's archive that goes away is an EPIPE, not our end.
  signal(SIGPIPE, SIG_IGN);
  sys_close_range(HAKO_WORKER_FD_BASE + 1, ~0u, 0);
  struct wire_writer answer = wire_begin(buffer, sizeof buffer, HAKO_WORKER_DONE);
  if (serve(&answer, &f) < 0) {
    answer = wire_begin(buffer, sizeof buffer, HAKO_WORKER_FAILED);
    wire_put_str(&answer, f.operation);
    wire_put_i32(&answer, f.errnum);
    wire_put_str(&answer, f.detail);
  }
  size_t length = wire_end(&answer);
  return length > 0 && write_all(HAKO_WORKER_FD_SOCKET, buffer, length) == 0 ? 0 : 1;
}
