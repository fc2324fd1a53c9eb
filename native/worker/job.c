// SPDX-License-Identifier: Apache-2.0
#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../common/wire.h"
#include "../protocol.h"

#define MOST_MOUNTPOINTS 4096u
#define MOST_MOUNTS 2048u

static void require(struct wire_reader *r, bool sound) {
  if (!sound)
    r->failed = true;
}

// No "..", no empty component, not absolute: what openat2(2) would refuse or take for something else.
static const char *read_path(struct wire_reader *r, bool may_be_base) {
  const char *path = wire_str(r);
  require(r, *path != 0 || may_be_base);
  for (const char *at = path; *at;) {
    size_t length = strcspn(at, "/");
    require(r, length > 0 && !(length == 1 && at[0] == '.') && !(length == 2 && at[0] == '.' && at[1] == '.'));
    require(r, at[length] == 0 || at[length + 1] != 0);
    at += length;
    at += *at == '/';
  }
  return path;
}

// One component; "" where there may be none.
static const char *read_name(struct wire_reader *r, bool may_be_none) {
  const char *name = wire_str(r);
  require(r, !strchr(name, '/') && strcmp(name, "..") != 0 && (*name != 0 || may_be_none));
  return name;
}

static uint8_t read_choice(struct wire_reader *r, uint8_t most) {
  uint8_t choice = wire_u8(r);
  require(r, choice <= most);
  return choice;
}

static void read_idmap(struct wire_reader *r, struct idmap *map) {
  map->method = read_choice(r, HAKO_IDMAP_HELPERS);
  map->uid_map = wire_str(r);
  map->gid_map = wire_str(r);
  map->deny_setgroups = read_choice(r, 1) == 1;
  map->newuidmap = wire_str(r);
  map->newgidmap = wire_str(r);
}

// Of an overlay that is put together from the host's root its directories are absolute.
static const char *read_layer(struct wire_reader *r, bool absolute, bool may_be_none) {
  if (!absolute)
    return read_path(r, may_be_none);
  const char *path = wire_str(r);
  require(r, *path == '/' || (*path == 0 && may_be_none));
  return path;
}

static void read_overlay(struct wire_reader *r, struct overlay_spec *overlay, bool absolute) {
  overlay->lower_count = wire_count(r, 4, JOB_MOST_LOWERS);
  for (uint32_t i = 0; i < overlay->lower_count && !r->failed; i++)
    overlay->lowers[i] = read_layer(r, absolute, false);
  overlay->upper = read_layer(r, absolute, true);
  overlay->work = read_layer(r, absolute, true);
  overlay->userxattr = read_choice(r, 1) == 1;
  overlay->option_count = wire_count(r, 8, JOB_MOST_OPTIONS);
  for (uint32_t i = 0; i < overlay->option_count && !r->failed; i++)
    overlay->options[i] = (struct tree_option){wire_str(r), wire_str(r)};
  require(r, overlay->lower_count > 0 && (*overlay->upper != 0) == (*overlay->work != 0));
}

static void read_mount(struct wire_reader *r, struct mount_spec *mount) {
  mount->kind = read_choice(r, HAKO_MOUNT_OVERLAY);
  mount->target = wire_str(r);
  mount->readonly = read_choice(r, 1) == 1;
  if (mount->kind == HAKO_MOUNT_OVERLAY) {
    read_overlay(r, &mount->overlay, true);
    return;
  }
  mount->source = read_layer(r, true, false);
  mount->recursive = read_choice(r, 1) == 1;
}

static int read_mounts(struct wire_reader *r, struct tree_spec *tree, struct failure *f) {
  uint32_t count = wire_count(r, 11, MOST_MOUNTS);
  require(r, count > 0);
  tree->mounts = calloc(count > 0 ? count : 1, sizeof *tree->mounts);
  if (!tree->mounts)
    return fail(f, "memory", ENOMEM, "list of mounts");
  tree->mount_count = count;
  for (uint32_t i = 0; i < count && !r->failed; i++) {
    read_mount(r, &tree->mounts[i]);
    require(r, (*tree->mounts[i].target == 0) == (i == 0));
  }
  return 0;
}

static int read_tree(struct wire_reader *r, struct tree_spec *tree, struct failure *f) {
  tree->kind = read_choice(r, HAKO_TREE_NAMESPACE);
  switch (tree->kind) {
  case HAKO_TREE_DIRECTORY:
    tree->path = read_path(r, true);
    tree->make = read_choice(r, 1) == 1;
    return 0;
  case HAKO_TREE_OVERLAY:
    read_overlay(r, &tree->overlay, false);
    return 0;
  case HAKO_TREE_MOUNTS:
    return read_mounts(r, tree, f);
  default:
    tree->joins_user = read_choice(r, 1) == 1;
    tree->recursive = read_choice(r, 1) == 1;
    return 0;
  }
}

#define UNPACK_FLAGS                                                                                         \
  (HAKO_UNPACK_DEVICES_OPTIONAL | HAKO_UNPACK_SYNC | HAKO_UNPACK_KEEP_ROOT | HAKO_UNPACK_KEEP_KINDS | \
   HAKO_UNPACK_OWNER | HAKO_UNPACK_PLAIN)

