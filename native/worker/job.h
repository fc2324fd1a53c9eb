// SPDX-License-Identifier: Apache-2.0
//
// A request of worker_protocol.h, decoded. Strings point into the payload.
#ifndef HAKO_JOB_H
#define HAKO_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../common/failure.h"
#include "../common/idmap.h"
#include "unpack.h"
#include "worker_protocol.h"

#define JOB_MOST_LOWERS 500u // overlayfs's own limit

struct tree_option {
  const char *key;
  const char *value; // "": a flag
};

#define JOB_MOST_OPTIONS 32u

struct overlay_spec {
  const char *lowers[JOB_MOST_LOWERS];
  uint32_t lower_count;
  const char *upper; // "": none
  const char *work;
  bool userxattr;
  struct tree_option options[JOB_MOST_OPTIONS];
  uint32_t option_count;
};

// A mount of HAKO_TREE_MOUNTS.
struct mount_spec {
  enum hako_mount kind;
  const char *target;
  bool readonly;
  const char *source; // HAKO_MOUNT_BIND
  bool recursive;
  struct overlay_spec overlay;
};

struct tree_spec {
  enum hako_tree kind;
  const char *path;
  bool make;
  struct overlay_spec overlay;
  struct mount_spec *mounts;
  uint32_t mount_count;
  bool joins_user;
  bool recursive;
};

struct mountpoint {
  enum hako_mountpoint kind;
  const char *path;
  uint32_t mode;
  const char *target;
};

struct job {
  enum hako_worker_frame type;
  struct idmap idmap;
  struct tree_spec tree; // all but REMOVE and CONNECT
  const char *path;      // REMOVE; COPY: the target; PACK, STAT and SWEEP: what of the tree
  const char *name;      // PACK and SWEEP
  bool follow;           // STAT
  uint8_t compare_flags;
  bool has_parent;
  struct tree_spec parent; // COMPARE
  struct unpack_options unpack;
  uint32_t unpack_flags;
  struct mountpoint *mountpoints;
  uint32_t mountpoint_count;
  uint8_t pack_flags;
  uint16_t port; // CONNECT
  bool below; // SWEEP
};

// -1 with a "protocol" failure unless the whole of it is sound.
int job_decode(uint8_t type, void *payload, size_t length, struct job *job, struct failure *f);

void job_free(struct job *job);

#endif
