// SPDX-License-Identifier: Apache-2.0
#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../common/wire.h"
#include "../protocol.h"

#define MOST_MOUNTPOINTS 4096u

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

static void read_tree(struct wire_reader *r, struct tree_spec *tree) {
  tree->kind = read_choice(r, HAKO_TREE_OVERLAY);
  if (tree->kind == HAKO_TREE_DIRECTORY) {
    tree->path = read_path(r, true);
    tree->make = read_choice(r, 1) == 1;
    return;
  }
  tree->lower_count = wire_count(r, 4, JOB_MOST_LOWERS);
  for (uint32_t i = 0; i < tree->lower_count && !r->failed; i++)
    tree->lowers[i] = read_path(r, false);
  tree->upper = read_path(r, true);
  tree->work = read_path(r, true);
  tree->userxattr = read_choice(r, 1) == 1;
  require(r, tree->lower_count > 0 && (*tree->upper != 0) == (*tree->work != 0));
}

static void read_unpack(struct wire_reader *r, struct job *job) {
  struct unpack_options *options = &job->unpack;
  options->whiteouts = read_choice(r, HAKO_WHITEOUTS_APPLY);
  options->opaque_xattr = read_choice(r, HAKO_OPAQUE_USER);
  options->ownership = read_choice(r, HAKO_OWNERSHIP_SINGLE);
  job->unpack_flags = wire_u32(r);
  require(r, (job->unpack_flags & ~(HAKO_UNPACK_DEVICES_OPTIONAL | HAKO_UNPACK_SYNC)) == 0);
  options->devices_optional = (job->unpack_flags & HAKO_UNPACK_DEVICES_OPTIONAL) != 0;
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

int job_decode(uint8_t type, void *payload, size_t length, struct job *job, struct failure *f) {
  struct wire_reader r = wire_reader(payload, length);
  *job = (struct job){.type = type};
  if (wire_u32(&r) != HAKO_WORKER_VERSION)
    return fail(f, "protocol", 0, "the worker is of another version than what asks it");
  read_idmap(&r, &job->idmap);
  if (type == HAKO_WORKER_REMOVE)
    job->path = read_path(&r, false);
  else
    read_tree(&r, &job->tree);
  switch (type) {
  case HAKO_WORKER_UNPACK:
    read_unpack(&r, job);
    break;
  case HAKO_WORKER_COPY:
    job->path = read_path(&r, false);
    break;
  case HAKO_WORKER_MOUNTPOINTS:
    if (read_mountpoints(&r, job, f) < 0)
      return -1;
    break;
  case HAKO_WORKER_PACK:
    job->pack_flags = read_choice(&r, HAKO_PACK_WHITEOUTS | HAKO_PACK_OWNERS | HAKO_PACK_ADOPT);
    break;
  case HAKO_WORKER_REMOVE:
  case HAKO_WORKER_USAGE:
    break;
  default:
    r.failed = true;
  }
  return wire_done(&r) ? 0 : fail(f, "protocol", 0, "the request is malformed");
}

void job_free(struct job *job) {
  free(job->mountpoints);
  job->mountpoints = NULL;
}