static void read_unpack(struct wire_reader *r, struct job *job) {
  struct unpack_options *options = &job->unpack;
  options->at = read_path(r, true);
  options->whiteouts = read_choice(r, HAKO_WHITEOUTS_APPLY);
  options->opaque_xattr = read_choice(r, HAKO_OPAQUE_USER);
  options->ownership = read_choice(r, HAKO_OWNERSHIP_SINGLE);
  job->unpack_flags = wire_u32(r);
  require(r, (job->unpack_flags & ~UNPACK_FLAGS) == 0);
  options->devices_optional = (job->unpack_flags & HAKO_UNPACK_DEVICES_OPTIONAL) != 0;
  options->keep_root = (job->unpack_flags & HAKO_UNPACK_KEEP_ROOT) != 0;
  options->keep_kinds = (job->unpack_flags & HAKO_UNPACK_KEEP_KINDS) != 0;
  options->plain = (job->unpack_flags & HAKO_UNPACK_PLAIN) != 0;
  options->has_owner = (job->unpack_flags & HAKO_UNPACK_OWNER) != 0;
  options->uid = wire_u32(r);
  options->gid = wire_u32(r);
  options->temporary = read_name(r, true);
  options->limits.archive_bytes = wire_u64(r);
  options->limits.entries = wire_u64(r);
  options->limits.file_bytes = wire_u64(r);
  options->limits.path_depth = wire_u32(r);
  options->limits.header_bytes = wire_u32(r);
  options->limits.xattr_bytes = wire_u32(r);
}

static int read_mountpoints(struct wire_reader *r, struct job *job, struct failure *f) {
  uint32_t count = wire_count(r, 13, MOST_MOUNTPOINTS);
  job->mountpoints = calloc(count > 0 ? count : 1, sizeof *job->mountpoints);
  if (!job->mountpoints)
    return fail(f, "memory", ENOMEM, "list of mount points");
  job->mountpoint_count = count;
  for (uint32_t i = 0; i < count && !r->failed; i++) {
    struct mountpoint *point = &job->mountpoints[i];
    point->kind = read_choice(r, HAKO_MOUNTPOINT_SYMLINK);
    point->path = wire_str(r);
    point->mode = wire_u32(r);
    point->target = wire_str(r);
    require(r, point->mode <= 07777 && (*point->target != 0) == (point->kind == HAKO_MOUNTPOINT_SYMLINK));
  }
  return 0;
}

static int read_compare(struct wire_reader *r, struct job *job, struct failure *f) {
  job->compare_flags = read_choice(r, HAKO_COMPARE_MARKS | HAKO_COMPARE_OWNERS | HAKO_COMPARE_LAYER);
  job->has_parent = read_choice(r, 1) == 1;
  if (job->has_parent && read_tree(r, &job->parent, f) < 0)
    return -1;
  require(r, job->tree.kind <= HAKO_TREE_OVERLAY && job->parent.kind <= HAKO_TREE_OVERLAY);
  return 0;
}

static int read_particulars(struct wire_reader *r, struct job *job, struct failure *f) {
  switch (job->type) {
  case HAKO_WORKER_UNPACK:
    read_unpack(r, job);
    return 0;
  case HAKO_WORKER_COPY:
    job->path = read_path(r, false);
    return 0;
  case HAKO_WORKER_MOUNTPOINTS:
    return read_mountpoints(r, job, f);
  case HAKO_WORKER_PACK:
    job->path = read_path(r, true);
    job->name = read_name(r, true);
    job->pack_flags = read_choice(r, HAKO_PACK_WHITEOUTS | HAKO_PACK_OWNERS | HAKO_PACK_ADOPT);
    return 0;
  case HAKO_WORKER_STAT:
    job->path = read_path(r, true);
    job->follow = read_choice(r, 1) == 1;
    return 0;
  case HAKO_WORKER_SWEEP:
    job->path = read_path(r, true);
    job->name = read_name(r, false);
    job->below = read_choice(r, 1) == 1;
    return 0;
  case HAKO_WORKER_COMPARE:
    return read_compare(r, job, f);
  case HAKO_WORKER_CONNECT:
    job->port = wire_u16(r);
    require(r, job->port > 0);
    return 0;
  case HAKO_WORKER_USAGE:
  case HAKO_WORKER_REMOVE:
    return 0;
  default:
    r->failed = true;
    return 0;
  }
}

int job_decode(uint8_t type, void *payload, size_t length, struct job *job, struct failure *f) {
  struct wire_reader r = wire_reader(payload, length);
  *job = (struct job){.type = type};
  if (wire_u32(&r) != HAKO_WORKER_VERSION)
    return fail(f, "protocol", 0, "the worker is of another version than what asks it");
  read_idmap(&r, &job->idmap);
  if (type == HAKO_WORKER_REMOVE)
    job->path = read_path(&r, false);
  else if (type != HAKO_WORKER_CONNECT && read_tree(&r, &job->tree, f) < 0)
    return -1;
  if (read_particulars(&r, job, f) < 0)
    return -1;
  return wire_done(&r) ? 0 : fail(f, "protocol", 0, "the request is malformed");
}

void job_free(struct job *job) {
  free(job->mountpoints);
  free(job->tree.mounts);
  free(job->parent.mounts);
  job->mountpoints = NULL;
  job->tree.mounts = NULL;
  job->parent.mounts = NULL;
}
