// SPDX-License-Identifier: Apache-2.0
//
// Applies a tar archive to a directory.
#ifndef HAKO_UNPACK_H
#define HAKO_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/failure.h"
#include "tar_reader.h"
#include "worker_protocol.h"

struct unpack_options {
  const char *at; // the directory of the tree that the archive is for; "": the root
  enum hako_whiteouts whiteouts;
  enum hako_opaque_xattr opaque_xattr;
  enum hako_ownership ownership;
  bool devices_optional; // a device that this namespace may not make is passed over and counted
  bool keep_root;        // what is said of `at` itself is passed over
  bool plain;            // nothing is made that gives rights: set-id modes, devices, security.capability
  bool keep_kinds;       // nothing else takes a directory's place, and no directory that of anything else
  bool has_owner;        // everything belongs to uid and gid
  uint32_t uid;
  uint32_t gid;
  const char *temporary; // the name of a file until it is whole; "": its own
  struct tar_limits limits;
};

struct unpack_result {
  uint64_t entries;
  uint64_t bytes_read;
  uint64_t bytes_written; // holes left out
  uint64_t devices_skipped;
  uint64_t xattrs_dropped;
  bool root_opaque; // the layer hides all below it, which overlayfs can't be told of at the root of a lower directory
};

// What was made before a failure stays; the caller removes the directory.
int unpack(int root, tar_read_fn read, void *context, const struct unpack_options *options,
           struct unpack_result *result, struct failure *f);

#endif
